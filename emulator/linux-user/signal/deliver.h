// Signals from the host's handler, and the guest's own exceptions, to handlers of the guest.
//
// A thread that runs the guest:
//
//     run the vCPU
//     on ecall: outcome = dispatch(...); a value goes to a0 and pc goes on; restart and registers_set leave both alone
//     on another exception: raise_exception(...)
//     if (signal_waits(thread)) take_signal(thread)
//
// A signal never interrupts the guest elsewhere. One that came is dealt with before an exception of the guest's, whose instruction
// then is done again after the handler: as if the signal had been earlier.
//
// All functions: by the thread itself, outside the vCPU, with no lock held; set_current_thread (host_signals.h) was called.
#pragma once

#include <cstdint>
#include <optional>

#include "emulator/linux-user/signal/sighand.h"
#include "emulator/linux-user/signal/siginfo.h"
#include "emulator/linux-user/thread.h"

namespace weft::user {

// What the process came with besides actions: the mask, and of SIGSEGV and SIGBUS, which the host never blocks from now on, those that waited.
struct SignalsAtStart {
    uint64_t mask = 0;
    std::optional<Siginfo> segv = {};
    std::optional<Siginfo> bus = {};
};
// Starts `actions` (Sighand::start) and takes what the process came with. Once, by its only thread.
SignalsAtStart begin_signals(Sighand& actions);
// For the first thread of the guest, once.
void start_signals(Thread& thread, const SignalsAtStart& signals);
// For a thread that was made with all signals blocked: opens those that its signal_mask does not block.
void start_thread_signals(Thread& thread);

// Whether take_signal has something to do. Cheap.
bool signal_waits(const Thread& thread);

// Delivers what waits: afterwards registers, mask and alternate stack are those of a handler, or as before if there was nothing to
// deliver. May not return: the guest may die of it.
void take_signal(Thread& thread);

// An exception of the instruction at pc: SIGSEGV, SIGBUS, SIGILL, SIGTRAP or SIGFPE, its si_code, and si_addr, the guest's. It is
// delivered by the next take_signal.
void raise_exception(Thread& thread, int signal, int code, uint64_t address);

// The mask of the thread from now on, without SIGKILL and SIGSTOP: 0, or kRestart where a signal came before, and nothing was done.
int64_t set_signal_mask(Thread& thread, uint64_t mask);
// For execve(2), as the new program gets what the kernel has: gives it the thread's mask with SIGSEGV and SIGBUS, and what waits for them
// in weft. Until signals_from_kernel() the thread makes no access that may fault. 0, or kRestart.
int64_t signals_to_kernel(Thread& thread);
// There is no new program: takes them back.
void signals_from_kernel(Thread& thread);
// Blocks all, for good or until take_signal or set_signal_mask: the same.
int64_t close_signals(Thread& thread);

}  // namespace weft::user
