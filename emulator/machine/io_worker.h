// A thread that does a machine's blocking I/O, one request after the other.
#pragma once

#include <deque>
#include <memory>

#include "base/error.h"
#include "base/mutex.h"
#include "base/thread.h"

namespace weft::machine {

class IoWorker {
  public:
    // `out_of_memory(context)` is called where a request could not be done for want of it, on the worker's thread.
    static Result<std::unique_ptr<IoWorker>> create(void (*out_of_memory)(void* context), void* context);
    // Does what was asked for first.
    ~IoWorker();
    IoWorker(const IoWorker&) = delete;
    IoWorker& operator=(const IoWorker&) = delete;

    // Runs fn(opaque) on the worker's thread, in the order of the calls. Any thread.
    void run(void (*fn)(void* opaque), void* opaque);

    // Returns once everything asked for before the call is done. Not from the worker's thread.
    void drain();
    // The same of what that asks for in turn. While nobody else asks: else there may be no end.
    void drain_all();

  private:
    struct Request {
        void (*fn)(void* opaque);
        void* opaque;
    };

    IoWorker(void (*out_of_memory)(void* context), void* context)
        : out_of_memory_(out_of_memory), context_(context) {}
    void work();

    void (*const out_of_memory_)(void* context);
    void* const context_;
    Mutex mutex_;  // a leaf; not held while a request runs
    CondVar changed_;
    std::deque<Request> requests_ WEFT_GUARDED_BY(mutex_);
    uint64_t asked_ WEFT_GUARDED_BY(mutex_) = 0;
    uint64_t done_ WEFT_GUARDED_BY(mutex_) = 0;
    bool leaving_ WEFT_GUARDED_BY(mutex_) = false;
    Thread thread_;
};

}  // namespace weft::machine
