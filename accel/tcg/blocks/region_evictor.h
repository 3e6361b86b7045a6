// evict=region: when the memory for code runs low, an old full region is emptied while every vCPU goes on.
// Which one: RegionAllocator::choose_victim.
//
// Life of an eviction:
//   1. end       RegionAllocator::retire: the region's generation moves on. From now on no vCPU puts a TB of it into its
//                jump cache (see remember_block).
//   2. drop      every vCPU is asked to drop what its jump cache has of the region.
//   3. detach    each TB, under the locks of its pages, is marked, unhashed, unlinked in both directions and taken out
//                of its pages' lists.
//   4. grace     a grace period begins, and who keeps it from being over is kicked.
//   5. reuse     once it is over: processors give up what they fetched (CoreSync), memory goes back to the host, and the
//                region is free. Where the kernel refuses its barrier then, every vCPU is asked to serialize, and 4 is done again.
//
// Why 2 comes before 3: a store to a TB's bytes that finds the TB gone from its page's list has nothing to invalidate;
// a hart that goes by that store and does its FENCE.I must not have the TB left. The drop was asked for before the TB
// left the list, so that this FENCE.I sees it; and by 1 the TB cannot come back into the cache after it.
//
// Why nobody enters the region after its grace period: a way in begins at the hash table (closed by 3), a jump (closed
// by 3), a jump cache (closed by 2, which a vCPU sees behind the quiescent point that ends the period for it), or at a TB
// remembered since before that point (the loop's unlinked jump, which is forgotten where its region's generation moved).
//
// Nobody waits here: who finds another thread at it goes on translating from the reserve. Who finds no region at all leaves
// the loop, waits for the grace period holding nothing (TranslationCache::make_room), and comes back.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "accel/tcg/blocks/code_users.h"
#include "accel/tcg/blocks/core_sync.h"
#include "accel/tcg/blocks/page_map.h"
#include "base/epoch.h"
#include "base/mutex.h"
#include "tcg/code/regions.h"

namespace weft::accel {

class RegionEvictor {
  public:
    // Everything outlives it. `request_quiescence` asks a lagging reader, with `self` of upkeep() as its context.
    // `contexts`: how many threads translate.
    RegionEvictor(tcg::RegionAllocator& regions, PageMap& pages, EpochDomain& epochs, const CodeUsers& users,
                  const CoreSync& core_sync, EpochDomain::QuiescenceRequest request_quiescence,
                  unsigned contexts);
    RegionEvictor(const RegionEvictor&) = delete;
    RegionEvictor& operator=(const RegionEvictor&) = delete;

    // Sees to it that there are regions to go on to: begins evictions, ends those whose grace period is over. Before each
    // translation; a vCPU thread, `self`, inside the exclusive gate, holding no lock and no TB that it means to run.
    void upkeep(void* self) WEFT_EXCLUDES(mutex_) {
        if (waiting() != 0 || regions_.spare_regions() < reserve_) {
            work(self);
        }
    }

    // Regions that wait for their grace period. Any thread; a snapshot.
    size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

    // In an exclusive section, when all regions are about to be emptied.
    void forget() WEFT_EXCLUDES(mutex_);

    // What was done so far; any thread.
    uint64_t evictions() const { return evictions_.load(std::memory_order_relaxed); }
    uint64_t blocks() const { return blocks_.load(std::memory_order_relaxed); }

  private:
    struct Waiting {
        tcg::RetiredRegion region;
        uint64_t period;
        bool serialized;  // vCPUs do so themselves within this period
    };

    void work(void* self) WEFT_EXCLUDES(mutex_);
    void finish(void* self) WEFT_REQUIRES(mutex_);
    void ask_to_drop(tcg::RegionId region, bool serialize);
    void begin_period(Waiting& waiting, void* self) WEFT_REQUIRES(mutex_);
    bool begin(void* self) WEFT_REQUIRES(mutex_);
    void note_waiting() WEFT_REQUIRES(mutex_);

    tcg::RegionAllocator& regions_;
    PageMap& pages_;
    EpochDomain& epochs_;
    const CodeUsers& users_;
    const CoreSync& core_sync_;
    const EpochDomain::QuiescenceRequest request_quiescence_;
    // Regions free or on their way: evictions begin before the last one is gone.
    const unsigned reserve_;

    Mutex mutex_;  // above page locks; tried, never waited for, but in exclusive sections
    // In the order of their periods. It has space for all regions from the start: an eviction allocates nothing.
    std::vector<Waiting> queue_ WEFT_GUARDED_BY(mutex_);
    std::atomic<size_t> waiting_{0};  // its size; written under the mutex, relaxed
    // Written under the mutex, read by reports; relaxed.
    std::atomic<uint64_t> evictions_{0};
    std::atomic<uint64_t> blocks_{0};
};

}  // namespace weft::accel
