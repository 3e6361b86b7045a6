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
    finish(self);
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

void RegionEvictor::finish(void* self) {
    auto over = queue_.begin();
    for (; over != queue_.end() && epochs_.grace_period_over(over->period); ++over) {
        if (!over->serialized && !core_sync_.before_reuse()) {
            // It stays the first: those behind it wait for its second period.
            over->serialized = true;
            ask_to_drop(over->region.id, true);
            begin_period(*over, self);
            break;
        }
        regions_.reuse(over->region);
    }
    queue_.erase(queue_.begin(), over);
}

void RegionEvictor::ask_to_drop(tcg::RegionId region, bool serialize) {
    const tcg::RegionLayout::Range range = regions_.layout().region(region);
    users_.for_each([&](CodeUser& user) {
        user.jump_cache.request_drop_range(static_cast<uint32_t>(range.start),
                                           static_cast<uint32_t>(range.end), serialize);
    });
}

void RegionEvictor::begin_period(Waiting& waiting, void* self) {
    waiting.period = epochs_.begin_grace_period();
    epochs_.request_quiescence(waiting.period, request_quiescence_, self);
}

// False: no region is full.
bool RegionEvictor::begin(void* self) {
    const std::optional<RegionId> victim = regions_.choose_victim();
    const std::optional<RetiredRegion> retired = victim ? regions_.retire(*victim) : std::nullopt;
    if (!retired) {
        return false;
    }
    ask_to_drop(*victim, core_sync_.by_themselves());
    uint64_t blocks = 0;
    const uint32_t count = regions_.block_count(*victim);
    for (uint32_t i = 0; i < count; ++i) {
        TranslationBlock* const tb = regions_.block(regions_.unit_indices().make(*victim, i));
        blocks += pages_.retire(*tb) ? 1 : 0;
    }
    queue_.push_back({*retired, 0, core_sync_.by_themselves()});
    begin_period(queue_.back(), self);
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
