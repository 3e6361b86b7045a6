// The memory side of the boundary: what the machine's memory gives the accelerator.
//
// A vCPU reads its address space through a reader of its own. A reader is used by one thread at a time; the calls below
// are its read sections: topology they saw is reclaimed only after they returned. RAM whose host address was handed out
// stays mapped until the accelerator acknowledged the topology change (AccelOps::topology_changed).
#pragma once

#include <cstdint>

namespace weft {

inline constexpr uint32_t kMemoryAbiVersion = 3;
inline constexpr unsigned kPageBits = 12;
inline constexpr uint64_t kPageSize = uint64_t{1} << kPageBits;

enum class PageKind : uint8_t {
    unassigned,  // nothing answers
    ram,         // loads, stores and code
    rom,         // loads and code; stores are calls, of device_write
    device,      // every access is a call (also a page that RAM and something else share)
};

struct PageTarget {
    PageKind kind;
    uint8_t* host;  // ram and rom: host address of the page's first byte
    uint64_t
        ram_offset;  // ram and rom: the page's offset in the machine's space of RAM pages; identifies it, whatever
                     // the address it is seen at. A multiple of kPageSize
};

// 0 ok; others as MemoryStatus of weft/guest.h, but for `again`, of stores alone: nothing was stored, but what lies at the
// address has changed (a flash memory that is no ROM while it takes commands). A vCPU forgets what it derived from physical
// addresses, and then does the instruction again.
enum class DeviceStatus : uint8_t { ok, unassigned, bus_error, again };

// A write to RAM by other than guest instructions: DMA, loader, debugger. The writer's memory; what follows `size` is the
// accelerator's from the write's announcement to its end (AccelOps::ram_write_begins, ram_written).
struct RamWrite {
    uint64_t ram_offset;  // in the machine's space of RAM pages; may cross pages
    uint64_t size;        // bytes
    RamWrite* next;
    RamWrite** previous_next;
    uint64_t number = 0;
};

struct MemoryOps {
    uint32_t abi_version;  // kMemoryAbiVersion

    // A reader for `address_space` (VcpuConfig::address_space); destroyed before its accelerator.
    void* (*reader_create)(void* address_space);
    void (*reader_destroy)(void* reader);

    // What lies at the 4 KiB page of guest-physical `paddr`.
    void (*lookup)(void* reader, uint64_t paddr, PageTarget* target);

    // Accesses a page that is not plain RAM: `size` is 1, 2, 4 or 8; the value is in host order. May take the lock that
    // the region names, so the caller holds none. Misaligned and over-wide accesses are split as the region asks.
    DeviceStatus (*device_read)(void* reader, uint64_t paddr, unsigned size, uint64_t* value);
    DeviceStatus (*device_write)(void* reader, uint64_t paddr, unsigned size, uint64_t value);
};

}  // namespace weft
