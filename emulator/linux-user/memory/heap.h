// The guest's program break. Rule S1 of docs/user-memory.md; brk(2).
#pragma once

#include "emulator/linux-user/memory/memory_core.h"

namespace weft::user {

class Heap {
  public:
    // The break begins at `start`, behind the program, rounded up to a page.
    Heap(MemoryCore& core, uint64_t start)
        : core_(core), start_(round_up(start, kGuestPage)), break_(start_) {}

    uint64_t start() const { return start_; }
    // What brk returns in a0: the new break, or the old one where it cannot be had. Exact: page parts count. Any thread.
    uint64_t set(uint64_t wanted);

  private:
    bool resize(MemoryCore::Call& call, uint64_t wanted);

    MemoryCore& core_;
    const uint64_t start_;
    uint64_t break_;  // under the map's lock
};

}  // namespace weft::user
