// What the guest's process does about each signal (the kernel's sighand_struct), and the host's dispositions, which follow it.
//
// The default action and "ignore" are the host's own: it kills, stops, reaps and reports as for any program. Where the guest has a
// handler, the host has weft's, with the flags that the kernel acts upon: SA_RESTART (so that the kernel itself says which calls are
// begun again), SA_NOCLDSTOP, SA_NOCLDWAIT. SIGSEGV and SIGBUS are weft's always, once started.
#pragma once

#include <array>
#include <cstdint>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "emulator/linux-user/riscv/abi.h"
#include "emulator/linux-user/thread.h"

namespace weft::user {

// Flags of an action (asm-generic/signal-defs.h), as 64-bit numbers.
inline constexpr uint64_t kSaNocldstop = 0x1;
inline constexpr uint64_t kSaNocldwait = 0x2;
inline constexpr uint64_t kSaSiginfo = 0x4;
inline constexpr uint64_t kSaExposeTagbits = 0x800;
inline constexpr uint64_t kSaOnstack = 0x08000000;
inline constexpr uint64_t kSaRestart = 0x10000000;
inline constexpr uint64_t kSaNodefer = 0x40000000;
inline constexpr uint64_t kSaResethand = 0x80000000;
inline constexpr uint64_t kHandlerDefault = 0;  // SIG_DFL
inline constexpr uint64_t kHandlerIgnore = 1;   // SIG_IGN

// Its mutex is a leaf. All functions: any thread, no lock held.
class Sighand {
  public:
    // All default.
    Sighand() = default;
    // A process's copy: a child that shares memory and not actions.
    Sighand(const Sighand& other);
    Sighand& operator=(const Sighand&) = delete;

    // Takes over what the host's process came with (execve keeps "ignore"), and makes SIGSEGV and SIGBUS weft's. Once, before the
    // guest runs and before weft itself changes dispositions; from then on accesses to the guest's memory may fault. Later calls do
    // nothing.
    void start();

    // rt_sigaction(2): 0 or a negated errno. `action` and `old` may be null.
    int64_t set(int signal, const abi::Sigaction* action, abi::Sigaction* old);
    // `signal` is 1 to 64.
    abi::Sigaction get(int signal);
    // For fork(2), which is made with it held.
    Mutex& mutex() WEFT_RETURN_CAPABILITY(mutex_) { return mutex_; }
    // With a debugger, which is told of signals before they act: what would end the process comes to weft's handler as well, and is
    // delivered by it.
    void intercept(bool on);
    bool intercepts();
    // The default for all signals that have a handler; those that are ignored stay so. What execve(2) does, and CLONE_CLEAR_SIGHAND
    // (flush_signal_handlers in Linux' kernel/signal.c).
    void clear_handlers();
    // SA_RESETHAND: the default from now on, unless it has another handler than `handler` by now.
    void reset(int signal, uint64_t handler);

  private:
    int64_t show_host(int signal) WEFT_REQUIRES(mutex_);

    bool started_ WEFT_GUARDED_BY(mutex_) = false;
    bool intercepts_ WEFT_GUARDED_BY(mutex_) = false;
    mutable Mutex mutex_;
    std::array<abi::Sigaction, abi::kSignals> actions_ WEFT_GUARDED_BY(mutex_){};  // at signal - 1
};

// Whether "default" means that the process stops (signal(7)).
constexpr bool stops_by_default(int signal) {
    return signal == 19 || signal == 20 || signal == 21 ||
           signal == 22;  // SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU
}

// The actions that hold for a thread.
Sighand& sighand_of(Thread& thread);

// Whether "default" means "ignore" for a signal (signal(7)).
constexpr bool is_ignored_by_default(int signal) {
    return signal == 17 || signal == 18 || signal == 23 ||
           signal == 28;  // SIGCHLD, SIGCONT, SIGURG, SIGWINCH
}

}  // namespace weft::user
