#include "tests/codegen/generated.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <utility>

#include "base/text_values.h"
#include "emulator/guest/riscv/cpu/tb_flags.h"
#include "emulator/guest/riscv/guest_arch.h"
#include "emulator/guest/riscv/isa/decode.h"
#include "tcg/ir/verify.h"
#include "tcg/regalloc/liveness.h"
#include "tcg/x86_64/backend.h"

namespace weft::codegen {

namespace {

// Where code is made for: an address that no test runs at.
constexpr uint64_t kCodeBase = 0x10000000;
constexpr size_t kRuntimeSize = size_t{64} << 10;
constexpr size_t kUnitSize = size_t{64} << 10;
constexpr uint64_t kUnitBase = kCodeBase + kRuntimeSize;

constexpr riscv::TbFlags kUserFlags{riscv::Priv::user, riscv::MmuMode::user, riscv::MmuMode::user,
                                    riscv::FpState::dirty, 0};

const GuestArch& guest() {
    static const GuestArch kGuest = riscv::guest_arch_user(riscv::kMax);
    return kGuest;
}

std::span<const HelperDesc> helpers() { return {guest().helpers, guest().helper_count}; }

tcg::x86_64::HostFeatures features_of(const Target& target) {
    tcg::x86_64::HostFeatures features;
    features.sse41 = features.popcnt = features.cx16 = true;
    if (target.level_3) {
        features.movbe = features.lzcnt = features.bmi1 = features.bmi2 = true;
        features.avx = features.avx2 = features.fma = true;
    }
    return features;
}

uint32_t insns_in(std::span<const uint8_t> code) {
    uint32_t count = 0;
    for (size_t at = 0; at + 2 <= code.size(); ++count) {
        at += riscv::insn_size(static_cast<uint16_t>(code[at] | code[at + 1] << 8));
    }
    return count;
}

uint32_t live_ops(const ir::Unit& unit) {
    tcg::Liveness liveness(helpers());
    liveness.analyse(unit);
    uint32_t count = 0;
    for (uint32_t i = 0; i < unit.op_count; ++i) {
        const ir::Opcode code = unit.ops[i].code;
        const bool mark = code == ir::Opcode::insn_start || code == ir::Opcode::set_label;
        count += mark || liveness.of(i).removed ? 0 : 1;
    }
    return count;
}

// Of lines "0xADDRESS:  mnemonic operands", those that are met from the first one on where conditional jumps are not taken: as far
// as a jump that leaves the first `fast` lines, or goes back.
uint32_t path_length(std::string_view text, uint32_t fast) {
    std::vector<std::pair<uint64_t, std::string_view>> insns;
    const std::vector<std::string> lines = split(text, '\n');
    for (const std::string& line : lines) {
        const size_t colon = line.find(":  ");
        if (colon == std::string::npos || insns.size() == fast) {
            break;
        }
        insns.emplace_back(std::strtoull(line.c_str(), nullptr, 16),
                           std::string_view(line).substr(colon + 3));
    }
    uint32_t length = 0;
    for (size_t i = 0; i < insns.size();) {
        ++length;
        const auto& [address, insn] = insns[i];
        ++i;
        if (!insn.starts_with("jmp ")) {
            continue;
        }
        const uint64_t target = std::strtoull(std::string(insn.substr(4)).c_str(), nullptr, 16);
        while (i < insns.size() && insns[i].first < target) {
            ++i;
        }
        if (i == insns.size() || insns[i].first != target) {
            break;
        }
    }
    return length;
}

}  // namespace

struct Generator::Host {
    std::unique_ptr<tcg::Backend> backend;
    std::unique_ptr<tcg::Compiler> compiler;
    std::unique_ptr<std::array<uint8_t, kRuntimeSize + kUnitSize>> memory;
};

Generator::Generator(const tcg::OptimizeOptions& options)
    : memory_(std::make_unique<tcg::UnitMemory>(
          std::span<const GlobalDesc>(guest().globals, guest().global_count))),
      optimizer_(std::make_unique<tcg::Optimizer>(options)) {}

Result<Generator> Generator::create(const tcg::OptimizeOptions& options) {
    Generator made(options);
    for (const Target& target : kTargets) {
        tcg::NativeOptions native;
        native.check_helpers = false;  // what debug builds add is no part of the code that is looked at
        native.features = features_of(target);
        auto host = std::make_shared<Host>();
        host->memory = std::make_unique<std::array<uint8_t, kRuntimeSize + kUnitSize>>();
        host->backend =
            tcg::make_x86_64_backend(tcg::BackendConfig{&guest(), {}, false, false, target.memory}, native);
        const auto runtime =
            host->backend->emit_runtime({tcg::RwAddress(reinterpret_cast<uintptr_t>(host->memory->data())),
                                         tcg::RxAddress(kCodeBase), kRuntimeSize},
                                        kRuntimeSize + kUnitSize);
        if (!runtime) {
            return std::unexpected(runtime.error());
        }
        host->compiler = host->backend->make_compiler();
        made.hosts_.push_back(std::move(host));
    }
    return made;
}

Result<HostInsns> Generator::compile(const Host& host, const ir::Unit& unit) const {
    tcg::CodeWindow window{tcg::RwAddress(reinterpret_cast<uintptr_t>(host.memory->data() + kRuntimeSize)),
                           tcg::RxAddress(kUnitBase), kUnitSize};
    tcg::CompiledUnit compiled{};
    if (host.compiler->compile(unit, window, 1, &compiled) != tcg::CompileStatus::ok) {
        return fail("its code does not fit");
    }
    window.size = compiled.code_size;
    return HostInsns{path_length(host.backend->disassemble(window), compiled.host_insns),
                     compiled.host_insns + compiled.slow_host_insns};
}

Result<> Generator::translate(std::span<const uint8_t> code, bool fixed_pages) {
    const TranslateRequest request{.model = guest().model,
                                   .tb_flags = kUserFlags.bits(),
                                   .code = code.data(),
                                   .code_size = static_cast<uint32_t>(code.size()),
                                   .page_offset = 0x800,
                                   .max_insns = insns_in(code),
                                   .one_insn_per_tb = false,
                                   .fixed_pages = fixed_pages,
                                   .return_points = true,
                                   .inline_csrs = true,
                                   .inner_branches = true};
    ir::Unit& unit = memory_->begin_unit();
    if (guest().translate(&request, &unit) != TranslateStatus::ok) {
        return fail("it is not translated at once");
    }
    if (unit.guest_size != code.size()) {
        return fail(fmt::format("its unit has {} of {} bytes", unit.guest_size, code.size()));
    }
    optimizer_->optimize(unit, helpers());
    return tcg::verify(unit, helpers(), fixed_pages ? tcg::RedoRule::on : tcg::RedoRule::off);
}

Result<Counts> Generator::counts(std::span<const uint8_t> code) {
    Counts found;
    for (size_t i = 0; i < kTargets.size(); ++i) {
        const Result<> translated =
            translate(code, kTargets[i].memory.kind == tcg::MemoryModel::Kind::direct);
        if (!translated) {
            return std::unexpected(translated.error());
        }
        const ir::Unit& unit = memory_->unit();
        const Result<HostInsns> host = compile(*hosts_[i], unit);
        if (!host) {
            return std::unexpected(host.error());
        }
        if (i == 0) {
            found.insns = unit.insn_count;
            found.ops = live_ops(unit);
        }
        found.host[i] = *host;
    }
    return found;
}

// ---- text ----

std::string Counts::text() const {
    std::string text = fmt::format(" {} insns, {} ops", insns, ops);
    for (size_t i = 0; i < kTargets.size(); ++i) {
        text += fmt::format("; {} {} of {}", kTargets[i].name, host[i].path, host[i].whole);
    }
    return text + '\n';
}

Counts Counts::parse(std::string_view text) {
    Counts found;
    std::vector<uint32_t*> fields{&found.insns, &found.ops};
    for (HostInsns& one : found.host) {
        fields.push_back(&one.path);
        fields.push_back(&one.whole);
    }
    // Numbers that are words of their own: "v2" is none.
    size_t next = 0;
    for (const std::string& word : split(text, ' ')) {
        uint32_t value = 0;
        const char* const end = word.data() + word.size();
        if (std::from_chars(word.data(), end, value).ptr != word.data() && next < fields.size()) {
            *fields[next++] = value;
        }
    }
    return next == fields.size() ? found : Counts{};
}

Counts& Counts::operator+=(const Counts& other) {
    insns += other.insns;
    ops += other.ops;
    for (size_t i = 0; i < host.size(); ++i) {
        host[i].path += other.host[i].path;
        host[i].whole += other.host[i].whole;
    }
    return *this;
}

}  // namespace weft::codegen
