// The main thread's stack: a growing mapping at the top of the window, which the host grows. Rules S2 and S3 of
// docs/user-memory.md.
#pragma once

#include "emulator/linux-user/memory/memory_core.h"

namespace weft::user {

class Stack {
  public:
    explicit Stack(MemoryCore& core) : core_(core) {}

    // Maps the first `size` bytes below the window's top; `executable` as the program's PT_GNU_STACK asks. Returns the top,
    // exclusive, or the negated errno. At start, once.
    SysResult create(uint64_t size, bool executable);
    uint64_t top() const { return top_; }
    // How low it reaches now: the host is asked. Any thread.
    uint64_t low();

  private:
    MemoryCore& core_;
    uint64_t top_ = 0;  // written by create()
};

}  // namespace weft::user
