// The guest's madvise, msync, mlock and relatives, mincore and mseal. Rules D and W of docs/user-memory.md; the arguments
// are the guest's, the result is what it gets. Any thread.
#pragma once

#include "emulator/linux-user/memory/memory_core.h"

namespace weft::user {

class Advice {
  public:
    explicit Advice(MemoryCore& core) : core_(core) {}

    SysResult advise(uint64_t address, uint64_t length, int advice);
    SysResult sync(uint64_t address, uint64_t length, int flags);
    // One byte for each guest page to `vector`, which is weft's: the caller copies it to the guest. At most `length` / 4096,
    // rounded up, bytes. Up to the first page that is not there: how many they are, or -ENOMEM for none.
    SysResult resident(uint64_t address, uint64_t length, unsigned char* vector);
    SysResult lock(uint64_t address, uint64_t length, unsigned flags);  // mlock2; mlock is flags 0
    SysResult unlock(uint64_t address, uint64_t length);
    SysResult lock_all(unsigned flags);  // MCL_*
    SysResult unlock_all();
    SysResult seal(uint64_t address, uint64_t length, uint64_t flags);

  private:
    SysResult advise_interval(IntervalTree tree, const Interval& part, int advice);
    SysResult set_locked(uint64_t start, uint64_t end, bool locked);
    SysResult populate(uint64_t start, uint64_t end);
    // Not under the lock.
    bool has_hole(uint64_t start, uint64_t end);

    MemoryCore& core_;
};

}  // namespace weft::user
