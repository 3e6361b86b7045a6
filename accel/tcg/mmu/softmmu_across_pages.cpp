// Accesses that cross a page's end: two accesses, one in each page.
//
// Each has the rights to all of its bytes, and an address that it can name where it has not (RISC-V privileged
// specification, "Physical Memory Protection" and "Machine Trap Value Register": the portion that caused the fault). Both
// are looked up before anything is loaded or stored, so that an access that may not be made in one page has no effect in
// the other. What a device says is found only by asking it: an access that a device refuses may have been made in part.

#include "accel/tcg/mmu/ram_store.h"
#include "accel/tcg/mmu/softmmu.h"
#include "weft/guest_ram.h"

namespace weft::accel {

using ir::MemOp;

namespace {

bool is_device(uint64_t tag) { return (tag & tcg::kTlbDevice) != 0; }

}  // namespace

// False: one of the parts must not be accessed, and an exception is recorded.
bool SoftMmu::split(uint64_t vaddr, MemOp memop, Access access, std::array<Part, 2>* parts) {
    const auto first = static_cast<unsigned>(kPageSize - (vaddr & (kPageSize - 1)));
    (*parts)[0] = {vaddr, first, {}};
    (*parts)[1] = {vaddr + first, memop.size() - first, {}};
    for (Part& part : *parts) {
        tcg::TlbEntry once{};
        const tcg::TlbEntry* const entry = entry_for(part.vaddr, part.size, memop.mmu_mode(), access, &once);
        if (entry == nullptr) {
            return false;
        }
        part.entry = *entry;  // the next look-up may move it
    }
    return true;
}

bool SoftMmu::load_part(const Part& part, uint64_t* value) {
    *value = 0;
    for (unsigned i = 0; i < part.size; ++i) {
        const uint64_t vaddr = part.vaddr + i;
        uint64_t byte = 0;
        if (!is_device(part.entry.read)) {
            byte = guest_ram::load<uint8_t>(reinterpret_cast<const uint8_t*>(part.entry.addend + vaddr));
        } else if (const uint64_t paddr = tcg::tlb_frame(part.entry) | (vaddr & (kPageSize - 1));
                   !device_done(physical_.device_load(paddr, 1, &byte), vaddr, Access::load)) {
            return false;
        }
        *value |= byte << 8 * i;
    }
    return true;
}

bool SoftMmu::store_part(Part& part, uint64_t value) {
    if (is_device(part.entry.write)) {
        for (unsigned i = 0; i < part.size; ++i) {
            const uint64_t vaddr = part.vaddr + i;
            const uint64_t paddr = tcg::tlb_frame(part.entry) | (vaddr & (kPageSize - 1));
            if (!device_done(physical_.device_store(paddr, 1, value >> 8 * i & 0xff), vaddr, Access::store)) {
                return false;
            }
        }
        return true;
    }
    RamStore store(code_pages_, user_, part.entry, part.vaddr, part.size);
    for (unsigned i = 0; i < part.size; ++i) {
        guest_ram::store<uint8_t>(reinterpret_cast<uint8_t*>(part.entry.addend + part.vaddr + i),
                                  static_cast<uint8_t>(value >> 8 * i));
    }
    store.made();
    return true;
}

bool SoftMmu::load_across_pages(uint64_t vaddr, MemOp memop, uint64_t* value) {
    std::array<Part, 2> parts;
    uint64_t low = 0;
    uint64_t high = 0;
    if (!split(vaddr, memop, Access::load, &parts) ||
        stopped_before(parts[0].entry.read | parts[1].entry.read, vaddr, memop.size(), true, false) ||
        !load_part(parts[0], &low) || !load_part(parts[1], &high)) {
        return false;
    }
    *value = low | high << 8 * parts[0].size;
    return true;
}

bool SoftMmu::store_across_pages(uint64_t vaddr, MemOp memop, uint64_t value) {
    std::array<Part, 2> parts;
    return split(vaddr, memop, Access::store, &parts) &&
           !stopped_before(parts[0].entry.write | parts[1].entry.write, vaddr, memop.size(), false, true) &&
           store_part(parts[0], value) && store_part(parts[1], value >> 8 * parts[0].size);
}

}  // namespace weft::accel
