// The part of mremap that moves a mapping, or makes a second view of one.
#pragma once

#include <sys/mman.h>

#include "emulator/linux-user/memory/memory_core.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

namespace weft::user {

struct Move {
    uint64_t start;
    uint64_t size;  // of what there is; 0: a second view of a shared mapping
    uint64_t new_size;
    int flags;             // MREMAP_*
    uint64_t new_address;  // with MREMAP_FIXED; a hint with MREMAP_DONTUNMAP

    uint64_t end() const { return start + size; }
    // What goes to the new place; more than that is new.
    uint64_t moved() const { return size < new_size ? size : new_size; }
    bool fixed() const { return (flags & MREMAP_FIXED) != 0; }
    bool keeps_old() const { return (flags & MREMAP_DONTUNMAP) != 0 || size == 0; }
};

// The arguments are checked, and something of the guest's begins at or before `start`. Returns the new address or the negated
// errno; what MREMAP_FIXED names is unmapped first and stays so, as with the kernel. Under the lock.
SysResult move_mapping(MemoryCore& core, MemoryCore::Call& call, const Move& move);

}  // namespace weft::user
