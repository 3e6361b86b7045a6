// How a vCPU thread lets others run, where there are too few host processors (see WaitPolicy). All of it is outside of what
// the guest sees: it takes longer, as if the host had taken the processor away.
//
// One a vCPU thread with the host's clock. It never waits inside the exclusive gate but for sched_yield(2), and is offline
// while it sleeps; commands, work items and kicks end its sleep.
#pragma once

#include <cstdint>
#include <optional>

#include "accel/tcg/blocks/code_users.h"
#include "accel/tcg/run/exec_loop.h"
#include "accel/tcg/run/run_queue.h"
#include "accel/tcg/run/wait_policy.h"
#include "accel/tcg/time/clock.h"
#include "base/epoch.h"

namespace weft::accel {

class GivingWay {
  public:
    // All of it outlives this. `users`: the accelerator's vCPUs.
    GivingWay(RunQueue& queue, const Clock& clock, const CodeUsers& users)
        : queue_(queue), clock_(clock), users_(users) {}
    GivingWay(const GivingWay&) = delete;
    GivingWay& operator=(const GivingWay&) = delete;

    // ---- the thread ----

    void thread_begins();
    void thread_ends();
    // The vCPU, the only one of the thread, paused and is about to go on.
    void paused(Vcpu& vcpu);
    // Whether the vCPU that runs has kicked another one, and is to leave its code.
    bool has_kicked() const { return kicked_.has_value(); }
    // The vCPU has left its code, for that reason, and the exclusive gate. It is RunQueue::current() still.
    void ran(Vcpu& vcpu, LoopExit reason, EpochDomain::Reader& reader);

    // ---- any thread ----

    // `vcpu`, of this thread, was kicked. If another vCPU thread did that, it is to wait.
    void kicked(Vcpu& vcpu);

  private:
    void rest(Vcpu& vcpu, EpochDomain::Reader& reader);
    void await_kicked(Vcpu& vcpu, EpochDomain::Reader& reader);
    bool nap(Vcpu& vcpu, uint64_t ns, EpochDomain::Reader& reader);

    RunQueue& queue_;
    const Clock& clock_;
    const CodeUsers& users_;
    // The thread's.
    WaitPolicy waits_;
    std::optional<uint32_t> kicked_;  // by the vCPU that runs: which one
};

}  // namespace weft::accel
