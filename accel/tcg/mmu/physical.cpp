#include "accel/tcg/mmu/physical.h"

#include "accel/tcg/blocks/code_users.h"
#include "accel/tcg/mmu/ram_store.h"
#include "weft/guest_ram.h"

namespace weft::accel {

using tcg::TlbEntry;

const PageTarget& PhysicalMemory::page(uint64_t paddr) {
    const uint64_t page = paddr & ~(kPageSize - 1);
    Entry& entry = pages_[page >> kPageBits & (kEntries - 1)];
    if (entry.paddr != page) {
        memory_.lookup(reader_, page, &entry.target);
        entry.paddr = page;
    }
    return entry.target;
}

MemoryStatus PhysicalMemory::load(uint64_t paddr, unsigned size, uint64_t* value) {
    const PageTarget& target = page(paddr);
    if (target.kind == PageKind::ram || target.kind == PageKind::rom) {
        *value = guest_ram::load_sized(target.host + (paddr & (kPageSize - 1)), size);
        return MemoryStatus::ok;
    }
    if (target.kind == PageKind::unassigned) {
        return MemoryStatus::unassigned;
    }
    return static_cast<MemoryStatus>(memory_.device_read(reader_, paddr, size, value));
}

MemoryStatus PhysicalMemory::store(uint64_t paddr, unsigned size, uint64_t value) {
    const PageTarget& target = page(paddr);
    if (target.kind == PageKind::ram) {
        TlbEntry entry{0, tcg::kTlbNotDirty, 0, target.ram_offset};
        RamStore store(code_pages_, user_, entry, paddr, size);
        guest_ram::store_sized(target.host + (paddr & (kPageSize - 1)), size, value);
        store.made();
        return MemoryStatus::ok;
    }
    if (target.kind == PageKind::unassigned) {
        return MemoryStatus::unassigned;
    }
    DeviceStatus status = DeviceStatus::again;
    while (status == DeviceStatus::again) {
        status = memory_.device_write(reader_, paddr, size, value);
    }
    return static_cast<MemoryStatus>(status);
}

MemoryStatus PhysicalMemory::cmpxchg(uint64_t paddr, uint64_t expected, uint64_t desired, bool* swapped) {
    const PageTarget& target = page(paddr);
    if (target.kind != PageKind::ram) {
        return target.kind == PageKind::unassigned ? MemoryStatus::unassigned : MemoryStatus::bus_error;
    }
    TlbEntry entry{0, tcg::kTlbNotDirty, 0, target.ram_offset};
    RamStore store(code_pages_, user_, entry, paddr, sizeof(desired));
    *swapped =
        guest_ram::compare_exchange(target.host + (paddr & (kPageSize - 1)), expected, desired) == expected;
    if (*swapped) {
        store.made();
    }
    return MemoryStatus::ok;
}

}  // namespace weft::accel
