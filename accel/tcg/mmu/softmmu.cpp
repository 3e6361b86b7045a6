#include "accel/tcg/mmu/softmmu.h"

#include <fmt/format.h>

#include <string>

#include "accel/tcg/blocks/code_users.h"
#include "accel/tcg/mmu/context_ids.h"
#include "accel/tcg/mmu/ram_store.h"
#include "base/log.h"
#include "weft/guest_ram.h"

namespace weft::accel {

using ir::MemOp;
using tcg::TlbEntry;

namespace {

constexpr uint64_t kPageMask = ~(kPageSize - 1);

uint64_t extend(uint64_t value, MemOp memop) {
    const unsigned unused = 64 - 8 * memop.size();
    return memop.sign() ? static_cast<uint64_t>(static_cast<int64_t>(value << unused) >> unused) : value;
}

bool crosses_page(uint64_t vaddr, unsigned size) { return (vaddr & ~kPageMask) + size > kPageSize; }

}  // namespace

SoftMmu::SoftMmu(const MmuParts& parts)
    : user_(parts.user),
      state_(parts.state),
      exec_(parts.exec),
      reader_(parts.reader),
      guest_(parts.guest),
      memory_(parts.memory),
      host_(parts.host),
      counters_(parts.user.counters),
      contexts_(parts.contexts),
      code_pages_(parts.code_pages),
      fetches_(std::make_unique<std::array<FetchEntry, kFetchEntries>>()) {
    set_space(AddressSpaceKey{});
}

// ---- address spaces and tables ----

unsigned SoftMmu::mode_count() const { return guest_.mmu_mode_count; }

bool SoftMmu::depends_on_space(unsigned mode) const {
    return (guest_.space_dependent_modes >> mode & 1) != 0;
}

Tlb& SoftMmu::tlb(unsigned mode) { return depends_on_space(mode) ? current_->modes[mode] : common_[mode]; }

void SoftMmu::publish(unsigned mode) { exec_.tlb[mode] = tlb(mode).table(); }

void SoftMmu::publish_all() {
    for (unsigned mode = 0; mode < guest_.mmu_mode_count; ++mode) {
        publish(mode);
    }
}

TlbSet& SoftMmu::set_for(const AddressSpaceKey& key) {
    std::unique_ptr<TlbSet>* oldest = &sets_[0];
    for (std::unique_ptr<TlbSet>& set : sets_) {
        if (set == nullptr) {
            set = std::make_unique<TlbSet>();
            oldest = &set;
            break;
        }
        if (set->key == key) {
            return *set;
        }
        if (set->last_use < (*oldest)->last_use) {
            oldest = &set;
        }
    }
    TlbSet& set = **oldest;
    for (Tlb& mode : set.modes) {
        mode.flush(counters_);
    }
    set.key = key;
    set.id = ++set_ids_;
    return set;
}

void SoftMmu::set_space(AddressSpaceKey key) {
    if (current_ != nullptr && current_->key == key) {
        return;
    }
    current_ = &set_for(key);
    current_->last_use = ++uses_;
    publish_all();
}

AddressSpaceKey SoftMmu::fetch_context(unsigned mode) const {
    if (!depends_on_space(mode)) {
        return {};
    }
    return shares_mappings(mode) && !fetch_contexts_.own(mode, current_->key) ? kGlobalMappings
                                                                              : current_->key;
}

void SoftMmu::flush_tables() {
    counters_.tlb_flushes.add();
    fetches_->fill(FetchEntry{});
    fetched_.clear();
    fetch_contexts_.clear();
    for (const std::unique_ptr<TlbSet>& set : sets_) {
        if (set != nullptr) {
            for (Tlb& mode : set->modes) {
                mode.flush(counters_);
            }
        }
    }
    for (Tlb& mode : common_) {
        mode.flush(counters_);
    }
    publish_all();
}

void SoftMmu::flush_all() {
    phys_pages_.fill(PhysEntry{});
    flush_tables();
}

SoftMmu::Fetched SoftMmu::forget_fetches(const TlbFlush& flush) {
    if (flush.all_addresses) {
        // Those of these address spaces; what is mapped in all of them alike stays, as it may (RISC-V privileged, 12.2.1).
        for (const std::unique_ptr<TlbSet>& set : sets_) {
            if (set != nullptr && set->key.asid == flush.asid) {
                set->id = ++set_ids_;
            }
        }
        return Fetched::anywhere;
    }
    const unsigned shift = fetched_.largest_at(flush.vaddr);
    if (shift == 0) {
        return Fetched::nowhere;
    }
    for (FetchEntry& entry : *fetches_) {
        if ((entry.vpage ^ flush.vaddr) >> shift == 0) {
            entry = {};
        }
    }
    return shift == kPageBits ? Fetched::page : Fetched::anywhere;
}

SoftMmu::Fetched SoftMmu::flush(const TlbFlush& flush) {
    if (flush.all_addresses && flush.all_asids) {
        flush_tables();
        return Fetched::anywhere;
    }
    (flush.all_addresses ? counters_.tlb_asid_flushes : counters_.tlb_page_flushes).add();
    const Fetched fetched = forget_fetches(flush);
    for (const std::unique_ptr<TlbSet>& set : sets_) {
        if (set == nullptr || (!flush.all_asids && set->key.asid != flush.asid)) {
            continue;
        }
        for (Tlb& mode : set->modes) {
            if (flush.all_addresses) {
                mode.flush(counters_);
            } else {
                mode.flush_page(flush.vaddr);
            }
        }
    }
    publish_all();
    return fetched;
}

void SoftMmu::protect_code_page(uint64_t ram_offset) {
    const uint64_t page = ram_offset & kPageMask;
    const auto protect = [page](TlbEntry& entry) {
        if (entry.page == page && (entry.write & tcg::kTlbFlagMask) == 0) {
            entry.write |= tcg::kTlbNotDirty;
        }
    };
    for (const std::unique_ptr<TlbSet>& set : sets_) {
        if (set != nullptr) {
            for (Tlb& mode : set->modes) {
                mode.for_each(protect);
            }
        }
    }
    for (Tlb& mode : common_) {
        mode.for_each(protect);
    }
}

// ---- lookups ----

const PageTarget& SoftMmu::phys_page(uint64_t paddr) {
    const uint64_t page = paddr & kPageMask;
    PhysEntry& entry = phys_pages_[page >> kPageBits & (kPhysEntries - 1)];
    if (entry.paddr != page) {
        memory_.lookup(reader_, page, &entry.target);
        entry.paddr = page;
    }
    return entry.target;
}

// -d mmu: one line a walk; `walk` is null where it failed.
void SoftMmu::log_walk(const WalkRequest& request, const WalkResult* walk) const {
    if (!host_.log_enabled(host_.opaque, static_cast<unsigned>(LogItem::mmu))) [[likely]] {
        return;
    }
    static constexpr const char* kAccess[] = {"load", "store", "fetch"};
    std::string text =
        fmt::format("mmu: vcpu {} {} 0x{:016x} mode {}", user_.index,
                    kAccess[static_cast<unsigned>(request.access)], request.vaddr, request.mmu_mode);
    if (walk == nullptr) {
        text += ": fault\n";
    } else {
        text +=
            fmt::format(": 0x{:x} {}{}{}, {} KiB{}{}\n", walk->paddr,
                        (walk->prot & kProtRead) != 0 ? "r" : "-", (walk->prot & kProtWrite) != 0 ? "w" : "-",
                        (walk->prot & kProtExec) != 0 ? "x" : "-", (uint64_t{1} << walk->page_shift) >> 10,
                        walk->global ? ", global" : "", walk->once ? ", once" : "");
    }
    host_.log(host_.opaque, text.data(), text.size());
}

// What a TLB entry for the page of `vaddr` holds. False: nothing answers there, and an exception is recorded.
bool SoftMmu::fill(uint64_t vaddr, const WalkResult& walk, Access access, TlbEntry* entry) {
    const PageTarget& target = phys_page(walk.paddr);
    const uint64_t page = vaddr & kPageMask;
    const uint64_t tag = tcg::tlb_tag(vaddr);
    const bool readable = (walk.prot & kProtRead) != 0;
    const bool writable = (walk.prot & kProtWrite) != 0;
    *entry = TlbEntry{tcg::kTlbInvalid, tcg::kTlbInvalid, 0, walk.paddr & kPageMask};
    if (target.kind == PageKind::unassigned) {
        guest_.bus_error(state_, vaddr, access);
        return false;
    }
    const bool device = target.kind == PageKind::device;
    if (!device) {
        entry->addend = reinterpret_cast<uintptr_t>(target.host) - page;
    }
    if (readable) {
        entry->read = device ? tag | tcg::kTlbDevice : tag;
    }
    if (target.kind != PageKind::ram) {
        // ROM as well: the memory side drops the store, and there are no atomics, whether stores are permitted or not.
        entry->write = (writable ? tag : tcg::kTlbInvalid) | tcg::kTlbDevice;
    } else {
        entry->page = target.ram_offset;
        if (writable) {
            // A load does not note the vCPU as one that writes the page: its first store does.
            const bool direct =
                access == Access::store && code_pages_.may_store_directly(target.ram_offset, user_.index);
            entry->write = direct ? tag : tag | tcg::kTlbNotDirty;
        }
    }
    return true;
}

TlbEntry* SoftMmu::entry_for(uint64_t vaddr, unsigned size, unsigned mode, Access access, TlbEntry* once) {
    if (TlbEntry* hit = tlb(mode).find(vaddr, access == Access::store, counters_)) {
        return hit;
    }
    const WalkRequest request{vaddr, access, static_cast<uint8_t>(mode), static_cast<uint8_t>(size), false};
    WalkResult walk{};
    const bool mapped = guest_.walk(state_, &request, &walk);
    log_walk(request, mapped ? &walk : nullptr);
    if (!mapped) {
        counters_.walk_faults.add();
        return nullptr;
    }
    if (!fill(vaddr, walk, access, once)) {
        return nullptr;
    }
    if (walk.once) {
        return once;
    }
    (access == Access::store ? counters_.tlb_fills_store : counters_.tlb_fills_load).add();
    TlbEntry* inserted = tlb(mode).insert(vaddr, *once, walk.page_shift, counters_);
    publish(mode);
    return inserted;
}

bool SoftMmu::device_done(DeviceStatus status, uint64_t vaddr, Access access) {
    if (status == DeviceStatus::ok) {
        return true;
    }
    guest_.bus_error(state_, vaddr, access);
    return false;
}

// ---- accesses ----

bool SoftMmu::load_within_page(uint64_t vaddr, MemOp memop, uint64_t* value) {
    const unsigned size = memop.size();
    TlbEntry once{};
    const TlbEntry* entry = entry_for(vaddr, size, memop.mmu_mode(), Access::load, &once);
    if (entry == nullptr) {
        return false;
    }
    if (memop.reserve() && (entry->write & tcg::kTlbDevice) != 0) {
        // Memory without reservations (RISC-V privileged specification, "Reservability PMA": RsrvNone).
        guest_.bus_error(state_, vaddr, Access::load);
        return false;
    }
    if ((entry->read & tcg::kTlbDevice) != 0) {
        const uint64_t paddr = entry->page | (vaddr & ~kPageMask);
        return device_done(memory_.device_read(reader_, paddr, size, value), vaddr, Access::load);
    }
    *value = guest_ram::load_sized(reinterpret_cast<const uint8_t*>(entry->addend + vaddr), size);
    return true;
}

bool SoftMmu::load(uint64_t vaddr, uint32_t memop_bits, uint64_t* value) {
    const MemOp memop(memop_bits);
    const unsigned size = memop.size();
    if (memop.aligned() && (vaddr & (size - 1)) != 0) {
        guest_.unaligned_access(state_, vaddr, Access::load);
        return false;
    }
    if (!(crosses_page(vaddr, size) ? load_across_pages(vaddr, memop, value)
                                    : load_within_page(vaddr, memop, value))) {
        return false;
    }
    *value = extend(*value, memop);
    return true;
}

bool SoftMmu::store_within_page(uint64_t vaddr, MemOp memop, uint64_t value) {
    const unsigned size = memop.size();
    TlbEntry once{};
    TlbEntry* entry = entry_for(vaddr, size, memop.mmu_mode(), Access::store, &once);
    if (entry == nullptr) {
        return false;
    }
    if ((entry->write & tcg::kTlbDevice) != 0) {
        const uint64_t paddr = entry->page | (vaddr & ~kPageMask);
        return device_done(memory_.device_write(reader_, paddr, size, value), vaddr, Access::store);
    }
    RamStore store(code_pages_, user_, *entry, vaddr, size);
    guest_ram::store_sized(reinterpret_cast<uint8_t*>(entry->addend + vaddr), size, value);
    store.made();
    return true;
}

bool SoftMmu::store(uint64_t vaddr, uint32_t memop_bits, uint64_t value) {
    const MemOp memop(memop_bits);
    const unsigned size = memop.size();
    if (memop.aligned() && (vaddr & (size - 1)) != 0) {
        guest_.unaligned_access(state_, vaddr, Access::store);
        return false;
    }
    return crosses_page(vaddr, size) ? store_across_pages(vaddr, memop, value)
                                     : store_within_page(vaddr, memop, value);
}

// ---- fetching ----

bool SoftMmu::fetch(uint64_t pc, uint8_t mmu_mode, FetchPage* page) {
    const uint64_t vpage = pc & kPageMask;
    const bool shares = shares_mappings(mmu_mode);
    const uint64_t common = fetch_space(0, mmu_mode);
    const uint64_t space = depends_on_space(mmu_mode) ? fetch_space(current_->id, mmu_mode) : common;
    FetchEntry& entry = (*fetches_)[(vpage >> kPageBits) & (kFetchEntries - 1)];
    if (entry.vpage == vpage && (entry.space == space || (shares && entry.space == common))) {
        *page = entry.page;
        page->paddr |= pc & ~kPageMask;
        return true;
    }
    const WalkRequest request{pc, Access::fetch, mmu_mode, static_cast<uint8_t>(guest_.min_insn_size), false};
    WalkResult walk{};
    const bool mapped = guest_.walk(state_, &request, &walk);
    log_walk(request, mapped ? &walk : nullptr);
    counters_.fetch_walks.add();
    if (!mapped) {
        counters_.walk_faults.add();
        return false;
    }
    fetched_.note(pc, walk.page_shift);
    if (shares && !walk.global && fetch_contexts_.note_own(mmu_mode, current_->key)) {
        contexts_.renew();
    }
    const PageTarget& target = phys_page(walk.paddr);
    if (target.kind == PageKind::unassigned) {
        guest_.bus_error(state_, pc, Access::fetch);
        return false;
    }
    // A page that only part of may be executed is read instruction by instruction, each with its own walk.
    *page = FetchPage{target.kind == PageKind::device || walk.once, target.host, target.ram_offset,
                      walk.paddr & kPageMask};
    if (!walk.once) {
        entry = FetchEntry{vpage, shares && walk.global ? common : space, *page};
    }
    page->paddr = walk.paddr;
    return true;
}

// ---- the page walker's accesses ----

MemoryStatus SoftMmu::phys_load(uint64_t paddr, unsigned size, uint64_t* value) {
    const PageTarget& target = phys_page(paddr);
    if (target.kind == PageKind::ram || target.kind == PageKind::rom) {
        *value = guest_ram::load_sized(target.host + (paddr & ~kPageMask), size);
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
        TlbEntry entry{0, tcg::kTlbNotDirty, 0, target.ram_offset};
        RamStore store(code_pages_, user_, entry, paddr, size);
        guest_ram::store_sized(target.host + (paddr & ~kPageMask), size, value);
        store.made();
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
    TlbEntry entry{0, tcg::kTlbNotDirty, 0, target.ram_offset};
    RamStore store(code_pages_, user_, entry, paddr, sizeof(desired));
    *swapped = guest_ram::compare_exchange(target.host + (paddr & ~kPageMask), expected, desired) == expected;
    if (*swapped) {
        store.made();
    }
    return MemoryStatus::ok;
}

}  // namespace weft::accel
