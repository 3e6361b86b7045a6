#include "accel/tcg/vcpu/work_items.h"

#include <algorithm>
#include <utility>

namespace weft::accel {

void WorkItems::push(const WorkItem& item) {
    MutexLock lock(mutex_);
    if (waiting_ == ring_.size()) {
        grow();
    }
    ring_[(first_ + waiting_) & (ring_.size() - 1)] = item;
    ++waiting_;
    count_.store(waiting_, std::memory_order_seq_cst);
}

bool WorkItems::pop(WorkItem* item) {
    if (!any()) {
        return false;
    }
    MutexLock lock(mutex_);
    if (waiting_ == 0) {
        return false;
    }
    *item = ring_[first_];
    first_ = (first_ + 1) & (ring_.size() - 1);
    --waiting_;
    count_.store(waiting_, std::memory_order_seq_cst);
    return true;
}

// The ring is full.
void WorkItems::grow() {
    std::vector<WorkItem> larger(std::max(kFirstCapacity, 2 * ring_.size()));
    std::ranges::rotate_copy(ring_, ring_.begin() + static_cast<ptrdiff_t>(first_), larger.begin());
    ring_ = std::move(larger);
    first_ = 0;
}

}  // namespace weft::accel
