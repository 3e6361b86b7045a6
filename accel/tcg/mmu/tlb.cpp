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
        large_.note(vaddr, page_shift);
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
}

// Forgets the entries of an aligned range of 2^shift bytes.
void Tlb::flush_range(uint64_t base, unsigned shift) {
    const auto inside = [&](const TlbEntry& entry) {
        return in_use(entry) && page_of(entry) >> shift == base >> shift;
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

void Tlb::flush_page(uint64_t vaddr) {
    if (empty()) {
        return;
    }
    flush_range(page_of(vaddr), kPageBits);
    if (const unsigned shift = large_.largest_at(vaddr); shift != 0) {
        flush_range(vaddr >> shift << shift, shift);
    }
}

void Tlb::flush(VcpuCounters& counters) {
    large_.clear();
    if (empty()) {
        return;
    }
    // Two flushes in a row with little in use: a smaller table is cheaper to clear.
    quiet_flushes_ = peak_used_ < entries_.size() / 4 ? quiet_flushes_ + 1 : 0;
    if (quiet_flushes_ >= 2 && entries_.size() > size_t{1} << kMinBits) {
        entries_.assign(entries_.size() / 2, kEmpty);
        quiet_flushes_ = 0;
        counters.tlb_resizes.add();
    } else {
        std::fill(entries_.begin(), entries_.end(), kEmpty);
    }
    victims_.fill(kEmpty);
    empty_ = true;
    used_ = 0;
    peak_used_ = 0;
    conflicts_ = 0;
}

}  // namespace weft::accel
