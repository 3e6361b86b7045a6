#include "emulator/linux-user/life/guest_thread.h"

#include "emulator/accel/text_sinks.h"

namespace weft::user {

Result<std::unique_ptr<GuestThread>> GuestThread::create(const Runtime& runtime) {
    std::unique_ptr<GuestThread> made(new GuestThread(runtime));
    loader::ErrorCollector errors;
    void* state = nullptr;
    Vcpu* vcpu = nullptr;
    if (!runtime.ops.attach(runtime.instance, runtime.guest_object, &vcpu, &state, errors.sink())) {
        return fail(errors.message("there is no memory for a thread"));
    }
    made->vcpu_ = vcpu;
    made->cpu_ = runtime.make_cpu(state);
    // Its number comes with the host's thread.
    Thread& thread = made->thread_.emplace(runtime.process, 0, state_header(state).exit_request);
    thread.guest = made.get();
    thread.signals.registers = made->cpu_.get();
    thread.signals.hook = {[](void* self, void* ucontext, uint64_t address, uint32_t code) {
                               const auto& guest = *static_cast<const GuestThread*>(self);
                               return guest.runtime_.ops.host_fault(guest.vcpu_, ucontext, address, code);
                           },
                           made.get()};
    return made;
}

GuestThread::~GuestThread() {
    if (vcpu_ != nullptr) {
        runtime_.ops.detach(runtime_.instance, vcpu_);
    }
}

}  // namespace weft::user
