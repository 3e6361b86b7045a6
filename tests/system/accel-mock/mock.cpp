// A tiny accelerator, built against the public headers alone. It translates nothing: its first vCPU's thread performs
// the device writes of the property `pokes`, once after each reset, and every vCPU then waits.
//
// Variants that no program may accept are made from this file by overriding the MOCK_ macros.
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "weft/accel.h"

#ifndef MOCK_NAME
#define MOCK_NAME "mock"
#endif
#ifndef MOCK_ABI_VERSION
#define MOCK_ABI_VERSION weft::kAccelAbiVersion
#endif
#ifndef MOCK_LAYOUT
#define MOCK_LAYOUT weft::layout_hash()
#endif
#ifndef MOCK_SIZE
#define MOCK_SIZE sizeof(weft::AccelDescriptor)
#endif
#ifndef MOCK_SANITIZER
#define MOCK_SANITIZER weft::sanitizer_mode()
#endif
#ifndef MOCK_SYMBOL
#define MOCK_SYMBOL weft_accelerator
#endif

namespace weft {

// Opaque to everyone else.
struct Vcpu {
    uint32_t index = 0;
    void* block = nullptr;
    void* state = nullptr;
};

struct AccelInstance {
    const AccelConfig* config = nullptr;
    std::vector<PropertyValue> properties;
    std::vector<std::string> texts;  // of the properties, which outlive create() nowhere else
    std::vector<std::pair<uint64_t, uint64_t>> pokes;
    std::vector<Vcpu*> vcpus;
    void* reader = nullptr;

    std::mutex mutex;  // guards what follows
    std::condition_variable changed;
    bool running = false;
    bool busy = false;  // the thread is poking
    bool poked = false;
    bool leaving = false;
    std::thread thread;
};

}  // namespace weft

namespace {

using namespace weft;

constexpr size_t kAlign = 64;

enum Property : size_t { kSwitch, kCount, kMode, kNote, kFailCreate, kFatal, kPokes };
constexpr PropertyDesc kProperties[] = {
    {"switch", PropertyType::boolean, "off", 0, 0, nullptr, "a switch"},
    {"count", PropertyType::uint, "7", 1, 4096, nullptr, "a number"},
    {"mode", PropertyType::choice, "slow", 0, 0, "slow|fast", "a choice"},
    {"note", PropertyType::string, nullptr, 0, 0, nullptr, "a text"},
    {"fail-create", PropertyType::string, nullptr, 0, 0, nullptr, "refuse to be created, for this reason"},
    {"fatal", PropertyType::string, nullptr, 0, 0, nullptr, "report this fatal error once it runs"},
    {"pokes", PropertyType::string, nullptr, 0, 0, nullptr,
     "ADDRESS=VALUE:... 32-bit device writes to perform"},
};

// Boards kick harts and read the time; the rest is for code on a vCPU's thread, of which there is none.
constexpr VcpuServices kServices = {
    .tlb_flush = [](Vcpu*, const TlbFlush*) {},
    .fence_i = [](Vcpu*) {},
    .now_ns =
        [](Vcpu*) {
            const auto now = std::chrono::steady_clock::now().time_since_epoch();
            return static_cast<uint64_t>(std::chrono::nanoseconds(now).count());
        },
    .cycles = [](Vcpu*) { return uint64_t{0}; },
    .instret = [](Vcpu*) { return uint64_t{0}; },
    .set_deadline = [](Vcpu*, uint64_t) {},
    .kick = [](Vcpu*) {},
    .phys_load = [](Vcpu*, uint64_t, unsigned, uint64_t*) { return MemoryStatus::unassigned; },
    .phys_store = [](Vcpu*, uint64_t, unsigned, uint64_t) { return MemoryStatus::unassigned; },
    .phys_cmpxchg = [](Vcpu*, uint64_t, uint64_t, uint64_t, bool*) { return MemoryStatus::unassigned; },
    .load = [](Vcpu*, uint64_t, uint32_t, uint64_t*) { return false; },
    .store = [](Vcpu*, uint64_t, uint32_t, uint64_t) { return false; },
    .atomic = [](Vcpu*, ir::Opcode, uint64_t, uint32_t, uint64_t, uint64_t, uint64_t*) { return false; },
    .compare_exchange_pair = [](Vcpu*, uint64_t, uint32_t, const std::array<uint64_t, 2>&,
                                const std::array<uint64_t, 2>&, std::array<uint64_t, 2>*) { return false; },
    .log_enabled = [](Vcpu*, unsigned) { return false; },
    .log = [](Vcpu*, unsigned, const char*) {},
};

void write_text(const TextSink* sink, const std::string& text) {
    sink->write(sink->opaque, text.data(), text.size());
}

void run(AccelInstance* self) {
    std::unique_lock lock(self->mutex);
    while (!self->leaving) {
        if (!self->running || self->poked) {
            self->changed.wait(lock);
            continue;
        }
        self->busy = true;
        self->poked = true;
        lock.unlock();
        for (const auto& [address, value] : self->pokes) {
            self->config->memory->device_write(self->reader, address, 4, value);
        }
        if (self->properties[kFatal].set) {
            self->config->host->fatal(self->config->host->opaque, self->texts[kFatal].c_str());
        }
        lock.lock();
        self->busy = false;
        self->changed.notify_all();
    }
}

void pause(AccelInstance* self) {
    std::unique_lock lock(self->mutex);
    self->running = false;
    self->changed.wait(lock, [&] { return !self->busy; });
}

void vcpu_destroy(AccelInstance* self, Vcpu* vcpu) {
    std::erase(self->vcpus, vcpu);
    if (self->vcpus.empty()) {
        {
            const std::scoped_lock lock(self->mutex);
            self->leaving = true;
            self->changed.notify_all();
        }
        if (self->thread.joinable()) {
            self->thread.join();
        }
        if (self->reader != nullptr) {
            self->config->memory->reader_destroy(std::exchange(self->reader, nullptr));
        }
    }
    ::operator delete(vcpu->block, std::align_val_t{kAlign});
    delete vcpu;
}

void destroy(AccelInstance* self) {
    while (!self->vcpus.empty()) {
        vcpu_destroy(self, self->vcpus.back());
    }
    delete self;
}

bool vcpu_create(AccelInstance* self, const VcpuConfig* config, Vcpu** vcpu, void** state, const ErrorSink*) {
    const size_t header = (sizeof(StateHeader) + kAlign - 1) / kAlign * kAlign;
    const size_t size = header + self->config->guest->state_size;
    auto* made = new Vcpu{.index = config->index};
    made->block = ::operator new(size, std::align_val_t{kAlign});
    std::memset(made->block, 0, size);
    made->state = static_cast<char*>(made->block) + header;
    new (&state_header(made->state)) StateHeader{};
    state_header(made->state).vcpu = made;
    state_header(made->state).services = &kServices;
    state_header(made->state).guest = config->guest;
    self->config->guest->reset(made->state, self->config->guest->model);
    if (self->reader == nullptr) {
        self->reader = self->config->memory->reader_create(config->address_space);
    }
    self->vcpus.push_back(made);
    *vcpu = made;
    *state = made->state;
    return true;
}

bool resume(AccelInstance* self, const ErrorSink*) {
    const std::scoped_lock lock(self->mutex);
    self->running = true;
    if (!self->thread.joinable()) {
        self->thread = std::thread(run, self);
    }
    self->changed.notify_all();
    return true;
}

void reset(AccelInstance* self) {
    const std::scoped_lock lock(self->mutex);
    self->poked = false;
    for (Vcpu* vcpu : self->vcpus) {
        self->config->guest->reset(vcpu->state, self->config->guest->model);
    }
}

// Its vCPUs never hold a state that their own threads change, so work is done here and now.
bool vcpu_run(AccelInstance*, Vcpu* vcpu, VcpuWork, void (*fn)(void*, void*), void* opaque) {
    fn(opaque, vcpu->state);
    return true;
}

void ram_write_begins(AccelInstance*, RamWrite*) {}

void ram_written(AccelInstance*, RamWrite*) {}

void topology_changed(AccelInstance*, void (*done)(void*), void* opaque) { done(opaque); }

bool report(AccelInstance* self, const char* topic, const TextSink* sink) {
    if (std::strcmp(topic, "stats") == 0) {
        write_text(sink, "{\"count\":" + std::to_string(self->properties[kCount].number) + "}");
    } else if (std::strcmp(topic, "jit") == 0) {
        write_text(sink, "mock: nothing is translated; count " +
                             std::to_string(self->properties[kCount].number) + ", switch " +
                             std::to_string(self->properties[kSwitch].number) + ", mode " +
                             std::to_string(self->properties[kMode].number) + ", note '" +
                             self->texts[kNote] + "'\n");
    } else {
        return false;
    }
    return true;
}

const VcpuServices* services(AccelInstance*) { return &kServices; }

AccelInstance* create(const AccelConfig* config, const ErrorSink* errors) {
    if (config->properties[kFailCreate].set) {
        errors->report(errors->opaque, config->properties[kFailCreate].text);
        return nullptr;
    }
    auto* self = new AccelInstance;
    self->config = config;
    for (size_t i = 0; i < std::size(kProperties); ++i) {
        self->properties.push_back(config->properties[i]);
        self->texts.emplace_back(config->properties[i].text != nullptr ? config->properties[i].text : "");
    }
    for (const char* at = self->texts[kPokes].c_str(); *at != '\0';) {
        char* end = nullptr;
        const uint64_t address = std::strtoull(at, &end, 0);
        const uint64_t value = *end == '=' ? std::strtoull(end + 1, &end, 0) : 0;
        self->pokes.emplace_back(address, value);
        at = *end == ':' ? end + 1 : end;
        if (*end != ':' && *end != '\0') {
            errors->report(errors->opaque, "malformed pokes");
            delete self;
            return nullptr;
        }
    }
    return self;
}

const VirtualTimeOps* virtual_time(AccelInstance*) { return nullptr; }

const ProcessOps* process(AccelInstance*) { return nullptr; }

const DebugOps* debug(AccelInstance*) { return nullptr; }

const SaveOps* save(AccelInstance*) { return nullptr; }

constexpr AccelOps kOps = {
    destroy,     vcpu_create,      vcpu_destroy, resume,   pause,        reset,   vcpu_run, ram_write_begins,
    ram_written, topology_changed, report,       services, virtual_time, process, debug,    save};

}  // namespace

extern "C" {
// Exported whatever the default visibility is.
[[gnu::visibility("default")]] extern const weft::AccelDescriptor MOCK_SYMBOL;
const weft::AccelDescriptor MOCK_SYMBOL = {
    MOCK_ABI_VERSION,
    MOCK_SIZE,
    MOCK_LAYOUT,
    MOCK_SANITIZER,
    MOCK_NAME,
    "runs nothing and reports (for tests)",
    kProperties,
    std::size(kProperties),
    &kOps,
    create,
};
}
