// Code that is compared with memory instead of being kept from writes: what the kernel is about to write. Rule X5 of
// docs/user-memory.md.
#pragma once

#include <cstdint>

#include "emulator/linux-user/memory/memory_core.h"

namespace weft::user {

// Makes the pages of code that the guest may write to in [start, start + size), guest addresses, checked, with or without
// translations by now, and ends their protection: the kernel may write to them from then on, also if someone translates from them
// meanwhile. To be called before a system call that fills the buffer. True: something changed. So a call that failed with EFAULT
// though it was called before, as another thread's mprotect came between, is to be made once more if this says true now.
//
// Any thread, without the map's lock, which it takes only if there is something to change. One load where nothing of the guest's
// is writable and executable at once (host pages as large as the guest's).
bool make_checked(MemoryCore& core, uint64_t start, uint64_t size);

// The same for the host page of `page`, which the guest writes to so often that protection does not pay. Under the map's lock.
void make_hot(MemoryCore& core, uint64_t page);

}  // namespace weft::user
