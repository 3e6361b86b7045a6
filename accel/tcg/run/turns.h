// The scheduler with the host's clock: the vCPUs of a thread take turns, and run at the host's pace.
#pragma once

#include <atomic>

#include "accel/tcg/run/giving_way.h"
#include "accel/tcg/run/scheduler.h"
#include "accel/tcg/time/alarm.h"
#include "accel/tcg/time/clock.h"

namespace weft::accel {

class Turns final : public Scheduler {
  public:
    // All of it outlives this.
    Turns(RunQueue& queue, const ExclusiveGate& gate, TimerThread& timer, const Clock& clock,
          const CodeUsers& users);

    void thread_begins() override { giving_way_.thread_begins(); }
    void thread_ends() override { giving_way_.thread_ends(); }
    Vcpu* next(EpochDomain::Reader& reader) override;
    void paused(Vcpu& vcpu) override { giving_way_.paused(vcpu); }
    void ran(Vcpu& vcpu, LoopExit reason, EpochDomain::Reader& reader) override;
    void removed(Vcpu&) override {}
    bool wanted(Vcpu& vcpu) override;

    void ask_all() override { queue_.ask_each(); }
    void tell_of_work(Vcpu& vcpu) override;
    void wake(Vcpu& vcpu) override;
    void deadline_set(uint64_t deadline_ns) override;

  private:
    void end_turn();
    void sleep(EpochDomain::Reader& reader);

    const Clock& clock_;
    GivingWay giving_way_;
    Alarm slice_;          // the end of a vCPU's turn, where others wait for theirs
    bool shares_ = false;  // the turn has such an end; the thread's
    // Another vCPU than the one that runs was kicked, or its turn is over. Written by any thread, taken by this one.
    std::atomic<bool> turn_over_{false};
};

}  // namespace weft::accel
