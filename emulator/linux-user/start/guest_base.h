// Where the guest's memory lies in the host's. Rule A2 of docs/user-memory.md.
#pragma once

#include <cstdint>
#include <optional>

#include "base/error.h"
#include "emulator/linux-user/loader/image.h"
#include "emulator/linux-user/memory/host_memory.h"
#include "emulator/linux-user/memory/memory_core.h"

namespace weft::user {

// What weft's user asked for.
struct SpaceWishes {
    std::optional<uint64_t> base;  // -B
    std::optional<uint64_t>
        reserved;  // -R: the size of the guest's space, all of which is kept from the host. 0: as without
    uint64_t stack_limit = 8 * 1024 * 1024;  // bytes
};

// The memory of a process that runs the program of `plan`. Without -B the base is 0 or, where a program with fixed addresses
// cannot have them, the lowest multiple of 64 KiB with which it can. `minimum`: the host's mmap_min_addr. Errors: nothing fits.
Result<MemoryConfig> choose_space(const SpaceWishes& wishes, const ImagePlan& plan, const HostMemory& host,
                                  uint64_t minimum);

// The end of the guest's space without -R.
uint64_t default_limit();

// /proc/sys/vm/mmap_min_addr; 64 KiB where it cannot be read.
uint64_t host_minimum_address();

}  // namespace weft::user
