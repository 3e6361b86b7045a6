#include "accel/tcg/run/shared_vcpus.h"

#include <algorithm>

#include "accel/tcg/run/run_queue.h"

namespace weft::accel {

void SharedVcpus::join(RunQueue& queue) {
    MutexLock lock(mutex_);
    queues_.push_back(&queue);
}

void SharedVcpus::leave(RunQueue& queue) {
    MutexLock lock(mutex_);
    std::erase(queues_, &queue);
}

void SharedVcpus::wake_idle() {
    if (idle_.load(std::memory_order_seq_cst) == 0) {
        return;
    }
    MutexLock lock(mutex_);
    for (RunQueue* queue : queues_) {
        if (queue->mark_idle(false)) {
            idle_.fetch_sub(1, std::memory_order_seq_cst);
            queue->wake_always();
            return;
        }
    }
}

Vcpu* SharedVcpus::take(const RunQueue& self) {
    if (!any_offer()) {
        return nullptr;
    }
    MutexLock lock(mutex_);
    for (RunQueue* queue : queues_) {
        if (queue != &self) {
            if (Vcpu* const vcpu = queue->give(); vcpu != nullptr) {
                return vcpu;
            }
        }
    }
    return nullptr;
}

void SharedVcpus::set_idle(RunQueue& queue, bool idle) {
    if (queue.mark_idle(idle) == idle) {
        return;
    }
    if (idle) {
        idle_.fetch_add(1, std::memory_order_seq_cst);
    } else {
        idle_.fetch_sub(1, std::memory_order_seq_cst);
    }
}

}  // namespace weft::accel
