// Accesses to I/O regions.
#pragma once

#include <cstdint>

#include "emulator/memory/region.h"

namespace weft::mem {

// An access of `size` bytes (1, 2, 4 or 8) at `offset` of an I/O region, which it does not leave: checked against what the
// region allows, under its lock, in pieces of the sizes its functions take. The first piece that fails ends it.
DeviceStatus region_read(const MemoryRegion& region, uint64_t offset, unsigned size, uint64_t* value);
DeviceStatus region_write(const MemoryRegion& region, uint64_t offset, unsigned size, uint64_t value);

}  // namespace weft::mem
