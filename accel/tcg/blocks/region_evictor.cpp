#include "accel/tcg/blocks/region_evictor.h"

namespace weft::accel {

using tcg::RegionId;
using tcg::RetiredRegion;
using tcg::TranslationBlock;

RegionEvictor::RegionEvictor(tcg::RegionAllocator& regions, PageMap& pages, EpochDomain& epochs,
                             const CodeUsers& users, const CoreSync& core_sync,
                             EpochDomain::QuiescenceRequest request_quiescence, unsigned contexts)
    : regions_(regions),
      pages_(pages),
      epochs_(epochs),
      users_(users),
      core_sync_(core_sync),
      request_quiescence_(request_quiescence),
      reserve_(1 + contexts / 4) {
    MutexLock lock(mutex_);
    queue_.reserve(regions.layout().count);
}

void RegionEvictor::work(void* self) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    if (!mutex_.try_lock()) {
        return;
    }
    finish();
    while (regions_.spare_regions() + queue_.size() < reserve_) {
        // Who finds no space meanwhile waits for this one.
        waiting_.store(queue_.size() + 1, std::memory_order_relaxed);
        if (!begin(self)) {
            break;
        }
    }
    note_waiting();
    mutex_.unlock();
}

void RegionEvictor::finish() {
    auto over = queue_.begin();
    for (; over != queue_.end() && epochs_.grace_period_over(over->period); ++over) {
        core_sync_.before_reuse();
        regions_.reuse(over->region);
    }
    queue_.erase(queue_.begin(), over);
}

// False: no region is full.
bool RegionEvictor::begin(void* self) {
    const std::optional<RegionId> victim = regions_.choose_victim();
    const std::optional<RetiredRegion> retired = victim ? regions_.retire(*victim) : std::nullopt;
    if (!retired) {
        return false;
    }
    const tcg::RegionLayout::Range range = regions_.layout().region(*victim);
    users_.for_each([&](CodeUser& user) {
        user.jump_cache.request_drop_range(static_cast<uint32_t>(range.start),
                                           static_cast<uint32_t>(range.end), core_sync_.by_themselves());
    });
    uint64_t blocks = 0;
    const uint32_t count = regions_.block_count(*victim);
    for (uint32_t i = 0; i < count; ++i) {
        TranslationBlock* const tb = regions_.block(regions_.unit_indices().make(*victim, i));
        blocks += pages_.retire(*tb) ? 1 : 0;
    }
    queue_.push_back({*retired, epochs_.begin_grace_period()});
    epochs_.request_quiescence(queue_.back().period, request_quiescence_, self);
    evictions_.fetch_add(1, std::memory_order_relaxed);
    blocks_.fetch_add(blocks, std::memory_order_relaxed);
    return true;
}

void RegionEvictor::forget() {
    MutexLock lock(mutex_);
    queue_.clear();
    note_waiting();
}

void RegionEvictor::note_waiting() { waiting_.store(queue_.size(), std::memory_order_relaxed); }

}  // namespace weft::accel
