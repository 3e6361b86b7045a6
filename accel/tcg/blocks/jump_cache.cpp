#include "accel/tcg/blocks/jump_cache.h"

#include <algorithm>
#include <utility>

#include "accel/tcg/blocks/core_sync.h"
#include "weft/memory.h"

namespace weft::accel {

JumpCache::JumpCache() : entries_(std::make_unique<tcg::JumpCacheEntry[]>(tcg::kJumpCacheEntries)) {}

void JumpCache::clear() { std::fill_n(entries_.get(), tcg::kJumpCacheEntries, tcg::JumpCacheEntry{}); }

void JumpCache::clear_page(uint64_t vaddr, uint32_t max_insn_size) {
    const uint64_t page = vaddr & ~(kPageSize - 1);
    // Addresses wrap: the page before the first one is the last.
    const uint64_t first = page - (max_insn_size - 1);
    const uint64_t size = kPageSize + (max_insn_size - 1);
    for (uint64_t i = 0; i < size; i += 2) {  // an entry is for two bytes
        tcg::JumpCacheEntry& entry = entries_[tcg::jump_cache_index(first + i)];
        if (entry.pc - first < size) {
            entry = {};
        }
    }
}

void JumpCache::request_drop(uint32_t page_offset, uint32_t code_offset) {
    SpinLockGuard guard(drops_lock_);
    if (drops_.size() < kMaxDrops) {
        drops_.push_back({page_offset, code_offset});
    } else {
        drop_all_ = true;
    }
    drops_pending_.store(true, std::memory_order_seq_cst);
}

void JumpCache::request_drop_range(uint32_t begin, uint32_t end, bool serialize) {
    SpinLockGuard guard(drops_lock_);
    if (ranges_.size() < kMaxRanges) {
        ranges_.push_back({begin, end});
    } else {
        drop_all_ = true;
    }
    serialize_ = serialize_ || serialize;
    drops_pending_.store(true, std::memory_order_seq_cst);
}

void JumpCache::take_drops() {
    std::vector<Drop> drops;
    std::vector<Range> ranges;
    bool all = false;
    bool serialize = false;
    {
        SpinLockGuard guard(drops_lock_);
        drops_pending_.store(false, std::memory_order_seq_cst);
        drops.swap(drops_);
        ranges.swap(ranges_);
        all = std::exchange(drop_all_, false);
        serialize = std::exchange(serialize_, false);
    }
    if (serialize) {
        serialize_core();
    }
    if (all) {
        clear();
        return;
    }
    for (const Range& each : ranges) {
        drop(each);
    }
    for (const Drop& each : drops) {
        drop(each);
    }
}

// The index has the bits of the page offset and a few of the page's number, so that a TB can be in few places only.
void JumpCache::drop(Drop drop) {
    for (unsigned i = tcg::jump_cache_index(drop.page_offset); i < tcg::kJumpCacheEntries;
         i += kPageSize / 2) {
        if (entries_[i].context_id != 0 && entries_[i].code_offset == drop.code_offset) {
            entries_[i] = {};
        }
    }
}

void JumpCache::drop(Range range) {
    for (unsigned i = 0; i < tcg::kJumpCacheEntries; ++i) {
        if (entries_[i].context_id != 0 && entries_[i].code_offset - range.begin < range.end - range.begin) {
            entries_[i] = {};
        }
    }
}

}  // namespace weft::accel
