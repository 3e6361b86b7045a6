// The life of a guest thread: instructions, and what they ask of the emulator.
#pragma once

#include <cstdint>
#include <optional>

#include "emulator/linux-user/cpu.h"
#include "emulator/linux-user/syscall/call_context.h"
#include "emulator/linux-user/thread.h"
#include "weft/accel.h"

namespace weft::user {

struct ThreadEnd {
    enum class Kind : uint8_t {
        thread,   // exit: of this thread alone
        process,  // exit_group
        failed,   // an error of weft's environment, which HostServices::fatal was told
    };
    Kind kind = Kind::failed;
    int status = 0;  // 0 to 255

    bool operator==(const ThreadEnd&) const = default;
};

// A signal that an instruction of the guest's raised: number, si_code and si_addr as a RISC-V kernel gives them.
struct FaultSignal {
    int number = 0;
    int code = 0;
    uint64_t address = 0;

    bool operator==(const FaultSignal&) const = default;
};

// Linux' arch/riscv/kernel/traps.c and mm/fault.c. Not for system calls.
FaultSignal fault_signal(const CpuException& exception, uint64_t pc);

// The call that `cpu` stands at; what becomes of it then: nothing, or the thread's end.
SyscallOutcome make_call(const Cpu& cpu, Thread& thread);
std::optional<ThreadEnd> finish_call(Cpu& cpu, const SyscallOutcome& outcome);

// Runs the guest from the registers of `cpu` on, until its thread ends. By the thread itself, whose signals were started. May not
// return: the guest may die of a signal.
ThreadEnd run_thread(const ProcessOps& accelerator, Vcpu* vcpu, Cpu& cpu, Thread& thread);

}  // namespace weft::user
