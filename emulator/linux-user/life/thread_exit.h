// What the kernel does in a thread's name when it ends, of words that lie in the guest's memory.
#pragma once

#include <cstdint>

#include "emulator/linux-user/thread.h"

namespace weft::user {

// Marks the robust futexes that the thread holds, and wakes who waits for them, as the kernel's futex_exit does (futex(2), "Robust
// futexes"). The kernel forgets the list. By the thread itself.
void leave_robust_list(Thread& thread);

// The word of CLONE_CHILD_CLEARTID or set_tid_address. Outlives the thread.
class TidWord {
  public:
    explicit TidWord(const Thread& thread);
    // Zero, and one waiter is woken. Nothing where there is none, or where it cannot be written to.
    void clear() const;

  private:
    Process& process_;
    uint64_t address_;
};

inline void clear_tid(const Thread& thread) { TidWord(thread).clear(); }

}  // namespace weft::user
