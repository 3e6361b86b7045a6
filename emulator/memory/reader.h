// Reading sections over an address space: what vCPUs and devices use to reach guest-physical memory.
#pragma once

#include <cstdint>
#include <span>

#include "base/epoch.h"
#include "emulator/memory/topology.h"
#include "weft/guest_ram.h"
#include "weft/memory.h"

namespace weft::mem {

// A reader is used by one thread at a time (a vCPU's own; a device's under the device's lock). Each function is one read
// section: it sees one consistent view, and what it saw is reclaimed only after it returned.
class Reader {
  public:
    // The address space outlives the reader. Any thread.
    explicit Reader(AddressSpace& space);
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    AddressSpace& address_space() const { return space_; }

    // For vCPUs; see MemoryOps.
    void lookup(uint64_t paddr, PageTarget* target);
    DeviceStatus device_read(uint64_t paddr, unsigned size, uint64_t* value);
    DeviceStatus device_write(uint64_t paddr, unsigned size, uint64_t value);

    // Direct memory access of devices: RAM, and reads of ROM (writes to it are dropped). I/O regions are not reached, so
    // that no device can be made to wait for another's lock, or for its own: `bus_error`. The copy ends at the first byte
    // that cannot be reached. Writers tell the accelerator first.
    DeviceStatus read(uint64_t paddr, std::span<uint8_t> data);
    DeviceStatus write(uint64_t paddr, std::span<const uint8_t> data);
    // Like write(), but fills ROM as well: for loaders.
    DeviceStatus load_image(uint64_t paddr, std::span<const uint8_t> data);

    // Gives RAM back to the host, which reads as zero until it is written to again: whole pages of 4 KiB. `bus_error` for what is no
    // RAM, or where the host refuses: nothing is lost then.
    DeviceStatus discard(uint64_t paddr, uint64_t size);

    // One access of an integer's size, single-copy atomic where aligned, relaxed; sequentially consistent for
    // load_sync() and store_sync(), which order the accesses before and after them (rings shared with the guest).
    template <class T>
    DeviceStatus load(uint64_t paddr, T* value);
    template <class T>
    DeviceStatus store(uint64_t paddr, T value);
    template <class T>
    DeviceStatus load_sync(uint64_t paddr, T* value);
    template <class T>
    DeviceStatus store_sync(uint64_t paddr, T value);

  private:
    // Online for a scope. Reclaims what it can afterwards.
    class Section;

    enum class Writing : uint8_t { guest, image };

    DeviceStatus access_read(const FlatView& view, uint64_t paddr, unsigned size, uint64_t* value);
    DeviceStatus access_write(const FlatView& view, uint64_t paddr, unsigned size, uint64_t value);
    DeviceStatus copy_in(uint64_t paddr, std::span<const uint8_t> data, Writing writing);
    // The range of RAM (or ROM, for loads) that holds all `size` bytes; null otherwise. Inside a section.
    const FlatRange* direct(uint64_t paddr, unsigned size, bool write, DeviceStatus* status);
    // One access by a function of weft/guest_ram.h.
    template <class T>
    DeviceStatus load_by(T (*get)(const uint8_t*), uint64_t paddr, T* value);
    template <class T>
    DeviceStatus store_by(void (*put)(uint8_t*, T), uint64_t paddr, T value);

    AddressSpace& space_;
    EpochDomain::Reader reader_;
    size_t hint_ = 0;  // the range found last: valid for any view, being an index that find() checks
};

// The table that accelerators get: address spaces are AddressSpace*.
const MemoryOps& memory_ops();

}  // namespace weft::mem
