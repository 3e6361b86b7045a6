// Code whose shared TLB probes do not pay: their windows reach over the ends of pages again and again, and then every
// access of the group takes the slow path (tcg/opt/access_groups.h). It is translated anew, with a probe for each.
#pragma once

#include <atomic>
#include <cstdint>
#include <unordered_set>

#include "base/mutex.h"

namespace weft::accel {

// The code that is to be translated with a probe for each access, by where it begins (TbKey::start). Any thread.
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
