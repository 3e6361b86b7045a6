// System V shared memory in the guest's space. Rule K of docs/user-memory.md; shmat(2), shmdt(2). Segments are the host's own.
#pragma once

#include "emulator/linux-user/memory/memory_core.h"

namespace weft::user {

class SharedMemory {
  public:
    explicit SharedMemory(MemoryCore& core) : core_(core) {}

    // SHMLBA is the guest's page. Returns the address or the negated errno. Any thread.
    SysResult attach(int id, uint64_t address, int flags);
    SysResult detach(uint64_t address);

  private:
    SysResult attach_at(MemoryCore::Call& call, int id, uint64_t start, uint64_t size, int flags);

    MemoryCore& core_;
};

}  // namespace weft::user
