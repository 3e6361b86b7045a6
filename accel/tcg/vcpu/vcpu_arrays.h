// The large arrays of a vCPU, which threads that come and go hand on: to make their pages costs most of what a thread does.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "accel/tcg/blocks/jump_cache.h"
#include "accel/tcg/vcpu/visits.h"

namespace weft::accel {

struct VcpuArrays {
    JumpCache::Entries jump_cache;
    Visits::Counts visits;

    // Throws std::bad_alloc. `translate_after`: of Settings. Who soon uses all of them has the pages made at once.
    static VcpuArrays make(uint8_t translate_after, PagesMade made) {
        return {JumpCache::make_entries(made), Visits::make_counts(translate_after)};
    }
    // For another thread.
    void clear() const { jump_cache.clear(); }
};

// Those of vCPUs that are gone, a few. Any thread; without a lock, so that a fork(2) beside it leaves nothing locked: the child may
// lose what was on its way.
class SpareArrays {
  public:
    SpareArrays() = default;
    ~SpareArrays() {
        while (take() != nullptr) {
        }
    }
    SpareArrays(const SpareArrays&) = delete;
    SpareArrays& operator=(const SpareArrays&) = delete;

    // Frees them where there are enough, or where the jump cache has grown: to clear it takes longer than to make one.
    void give(VcpuArrays arrays) {
        if (arrays.jump_cache.size() != tcg::kMinJumpCacheEntries) {
            return;
        }
        std::unique_ptr<VcpuArrays> mine(new (std::nothrow) VcpuArrays(std::move(arrays)));
        for (std::atomic<VcpuArrays*>& place : places_) {
            VcpuArrays* empty = nullptr;
            // release; pairs with the acquire in take().
            if (place.compare_exchange_strong(empty, mine.get(), std::memory_order_release,
                                              std::memory_order_relaxed)) {
                mine.release();
                return;
            }
        }
    }
    // As their vCPU left them. Null: there are none.
    std::unique_ptr<VcpuArrays> take() {
        for (std::atomic<VcpuArrays*>& place : places_) {
            if (place.load(std::memory_order_relaxed) != nullptr) {
                if (VcpuArrays* const taken = place.exchange(nullptr, std::memory_order_acquire)) {
                    return std::unique_ptr<VcpuArrays>(taken);
                }
            }
        }
        return nullptr;
    }

  private:
    std::array<std::atomic<VcpuArrays*>, 8> places_{};
};

}  // namespace weft::accel
