#include "accel/tcg/mmu/tlb.h"

#include <algorithm>
#include <span>
#include <utility>

namespace weft::accel {

using tcg::TlbEntry;

namespace {

constexpr TlbEntry kEmpty{tcg::kTlbInvalid, tcg::kTlbInvalid, 0, 0};

constexpr uint64_t page_of(uint64_t vaddr) { return vaddr & ~(kPageSize - 1); }

bool in_use(const TlbEntry& entry) { return ((entry.read & entry.write) & tcg::kTlbInvalid) == 0; }

// The virtual page an entry in use stands for.
uint64_t page_of(const TlbEntry& entry) {
    // The flags are shifted out.
    return ((entry.read & tcg::kTlbInvalid) == 0 ? entry.read : entry.write) << kPageBits;
}

// Empties an entry that is not global; 1 if it is. Without a branch: which entries are is not to be foretold.
uint64_t keep_if_global(TlbEntry& entry) {
    const uint64_t global = entry.page & tcg::kTlbGlobal;
    const uint64_t kept = uint64_t{0} - global;
    entry = {(entry.read & kept) | (kEmpty.read & ~kept), (entry.write & kept) | (kEmpty.write & ~kept),
             entry.addend & kept, entry.page & kept};
    return global;
}

bool serves(const TlbEntry& entry, uint64_t page, bool is_store) {
    const uint64_t tag = is_store ? entry.write : entry.read;
    return (tag & tcg::kTlbInvalid) == 0 && tag << kPageBits == page;
}

}  // namespace

Tlb::Tlb() : entries_(size_t{1} << kMinBits, kEmpty) { victims_.fill(kEmpty); }

TlbEntry* Tlb::find(uint64_t vaddr, bool is_store, VcpuCounters& counters) {
    const uint64_t page = page_of(vaddr);
    TlbEntry& direct = slot(vaddr);
    if (serves(direct, page, is_store)) {
        return &direct;
    }
    for (TlbEntry& victim : victims_) {
        if (serves(victim, page, is_store)) {
            counters.tlb_victim_hits.add();
            // A hit among the victims is a conflict of two pages that are both in use.
            ++conflicts_;
            if (!in_use(direct)) {
                ++used_;
            }
            std::swap(direct, victim);
            return &direct;
        }
    }
    return nullptr;
}

TlbEntry* Tlb::insert(uint64_t vaddr, const TlbEntry& entry, unsigned page_shift, VcpuCounters& counters) {
    counters.tlb_fills.add();
    empty_ = false;
    const uint64_t page = page_of(vaddr);
    if (page_shift > kPageBits) {
        ((entry.page & tcg::kTlbGlobal) != 0 ? large_global_ : large_).note(vaddr, page_shift);
    }
    for (TlbEntry& victim : victims_) {
        if (in_use(victim) && page_of(victim) == page) {
            victim = kEmpty;  // a page is cached once
        }
    }
    if (in_use(slot(vaddr)) && page_of(slot(vaddr)) != page) {
        ++conflicts_;
        // Half as many conflicts as entries: the table is too small for what is in use, not merely filling up.
        if (conflicts_ > entries_.size() / 2 && entries_.size() < size_t{1} << kMaxBits) {
            patience_ =
                flushes_since_shrunk_ < 2 * patience_ ? std::min(patience_ * 4, kMaxPatience) : kMinPatience;
            resize(entries_.size() * 2);
            counters.tlb_resizes.add();
        }
    }
    TlbEntry& target = slot(vaddr);
    if (!in_use(target)) {
        peak_used_ = std::max(peak_used_, ++used_);
    } else if (page_of(target) != page) {
        victims_[next_victim_] = target;
        next_victim_ = (next_victim_ + 1) % kVictims;
    }
    target = entry;
    if ((entry.page & tcg::kTlbGlobal) == 0) {
        note_local(target);
    }
    return &target;
}

void Tlb::resize(size_t entries) {
    std::vector<TlbEntry> old(entries, kEmpty);
    old.swap(entries_);
    used_ = 0;
    for (const TlbEntry& entry : old) {
        if (in_use(entry)) {
            TlbEntry& target = slot(page_of(entry));
            used_ += in_use(target) ? 0 : 1;
            target = entry;
        }
    }
    conflicts_ = 0;
    local_count_ = kMostLocals + 1;
}

// Forgets the entries of an aligned range of 2^shift bytes.
void Tlb::flush_range(uint64_t base, unsigned shift, Global global) {
    const uint64_t kept = global == Global::stays ? tcg::kTlbGlobal : 0;
    const auto inside = [&](const TlbEntry& entry) {
        return in_use(entry) && page_of(entry) >> shift == base >> shift && (entry.page & kept) == 0;
    };
    // The pages of a range fill neighbouring entries.
    const uint64_t pages = uint64_t{1} << std::min(shift - kPageBits, 63u);
    TlbEntry* const first = pages < entries_.size() ? &slot(base) : entries_.data();
    for (TlbEntry& entry : std::span(first, std::min<uint64_t>(pages, entries_.size()))) {
        if (inside(entry)) {
            entry = kEmpty;
            --used_;
        }
    }
    for (TlbEntry& victim : victims_) {
        if (inside(victim)) {
            victim = kEmpty;
        }
    }
}

unsigned Tlb::flush_page(uint64_t vaddr, Global global) {
    if (empty()) {
        return kPageBits;
    }
    flush_range(page_of(vaddr), kPageBits, global);
    unsigned shift = large_.largest_at(vaddr);
    if (global == Global::goes) {
        shift = std::max(shift, large_global_.largest_at(vaddr));
    }
    if (shift == 0) {
        return kPageBits;
    }
    flush_range(vaddr >> shift << shift, shift, global);
    return shift;
}

void Tlb::flush(VcpuCounters& counters) {
    large_.clear();
    large_global_.clear();
    if (empty()) {
        return;
    }
    std::fill(entries_.begin(), entries_.end(), kEmpty);
    victims_.fill(kEmpty);
    empty_ = true;
    used_ = 0;
    conflicts_ = 0;
    shrink_if_quiet(counters);
}

void Tlb::flush_but_global(VcpuCounters& counters) {
    large_.clear();
    if (empty()) {
        return;
    }
    if (local_count_ > kMostLocals) {
        used_ = 0;
        for (TlbEntry& entry : entries_) {
            used_ += keep_if_global(entry);
        }
    } else {
        // A place may be listed twice, and have an entry that is global or none by now.
        for (const uint16_t place : std::span(locals_).first(local_count_)) {
            TlbEntry& entry = entries_[place];
            const size_t before = in_use(entry) ? 1 : 0;
            used_ -= before - keep_if_global(entry);
        }
    }
    uint64_t victims = 0;
    for (TlbEntry& victim : victims_) {
        victims += keep_if_global(victim);
    }
    empty_ = used_ + victims == 0;
    // A table is too small by what conflicts between two flushes, or not much longer.
    conflicts_ /= 2;
    shrink_if_quiet(counters);
    local_count_ = 0;
}

// After a flush. A smaller table is cheaper to clear.
void Tlb::shrink_if_quiet(VcpuCounters& counters) {
    ++flushes_since_shrunk_;
    quiet_flushes_ = peak_used_ < entries_.size() / 4 ? quiet_flushes_ + 1 : 0;
    if (quiet_flushes_ >= patience_ && entries_.size() > size_t{1} << kMinBits) {
        resize(entries_.size() / 2);
        quiet_flushes_ = 0;
        flushes_since_shrunk_ = 0;
        counters.tlb_resizes.add();
    }
    peak_used_ = used_;
}

}  // namespace weft::accel
