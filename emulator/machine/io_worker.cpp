#include "emulator/machine/io_worker.h"

#include <new>

namespace weft::machine {

Result<std::unique_ptr<IoWorker>> IoWorker::create(void (*out_of_memory)(void* context), void* context) {
    std::unique_ptr<IoWorker> worker(new IoWorker(out_of_memory, context));
    auto thread =
        Thread::start("weft-io", [](void* self) { static_cast<IoWorker*>(self)->work(); }, worker.get());
    if (!thread) {
        return std::unexpected(thread.error());
    }
    worker->thread_ = std::move(*thread);
    return worker;
}

IoWorker::~IoWorker() {
    {
        MutexLock lock(mutex_);
        leaving_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void IoWorker::run(void (*fn)(void* opaque), void* opaque) {
    {
        MutexLock lock(mutex_);
        requests_.push_back({fn, opaque});
        ++asked_;
    }
    changed_.notify_all();
}

void IoWorker::drain() {
    MutexLock lock(mutex_);
    const uint64_t goal = asked_;
    while (done_ < goal) {
        changed_.wait(mutex_);
    }
}

void IoWorker::drain_all() {
    MutexLock lock(mutex_);
    while (done_ != asked_) {
        changed_.wait(mutex_);
    }
}

void IoWorker::work() {
    MutexLock lock(mutex_);
    while (true) {
        if (!requests_.empty()) {
            const Request request = requests_.front();
            requests_.pop_front();
            lock.unlock();
            try {
                request.fn(request.opaque);
            } catch (const std::bad_alloc&) {
                out_of_memory_(context_);
            }
            lock.lock();
            ++done_;
            changed_.notify_all();
        } else if (leaving_) {
            return;
        } else {
            changed_.wait(mutex_);
        }
    }
}

}  // namespace weft::machine
