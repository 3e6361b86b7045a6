#include "accel/tcg/blocks/jump_cache.h"

#include <algorithm>
#include <new>
#include <utility>

#include "accel/tcg/blocks/core_sync.h"
#include "weft/memory.h"

namespace weft::accel {

void JumpCache::clear() { entries_.clear(); }

bool JumpCache::grow() {
    constexpr size_t kFactor = 4;
    conflicts_ = 0;
    try {
        // Where an entry goes is anywhere: all pages will be.
        Entries larger(kFactor * entries_.size(), PagesMade::at_once);
        const uint32_t mask = tcg::jump_cache_mask(larger.size());
        for (size_t i = 0; i < entries_.size(); ++i) {
            if (entries_[i].context_id != 0) {
                const tcg::JumpCacheEntry& entry = entries_[i];
                larger[tcg::jump_cache_index(entry.pc, salt(entry.context_id), mask)] = entry;
            }
        }
        entries_ = std::move(larger);
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

void JumpCache::clear_page(uint64_t vaddr, uint32_t max_insn_size) {
    const uint64_t page = vaddr & ~(kPageSize - 1);
    // Addresses wrap: the page before the first one is the last.
    const uint64_t first = page - (max_insn_size - 1);
    const uint64_t size = kPageSize + (max_insn_size - 1);
    for (uint64_t i = 0; i < size; i += 2) {  // an entry is for two bytes
        for (uint32_t context = 0; context < salts_; ++context) {
            tcg::JumpCacheEntry& entry = entries_[index(first + i, context)];
            if (entry.pc - first < size) {
                entry = {};
            }
        }
    }
}

void JumpCache::request_drop(uint32_t page_offset, uint32_t code_offset) {
    SpinLockGuard guard(drops_lock_);
    if (asked_.drop_count < Asked::kMaxDrops) {
        asked_.drops[asked_.drop_count++] = {page_offset, code_offset};
    } else {
        asked_.all = true;
    }
    drops_pending_.store(true, std::memory_order_seq_cst);
}

void JumpCache::request_drop_range(uint32_t begin, uint32_t end, bool serialize) {
    SpinLockGuard guard(drops_lock_);
    if (asked_.range_count < Asked::kMaxRanges) {
        asked_.ranges[asked_.range_count++] = {begin, end};
    } else {
        asked_.all = true;
    }
    asked_.serialize = asked_.serialize || serialize;
    drops_pending_.store(true, std::memory_order_seq_cst);
}

// Leaves nothing in the other one. Copies what there is, which is little as a rule.
void JumpCache::Asked::take_from(Asked& other) {
    drop_count = std::exchange(other.drop_count, 0);
    range_count = std::exchange(other.range_count, 0);
    all = std::exchange(other.all, false);
    serialize = std::exchange(other.serialize, false);
    std::copy_n(other.drops.begin(), drop_count, drops.begin());
    std::copy_n(other.ranges.begin(), range_count, ranges.begin());
}

void JumpCache::take_drops() {
    {
        SpinLockGuard guard(drops_lock_);
        drops_pending_.store(false, std::memory_order_seq_cst);
        taken_.take_from(asked_);
    }
    if (taken_.serialize) {
        serialize_core();
    }
    if (taken_.all) {
        clear();
        return;
    }
    for (size_t i = 0; i < taken_.range_count; ++i) {
        drop(taken_.ranges[i]);
    }
    for (size_t i = 0; i < taken_.drop_count; ++i) {
        drop(taken_.drops[i]);
    }
}

// The index has the bits of the page offset, and a few that the page's number and the context give, so that a TB can be in few
// places only.
void JumpCache::drop(Drop drop) {
    for (size_t i = index(drop.page_offset, 0); i < entries_.size(); i += kPageSize / 2) {
        if (entries_[i].context_id != 0 && entries_[i].code_offset == drop.code_offset) {
            entries_[i] = {};
        }
    }
}

void JumpCache::drop(Range range) {
    for (size_t i = 0; i < entries_.size(); ++i) {
        if (entries_[i].context_id != 0 && entries_[i].code_offset - range.begin < range.end - range.begin) {
            entries_[i] = {};
        }
    }
}

}  // namespace weft::accel
