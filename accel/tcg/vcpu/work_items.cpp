#include "accel/tcg/vcpu/work_items.h"

#include <utility>

namespace weft::accel {

void WorkItems::push(WorkItem& item) {
    MutexLock lock(mutex_);
    append(item);
}

void WorkItems::push_copy(const WorkItem& item) {
    MutexLock lock(mutex_);
    if (unused_ == nullptr) {
        pool_.push_back(std::make_unique<WorkItem>());
        unused_ = pool_.back().get();
    }
    WorkItem& copy = *std::exchange(unused_, unused_->next);
    copy = item;
    copy.pooled = true;
    append(copy);
}

void WorkItems::append(WorkItem& item) {
    item.next = nullptr;
    (last_ != nullptr ? last_->next : first_) = &item;
    last_ = &item;
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
}

bool WorkItems::pop(WorkItem* item) {
    if (!any()) {
        return false;
    }
    MutexLock lock(mutex_);
    if (first_ == nullptr) {
        return false;
    }
    WorkItem& taken = *std::exchange(first_, first_->next);
    if (first_ == nullptr) {
        last_ = nullptr;
    }
    *item = taken;
    if (taken.pooled) {
        taken.next = std::exchange(unused_, &taken);
    }
    count_.store(count_.load(std::memory_order_relaxed) - 1, std::memory_order_seq_cst);
    return true;
}

}  // namespace weft::accel
