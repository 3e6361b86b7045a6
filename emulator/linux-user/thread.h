// A thread of the guest, which is a thread of weft's: what its system calls keep for it.
//
// Written by the thread itself alone, but for `asked`. Its vCPU, its host thread and its end are other parts' affair; they read and
// change what is here. Its signals: signal/deliver.h.
#pragma once

#include <atomic>
#include <cstdint>

#include "emulator/linux-user/riscv/abi.h"
#include "emulator/linux-user/signal/thread_signals.h"

namespace weft::user {

class GuestThread;
class Process;

struct Thread {
    // `asked_to_leave`: the vCPU's exit request; see safe_call.h.
    Thread(Process& owner, int32_t thread_id, std::atomic<uint32_t>& asked_to_leave)
        : process(owner), tid(thread_id), asked(asked_to_leave) {}

    Process& process;
    GuestThread* guest = nullptr;  // whose part it is; null where no vCPU runs it
    int32_t tid;                   // the host's; the child's after fork
    std::atomic<uint32_t>& asked;

    uint64_t clear_child_tid = 0;  // guest address of the word that is cleared and woken at the end; 0: none
    uint64_t robust_list = 0;      // guest address of the robust_list_head; 0: none
    uint64_t signal_mask = 0;      // as the guest set it; bit n - 1: signal n
    abi::Stack alternate_stack{};  // none; without SS_DISABLE, which the kernel keeps where it was asked for
    ThreadSignals signals;
    // Upper bits of pointers that do not count (PR_SET_TAGGED_ADDR_CTRL): 0, 7, 16.
    uint32_t pointer_mask = 0;
};

// What the host is told for a mask of the guest's. SIGSEGV and SIGBUS stay open, as faults of translated code come by them; blocked
// ones of the guest's are held back by weft.
constexpr uint64_t host_signal_mask(uint64_t guest) { return guest & ~(signal_bit(7) | signal_bit(11)); }

}  // namespace weft::user
