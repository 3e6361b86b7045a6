// The host's signals: by the kernel's own calls, all 64 of them one to one.
//
// The C library keeps two signals for itself and refuses them; sanitizers delay asynchronous signals until the program calls
// something. So neither is asked: dispositions and masks are set by rt_sigaction and rt_sigprocmask themselves. Weft uses nothing of
// the C library's that needs its two signals (pthread_cancel, and setuid for all threads).
//
// One handler serves all. It runs with every signal blocked, takes no lock, allocates nothing, and keeps errno. Of
// - a fault of this thread (SIGSEGV, SIGBUS), it asks who made the access (base/faulting_access.h, the thread's FaultHook) and
//   returns to where they say. A fault that nobody knows is one of weft's own: a line to stderr and the default action.
// - any other signal, it notes what is known of it in the thread's ThreadSignals, asks the vCPU to stop (Thread::asked), moves the
//   pc out of the window of safe_call, and leaves the thread with every signal blocked but SIGSEGV and SIGBUS, until
//   take_signal() (deliver.h) has dealt with it.
#pragma once

#include <cstdint>

#include "emulator/linux-user/riscv/abi.h"
#include "emulator/linux-user/thread.h"

namespace weft::user {

// Who is interrupted: the handler has no argument of weft's, so there is one pointer of each thread's own. It is what a signal
// handler may read anywhere: constant initialisation, and at a fixed distance from the thread pointer (initial-exec).
//
// The thread that calls is `thread` from now on; null: none of the guest's. Before its signals are unblocked. A signal that finds
// none is sent again, for another thread.
void set_current_thread(Thread* thread);
Thread* current_thread();

// rt_sigaction(2), whose result it returns. `action` and `old` may be null.
int64_t host_sigaction(int signal, const abi::HostSigaction* action, abi::HostSigaction* old);
// Weft's handler as an action: `flags` are SA_RESTART, SA_NOCLDSTOP and SA_NOCLDWAIT or none.
abi::HostSigaction host_handler(uint64_t flags);
// rt_sigprocmask(2) of the calling thread. A signal that waits in the kernel and is open now comes before it returns.
void set_host_mask(uint64_t mask);
uint64_t host_mask();
// For the calling thread; rt_tgsigqueueinfo(2).
int64_t send_to_self(const Siginfo& info);
// Has `thread`, another one of this process, leave the system call that it is in, if any, as a signal with SA_RESTART would; no signal of
// the guest's comes of it.
void ask_to_leave_call(Thread& thread);

inline constexpr uint64_t kAllSignals = ~uint64_t{0};

}  // namespace weft::user
