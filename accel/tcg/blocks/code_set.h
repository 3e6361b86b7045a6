// Code that is to be translated in another way than usual: set aside by what was seen while it ran, and translated anew.
#pragma once

#include <atomic>
#include <cstdint>
#include <unordered_set>

#include "base/mutex.h"

namespace weft::accel {

// By where units begin (TbKey::start). Any thread.
class CodeSet {
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
