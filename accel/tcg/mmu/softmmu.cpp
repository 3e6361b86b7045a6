#include "accel/tcg/mmu/softmmu.h"

#include <fmt/format.h>

#include <string>

#include "accel/tcg/blocks/code_users.h"
#include "accel/tcg/mmu/context_ids.h"
#include "accel/tcg/mmu/ram_store.h"
#include "base/hash.h"
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
      guest_(parts.guest),
      host_(parts.host),
      counters_(parts.user.counters),
      contexts_(parts.contexts),
      code_pages_(parts.code_pages),
      debug_points_(parts.debug_points),
      physical_(parts.memory, parts.reader, parts.code_pages, parts.user),
      spaces_(parts.guest, parts.exec, parts.user.counters),
      fetches_(spaces_) {}

void SoftMmu::flush_tables() {
    counters_.tlb_flushes.add();
    fetches_.clear();
    spaces_.flush_all();
}

void SoftMmu::flush_all() {
    physical_.forget();
    flush_tables();
}

Fetched SoftMmu::flush(const TlbFlush& flush) {
    if (flush.all_addresses && flush.all_asids) {
        flush_tables();
        return Fetched::anywhere;
    }
    (flush.all_addresses ? counters_.tlb_asid_flushes : counters_.tlb_page_flushes).add();
    const Fetched fetched = fetches_.flush(flush);
    spaces_.flush(flush);
    return fetched;
}

// ---- lookups ----

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
    const PageTarget& target = physical_.page(walk.paddr);
    const uint64_t page = vaddr & kPageMask;
    const bool is_watched = debug_points_.any_watchpoint() && debug_points_.watched_page(vaddr);
    const uint64_t tag = tcg::tlb_tag(vaddr) | (is_watched ? uint64_t{tcg::kTlbWatched} : 0);
    const bool readable = (walk.prot & kProtRead) != 0;
    const bool writable = (walk.prot & kProtWrite) != 0;
    const uint64_t global = walk.global ? tcg::kTlbGlobal : 0;
    *entry = TlbEntry{tcg::kTlbInvalid, tcg::kTlbInvalid, 0, (walk.paddr & kPageMask) | global};
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
        // ROM as well: the store is the memory side's, and there are no atomics, whether stores are permitted or not.
        entry->write = (writable ? tag : tcg::kTlbInvalid) | tcg::kTlbDevice;
    } else {
        entry->page = target.ram_offset | global;
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
    if (TlbEntry* hit = spaces_.tlb(mode).find(vaddr, access == Access::store, counters_)) {
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
    TlbEntry* inserted = spaces_.tlb(mode).insert(vaddr, *once, walk.page_shift, counters_);
    spaces_.publish(mode);
    return inserted;
}

bool SoftMmu::device_done(DeviceStatus status, uint64_t vaddr, Access access) {
    if (status == DeviceStatus::ok) {
        return true;
    }
    if (status == DeviceStatus::again) {
        again_ = true;
        return false;
    }
    guest_.bus_error(state_, vaddr, access);
    return false;
}

bool SoftMmu::watched(uint64_t vaddr, unsigned size, bool loads, bool stores) {
    watch_hit_ = debug_points_.watch_hit(vaddr, size, loads, stores);
    return watch_hit_.has_value();
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
    if (stopped_before(entry->read, vaddr, size, true, false)) {
        return false;
    }
    if ((entry->read & tcg::kTlbDevice) != 0) {
        const uint64_t paddr = tcg::tlb_frame(*entry) | (vaddr & ~kPageMask);
        return device_done(physical_.device_load(paddr, size, value), vaddr, Access::load);
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
    if (stopped_before(entry->write, vaddr, size, false, true)) {
        return false;
    }
    if ((entry->write & tcg::kTlbDevice) != 0) {
        const uint64_t paddr = tcg::tlb_frame(*entry) | (vaddr & ~kPageMask);
        return device_done(physical_.device_store(paddr, size, value), vaddr, Access::store);
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
    if (const FetchPage* const known = fetches_.find(pc, mmu_mode)) {
        *page = *known;
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
    if (fetches_.note_walk(pc, mmu_mode, walk)) {
        contexts_.renew();
    }
    const PageTarget& target = physical_.page(walk.paddr);
    if (target.kind == PageKind::unassigned) {
        guest_.bus_error(state_, pc, Access::fetch);
        return false;
    }
    // A page that only part of may be executed is read instruction by instruction, each with its own walk.
    *page = FetchPage{target.kind == PageKind::device || walk.once, target.host, target.ram_offset,
                      walk.paddr & kPageMask};
    if (!walk.once) {
        fetches_.insert(pc, mmu_mode, walk, *page);
    }
    page->paddr = walk.paddr;
    return true;
}

bool SoftMmu::read_code(const FetchPage& page, uint64_t pc, uint8_t* bytes, uint32_t size) {
    if (!page.device) {
        guest_ram::read(bytes, page.host + (pc & ~kPageMask), size);
        return true;
    }
    uint64_t value = 0;
    if (!device_done(physical_.device_load(page.paddr, size, &value), pc, Access::fetch)) {
        return false;
    }
    for (uint32_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<uint8_t>(value >> 8 * i);
    }
    return true;
}

uint64_t SoftMmu::sample(const FetchPage& page) {
    uint64_t hash = 0;
    for (uint64_t at = 0; at < kPageSize; at += kSampleStep) {
        uint64_t word = 0;
        guest_ram::read(&word, page.host + at, sizeof(word));
        hash = hash_step(hash, word);
    }
    return hash_mix(hash);
}

}  // namespace weft::accel
