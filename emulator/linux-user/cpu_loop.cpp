#include "emulator/linux-user/cpu_loop.h"

#include <csignal>
#include <optional>

#include "base/assert.h"
#include "emulator/linux-user/signal/deliver.h"
#include "emulator/linux-user/syscall/dispatch.h"

namespace weft::user {

SyscallOutcome make_call(const Cpu& cpu, Thread& thread) {
    const CpuCall call = cpu.call();
    return dispatch(thread, call.number, call.arguments);
}

std::optional<ThreadEnd> finish_call(Cpu& cpu, const SyscallOutcome& outcome) {
    switch (outcome.kind) {
        case SyscallOutcome::Kind::value:
            cpu.finish_call(static_cast<uint64_t>(outcome.value));
            return std::nullopt;
        case SyscallOutcome::Kind::registers_set:
        case SyscallOutcome::Kind::restart:
            // The pc is the ecall's: the call is made again when the signal that it was left for has been taken.
            return std::nullopt;
        case SyscallOutcome::Kind::thread_ends:
            return ThreadEnd{ThreadEnd::Kind::thread, static_cast<int>(outcome.value)};
        case SyscallOutcome::Kind::process_ends:
            return ThreadEnd{ThreadEnd::Kind::process, static_cast<int>(outcome.value)};
    }
    return std::nullopt;
}

ThreadEnd run_thread(const ProcessOps& accelerator, Vcpu* vcpu, Cpu& cpu, Thread& thread) {
    cpu.set_pointer_mask(thread.pointer_mask);
    while (true) {
        switch (accelerator.enter(vcpu)) {
            case VcpuStop::exception: {
                const CpuException exception = cpu.exception();
                if (exception.kind != CpuException::Kind::call) {
                    const FaultSignal signal = fault_signal(exception, cpu.pc());
                    raise_exception(thread, signal.number, signal.code, signal.address);
                } else if (const auto end = finish_call(cpu, make_call(cpu, thread))) {
                    return *end;
                }
                cpu.set_pointer_mask(thread.pointer_mask);  // a call may have set it
                break;
            }
            case VcpuStop::asked:
                break;
            case VcpuStop::failed:
                return {ThreadEnd::Kind::failed, 1};
        }
        if (signal_waits(thread)) {
            take_signal(thread);
        }
    }
}

FaultSignal fault_signal(const CpuException& exception, uint64_t pc) {
    switch (exception.kind) {
        case CpuException::Kind::call:
            break;
        case CpuException::Kind::breakpoint:
            return {SIGTRAP, TRAP_BRKPT, pc};
        case CpuException::Kind::illegal:
            return {SIGILL, ILL_ILLOPC, pc};
        case CpuException::Kind::misaligned:
            return {SIGBUS, BUS_ADRALN, exception.address};
        case CpuException::Kind::memory:
            switch (exception.fault) {
                case MemoryFault::unmapped:
                    return {SIGSEGV, SEGV_MAPERR, exception.address};
                case MemoryFault::protection:
                    return {SIGSEGV, SEGV_ACCERR, exception.address};
                case MemoryFault::bus:
                    return {SIGBUS, BUS_ADRERR, exception.address};
            }
            break;
    }
    assertion_failed(__FILE__, __LINE__, "a system call is no fault");
}

}  // namespace weft::user
