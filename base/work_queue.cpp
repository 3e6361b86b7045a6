#include "base/work_queue.h"

#include "base/assert.h"

namespace weft {

Result<std::unique_ptr<WorkQueue>> WorkQueue::create(const HostCalls& calls) {
    auto event = EventFd::create(calls);
    if (!event) {
        return std::unexpected(std::move(event.error()));
    }
    return std::unique_ptr<WorkQueue>(new WorkQueue(std::move(*event)));
}

WorkQueue::~WorkQueue() {
    MutexLock lock(mutex_);
    while (first_ != nullptr) {
        Work* const work = first_;
        first_ = work->next_;
        work->queued_ = false;
        if (work->owned_) {
            delete work;
        }
    }
}

void WorkQueue::post(Function function, void* context) { enqueue(*new Work(function, context, true)); }

bool WorkQueue::post(Work& work) { return enqueue(work); }

bool WorkQueue::enqueue(Work& work) {
    MutexLock lock(mutex_);
    if (work.queued_) {
        return false;
    }
    work.queued_ = true;
    work.next_ = nullptr;
    const bool was_empty = first_ == nullptr;
    (was_empty ? first_ : last_->next_) = &work;
    last_ = &work;
    // A queue that was not empty has its signal, or a drain() on its way that signals for what it leaves.
    // Under the lock: once it is given up, the owner may run the work and end the queue.
    if (was_empty) {
        event_.signal();
    }
    return true;
}

bool WorkQueue::cancel(Work& work) {
    MutexLock lock(mutex_);
    if (!work.queued_) {
        return false;
    }
    Work* before = nullptr;
    for (Work* at = first_; at != &work; at = at->next_) {
        WEFT_ASSERT(at != nullptr);
        before = at;
    }
    (before != nullptr ? before->next_ : first_) = work.next_;
    if (last_ == &work) {
        last_ = before;
    }
    if (drain_end_ == &work) {
        drain_end_ = before;
    }
    work.queued_ = false;
    return true;
}

std::size_t WorkQueue::drain() {
    std::size_t count = 0;
    MutexLock lock(mutex_);
    event_.clear();
    drain_end_ = last_;
    // One at a time, so that cancel() reaches what has not begun.
    while (drain_end_ != nullptr) {
        Work* const work = first_;
        if (drain_end_ == work) {
            drain_end_ = nullptr;
        }
        first_ = work->next_;
        if (first_ == nullptr) {
            last_ = nullptr;
        }
        work->queued_ = false;
        const Function function = work->function_;
        void* const context = work->context_;
        const bool owned = work->owned_;
        lock.unlock();
        if (owned) {
            delete work;
        }
        // `work` may be posted again or be gone from here on.
        function(context);
        ++count;
        lock.lock();
    }
    if (first_ != nullptr) {
        event_.signal();
    }
    return count;
}

}  // namespace weft
