// The thread that runs a vCPU, as the vCPU knows it.
#pragma once

#include <cstdint>

#include "accel/tcg/vcpu/work_items.h"

namespace weft {
struct Vcpu;
}

namespace weft::accel {

// Any thread calls these.
class VcpuThread {
  public:
    // After exit_request of `vcpu` was set.
    virtual void wake(Vcpu& vcpu) = 0;
    // After the deadline of one of its vCPUs was set.
    virtual void deadline_set(uint64_t deadline_ns) = 0;
    // Queues work for one of its vCPUs; does it at once where the thread was not started.
    virtual void post(Vcpu& vcpu, const WorkItem& item) = 0;

  protected:
    ~VcpuThread() = default;
};

}  // namespace weft::accel
