// Threads that do a machine's disk I/O, several requests at a time.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/mutex.h"
#include "base/thread.h"

namespace weft::machine {

// Begins with one thread and makes more where work waits, up to kThreads. Where the host has no more to give, fewer do.
class IoPool {
  public:
    static constexpr unsigned kThreads = 8;

    // `out_of_memory(context)` is called where work could not be done for want of it, on a thread of the pool.
    static Result<std::unique_ptr<IoPool>> create(void (*out_of_memory)(void* context), void* context);
    // Does what was asked for first.
    ~IoPool();
    IoPool(const IoPool&) = delete;
    IoPool& operator=(const IoPool&) = delete;

    // Runs fn(opaque) on whichever thread is free first. Works begin in the order of the calls. Any thread.
    void run(void (*fn)(void* opaque), void* opaque) WEFT_EXCLUDES(mutex_);

    // Returns once everything asked for before the call is done. Not from a thread of the pool.
    void drain() WEFT_EXCLUDES(mutex_);
    // The same with what that asks for. Where others ask for more all the time, it does not return.
    void drain_all() WEFT_EXCLUDES(mutex_);

  private:
    struct Work {
        void (*fn)(void* opaque);
        void* opaque;
        uint64_t number;
    };
    struct Worker {
        Thread thread;
        std::optional<uint64_t> at;  // the number of the work that it does
    };

    IoPool(void (*out_of_memory)(void* context), void* context)
        : out_of_memory_(out_of_memory), context_(context) {}
    Result<> add_thread() WEFT_REQUIRES(mutex_);
    void serve(unsigned index) WEFT_EXCLUDES(mutex_);
    bool done_before(uint64_t number) const WEFT_REQUIRES(mutex_);

    void (*const out_of_memory_)(void* context);
    void* const context_;
    Mutex mutex_;       // a leaf; not held while work is done
    CondVar asked_;     // for workers
    CondVar finished_;  // for drain()
    std::deque<Work> queue_ WEFT_GUARDED_BY(mutex_);
    uint64_t next_number_ WEFT_GUARDED_BY(mutex_) = 0;
    unsigned threads_ WEFT_GUARDED_BY(mutex_) = 0;
    unsigned idle_ WEFT_GUARDED_BY(mutex_) = 0;
    unsigned draining_ WEFT_GUARDED_BY(mutex_) = 0;
    bool leaving_ WEFT_GUARDED_BY(mutex_) = false;
    std::array<Worker, kThreads>
        workers_;  // `at` under mutex_; the threads are joined when nobody makes more
};

}  // namespace weft::machine
