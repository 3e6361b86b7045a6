#include "emulator/linux-user/signal/deliver.h"

#include <sys/syscall.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <ctime>
#include <optional>

#include "base/raw_syscall.h"
#include "emulator/linux-user/loader/vdso.h"
#include "emulator/linux-user/process.h"
#include "emulator/linux-user/riscv/frame.h"
#include "emulator/linux-user/signal/fatal.h"
#include "emulator/linux-user/signal/host_signals.h"
#include "emulator/linux-user/signal/sighand.h"
#include "emulator/linux-user/syscall/safe_call.h"

namespace weft::user {

namespace {

// What force_sig(SIGSEGV) of the kernel's says.
Siginfo bad_stack() { return Siginfo::fault(SIGSEGV, SI_KERNEL, 0); }

// Sets the host's mask in one step with the look at the slot: a signal that comes before the change finds nothing done, and one
// that comes behind it is open in the new mask. False: one came before.
bool change_host_mask(ThreadSignals& signals, uint64_t mask) {
    const std::array<uint64_t, 6> args = {
        SIG_SETMASK, reinterpret_cast<uint64_t>(&mask), 0, sizeof(mask), 0, 0};
    while (!signals.slot.is_full()) {
        // The window is left for a sent SIGSEGV as well, which does not matter here.
        if (safe_call(signals.slot.full, SYS_rt_sigprocmask, args) != kRestart) {
            return true;
        }
    }
    return false;
}

// What becomes of the thread by the signals of one take_signal: built up, and made so by commit().
class Turn {
  public:
    explicit Turn(Thread& thread)
        : thread_(thread),
          actions_(sighand_of(thread)),
          registers_(thread.signals.registers->get()),
          mask_(thread.signals.swapped.value_or(thread.signal_mask)),
          saved_mask_(thread.signal_mask),
          alt_stack_(thread.alternate_stack) {}

    // One that was sent. The host's mask is closed, or it is SIGSEGV or SIGBUS.
    void take(const Siginfo& info) {
        const int signal = info.signal();
        const abi::Sigaction action = actions_.get(signal);
        if (action.handler > kHandlerIgnore) {
            make(info, action);
        } else if (action.handler == kHandlerDefault && !is_ignored_by_default(signal)) {
            act_by_default(info);
        }
    }

    // One that cannot wait: where it is blocked or ignored the guest dies of it, as the kernel says.
    void force(const Siginfo& info) {
        const abi::Sigaction action = actions_.get(info.signal());
        if (action.handler <= kHandlerIgnore || (mask_ & signal_bit(info.signal())) != 0) {
            die(info);
        }
        make(info, action);
    }

    // SIGSEGV and SIGBUS that waited and are open now.
    void take_sent() {
        for (const int signal : {SIGBUS, SIGSEGV}) {
            const auto info = thread_.signals.place(signal).look();
            if (info && (mask_ & signal_bit(signal)) == 0) {
                taken_ |= signal_bit(signal);
                take(*info);
            }
        }
    }

    // False: a signal came meanwhile, and nothing was changed.
    bool commit() {
        ThreadSignals& signals = thread_.signals;
        const uint64_t mask = made_ != 0 ? mask_ : thread_.signal_mask;
        const bool closed = signals.closed;
        if (made_ != 0 && !closed && !change_host_mask(signals, host_signal_mask(mask))) {
            return false;
        }
        for (const int signal : {SIGBUS, SIGSEGV}) {
            if ((taken_ & signal_bit(signal)) != 0) {
                signals.place(signal).clear();
            }
        }
        signals.exception.reset();
        signals.swapped.reset();
        signals.closed = false;
        if (made_ != 0) {
            for (unsigned i = 0; i < made_ && i < resets_.size(); ++i) {
                if (resets_[i].signal != 0) {
                    actions_.reset(resets_[i].signal, resets_[i].handler);
                }
            }
            signals.registers->set(registers_);
            thread_.alternate_stack = alt_stack_;
            thread_.signal_mask = mask;
        }
        if (closed) {
            set_host_mask(host_signal_mask(mask));
        }
        return true;
    }

  private:
    void make(const Siginfo& info, const abi::Sigaction& action) {
        const int signal = info.signal();
        const auto bytes = info.bytes();
        const Process& process = thread_.process;
        const auto frame =
            make_frame(registers_, {.signal = static_cast<uint32_t>(signal),
                                    .handler = action.handler,
                                    .use_alt_stack = (action.flags & kSaOnstack) != 0,
                                    .restorer = process.program().vdso.start + kVdsoImage.rt_sigreturn,
                                    .info = bytes,
                                    .mask = saved_mask_,
                                    .alt_stack = alt_stack_});
        if (!frame || !thread_.process.memory().write(frame->address, &frame->bytes, sizeof(frame->bytes))) {
            if (signal == SIGSEGV) {
                die(bad_stack());
            }
            force(bad_stack());
            return;
        }
        registers_ = frame->registers;
        alt_stack_ = frame->alt_stack;
        if ((action.flags & kSaResethand) != 0) {
            resets_[made_] = {signal, action.handler};
        }
        ++made_;
        const uint64_t itself = (action.flags & kSaNodefer) != 0 ? 0 : signal_bit(signal);
        mask_ = (mask_ | action.mask | itself) & ~kNeverBlocked;
        saved_mask_ = mask_;
    }

    // Another thread took the handler away after the signal had come, or a debugger was to know of it. But for a debugger, the host's
    // action is the default one as well, so it is left to the kernel, when the mask is opened.
    void act_by_default(const Siginfo& info) {
        if (info.signal() == SIGSEGV || info.signal() == SIGBUS || actions_.intercepts()) {
            die(info);
        }
        send_to_self(info);
    }

    // Threads that die at the same time are one death.
    [[noreturn]] void die(const Siginfo& info) {
        if (!thread_.process.begins_to_end()) {
            wait_for_end();
        }
        if (EndListener* listener = thread_.process.end_listener()) {
            listener->killed(info.signal());
        }
        die_by_signal(info);
    }

    struct Reset {
        int signal = 0;
        uint64_t handler = 0;
    };

    Thread& thread_;
    Sighand& actions_;
    FrameRegisters registers_;
    uint64_t mask_;        // of the handler
    uint64_t saved_mask_;  // of the next frame
    abi::Stack alt_stack_;
    unsigned made_ = 0;  // frames
    // Of each frame: no more than one for what came or the exception, one for a bad stack, and two that waited.
    std::array<Reset, 4> resets_{};
    uint64_t taken_ = 0;  // of those that waited
};

}  // namespace

SignalsAtStart begin_signals(Sighand& actions) {
    SignalsAtStart found{.mask = host_mask() & ~kNeverBlocked};
    actions.start();
    // While they are blocked, a fault of weft's own accesses ends the process.
    const auto take = [&](int signal) {
        Siginfo info;
        const uint64_t set = signal_bit(signal) & found.mask;
        const ::timespec at_once{};
        const int64_t got = raw_syscall(SYS_rt_sigtimedwait, &set, info.words.data(), &at_once, sizeof(set));
        return got == signal ? std::optional(info) : std::nullopt;
    };
    found.segv = take(SIGSEGV);
    found.bus = take(SIGBUS);
    set_host_mask(host_signal_mask(found.mask));
    return found;
}

void start_signals(Thread& thread, const SignalsAtStart& signals) {
    set_current_thread(&thread);
    thread.signal_mask = signals.mask;
    thread.signals.sent_segv.put(signals.segv);
    thread.signals.sent_bus.put(signals.bus);
    start_thread_signals(thread);
}

void start_thread_signals(Thread& thread) {
    set_current_thread(&thread);
    thread.signals.closed = false;
    set_host_mask(host_signal_mask(thread.signal_mask));
}

bool signal_waits(const Thread& thread) {
    const ThreadSignals& signals = thread.signals;
    return signals.slot.is_full() || signals.exception || signals.swapped || signals.closed ||
           (signals.sent() & ~thread.signal_mask) != 0;
}

void take_signal(Thread& thread) {
    ThreadSignals& signals = thread.signals;
    bool done = false;
    while (!done) {
        Turn turn(thread);
        if (const auto info = signals.slot.look()) {
            signals.closed = true;  // the handler did it
            signals.slot.clear();
            signals.exception.reset();  // its instruction is done again
            turn.take(*info);
        } else if (signals.exception) {
            turn.force(*signals.exception);
        }
        turn.take_sent();
        // Several that a mask opens at once have their frames before the first handler begins, as with the kernel.
        done = turn.commit() && !signals.slot.is_full();
    }
}

void raise_exception(Thread& thread, int signal, int code, uint64_t address) {
    thread.signals.exception = Siginfo::fault(signal, code, address);
}

int64_t set_signal_mask(Thread& thread, uint64_t mask) {
    mask &= ~kNeverBlocked;
    ThreadSignals& signals = thread.signals;
    if (signals.slot.is_full()) {
        return kRestart;
    }
    const bool same = host_signal_mask(mask) == host_signal_mask(thread.signal_mask) && !signals.closed;
    if (!same && !change_host_mask(signals, host_signal_mask(mask))) {
        return kRestart;
    }
    signals.closed = false;
    thread.signal_mask = mask;
    return 0;
}

int64_t signals_to_kernel(Thread& thread) {
    ThreadSignals& signals = thread.signals;
    if (!change_host_mask(signals, thread.signal_mask)) {
        return kRestart;
    }
    signals.closed = false;
    for (const int signal : {SIGBUS, SIGSEGV}) {
        const auto info = signals.place(signal).look();
        if (info && (thread.signal_mask & signal_bit(signal)) != 0) {
            send_to_self(*info);
            signals.place(signal).clear();
        }
    }
    return 0;
}

void signals_from_kernel(Thread& thread) {
    // Where one came, its handler did it.
    static_cast<void>(change_host_mask(thread.signals, host_signal_mask(thread.signal_mask)));
}

int64_t close_signals(Thread& thread) {
    if (!change_host_mask(thread.signals, host_signal_mask(kAllSignals))) {
        return kRestart;
    }
    thread.signals.closed = true;
    return 0;
}

}  // namespace weft::user
