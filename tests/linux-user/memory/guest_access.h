// Accesses of a guest's as an accelerator makes them: what the host refuses, UserOps judges.
#pragma once

#include <csignal>
#include <cstdint>
#include <optional>

#include "base/faulting_access.h"
#include "emulator/linux-user/memory/user_ops.h"

namespace weft::test {

// Handlers of SIGSEGV and SIGBUS for accesses by base/faulting_access.h; any other fault ends the program. Catch2 has its own in
// place when a test case begins, so each case that needs these installs them.
inline void catch_faults() {
    struct sigaction action{};
    action.sa_sigaction = [](int number, siginfo_t* info, void* ucontext) {
        HostContext context(ucontext);
        const uint32_t code = user::host_fault_code(number, info->si_code);
        if (code == user::no_fault ||
            !redirect_faulting_access(context, reinterpret_cast<uintptr_t>(info->si_addr), code)) {
            std::signal(number, SIG_DFL);  // it faults again
        }
    };
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, nullptr);
    sigaction(SIGBUS, &action, nullptr);
}

// A thread of the guest's. Its address stands for the vCPU's state.
class GuestThread {
  public:
    GuestThread(user::UserOps& ops, uint64_t base) : ops_(ops), base_(base) {}

    // Nothing: done. Otherwise why not.
    std::optional<MemoryFault> store(uint64_t address, uint32_t value) {
        return attempt(Access::store, [&](faulting::Fault* fault) {
            return faulting::store<uint32_t>(base_ + address, value, fault);
        });
    }
    std::optional<MemoryFault> load(uint64_t address, uint32_t* value) {
        return attempt(Access::load, [&](faulting::Fault* fault) {
            return faulting::load<uint32_t>(base_ + address, value, fault);
        });
    }
    std::optional<MemoryFault> load(uint64_t address) {
        uint32_t ignored = 0;
        return load(address, &ignored);
    }

    unsigned faults = 0;  // of the host

  private:
    template <class Try>
    std::optional<MemoryFault> attempt(Access access, Try attempt) {
        faulting::Fault fault;
        while (!attempt(&fault)) {
            faults++;
            MemoryFault kind{};
            if (!ops_.fault(this, fault.address - base_, access, fault.code, &kind)) {
                return kind;
            }
        }
        return std::nullopt;
    }

    user::UserOps& ops_;
    const uint64_t base_;
};

}  // namespace weft::test
