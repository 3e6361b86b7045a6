// The guest's calls about its own signals. kill(2) and its kin pass: thread ids are the kernel's own.
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "emulator/linux-user/riscv/abi.h"
#include "emulator/linux-user/riscv/frame.h"
#include "emulator/linux-user/signal/alt_stack.h"
#include "emulator/linux-user/signal/deliver.h"
#include "emulator/linux-user/signal/sighand.h"
#include "emulator/linux-user/syscall/calls.h"
#include "emulator/linux-user/syscall/swapped_mask.h"

namespace weft::user::calls {

namespace {

constexpr uint64_t kMaskSize = 8;  // the kernel refuses any other
constexpr unsigned kSp = 2;
// SYNCHRONOUS_MASK
constexpr uint64_t kExceptionSignals = signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGILL) |
                                       signal_bit(SIGTRAP) | signal_bit(SIGFPE) | signal_bit(SIGSYS);

uint64_t stack_pointer(const CallContext& call) {
    Registers* const registers = call.thread.signals.registers;
    return registers != nullptr ? registers->get().x[kSp] : 0;
}

// The kernel drops what waits for a signal that is ignored from now on.
void forget_ignored(CallContext& call, int signal, uint64_t handler) {
    if ((signal == SIGSEGV || signal == SIGBUS) && handler == kHandlerIgnore) {
        call.thread.signals.place(signal).clear();
    }
}

}  // namespace

SyscallOutcome rt_sigaction(CallContext& call) {
    if (call.arg(3) != kMaskSize) {
        return -EINVAL;
    }
    if (call.thread.signals.slot.is_full()) {
        return kRestart;  // the action before is that of what came before
    }
    abi::Sigaction wanted{};
    abi::Sigaction old{};
    const bool sets = call.arg(1) != 0;
    if (sets && !call.read(call.arg(1), &wanted, sizeof(wanted))) {
        return -EFAULT;
    }
    const int signal = call.number(0);
    const int64_t result = sighand_of(call.thread).set(signal, sets ? &wanted : nullptr, &old);
    if (result < 0) {
        return result;
    }
    if (sets) {
        forget_ignored(call, signal, wanted.handler);
    }
    return call.arg(2) != 0 ? call.write(call.arg(2), old) : 0;
}

SyscallOutcome rt_sigprocmask(CallContext& call) {
    if (call.arg(3) != kMaskSize) {
        return -EINVAL;
    }
    const uint64_t old = call.thread.signal_mask;
    if (call.arg(1) != 0) {
        const auto set = call.read<uint64_t>(call.arg(1));
        if (!set) {
            return -EFAULT;
        }
        uint64_t mask = *set;
        switch (call.number(0)) {
            case SIG_BLOCK:
                mask = old | (*set & ~kNeverBlocked);
                break;
            case SIG_UNBLOCK:
                mask = old & ~*set;
                break;
            case SIG_SETMASK:
                break;
            default:
                return -EINVAL;
        }
        if (set_signal_mask(call.thread, mask) == kRestart) {
            return kRestart;
        }
    }
    return call.arg(2) != 0 ? call.write(call.arg(2), old) : 0;
}

SyscallOutcome rt_sigpending(CallContext& call) {
    const uint64_t size = call.arg(1);
    if (size > kMaskSize) {
        return -EINVAL;
    }
    uint64_t pending = 0;
    const int64_t result = call.host(SYS_rt_sigpending, &pending, kMaskSize);
    if (result < 0) {
        return result;
    }
    pending = (pending | call.thread.signals.sent()) & call.thread.signal_mask;
    return call.write(call.arg(0), &pending, size);
}

SyscallOutcome rt_sigsuspend(CallContext& call) {
    if (call.arg(1) != kMaskSize) {
        return -EINVAL;
    }
    SwappedMask mask(call, call.arg(0), call.arg(1));
    if (mask.address() == 0) {
        return -EFAULT;
    }
    return mask.wait([&] { return call.host(SYS_rt_sigsuspend, mask.address(), kMaskSize); });
}

SyscallOutcome rt_sigtimedwait(CallContext& call) {
    const auto set = call.arg(3) == kMaskSize ? call.read<uint64_t>(call.arg(0)) : std::nullopt;
    if (!set) {
        return call.pass();  // which refuses it
    }
    for (const int signal : {SIGBUS, SIGSEGV}) {
        SignalPlace& place = call.thread.signals.place(signal);
        if ((*set & signal_bit(signal)) == 0) {
            continue;
        }
        if (const auto info = place.look()) {
            // Exceptions' signals come first, the lowest of them before others (next_signal() of Linux).
            const uint64_t before = *set & kExceptionSignals & (signal_bit(signal) - 1);
            const ::timespec at_once{};
            ::siginfo_t other{};
            const int64_t earlier =
                before != 0 ? call.host(SYS_rt_sigtimedwait, &before, &other, &at_once, kMaskSize) : -EAGAIN;
            if (earlier == kRestart) {
                return kRestart;
            }
            if (earlier > 0) {
                const int64_t failed = call.arg(1) != 0 ? call.write(call.arg(1), other) : 0;
                return failed < 0 ? failed : earlier;
            }
            place.clear();
            const int64_t failed = call.arg(1) != 0 ? call.write(call.arg(1), info->words) : 0;
            return failed < 0 ? failed : signal;
        }
    }
    return call.pass();
}

SyscallOutcome sigaltstack(CallContext& call) {
    abi::Stack wanted{};
    const bool sets = call.arg(0) != 0;
    if (sets && !call.read(call.arg(0), &wanted, sizeof(wanted))) {
        return -EFAULT;
    }
    const uint64_t sp = stack_pointer(call);
    const abi::Stack old = reported_alt_stack(call.thread, sp);
    if (sets) {
        if (const int64_t failed = set_alt_stack(call.thread, wanted, sp); failed < 0) {
            return failed;
        }
    }
    return call.arg(1) != 0 ? call.write(call.arg(1), old) : 0;
}

SyscallOutcome rt_sigreturn(CallContext& call) {
    constexpr SyscallOutcome kDone{SyscallOutcome::Kind::registers_set, 0};
    Thread& thread = call.thread;
    Registers& registers = *thread.signals.registers;
    FrameRegisters now = registers.get();
    const auto bytes = call.read<abi::RtSigframe>(now.x[kSp]);
    const auto frame = bytes ? read_frame(*bytes) : std::nullopt;
    if (!frame) {
        // Nothing comes between: the call has been made, and its exception is not one that would come again.
        if (close_signals(thread) == kRestart) {
            return kRestart;
        }
        constexpr uint64_t kEcall = 4;
        now.pc += kEcall;
        registers.set(now);
        raise_exception(thread, SIGSEGV, SI_KERNEL, 0);
        return kDone;
    }
    if (set_signal_mask(thread, frame->mask) == kRestart) {
        return kRestart;
    }
    registers.set(frame->registers);
    // Whatever it says: the kernel ignores what sigaltstack would refuse.
    static_cast<void>(set_alt_stack(thread, frame->alt_stack, frame->registers.x[kSp]));
    return kDone;
}

}  // namespace weft::user::calls
