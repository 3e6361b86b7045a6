// What is known of one region: shared by the allocator and the context that has leased it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/cache_line.h"
#include "base/host_calls.h"
#include "tcg/code/sizing.h"
#include "tcg/code/tb_slab.h"

namespace weft::tcg {

struct alignas(kCacheLine) RegionRecord {
    RegionRecord(RegionId number, uint32_t max_units, const HostCalls& calls, bool pages_ahead)
        : id(number), code_pages(pages_ahead), slab(max_units, calls, pages_ahead) {}

    const RegionId id;
    RegionLayout::Range range{};  // constant once the first context was claimed
    // Incremented under the region lock when the region's TBs end, read by anybody. Sequentially consistent: who keeps
    // a TB found in a retired region either sees the increment here or is told to drop it.
    std::atomic<uint32_t> generation{1};
    // Bytes of finished units. Written by the lease holder, read for the code size under the region lock;
    // relaxed, it orders nothing.
    std::atomic<size_t> used{0};
    // Bytes of TBs that look-ups found in this round. Any thread adds, who chooses a victim takes; relaxed, it
    // orders nothing.
    std::atomic<uint32_t> found{0};
    // The same of rounds before, each counting half of the one after it. Guarded by the region lock.
    uint32_t warmth = 0;
    PagesAhead code_pages;  // the lease holder's
    TbSlab slab;
};

}  // namespace weft::tcg
