#include "emulator/machine/saved_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>

#include "base/assert.h"
#include "emulator/memory/topology.h"
#include "emulator/saved/fields.h"
#include "weft/guest_ram.h"

namespace weft::machine {

namespace {

constexpr const char* kMachinePart = "machine";
constexpr uint32_t kMachineVersion = 1;

Result<> visit(const hw::SavedPart& part, StateVisitor::Purpose purpose, const saved::Part& saved) {
    saved::FieldReader reader(purpose, saved.fields);
    part.visit(reader);
    Result<> done = reader.finish();
    return done ? done : std::unexpected(done.error().within(fmt::format("section '{}'", part.name)));
}

}  // namespace

Result<> SavedMachine::check() const {
    if (machine_.ops.save == nullptr || machine_.ops.save(machine_.accel) == nullptr) {
        return fail("the accelerator cannot save machines");
    }
    for (const hw::SavedPart& part : machine_.board.saved_parts()) {
        if (!part.refusal.empty()) {
            return fail(part.refusal);
        }
    }
    return {};
}

saved::Facts SavedMachine::facts() const {
    saved::Facts facts = machine_.board.saved_facts();
    // What a guest was told of one clock means nothing by the other.
    facts.emplace_back("clock", machine_.time != nullptr ? "insn" : "host");
    for (const mem::RamBlock* block : machine_.board.topology().ram_space().blocks()) {
        facts.emplace_back(fmt::format("memory {}", block->name()), fmt::format("{} bytes", block->size()));
    }
    return facts;
}

std::vector<saved::Memory> SavedMachine::memory() const {
    std::vector<saved::Memory> memory;
    for (const mem::RamBlock* block : machine_.board.topology().ram_space().blocks()) {
        memory.push_back({.name = block->name(), .host = block->host(), .size = block->size()});
    }
    return memory;
}

saved::Expected SavedMachine::expected() const {
    saved::Expected expected{.facts = facts(), .parts = {{kMachinePart, kMachineVersion}}, .memory = {}};
    for (const hw::SavedPart& part : all_parts()) {
        expected.parts.emplace_back(part.name, part.version);
    }
    for (const saved::Memory& block : memory()) {
        expected.memory.emplace_back(block.name, block.size);
    }
    return expected;
}

// Of a CPU; what the accelerator knows of it comes first.
hw::SavedPart SavedMachine::cpu_part(unsigned index) const {
    hw::BoardCpu& cpu = machine_.board.cpu(index);
    Vcpu* const vcpu = machine_.vcpus[index];
    const auto visit_cpu = [this, &cpu, vcpu](StateVisitor& visitor) {
        const SaveOps& save = *machine_.ops.save(machine_.accel);
        const bool halted =
            visitor.value<uint8_t>("halted", save.complete_state(machine_.accel, vcpu) ? 1 : 0, 1) != 0;
        const std::function<void()> on_thread = [&] { cpu.visit_state(visitor); };
        machine_.ops.vcpu_run(
            machine_.accel, vcpu, VcpuWork::sync,
            [](void* function, void*) { (*static_cast<const std::function<void()>*>(function))(); },
            const_cast<std::function<void()>*>(&on_thread));
        if (visitor.loads()) {
            save.state_replaced(machine_.accel, vcpu, halted);
        }
    };
    return {.name = fmt::format("cpu.{}", index), .version = cpu.state_version(), .visit = visit_cpu};
}

std::vector<hw::SavedPart> SavedMachine::all_parts() const {
    std::vector<hw::SavedPart> parts = machine_.board.saved_parts();
    for (unsigned i = 0; i < machine_.board.cpu_count(); ++i) {
        parts.push_back(cpu_part(i));
    }
    return parts;
}

// Before all others: devices set their timers by the clock.
void SavedMachine::visit_machine(StateVisitor& visitor, bool& runs) const {
    runs = visitor.value<uint8_t>("runs", runs ? 1 : 0, 1) != 0;
    if (machine_.time != nullptr) {
        // Sums of it with deadlines do not wrap.
        const uint64_t now = visitor.value("clock", machine_.time->now_ns(machine_.accel), uint64_t{1} << 62);
        if (visitor.loads()) {
            machine_.time->set_now_ns(machine_.accel, now);
        }
    }
}

Result<std::vector<saved::Part>> SavedMachine::parts(bool runs) const {
    std::vector<saved::Part> saved;
    const auto save = [&saved](const hw::SavedPart& part) -> Result<> {
        // The guest may have done something since check().
        if (!part.refusal.empty()) {
            return fail(part.refusal);
        }
        saved::FieldWriter writer;
        part.visit(writer);
        Result<std::vector<uint8_t>> fields = writer.take();
        if (!fields) {
            return std::unexpected(fields.error().within(part.name));
        }
        saved.push_back({part.name, part.version, std::move(*fields)});
        return {};
    };
    Result<> done = save(machine_part(runs));
    for (const hw::SavedPart& part : all_parts()) {
        done = done ? save(part) : done;
    }
    return done ? Result<std::vector<saved::Part>>(std::move(saved)) : std::unexpected(done.error());
}

// Pages that are what they are to be are not touched: they may take no memory of the host's.
void SavedMachine::load_memory(const saved::StagedMachine& staged) const {
    static constexpr std::array<uint8_t, saved::kPage> kZeros{};
    mem::Topology& topology = machine_.board.topology();
    std::array<uint8_t, saved::kPage> present;
    for (const mem::RamBlock* block : topology.ram_space().blocks()) {
        const auto found = std::ranges::find(staged.memory, block->name(), &saved::StagedMemory::name);
        WEFT_ASSERT(found != staged.memory.end() && found->size() == block->size());
        const mem::Topology::Writing writing(topology, block->ram_offset(), block->size());
        for (uint64_t number = 0; number < block->size() / saved::kPage; ++number) {
            const uint8_t* const wanted =
                found->page(number) != nullptr ? found->page(number) : kZeros.data();
            uint8_t* const host = block->host() + number * saved::kPage;
            guest_ram::read(present.data(), host, present.size());
            if (std::memcmp(present.data(), wanted, present.size()) != 0) {
                guest_ram::write(host, wanted, saved::kPage);
            }
        }
    }
}

hw::SavedPart SavedMachine::machine_part(bool& runs) const {
    return {.name = kMachinePart, .version = kMachineVersion, .visit = [this, &runs](StateVisitor& visitor) {
                visit_machine(visitor, runs);
            }};
}

Result<> SavedMachine::fits(const saved::StagedMachine& staged) const {
    const std::vector<hw::SavedPart> parts = all_parts();
    WEFT_ASSERT(staged.parts.size() == parts.size() + 1);
    bool runs = false;
    Result<> done = visit(machine_part(runs), StateVisitor::Purpose::check, staged.parts[0]);
    for (size_t i = 0; i < parts.size(); ++i) {
        done = done ? visit(parts[i], StateVisitor::Purpose::check, staged.parts[i + 1]) : done;
    }
    return done;
}

Result<bool> SavedMachine::load(const saved::StagedMachine& staged) const {
    if (Result<> fit = fits(staged); !fit) {
        return std::unexpected(fit.error());
    }
    bool runs = false;
    Result<> done = visit(machine_part(runs), StateVisitor::Purpose::load, staged.parts[0]);
    load_memory(staged);
    const std::vector<hw::SavedPart> parts = all_parts();
    for (size_t i = 0; i < parts.size(); ++i) {
        done = done ? visit(parts[i], StateVisitor::Purpose::load, staged.parts[i + 1]) : done;
    }
    WEFT_ASSERT(done.has_value());  // the same fields as before
    return runs;
}

}  // namespace weft::machine
