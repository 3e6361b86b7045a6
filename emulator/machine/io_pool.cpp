#include "emulator/machine/io_pool.h"

#include <algorithm>
#include <new>

namespace weft::machine {

Result<std::unique_ptr<IoPool>> IoPool::create(void (*out_of_memory)(void* context), void* context) {
    std::unique_ptr<IoPool> pool(new IoPool(out_of_memory, context));
    Result<> added;
    {
        const MutexLock lock(pool->mutex_);
        added = pool->add_thread();
    }
    return added ? Result<std::unique_ptr<IoPool>>(std::move(pool)) : std::unexpected(added.error());
}

IoPool::~IoPool() {
    {
        const MutexLock lock(mutex_);
        leaving_ = true;
    }
    asked_.notify_all();
    for (Worker& worker : workers_) {
        worker.thread.join();
    }
}

Result<> IoPool::add_thread() {
    Result<Thread> thread = Thread::start("weft-io", [this, index = threads_] { serve(index); });
    if (!thread) {
        return std::unexpected(thread.error());
    }
    workers_[threads_++].thread = std::move(*thread);
    return {};
}

void IoPool::run(void (*fn)(void* opaque), void* opaque) {
    {
        const MutexLock lock(mutex_);
        queue_.push_back({fn, opaque, next_number_++});
        if (queue_.size() > idle_ && threads_ < kThreads && !leaving_) {
            // Without it the work waits for a thread that there is.
            static_cast<void>(add_thread());
        }
    }
    asked_.notify_one();
}

bool IoPool::done_before(uint64_t number) const {
    return (queue_.empty() || queue_.front().number >= number) &&
           std::ranges::none_of(workers_,
                                [&](const Worker& worker) { return worker.at && *worker.at < number; });
}

void IoPool::drain() {
    const MutexLock lock(mutex_);
    const uint64_t number = next_number_;
    ++draining_;
    while (!done_before(number)) {
        finished_.wait(mutex_);
    }
    --draining_;
}

void IoPool::drain_all() {
    const MutexLock lock(mutex_);
    ++draining_;
    while (!done_before(next_number_)) {
        finished_.wait(mutex_);
    }
    --draining_;
}

void IoPool::serve(unsigned index) {
    MutexLock lock(mutex_);
    Worker& worker = workers_[index];
    while (true) {
        if (!queue_.empty()) {
            const Work work = queue_.front();
            queue_.pop_front();
            worker.at = work.number;
            lock.unlock();
            try {
                work.fn(work.opaque);
            } catch (const std::bad_alloc&) {
                out_of_memory_(context_);
            }
            lock.lock();
            worker.at.reset();
            if (draining_ != 0) {
                finished_.notify_all();
            }
        } else if (leaving_) {
            return;
        } else {
            ++idle_;
            asked_.wait(mutex_);
            --idle_;
        }
    }
}

}  // namespace weft::machine
