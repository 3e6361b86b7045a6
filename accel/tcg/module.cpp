// accel-tcg.so: the descriptor that the module exports.

#include <string>
#include <utility>

#include "accel/tcg/accelerator.h"
#include "accel/tcg/report.h"
#include "accel/tcg/services.h"
#include "accel/tcg/settings.h"
#include "weft/accel.h"

namespace weft {

struct AccelInstance {
    std::unique_ptr<accel::Accelerator> accelerator;
};

namespace {

void report_error(const ErrorSink* errors, const Error& error) { errors->report(errors->opaque, error.message().c_str()); }

AccelInstance* create(const AccelConfig* config, const ErrorSink* errors) {
    auto accelerator = accel::Accelerator::create(*config);
    if (!accelerator) {
        report_error(errors, accelerator.error());
        return nullptr;
    }
    return new AccelInstance{std::move(*accelerator)};
}

void destroy(AccelInstance* instance) { delete instance; }

bool vcpu_create(AccelInstance* instance, const VcpuConfig* config, Vcpu** vcpu, void** state, const ErrorSink* errors) {
    auto made = instance->accelerator->create_vcpu(*config);
    if (!made) {
        report_error(errors, made.error());
        return false;
    }
    *vcpu = *made;
    *state = (*made)->state();
    return true;
}

void vcpu_destroy(AccelInstance* instance, Vcpu* vcpu) { instance->accelerator->destroy_vcpu(*vcpu); }

bool resume(AccelInstance* instance, const ErrorSink* errors) {
    if (Result<> done = instance->accelerator->resume(); !done) {
        report_error(errors, done.error());
        return false;
    }
    return true;
}

void pause(AccelInstance* instance) { instance->accelerator->pause(); }

void reset(AccelInstance* instance) { instance->accelerator->reset(); }

bool vcpu_run(AccelInstance* instance, Vcpu* vcpu, VcpuWork kind, void (*fn)(void* opaque, void* state), void* opaque) {
    instance->accelerator->run_on(*vcpu, kind, fn, opaque);
    return true;
}

void ram_written(AccelInstance* instance, uint64_t ram_offset, uint64_t size) {
    instance->accelerator->ram_written(ram_offset, size);
}

void topology_changed(AccelInstance* instance, void (*done)(void* opaque), void* opaque) {
    instance->accelerator->topology_changed(done, opaque);
}

bool report(AccelInstance* instance, const char* topic, const TextSink* sink) {
    const auto text = accel::make_report(*instance->accelerator, topic);
    if (text) {
        sink->write(sink->opaque, text->data(), text->size());
    }
    return text.has_value();
}

const VcpuServices* services(AccelInstance*) { return &accel::vcpu_services(); }

uint64_t virtual_now_ns(AccelInstance* instance) { return instance->accelerator->now_ns(); }

void set_virtual_timer(AccelInstance* instance, uint64_t deadline_ns, void (*fn)(void* opaque), void* opaque) {
    instance->accelerator->insn_clock()->set_timer(deadline_ns, fn, opaque);
}

void hold(AccelInstance* instance) { instance->accelerator->hold(); }

constexpr VirtualTimeOps kVirtualTime = {&virtual_now_ns, &set_virtual_timer, &hold};

const VirtualTimeOps* virtual_time(AccelInstance* instance) {
    return instance->accelerator->insn_clock() != nullptr ? &kVirtualTime : nullptr;
}

constexpr AccelOps kOps = {&destroy,  &vcpu_create,    &vcpu_destroy,     &resume, &pause,   &reset,
                           &vcpu_run, &ram_written, &topology_changed, &report, &services, &virtual_time};

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
