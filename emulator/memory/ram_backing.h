// Memory of the host's that a block of RAM lies in, instead of the process's own: files, and memory that others map as well.
#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"
#include "base/host_calls.h"
#include "emulator/memory/ram.h"

namespace weft::mem {

struct RamBacking {
    uint64_t size = 0;  // bytes of the block: a positive multiple of the page size
    int fd =
        -1;  // of which as many bytes are mapped, from `offset` on; stays the caller's. -1: the block's own memory
    uint64_t offset = 0;  // a multiple of the page size
    bool shared =
        false;  // what is stored is seen by others that map it, and in the file; else a file gives the first contents alone
    bool populate = false;  // all of it is there at once, or there is an error
};

// Puts the backings one after the other in the place of the block's memory, from its start on. Before anybody else touches it; the
// block unmaps them. Fails where the host refuses one: then some may be in place.
Result<> back_ram(const RamBlock& block, std::span<const RamBacking> backings,
                  const HostCalls& calls = HostCalls::real());

}  // namespace weft::mem
