// Guest-physical memory as one vCPU sees it: what lies at a page, and the accesses of its page walker.
//
// All of it belongs to the thread that runs the vCPU.
#pragma once

#include <array>
#include <cstdint>

#include "weft/guest.h"
#include "weft/memory.h"

namespace weft::accel {

class CodeUser;
class PageMap;

class PhysicalMemory {
  public:
    // All of it outlives this. `reader`: MemoryOps, of the vCPU's address space.
    PhysicalMemory(const MemoryOps& memory, void* reader, PageMap& code_pages, CodeUser& user)
        : memory_(memory), reader_(reader), code_pages_(code_pages), user_(user) {}
    PhysicalMemory(const PhysicalMemory&) = delete;
    PhysicalMemory& operator=(const PhysicalMemory&) = delete;

    // What lies at the page of `paddr`.
    const PageTarget& page(uint64_t paddr);
    // The topology changed.
    void forget() { pages_.fill(Entry{}); }

    DeviceStatus device_load(uint64_t paddr, unsigned size, uint64_t* value) {
        return memory_.device_read(reader_, paddr, size, value);
    }
    DeviceStatus device_store(uint64_t paddr, unsigned size, uint64_t value) {
        return memory_.device_write(reader_, paddr, size, value);
    }

    // VcpuServices of the same names.
    MemoryStatus load(uint64_t paddr, unsigned size, uint64_t* value);
    MemoryStatus store(uint64_t paddr, unsigned size, uint64_t value);
    MemoryStatus cmpxchg(uint64_t paddr, uint64_t expected, uint64_t desired, bool* swapped);

  private:
    static constexpr unsigned kEntries = 64;

    // Direct-mapped.
    struct Entry {
        uint64_t paddr = ~uint64_t{0};
        PageTarget target{};
    };

    const MemoryOps& memory_;
    void* const reader_;
    PageMap& code_pages_;
    CodeUser& user_;
    std::array<Entry, kEntries> pages_;
};

}  // namespace weft::accel
