// One thread of the guest: its vCPU, registers, and what its calls keep for it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "emulator/linux-user/cpu.h"
#include "emulator/linux-user/debug/stop_control.h"
#include "emulator/linux-user/life/runtime.h"
#include "emulator/linux-user/thread.h"
#include "weft/accel.h"

namespace weft::user {

// Made by any thread, run by one, gone on that one or another when it has ended.
class GuestThread {
  public:
    // With its vCPU attached. Errors: the accelerator's. Throws std::bad_alloc.
    static Result<std::unique_ptr<GuestThread>> create(const Runtime& runtime);
    ~GuestThread();
    GuestThread(const GuestThread&) = delete;
    GuestThread& operator=(const GuestThread&) = delete;

    Vcpu* vcpu() const { return vcpu_; }
    Cpu& cpu() { return *cpu_; }
    Thread& thread() { return *thread_; }

    // With a debugger, from when the thread has its number until it runs.
    std::unique_ptr<StopControl::Member> debugged;

  private:
    explicit GuestThread(const Runtime& runtime) : runtime_(runtime) {}

    const Runtime& runtime_;
    Vcpu* vcpu_ = nullptr;
    std::unique_ptr<Cpu> cpu_;
    std::optional<Thread> thread_;
};

}  // namespace weft::user
