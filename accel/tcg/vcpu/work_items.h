// Work for a vCPU's thread: a queue of callbacks, first in, first out. It allocates only where more are waiting than ever
// before.
#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

#include "base/mutex.h"
#include "weft/accel.h"

namespace weft::accel {

struct WorkItem {
    VcpuWork kind;
    void (*run)(void* opaque, void* state);
    void* opaque;
};

class WorkItems {
  public:
    // Any thread.
    void push(const WorkItem& item) WEFT_EXCLUDES(mutex_);

    // Whether there is work; a hint, exact for who pushed before (sequentially consistent).
    bool any() const { return count_.load(std::memory_order_seq_cst) != 0; }

    // Takes the first item; false where there is none. The vCPU's thread.
    bool pop(WorkItem* item) WEFT_EXCLUDES(mutex_);

  private:
    static constexpr size_t kFirstCapacity = 16;

    void grow() WEFT_REQUIRES(mutex_);

    Mutex mutex_;
    // A ring; its size is a power of two, or 0.
    std::vector<WorkItem> ring_ WEFT_GUARDED_BY(mutex_);
    size_t first_ WEFT_GUARDED_BY(mutex_) = 0;
    size_t waiting_ WEFT_GUARDED_BY(mutex_) = 0;
    std::atomic<size_t> count_{0};  // written under mutex_
};

}  // namespace weft::accel
