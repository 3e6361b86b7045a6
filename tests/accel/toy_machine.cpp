#include "tests/accel/toy_machine.h"

#include <cstdlib>
#include <cstring>

#include "base/assert.h"
#include "base/log.h"
#include "weft/guest_ram.h"

namespace weft {
extern "C" const AccelDescriptor weft_accelerator;
}

namespace toy {

using namespace weft;

void keep_translations(Properties* properties) {
    const char* folder = std::getenv("WEFT_TEST_CACHE");
    const auto is = [properties](const char* name, const char* value) {
        const auto found = properties->find(name);
        return found != properties->end() && found->second == value;
    };
    if (folder != nullptr && is("backend", "native") && !is("clock", "insn") && !is("profile", "on")) {
        properties->try_emplace("cache", folder);
    }
}

std::vector<PropertyValue> property_values(const Properties& given) {
    std::vector<PropertyValue> values;
    for (uint32_t i = 0; i < weft_accelerator.property_count; ++i) {
        const PropertyDesc& desc = weft_accelerator.properties[i];
        const auto found = given.find(desc.name);
        if (found == given.end() && desc.default_value == nullptr) {
            values.push_back({false, 0, nullptr});
            continue;
        }
        const std::string text = found != given.end() ? found->second : desc.default_value;
        PropertyValue value{true, 0, nullptr};
        if (desc.type == PropertyType::string) {
            value.text = found->second.c_str();
        } else if (desc.type == PropertyType::boolean) {
            value.number = text == "on" ? 1 : 0;
        } else if (desc.type == PropertyType::uint) {
            value.number = std::strtoull(text.c_str(), nullptr, 0);
        } else {
            const std::string words = std::string("|") + desc.choices + "|";
            const size_t at = words.find("|" + text + "|");
            WEFT_ASSERT(at != std::string::npos);
            for (size_t c = 1; c <= at; ++c) {
                value.number += words[c] == '|' ? 1 : 0;
            }
        }
        values.push_back(value);
    }
    return values;
}

void Machine::Free::operator()(uint8_t* memory) const { std::free(memory); }

Machine::Machine(uint32_t max_vcpus, Properties properties)
    : ram_(static_cast<uint8_t*>(std::aligned_alloc(kPageSize, kRamSize))) {
    std::memset(ram_.get(), 0, kRamSize);
    memory_.abi_version = kMemoryAbiVersion;
    memory_.reader_create = [](void* space) { return space; };
    memory_.reader_destroy = [](void*) {};
    memory_.lookup = &lookup;
    memory_.device_read = &device_read;
    memory_.device_write = &device_write;
    host_.opaque = this;
    host_.warn = [](void*, const char*) {};
    host_.log_enabled = [](void* opaque, unsigned item) {
        auto* machine = static_cast<Machine*>(opaque);
        if (item == static_cast<unsigned>(LogItem::in_asm) && machine->on_translation_) {
            return true;
        }
        return (machine->log_items_.load(std::memory_order_relaxed) & item) != 0;
    };
    host_.log_in_filter = [](void* opaque, uint64_t address, uint64_t) {
        auto* machine = static_cast<Machine*>(opaque);
        if (machine->on_translation_) {
            machine->on_translation_(address);
            return false;
        }
        return true;
    };
    host_.log = [](void* opaque, const char* text, size_t length) {
        auto* machine = static_cast<Machine*>(opaque);
        MutexLock lock(machine->mutex_);
        machine->log_.append(text, length);
    };
    host_.fatal = [](void* opaque, const char* message) {
        auto* machine = static_cast<Machine*>(opaque);
        if (!machine->expects_fatal_) {
            std::fprintf(stderr, "fatal: %s\n", message);
            std::abort();
        }
        MutexLock lock(machine->mutex_);
        machine->fatal_.emplace_back(message);
        machine->changed_.notify_all();
    };
    host_.hash_ram = [](void* opaque) {
        const auto* machine = static_cast<Machine*>(opaque);
        uint64_t hash = 0;
        for (uint64_t at = 0; at < kRamSize; at += 8) {
            hash = (hash ^ machine->peek(at)) * 0x9e3779b97f4a7c15;
        }
        return hash;
    };
    const char* backend = std::getenv("WEFT_TEST_BACKEND");
    // A thread each, for devices of tests have one vCPU wait for another.
    const char* threads = std::getenv("WEFT_TEST_THREADS");
    properties.try_emplace("max-threads", threads != nullptr ? threads : std::to_string(max_vcpus));
    properties.try_emplace("backend", backend != nullptr ? backend : "interp");
    keep_translations(&properties);
    // Threads that translate beside the vCPUs, which go on interpreting: from the second time on that code is met.
    const char* workers = std::getenv("WEFT_TEST_WORKERS");
    if (workers != nullptr) {
        properties.try_emplace("translate-threads", workers);
        properties.try_emplace("translate-after", "1");
    }
    const std::vector<PropertyValue> values = property_values(properties);
    const AccelConfig config{workers != nullptr ? &interpreting_arch() : &guest_arch(),
                             &memory_,
                             &host_,
                             values.data(),
                             max_vcpus,
                             nullptr};
    const ErrorSink sink{
        [](void* opaque, const char* message) { static_cast<Machine*>(opaque)->error_ = message; }, this};
    instance_ = weft_accelerator.create(&config, &sink);
}

Machine::~Machine() {
    if (instance_ != nullptr) {
        ops().destroy(instance_);
    }
}

const AccelOps& Machine::ops() const { return *weft_accelerator.ops; }

void Machine::poke(uint64_t address, const std::vector<uint8_t>& bytes) {
    WEFT_ASSERT(address + bytes.size() <= kRamSize);
    guest_ram::write(ram_.get() + address, bytes.data(), bytes.size());
}

void Machine::write_by_dma(uint64_t address, const std::vector<uint8_t>& bytes) {
    RamWrite write{address, bytes.size(), nullptr, nullptr};
    ops().ram_write_begins(instance_, &write);
    poke(address, bytes);
    ops().ram_written(instance_, &write);
}

void Machine::announce_write(uint64_t address, uint64_t size) {
    RamWrite write{address, size, nullptr, nullptr};
    ops().ram_write_begins(instance_, &write);
    ops().ram_written(instance_, &write);
}

uint64_t Machine::peek(uint64_t address) const { return guest_ram::load<uint64_t>(ram_.get() + address); }

uint32_t Machine::add(uint64_t pc, uint64_t vector) {
    auto owned = std::make_unique<Owned>();
    const auto index = static_cast<uint32_t>(cpus_.size());
    owned->cpu = {index, pc, vector, nullptr};
    const VcpuConfig config{index, &owned->cpu, this};
    const ErrorSink sink{
        [](void* opaque, const char* message) { static_cast<Machine*>(opaque)->error_ = message; }, this};
    WEFT_ASSERT(ops().vcpu_create(instance_, &config, &owned->vcpu, &owned->state, &sink));
    cpus_.push_back(std::move(owned));
    return index;
}

void Machine::remove(uint32_t index) {
    ops().vcpu_destroy(instance_, cpus_[index]->vcpu);
    cpus_[index]->vcpu = nullptr;
}

void Machine::resume() {
    const ErrorSink sink{
        [](void* opaque, const char* message) { static_cast<Machine*>(opaque)->error_ = message; }, this};
    WEFT_ASSERT(ops().resume(instance_, &sink));
}

std::string Machine::report(const std::string& topic) const {
    std::string text;
    const TextSink sink{[](void* opaque, const char* part, size_t length) {
                            static_cast<std::string*>(opaque)->append(part, length);
                        },
                        &text};
    ops().report(instance_, topic.c_str(), &sink);
    return text;
}

uint64_t Machine::stat(const std::string& name) const {
    const std::string text = report("stats");
    const size_t at = text.find("\"" + name + "\": ");
    WEFT_ASSERT(at != std::string::npos);
    return std::strtoull(text.c_str() + at + name.size() + 4, nullptr, 10);
}

void Machine::await_events(size_t count) {
    MutexLock lock(mutex_);
    while (events_.size() < count) {
        changed_.wait(mutex_);
    }
}

std::vector<Event> Machine::wait_for(size_t count) {
    await_events(count);
    return events();
}

std::vector<std::string> Machine::wait_for_fatal(size_t count) {
    MutexLock lock(mutex_);
    while (fatal_.size() < count) {
        changed_.wait(mutex_);
    }
    return fatal_;
}

std::vector<Event> Machine::events() {
    MutexLock lock(mutex_);
    return events_;
}

std::string Machine::log() {
    MutexLock lock(mutex_);
    return log_;
}

void Machine::lookup(void* reader, uint64_t paddr, PageTarget* target) {
    auto* machine = static_cast<Machine*>(reader);
    if (paddr < kRamSize) {
        *target = {PageKind::ram, machine->ram_.get() + paddr, paddr};
    } else if (paddr == kDevice || paddr == kDeviceCode) {
        *target = {PageKind::device, nullptr, 0};
    } else {
        *target = {PageKind::unassigned, nullptr, 0};
    }
}

DeviceStatus Machine::device_read(void* reader, uint64_t paddr, unsigned size, uint64_t* value) {
    auto* machine = static_cast<Machine*>(reader);
    *value = 0;
    if (paddr >= kDeviceCode) {
        for (unsigned i = 0; i < size; ++i) {
            const uint64_t at = paddr - kDeviceCode + i;
            *value |= at < machine->device_code_.size() ? uint64_t{machine->device_code_[at]} << 8 * i : 0;
        }
        return DeviceStatus::ok;
    }
    MutexLock lock(machine->mutex_);
    *value = machine->events_.size();
    return DeviceStatus::ok;
}

DeviceStatus Machine::device_write(void* reader, uint64_t paddr, unsigned, uint64_t value) {
    auto* machine = static_cast<Machine*>(reader);
    if (paddr >= kIpi) {
        interrupt(machine->cpus_[(paddr - kIpi) / 8]->state);
        return DeviceStatus::ok;
    }
    MutexLock lock(machine->mutex_);
    machine->events_.push_back({paddr - kDevice, value});
    if (machine->events_.size() == machine->hold_at_) {
        machine->ops().virtual_time(machine->instance_)->hold(machine->instance_);
    }
    machine->changed_.notify_all();
    return DeviceStatus::ok;
}

}  // namespace toy
