#include "emulator/linux-user/debug/debugged_thread.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <optional>
#include <utility>

#include "emulator/linux-user/debug/signal_numbers.h"
#include "emulator/linux-user/signal/deliver.h"
#include "emulator/linux-user/signal/host_signals.h"

namespace weft::user {

namespace {

using Stop = StopControl::Stop;

// A signal that take_signal() would deliver next, and where it waits.
struct Waiting {
    SignalPlace* place;  // null: ThreadSignals::exception
    Siginfo info;
};

std::optional<Waiting> next_signal(Thread& thread) {
    ThreadSignals& signals = thread.signals;
    if (const auto info = signals.slot.look()) {
        return Waiting{&signals.slot, *info};
    }
    if (signals.exception) {
        return Waiting{nullptr, *signals.exception};
    }
    const uint64_t mask = signals.swapped.value_or(thread.signal_mask);
    for (const int signal : {SIGBUS, SIGSEGV}) {
        SignalPlace& place = signals.place(signal);
        const auto info = place.look();
        if (info && (mask & signal_bit(signal)) == 0) {
            return Waiting{&place, *info};
        }
    }
    return std::nullopt;
}

void drop(Thread& thread, const Waiting& waiting) {
    if (waiting.place == nullptr) {
        thread.signals.exception.reset();
        return;
    }
    // The handler has blocked everything when it filled the slot; take_signal opens it again.
    thread.signals.closed = thread.signals.closed || waiting.place == &thread.signals.slot;
    waiting.place->clear();
}

// The signal that the debugger gives instead, or where there was none.
Siginfo given(int signal) {
    Siginfo info;
    // asm-generic/siginfo.h: si_signo, si_errno; si_code SI_USER (0), then si_pid and si_uid.
    info.words[0] = static_cast<uint32_t>(signal);
    info.words[2] = static_cast<uint32_t>(::getpid()) | uint64_t{::getuid()} << 32;
    return info;
}

class DebuggedThread {
  public:
    DebuggedThread(const ProcessOps& accelerator, Vcpu* vcpu, Cpu& cpu, Thread& thread,
                   std::unique_ptr<StopControl::Member> member, const Breakpoints& breakpoints)
        : accelerator_(accelerator),
          vcpu_(vcpu),
          cpu_(cpu),
          thread_(thread),
          breakpoints_(breakpoints),
          member_(std::move(member)) {}

    ThreadEnd run() {
        while (true) {
            const StopControl::Member::Go go = member_->wait();
            give(go.signal);
            if (!signal_waits(thread_)) {
                switch (go.step ? accelerator_.step(vcpu_) : accelerator_.enter(vcpu_)) {
                    case VcpuStop::exception:
                        if (const auto end = exception()) {
                            if (end->kind != ThreadEnd::Kind::thread) {
                                member_->process_ends();
                            }
                            return *end;
                        }
                        break;
                    case VcpuStop::asked:
                        if (go.step) {
                            stepped();
                        }
                        break;
                    case VcpuStop::failed:
                        member_->process_ends();
                        return {ThreadEnd::Kind::failed, 1};
                }
            }
            if (signal_waits(thread_)) {
                signals(go.step);
            }
        }
    }

  private:
    void stepped() {
        (void)member_->event({.thread = member_->id()}, Siginfo::fault(SIGTRAP, TRAP_TRACE, cpu_.pc()));
    }

    std::optional<ThreadEnd> exception() {
        const CpuException exception = cpu_.exception();
        if (exception.kind == CpuException::Kind::call) {
            return call();
        }
        if (exception.kind == CpuException::Kind::breakpoint && breakpoints_.contains(cpu_.pc())) {
            (void)member_->event({.thread = member_->id(), .breakpoint = true},
                                 Siginfo::fault(SIGTRAP, TRAP_BRKPT, cpu_.pc()));
            return std::nullopt;
        }
        const FaultSignal signal = fault_signal(exception, cpu_.pc());
        raise_exception(thread_, signal.number, signal.code, signal.address);
        return std::nullopt;
    }

    // A call that was done while the debugger had other registers in its place.
    struct DoneCall {
        FrameRegisters registers;
        SyscallOutcome outcome;
    };

    static bool same(const FrameRegisters& a, const FrameRegisters& b) {
        return a.pc == b.pc && a.x == b.x && a.f == b.f && a.fcsr == b.fcsr;
    }

    std::optional<ThreadEnd> call() {
        if (!member_->call_begins()) {
            return std::nullopt;  // it is made when the thread goes on
        }
        const FrameRegisters before = cpu_.get();
        SyscallOutcome outcome =
            done_ && same(done_->registers, before) ? done_->outcome : make_call(cpu_, thread_);
        done_.reset();
        const StopControl::Member::CallGo go = member_->call_ends();
        if (go.registers_set) {
            // Where it was left for that, nothing of it was done.
            const bool done = outcome.kind == SyscallOutcome::Kind::value && outcome.value != -EINTR;
            if (done || outcome.kind == SyscallOutcome::Kind::thread_ends ||
                outcome.kind == SyscallOutcome::Kind::process_ends) {
                done_ = DoneCall{before, outcome};
            }
            return std::nullopt;
        }
        if (const auto end = finish_call(cpu_, outcome)) {
            return end;
        }
        if (go.step && outcome.kind != SyscallOutcome::Kind::restart) {
            stepped();
        }
        return std::nullopt;
    }

    // What the debugger said the thread gets, where nothing waits that it would be instead of.
    void give(int number) {
        const int signal = linux_signal(number);
        if (signal != 0) {
            passed_ = signal;
            send_to_self(given(signal));
        }
    }

    // Tells the debugger of what waits, and does what it says.
    void signals(bool step) {
        if (const auto waiting = next_signal(thread_)) {
            const int signal = waiting->info.signal();
            const bool told = passed_ == signal;
            passed_ = told ? 0 : passed_;
            if (!told && member_->wants(signal)) {
                if (!member_->event({.thread = member_->id(), .signal = gdb_signal(signal)}, waiting->info)) {
                    return;  // it waits on, until everybody goes on
                }
                const StopControl::Member::Go go = member_->wait();
                step = go.step;
                if (!answer(*waiting, go.signal)) {
                    return;
                }
            }
            take_signal(thread_);
            // At the first instruction of the handler.
            if (step) {
                stepped();
            }
            return;
        }
        take_signal(thread_);
    }

    // True: it is to be delivered. False: it is gone, and another one may have come instead.
    bool answer(const Waiting& waiting, int number) {
        const int signal = member_->attached() ? linux_signal(number) : waiting.info.signal();
        if (signal == waiting.info.signal()) {
            return true;
        }
        drop(thread_, waiting);
        if (signal_waits(thread_)) {
            take_signal(thread_);  // opens the mask
        }
        give(number);
        return false;
    }

    const ProcessOps& accelerator_;
    Vcpu* const vcpu_;
    Cpu& cpu_;
    Thread& thread_;
    const Breakpoints& breakpoints_;
    const std::unique_ptr<StopControl::Member> member_;
    std::optional<DoneCall> done_;
    int passed_ = 0;  // a signal that the debugger has given, and is not told of
};

}  // namespace

ThreadEnd run_debugged_thread(const ProcessOps& accelerator, Vcpu* vcpu, Cpu& cpu, Thread& thread,
                              std::unique_ptr<StopControl::Member> member, const Breakpoints& breakpoints) {
    return DebuggedThread(accelerator, vcpu, cpu, thread, std::move(member), breakpoints).run();
}

}  // namespace weft::user
