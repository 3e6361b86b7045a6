// Code whose shared TLB probes do not pay: their windows reach over the ends of pages again and again, and then every
// access of the group takes the slow path (tcg/x86_64/access_groups.h). It is translated anew, with a probe for each.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <unordered_set>

#include "base/mutex.h"

namespace weft::accel {

// How often the leaders of one vCPU's groups straddle. The thread's that runs the vCPU.
class PageCrossRate {
  public:
    // A leader whose call returns to `host_pc` straddled at `now_ns()`. True where it does so too often: a group that does
    // not reach this costs a thousandth of the vCPU's time at most.
    template <class Now>
    bool too_often(uint64_t host_pc, Now&& now_ns) {
        Entry& entry = entries_[(host_pc ^ host_pc >> 8) % kEntries];
        if (entry.host_pc != host_pc) {
            entry = {host_pc, 0, now_ns()};
        }
        if (++entry.count < kMany) {
            return false;
        }
        const uint64_t since = entry.since_ns;
        entry = {};
        return now_ns() - since < kPeriodNs;
    }

  private:
    static constexpr unsigned kEntries = 64;
    static constexpr uint32_t kMany = 32;
    static constexpr uint64_t kPeriodNs = 10'000'000;

    struct Entry {
        uint64_t host_pc = 0;
        uint32_t count = 0;
        uint64_t since_ns = 0;  // when the first was met
    };
    std::array<Entry, kEntries> entries_{};
};

// The code that is to be translated with lone probes, by where it begins (TbKey::start). Any thread.
class UngroupedCode {
  public:
    void add(uint64_t start) {
        MutexLock lock(mutex_);
        if (starts_.size() == kMost) {
            starts_.clear();  // what needs it will be met again
        }
        starts_.insert(start);
        any_.store(true, std::memory_order_relaxed);
    }
    bool contains(uint64_t start) {
        if (!any_.load(std::memory_order_relaxed)) {
            return false;
        }
        MutexLock lock(mutex_);
        return starts_.contains(start);
    }

  private:
    static constexpr size_t kMost = 16'384;

    std::atomic<bool> any_{false};  // written under mutex_; a reader that misses it translates as before
    Mutex mutex_;                   // a leaf
    std::unordered_set<uint64_t> starts_ WEFT_GUARDED_BY(mutex_);
};

}  // namespace weft::accel
