#include "accel/tcg/work_items.h"

namespace weft::accel {

void WorkItems::push(const WorkItem& item) {
    MutexLock lock(mutex_);
    items_.push_back(item);
    count_.store(items_.size(), std::memory_order_seq_cst);
}

bool WorkItems::pop(WorkItem* item) {
    if (!any()) {
        return false;
    }
    MutexLock lock(mutex_);
    if (items_.empty()) {
        return false;
    }
    *item = items_.front();
    items_.pop_front();
    count_.store(items_.size(), std::memory_order_seq_cst);
    return true;
}

}  // namespace weft::accel
