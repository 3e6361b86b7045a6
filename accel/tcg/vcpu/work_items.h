// Work for a vCPU's thread: a queue of callbacks, first in, first out.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "weft/accel.h"

namespace weft::accel {

struct WorkItem {
    VcpuWork kind{};
    void (*run)(void* opaque, void* state) = nullptr;
    void* opaque = nullptr;

    // WorkItems' own.
    WorkItem* next = nullptr;
    bool pooled = false;
};

class WorkItems {
  public:
    // Queues the caller's item, which stays, and is not queued again, until it runs: to run it is taken out first. Allocates
    // nothing. Any thread.
    void push(WorkItem& item) WEFT_EXCLUDES(mutex_);
    // Queues a copy. Allocates only where more copies are waiting than ever before; throws std::bad_alloc then, having done
    // nothing. Any thread.
    void push_copy(const WorkItem& item) WEFT_EXCLUDES(mutex_);

    // Whether there is work; a hint, exact for who pushed before (sequentially consistent).
    bool any() const { return count_.load(std::memory_order_seq_cst) != 0; }

    // Takes the first item out and copies it to *item; false where there is none. The vCPU's thread.
    bool pop(WorkItem* item) WEFT_EXCLUDES(mutex_);

  private:
    void append(WorkItem& item) WEFT_REQUIRES(mutex_);

    Mutex mutex_;
    WorkItem* first_ WEFT_GUARDED_BY(mutex_) = nullptr;
    WorkItem* last_ WEFT_GUARDED_BY(mutex_) = nullptr;
    // Items for copies: all there are, and those that are not queued, by `next`.
    std::vector<std::unique_ptr<WorkItem>> pool_ WEFT_GUARDED_BY(mutex_);
    WorkItem* unused_ WEFT_GUARDED_BY(mutex_) = nullptr;
    std::atomic<size_t> count_{0};  // written under mutex_
};

}  // namespace weft::accel
