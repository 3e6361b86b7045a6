// The usual shape of a device's registers: two member functions behind a table of plain ones.
#pragma once

#include <cstdint>

#include "base/thread_annotations.h"
#include "emulator/memory/region.h"

namespace weft::hw {

// For a Device with
//   uint64_t mmio_read(uint64_t offset, unsigned size);
//   void mmio_write(uint64_t offset, unsigned size, uint64_t value);
// whose accesses all succeed. The region's lock is held around them (emulator/memory/access.h), which clang's analysis
// cannot see through the table.
template <class Device>
struct MmioOps {
    static DeviceStatus read(void* opaque, uint64_t offset, unsigned size,
                             uint64_t* value) WEFT_NO_THREAD_SAFETY_ANALYSIS {
        *value = static_cast<Device*>(opaque)->mmio_read(offset, size);
        return DeviceStatus::ok;
    }
    static DeviceStatus write(void* opaque, uint64_t offset, unsigned size,
                              uint64_t value) WEFT_NO_THREAD_SAFETY_ANALYSIS {
        static_cast<Device*>(opaque)->mmio_write(offset, size, value);
        return DeviceStatus::ok;
    }
};

template <class Device>
constexpr mem::MemoryRegionOps mmio_ops(mem::AccessSizes valid, mem::AccessSizes impl) {
    return mem::MemoryRegionOps{MmioOps<Device>::read, MmioOps<Device>::write, valid, impl};
}

template <class Device>
constexpr mem::MemoryRegionOps mmio_ops(mem::AccessSizes sizes) {
    return mmio_ops<Device>(sizes, sizes);
}

}  // namespace weft::hw
