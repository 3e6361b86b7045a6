#include "accel/tcg/softmmu.h"

#include "weft/guest_ram.h"

namespace weft::accel {

using ir::MemOp;
using tcg::TlbEntry;

namespace {

constexpr uint64_t kPageMask = ~(kPageSize - 1);

uint64_t load_sized(const uint8_t* host, unsigned size) {
    switch (size) {
        case 1:
            return guest_ram::load<uint8_t>(host);
        case 2:
            return guest_ram::load<uint16_t>(host);
        case 4:
            return guest_ram::load<uint32_t>(host);
        case 8:
            return guest_ram::load<uint64_t>(host);
        default: {
            uint64_t value = 0;
            for (unsigned i = 0; i < size; ++i) {
                value |= uint64_t{guest_ram::load<uint8_t>(host + i)} << 8 * i;
            }
            return value;
        }
    }
}

void store_sized(uint8_t* host, unsigned size, uint64_t value) {
    switch (size) {
        case 1:
            guest_ram::store(host, static_cast<uint8_t>(value));
            break;
        case 2:
            guest_ram::store(host, static_cast<uint16_t>(value));
            break;
        case 4:
            guest_ram::store(host, static_cast<uint32_t>(value));
            break;
        case 8:
            guest_ram::store(host, value);
            break;
        default:
            for (unsigned i = 0; i < size; ++i) {
                guest_ram::store(host + i, static_cast<uint8_t>(value >> 8 * i));
            }
            break;
    }
}

uint64_t extend(uint64_t value, MemOp memop) {
    const unsigned unused = 64 - 8 * memop.size();
    return memop.sign() ? static_cast<uint64_t>(static_cast<int64_t>(value << unused) >> unused) : value;
}

bool crosses_page(uint64_t vaddr, unsigned size) { return (vaddr & ~kPageMask) + size > kPageSize; }

}  // namespace

SoftMmu::SoftMmu(const SoftMmuConfig& config)
    : guest_(*config.guest),
      memory_(*config.memory),
      reader_(config.reader),
      state_(config.state),
      writers_(*config.writers),
      vcpu_(config.vcpu),
      index_(config.index),
      fetches_(std::make_unique<std::array<FetchEntry, kFetchEntries>>()) {
    set_space(AddressSpaceKey{});
}

// ---- address spaces and tables ----

Tlb& SoftMmu::tlb(unsigned mode) {
    return (guest_.space_dependent_modes >> mode & 1) != 0 ? current_->modes[mode] : common_[mode];
}

// Tells generated code of the mode's table, which may have moved.
void SoftMmu::publish(unsigned mode) { tcg::exec_state(state_).tlb[mode] = tlb(mode).table(); }

TlbSet& SoftMmu::set_for(const AddressSpaceKey& key) {
    std::unique_ptr<TlbSet>* oldest = nullptr;
    for (std::unique_ptr<TlbSet>& set : sets_) {
        if (set == nullptr) {
            oldest = &set;
            break;
        }
        if (set->in_use && set->key == key) {
            return *set;
        }
    }
    if (oldest == nullptr) {
        oldest = &sets_[0];
        for (std::unique_ptr<TlbSet>& set : sets_) {
            if (set->last_use < (*oldest)->last_use) {
                oldest = &set;
            }
        }
        for (Tlb& mode : (*oldest)->modes) {
            mode.flush(&counters_);
        }
    } else {
        *oldest = std::make_unique<TlbSet>();
    }
    // Fetched pages are told apart by key, not by set.
    (*oldest)->key = key;
    (*oldest)->in_use = true;
    return **oldest;
}

void SoftMmu::set_space(const AddressSpaceKey& key) {
    if (current_ != nullptr && current_->key == key) {
        return;
    }
    current_ = &set_for(key);
    current_->last_use = ++uses_;
    for (unsigned mode = 0; mode < guest_.mmu_mode_count; ++mode) {
        publish(mode);
    }
}

void SoftMmu::flush_all() {
    ++counters_.full_flushes;
    ++fetch_generation_;
    for (const std::unique_ptr<TlbSet>& set : sets_) {
        if (set != nullptr) {
            for (Tlb& mode : set->modes) {
                mode.flush(&counters_);
            }
        }
    }
    for (Tlb& mode : common_) {
        mode.flush(&counters_);
    }
    for (unsigned mode = 0; mode < guest_.mmu_mode_count; ++mode) {
        publish(mode);
    }
}

void SoftMmu::flush(const TlbFlush& flush) {
    if (flush.all_addresses && flush.all_asids) {
        flush_all();
        return;
    }
    ++(flush.all_addresses ? counters_.full_flushes : counters_.page_flushes);
    ++fetch_generation_;
    for (const std::unique_ptr<TlbSet>& set : sets_) {
        if (set == nullptr || (!flush.all_asids && set->key.asid != flush.asid)) {
            continue;
        }
        for (Tlb& mode : set->modes) {
            if (flush.all_addresses) {
                mode.flush(&counters_);
            } else {
                mode.flush_page(flush.vaddr);
            }
        }
    }
    for (unsigned mode = 0; mode < guest_.mmu_mode_count; ++mode) {
        publish(mode);
    }
}

void SoftMmu::forget_memory() {
    phys_pages_.fill(PhysEntry{});
    flush_all();
}

void SoftMmu::demote(uint64_t ram_offset) {
    const uint64_t page = ram_offset & kPageMask;
    const auto demote_entry = [page](TlbEntry& entry) {
        if (entry.page == page && (entry.write & tcg::kTlbFlagMask) == 0) {
            entry.write |= tcg::kTlbNotDirty;
        }
    };
    for (const std::unique_ptr<TlbSet>& set : sets_) {
        if (set != nullptr) {
            for (Tlb& mode : set->modes) {
                mode.for_each(demote_entry);
            }
        }
    }
    for (Tlb& mode : common_) {
        mode.for_each(demote_entry);
    }
}

// ---- lookups ----

const PageTarget& SoftMmu::phys_page(uint64_t paddr) {
    const uint64_t page = paddr & kPageMask;
    PhysEntry& entry = phys_pages_[page >> kPageBits & (kPageCache - 1)];
    if (entry.paddr != page) {
        memory_.lookup(reader_, page, &entry.target);
        entry.paddr = page;
    }
    return entry.target;
}

TlbEntry* SoftMmu::entry_for(uint64_t vaddr, unsigned size, unsigned mode, Access access, TlbEntry* once) {
    const bool is_store = access == Access::store;
    if (TlbEntry* hit = tlb(mode).find(vaddr, is_store, &counters_)) {
        return hit;
    }
    const WalkRequest request{vaddr, access, static_cast<uint8_t>(mode), static_cast<uint8_t>(size), false};
    WalkResult walk{};
    if (!guest_.walk(state_, &request, &walk)) {
        return nullptr;
    }
    const PageTarget& target = phys_page(walk.paddr);
    const uint64_t page = vaddr & kPageMask;
    TlbEntry entry{tcg::kTlbInvalid, tcg::kTlbInvalid, 0, 0};
    if (target.kind == PageKind::ram || target.kind == PageKind::rom) {
        entry.addend = reinterpret_cast<uintptr_t>(target.host) - page;
        entry.page = target.ram_offset;
        if ((walk.prot & kProtRead) != 0) {
            entry.read = page;
        }
        if ((walk.prot & kProtWrite) != 0) {
            if (target.kind == PageKind::rom) {
                entry.write = page | tcg::kTlbDevice;  // dropped by the memory side
                entry.page = walk.paddr & kPageMask;
            } else {
                // Only a store shows that the page is written: pages that are read alone are not noted.
                const bool direct = is_store && writers_.may_write(target.ram_offset, index_);
                entry.write = direct ? page : page | tcg::kTlbNotDirty;
            }
        }
    } else if (target.kind == PageKind::device) {
        entry.page = walk.paddr & kPageMask;
        if ((walk.prot & kProtRead) != 0) {
            entry.read = page | tcg::kTlbDevice;
        }
        if ((walk.prot & kProtWrite) != 0) {
            entry.write = page | tcg::kTlbDevice;
        }
    } else {
        guest_.bus_error(state_, vaddr, access);
        return nullptr;
    }
    if (walk.once) {
        *once = entry;
        return once;
    }
    TlbEntry* inserted = tlb(mode).insert(vaddr, entry, walk.page_shift, &counters_);
    publish(mode);
    return inserted;
}

bool SoftMmu::device_fault(DeviceStatus status, uint64_t vaddr, Access access) {
    if (status == DeviceStatus::ok) {
        return true;
    }
    guest_.bus_error(state_, vaddr, access);
    return false;
}

// ---- accesses ----

bool SoftMmu::load_within_page(uint64_t vaddr, unsigned size, unsigned mode, uint64_t* value) {
    TlbEntry once{};
    const TlbEntry* entry = entry_for(vaddr, size, mode, Access::load, &once);
    if (entry == nullptr) {
        return false;
    }
    if ((entry->read & tcg::kTlbDevice) != 0) {
        const uint64_t paddr = entry->page | (vaddr & ~kPageMask);
        return device_fault(memory_.device_read(reader_, paddr, size, value), vaddr, Access::load);
    }
    *value = load_sized(reinterpret_cast<const uint8_t*>(entry->addend + vaddr), size);
    return true;
}

bool SoftMmu::load(uint64_t vaddr, MemOp memop, uint64_t* value) {
    const unsigned size = memop.size();
    const unsigned mode = memop.mmu_mode();
    if (memop.aligned() && (vaddr & (size - 1)) != 0) {
        guest_.unaligned_access(state_, vaddr, Access::load);
        return false;
    }
    if (!crosses_page(vaddr, size)) {
        if (!load_within_page(vaddr, size, mode, value)) {
            return false;
        }
    } else {
        const auto first = static_cast<unsigned>(kPageSize - (vaddr & ~kPageMask));
        uint64_t low = 0;
        uint64_t high = 0;
        for (unsigned i = 0; i < size; ++i) {
            uint64_t byte = 0;
            if (!load_within_page(vaddr + i, 1, mode, &byte)) {
                return false;
            }
            if (i < first) {
                low |= byte << 8 * i;
            } else {
                high |= byte << 8 * i;
            }
        }
        *value = low | high;
    }
    *value = extend(*value, memop);
    return true;
}

uint8_t* SoftMmu::host_for_store(TlbEntry& entry, uint64_t vaddr, unsigned size) {
    if ((entry.write & tcg::kTlbNotDirty) != 0) {
        if (writers_.may_write(entry.page, index_)) {
            entry.write &= ~uint64_t{tcg::kTlbNotDirty};
        } else {
            writers_.about_to_store(entry.page | (vaddr & ~kPageMask), size, vcpu_);
        }
    }
    return reinterpret_cast<uint8_t*>(entry.addend + vaddr);
}

bool SoftMmu::store_within_page(uint64_t vaddr, unsigned size, unsigned mode, uint64_t value) {
    TlbEntry once{};
    TlbEntry* entry = entry_for(vaddr, size, mode, Access::store, &once);
    if (entry == nullptr) {
        return false;
    }
    if ((entry->write & tcg::kTlbDevice) != 0) {
        const uint64_t paddr = entry->page | (vaddr & ~kPageMask);
        return device_fault(memory_.device_write(reader_, paddr, size, value), vaddr, Access::store);
    }
    store_sized(host_for_store(*entry, vaddr, size), size, value);
    return true;
}

bool SoftMmu::store(uint64_t vaddr, MemOp memop, uint64_t value) {
    const unsigned size = memop.size();
    const unsigned mode = memop.mmu_mode();
    if (memop.aligned() && (vaddr & (size - 1)) != 0) {
        guest_.unaligned_access(state_, vaddr, Access::store);
        return false;
    }
    if (!crosses_page(vaddr, size)) {
        return store_within_page(vaddr, size, mode, value);
    }
    // Nothing is stored unless both pages take it.
    TlbEntry once{};
    const uint64_t second = (vaddr & kPageMask) + kPageSize;
    if (entry_for(vaddr, 1, mode, Access::store, &once) == nullptr ||
        entry_for(second, 1, mode, Access::store, &once) == nullptr) {
        return false;
    }
    for (unsigned i = 0; i < size; ++i) {
        if (!store_within_page(vaddr + i, 1, mode, value >> 8 * i & 0xff)) {
            return false;
        }
    }
    return true;
}

// ---- fetching ----

bool SoftMmu::fetch(uint64_t vaddr, unsigned mmu_mode, FetchPage* page) {
    const uint64_t vpage = vaddr & kPageMask;
    // Pages of other spaces are told apart by the set's address, which stands for its key until the next flush.
    const bool dependent = (guest_.space_dependent_modes >> mmu_mode & 1) != 0;
    const uint64_t space = (dependent ? current_->last_use << 4 : 0) | mmu_mode;
    FetchEntry& entry = (*fetches_)[(vpage >> kPageBits ^ mmu_mode << 6) & (kFetchEntries - 1)];
    if (entry.generation == fetch_generation_ && entry.vpage == vpage && entry.space == space) {
        *page = entry.page;
        return true;
    }
    const WalkRequest request{vaddr, Access::fetch, static_cast<uint8_t>(mmu_mode),
                              static_cast<uint8_t>(guest_.min_insn_size), false};
    WalkResult walk{};
    if (!guest_.walk(state_, &request, &walk)) {
        return false;
    }
    const PageTarget& target = phys_page(walk.paddr);
    if (target.kind == PageKind::unassigned) {
        guest_.bus_error(state_, vaddr, Access::fetch);
        return false;
    }
    *page = FetchPage{target.kind, target.host, target.ram_offset, walk.paddr & kPageMask, walk.once};
    if (!walk.once) {
        entry = FetchEntry{vpage, fetch_generation_, space, *page};
    }
    return true;
}

bool SoftMmu::fetch_device(uint64_t paddr, uint64_t vaddr, unsigned size, uint32_t* bits) {
    uint64_t value = 0;
    if (!device_fault(memory_.device_read(reader_, paddr, size, &value), vaddr, Access::fetch)) {
        return false;
    }
    *bits = static_cast<uint32_t>(value);
    return true;
}

// ---- the page walker's accesses ----

MemoryStatus SoftMmu::phys_load(uint64_t paddr, unsigned size, uint64_t* value) {
    const PageTarget& target = phys_page(paddr);
    if (target.kind == PageKind::ram || target.kind == PageKind::rom) {
        *value = load_sized(target.host + (paddr & ~kPageMask), size);
        return MemoryStatus::ok;
    }
    if (target.kind == PageKind::unassigned) {
        return MemoryStatus::unassigned;
    }
    return static_cast<MemoryStatus>(memory_.device_read(reader_, paddr, size, value));
}

MemoryStatus SoftMmu::phys_store(uint64_t paddr, unsigned size, uint64_t value) {
    const PageTarget& target = phys_page(paddr);
    if (target.kind == PageKind::ram) {
        writers_.about_to_store(target.ram_offset | (paddr & ~kPageMask), size, vcpu_);
        store_sized(target.host + (paddr & ~kPageMask), size, value);
        return MemoryStatus::ok;
    }
    if (target.kind == PageKind::unassigned) {
        return MemoryStatus::unassigned;
    }
    return static_cast<MemoryStatus>(memory_.device_write(reader_, paddr, size, value));
}

MemoryStatus SoftMmu::phys_cmpxchg(uint64_t paddr, uint64_t expected, uint64_t desired, bool* swapped) {
    const PageTarget& target = phys_page(paddr);
    if (target.kind != PageKind::ram) {
        return target.kind == PageKind::unassigned ? MemoryStatus::unassigned : MemoryStatus::bus_error;
    }
    writers_.about_to_store(target.ram_offset | (paddr & ~kPageMask), 8, vcpu_);
    *swapped = guest_ram::compare_exchange(target.host + (paddr & ~kPageMask), expected, desired) == expected;
    return MemoryStatus::ok;
}

}  // namespace weft::accel
