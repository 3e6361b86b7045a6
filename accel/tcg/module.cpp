// accel-tcg.so: the descriptor that the module exports.

#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "accel/tcg/accelerator.h"
#include "accel/tcg/observe/report.h"
#include "accel/tcg/process_accelerator.h"
#include "accel/tcg/settings.h"
#include "accel/tcg/vcpu/services.h"
#include "weft/accel.h"

namespace weft {

// Of a machine or of a process: one of the two is there.
struct AccelInstance {
    std::unique_ptr<accel::Accelerator> accelerator;
    std::unique_ptr<accel::ProcessAccelerator> process;

    accel::ReportSource& report_source() const {
        return accelerator != nullptr ? static_cast<accel::ReportSource&>(*accelerator) : *process;
    }
    void out_of_memory() const {
        accelerator != nullptr ? accelerator->out_of_memory() : process->out_of_memory();
    }
};

namespace {

void report_error(const ErrorSink* errors, const Error& error) {
    errors->report(errors->opaque, error.message().c_str());
}

// Gives body(), or `otherwise` where there is no memory.
template <class Result, class Body>
Result or_report(const ErrorSink* errors, Result otherwise, Body&& body) {
    try {
        return std::forward<Body>(body)();
    } catch (const std::bad_alloc&) {
        errors->report(errors->opaque, "out of memory");
        return otherwise;
    }
}

// The same where nobody waits for an error.
template <class Body>
bool or_stop(AccelInstance* instance, Body&& body) {
    try {
        std::forward<Body>(body)();
        return true;
    } catch (const std::bad_alloc&) {
        instance->out_of_memory();
        return false;
    }
}

AccelInstance* make_for_process(const AccelConfig* config, const ErrorSink* errors) {
    auto accelerator = accel::ProcessAccelerator::create(*config);
    if (!accelerator) {
        report_error(errors, accelerator.error());
        return nullptr;
    }
    return new AccelInstance{nullptr, std::move(*accelerator)};
}

AccelInstance* make(const AccelConfig* config, const ErrorSink* errors) {
    if (config->user != nullptr) {
        return make_for_process(config, errors);
    }
    auto accelerator = accel::Accelerator::create(*config);
    if (!accelerator) {
        report_error(errors, accelerator.error());
        return nullptr;
    }
    return new AccelInstance{std::move(*accelerator), nullptr};
}

AccelInstance* create(const AccelConfig* config, const ErrorSink* errors) {
    return or_report<AccelInstance*>(errors, nullptr, [&] { return make(config, errors); });
}

void destroy(AccelInstance* instance) { delete instance; }

bool make_vcpu(AccelInstance* instance, const VcpuConfig* config, Vcpu** vcpu, void** state,
               const ErrorSink* errors) {
    auto made = instance->accelerator->create_vcpu(*config);
    if (!made) {
        report_error(errors, made.error());
        return false;
    }
    *vcpu = *made;
    *state = (*made)->state();
    return true;
}

bool vcpu_create(AccelInstance* instance, const VcpuConfig* config, Vcpu** vcpu, void** state,
                 const ErrorSink* errors) {
    return or_report(errors, false, [&] { return make_vcpu(instance, config, vcpu, state, errors); });
}

void vcpu_destroy(AccelInstance* instance, Vcpu* vcpu) { instance->accelerator->destroy_vcpu(*vcpu); }

bool resume(AccelInstance* instance, const ErrorSink* errors) {
    return or_report(errors, false, [&] {
        const Result<> done = instance->accelerator->resume();
        if (!done) {
            report_error(errors, done.error());
        }
        return done.has_value();
    });
}

void pause(AccelInstance* instance) { instance->accelerator->pause(); }

void reset(AccelInstance* instance) {
    or_stop(instance, [&] { instance->accelerator->reset(); });
}

bool vcpu_run(AccelInstance* instance, Vcpu* vcpu, VcpuWork kind, void (*fn)(void* opaque, void* state),
              void* opaque) {
    return or_stop(instance, [&] { instance->accelerator->run_on(*vcpu, kind, fn, opaque); });
}

void ram_write_begins(AccelInstance* instance, RamWrite* write) {
    instance->accelerator->ram_write_begins(*write);
}

void ram_written(AccelInstance* instance, RamWrite* write) {
    or_stop(instance, [&] { instance->accelerator->ram_written(*write); });
}

void topology_changed(AccelInstance* instance, void (*done)(void* opaque), void* opaque) {
    or_stop(instance, [&] { instance->accelerator->topology_changed(done, opaque); });
}

bool report(AccelInstance* instance, const char* topic, const TextSink* sink) {
    // A process asks for it at its end, with or without a file: it costs nothing then, and lacks nothing.
    if (instance->process != nullptr && std::string_view(topic) == "stats-file" &&
        instance->process->settings().stats_file.empty()) {
        return false;
    }
    bool known = false;
    or_stop(instance, [&] {
        const auto text = accel::make_report(instance->report_source(), topic);
        known = text.has_value();
        if (known) {
            sink->write(sink->opaque, text->data(), text->size());
        }
    });
    return known;
}

const VcpuServices* services(AccelInstance*) { return &accel::vcpu_services(); }

uint64_t virtual_now_ns(AccelInstance* instance) { return instance->accelerator->now_ns(); }

void set_virtual_timer(AccelInstance* instance, uint64_t deadline_ns, void (*fn)(void* opaque),
                       void* opaque) {
    or_stop(instance, [&] { instance->accelerator->insn_clock()->set_timer(deadline_ns, fn, opaque); });
}

void hold(AccelInstance* instance) { instance->accelerator->hold(); }

void set_now_ns(AccelInstance* instance, uint64_t ns) { instance->accelerator->set_now_ns(ns); }

constexpr VirtualTimeOps kVirtualTime = {&virtual_now_ns, &set_virtual_timer, &hold, &set_now_ns};

const VirtualTimeOps* virtual_time(AccelInstance* instance) {
    return instance->accelerator != nullptr && instance->accelerator->insn_clock() != nullptr ? &kVirtualTime
                                                                                              : nullptr;
}

// ---- process mode ----

bool attach(AccelInstance* instance, void* guest, Vcpu** vcpu, void** state, const ErrorSink* errors) {
    return or_report(errors, false, [&] {
        auto made = instance->process->attach(guest);
        if (!made) {
            report_error(errors, made.error());
            return false;
        }
        *vcpu = *made;
        *state = (*made)->state();
        return true;
    });
}

void detach(AccelInstance* instance, Vcpu* vcpu) { instance->process->detach(*vcpu); }

VcpuStop enter(Vcpu* vcpu) { return accel::ProcessAccelerator::thread_of(*vcpu).enter(); }
VcpuStop step(Vcpu* vcpu) { return accel::ProcessAccelerator::thread_of(*vcpu).step(); }

bool host_fault(Vcpu* vcpu, void* ucontext, uint64_t address, uint32_t code) {
    return accel::ProcessAccelerator::thread_of(*vcpu).host_fault(ucontext, address, code);
}

void code_gone(AccelInstance* instance, uint64_t start, uint64_t end) {
    instance->process->code_gone(start, end);
}

void code_settle(AccelInstance* instance) { instance->process->code_settle(); }

void code_written(AccelInstance* instance, uint64_t start, uint64_t end) {
    instance->process->code_written(start, end);
}

void code_sync(AccelInstance* instance, uint64_t start, uint64_t end, bool all) {
    instance->process->code_sync(start, end, all);
}

void fork_begin(AccelInstance* instance) { instance->process->fork_begin(); }
void fork_prepare(AccelInstance* instance) { instance->process->fork_prepare(); }
void fork_parent(AccelInstance* instance) { instance->process->fork_parent(); }

bool fork_child(AccelInstance* instance, Vcpu* survivor, const ErrorSink* errors) {
    return or_report(errors, false, [&] {
        const Result<> done = instance->process->fork_child(*survivor);
        if (!done) {
            report_error(errors, done.error());
        }
        return done.has_value();
    });
}

void keep(AccelInstance* instance) { instance->process->keep_translations(); }

uint32_t descriptors(AccelInstance* instance, int* fds, uint32_t room) {
    return instance->process->descriptors({fds, room});
}
bool make_way(AccelInstance* instance, int fd) { return instance->process->make_way(fd); }

constexpr ProcessOps kProcess = {&attach,     &detach,     &enter,        &step,
                                 &host_fault, &code_gone,  &code_settle,  &code_written,
                                 &code_sync,  &fork_begin, &fork_prepare, &fork_parent,
                                 &fork_child, &keep,       &descriptors,  &make_way};

const ProcessOps* process(AccelInstance* instance) {
    return instance->process != nullptr ? &kProcess : nullptr;
}

// ---- debuggers ----

bool set_points(AccelInstance* instance, const DebugPoint* points, uint32_t count) {
    return or_stop(instance, [&] { instance->accelerator->set_debug_points({points, count}); });
}
void set_run(AccelInstance* instance, Vcpu* vcpu, DebugRun run) {
    instance->accelerator->set_debug_run(*vcpu, run);
}
bool halted(AccelInstance* instance, Vcpu* vcpu) { return instance->accelerator->halted(*vcpu); }

constexpr DebugOps kDebug = {&set_points, &set_run, &halted};

const DebugOps* debug(AccelInstance* instance) {
    return instance->accelerator != nullptr ? &kDebug : nullptr;
}

// ---- saving ----

void state_replaced(AccelInstance* instance, Vcpu* vcpu, bool halted) {
    or_stop(instance, [&] { instance->accelerator->state_replaced(*vcpu, halted); });
}

bool complete_state(AccelInstance* instance, Vcpu* vcpu) {
    bool halted = false;
    or_stop(instance, [&] { halted = instance->accelerator->complete_state(*vcpu); });
    return halted;
}

constexpr SaveOps kSave = {&complete_state, &state_replaced};

const SaveOps* save(AccelInstance* instance) { return instance->accelerator != nullptr ? &kSave : nullptr; }

constexpr AccelOps kOps = {&destroy, &vcpu_create, &vcpu_destroy,     &resume,      &pause,
                           &reset,   &vcpu_run,    &ram_write_begins, &ram_written, &topology_changed,
                           &report,  &services,    &virtual_time,     &process,     &debug,
                           &save};

}  // namespace

extern "C" {
__attribute__((visibility("default"))) extern const AccelDescriptor weft_accelerator;
const AccelDescriptor weft_accelerator = {
    .abi_version = kAccelAbiVersion,
    .descriptor_size = sizeof(AccelDescriptor),
    .layout_hash = layout_hash(),
    .sanitizers = sanitizer_mode(),
    .name = "tcg",
    .description = "translates guest code to host code",
    .properties = accel::property_table().data(),
    .property_count = static_cast<uint32_t>(accel::property_table().size()),
    .ops = &kOps,
    .create = &create,
};
}

}  // namespace weft
