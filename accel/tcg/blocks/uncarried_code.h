// Instructions whose accesses seldom find the page that their place in the code found last (tcg::CarriedPages): to compare with it
// first costs them more than it saves. Their code is translated anew, with a probe of the TLB alone. Other code that comes to lie
// where theirs was has no part in that, but is not told apart: until all is forgotten, it does not carry at these places either.
#pragma once

#include <atomic>
#include <cstdint>
#include <unordered_map>

#include "base/mutex.h"
#include "weft/ir.h"
#include "weft/memory.h"

namespace weft::accel {

// By page of code (TbKey::page0()), as bits that ir::uncarried_bit() numbers. Any thread.
class UncarriedCode {
  public:
    void add(uint64_t page, uint32_t page_offset) {
        MutexLock lock(mutex_);
        if (pages_.size() == kMost) {
            pages_.clear();  // what needs it will be met again
        }
        pages_[page] |= uint64_t{1} << ir::uncarried_bit(page_offset);
        any_.store(true, std::memory_order_relaxed);
    }
    // ir::Unit::uncarried of units of this page.
    uint64_t of(uint64_t page) {
        if (!any_.load(std::memory_order_relaxed)) {
            return 0;
        }
        MutexLock lock(mutex_);
        const auto found = pages_.find(page);
        return found == pages_.end() ? 0 : found->second;
    }

  private:
    static constexpr size_t kMost = 4096;

    std::atomic<bool> any_{false};  // written under mutex_; a reader that misses it translates as before
    Mutex mutex_;                   // a leaf
    std::unordered_map<uint64_t, uint64_t> pages_ WEFT_GUARDED_BY(mutex_);
};

}  // namespace weft::accel
