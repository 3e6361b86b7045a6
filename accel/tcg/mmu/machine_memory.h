// What a vCPU of a machine has for memory: its software MMU, and the reader of physical memory that this works with.
#pragma once

#include "accel/tcg/mmu/memory_reader.h"
#include "accel/tcg/mmu/softmmu.h"

namespace weft::accel {

struct MachineMemory {
    // `parts.reader` is filled in here. `address_space`: of the vCPU.
    MachineMemory(MmuParts parts, void* address_space)
        : reader(parts.memory, address_space), softmmu(with_reader(parts, reader)) {}

    const MemoryReader reader;
    SoftMmu softmmu;

  private:
    static MmuParts with_reader(MmuParts parts, const MemoryReader& reader) {
        parts.reader = reader.get();
        return parts;
    }
};

}  // namespace weft::accel
