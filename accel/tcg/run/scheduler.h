// Which of a thread's vCPUs runs, and for how long. With the host's clock `Turns`, with the instruction clock `InsnTurns`.
#pragma once

#include <cstdint>

#include "accel/tcg/run/exclusive.h"
#include "accel/tcg/run/exec_loop.h"
#include "accel/tcg/run/run_queue.h"
#include "base/epoch.h"

namespace weft::accel {

class Scheduler : public Attention {
  public:
    virtual ~Scheduler() = default;
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;

    // ---- the thread ----

    virtual void thread_begins() {}
    virtual void thread_ends() {}
    // The vCPU that runs now, until `wanted`; then ran() follows. Null: there was something to wait for, or there is
    // something else to do; then all is looked at again.
    virtual Vcpu* next(EpochDomain::Reader& reader) = 0;
    // The vCPU paused (ir.h: yield). Who runs now, and as if next() had given it: the same, another one, or null: nobody, and
    // ran() follows. Inside the exclusive gate.
    virtual Vcpu* after_pause(Vcpu& vcpu) = 0;
    // Why the loop let go of the vCPU that ran last.
    virtual void ran(LoopExit reason) = 0;
    // Whether the guest goes on for a little, though the machine is to pause.
    virtual bool on_the_way_to_hold() const { return false; }
    // A vCPU was taken out of the queue. A control call, while the thread is parked.
    virtual void removed(Vcpu& vcpu) = 0;

    // ---- any thread ----

    // Makes the thread's vCPUs return from generated code.
    virtual void ask_all() = 0;
    // A work item was queued for a vCPU.
    virtual void tell_of_work(Vcpu& vcpu) = 0;
    // VcpuThread's functions of the same names.
    virtual void wake(Vcpu& vcpu) = 0;
    virtual void deadline_set(uint64_t deadline_ns) = 0;

  protected:
    // Both outlive it.
    Scheduler(RunQueue& queue, const ExclusiveGate& gate) : queue_(queue), gate_(gate) {}

    RunQueue& queue_;
    const ExclusiveGate& gate_;
};

}  // namespace weft::accel
