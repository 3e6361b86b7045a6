// The thread that runs a vCPU, as the vCPU knows it.
#pragma once

#include <cstdint>

#include "accel/tcg/vcpu/work_items.h"
#include "tcg/backend.h"

namespace weft {
struct Vcpu;
}

namespace weft::accel {

// Any thread calls these. What was asked of a thread that the vCPU has left meanwhile does no harm: see SharedVcpus.
class VcpuThread {
  public:
    // Whether its vCPUs are never run by another one.
    virtual bool keeps_vcpus() const = 0;
    // Whether the caller runs on it.
    virtual bool is_current() const = 0;
    // After exit_request of `vcpu` was set.
    virtual void wake(Vcpu& vcpu) = 0;
    // After the deadline of one of its vCPUs was set.
    virtual void deadline_set(uint64_t deadline_ns) = 0;
    // Queues work for one of its vCPUs; does it at once where the thread was not started. The item is the caller's, as for
    // WorkItems::push(); of the other function it is copied, which may throw std::bad_alloc.
    virtual void post(Vcpu& vcpu, WorkItem& item) = 0;
    virtual void post_copy(Vcpu& vcpu, const WorkItem& item) = 0;
    // tcg::RuntimeHooks::go_on. On that thread, while it runs the vCPU.
    virtual tcg::Onward go_on(Vcpu& vcpu, tcg::ExitKind kind) = 0;

  protected:
    ~VcpuThread() = default;
};

}  // namespace weft::accel
