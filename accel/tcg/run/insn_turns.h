// The scheduler with the instruction clock: turns end, and interrupts are looked at, where the clock stops (see
// insn_clock.h), so that one execution is like another.
//
// Other threads then set exit_request of the running vCPU alone, for it stands for an interrupt with the others; what they
// want between stops, but for interrupts from outside, changes nothing that the guest sees.
#pragma once

#include <atomic>
#include <cstdint>

#include "accel/tcg/run/scheduler.h"
#include "accel/tcg/time/clock.h"
#include "accel/tcg/time/insn_clock.h"

namespace weft::accel {

class InsnTurns final : public Scheduler {
  public:
    // All of it outlives this. `clock` is the host's: for waiting.
    InsnTurns(RunQueue& queue, const ExclusiveGate& gate, InsnClock& insns, const Clock& clock);
    ~InsnTurns() override;

    void thread_begins() override { insns_.adopt_thread(); }
    void thread_ends() override { insns_.leave_thread(); }
    // Goes on with the segment that was interrupted, or begins another one.
    Vcpu* next(EpochDomain::Reader& reader) override;
    Vcpu* after_pause(Vcpu& vcpu) override { return queue_.vcpus().size() == 1 ? &vcpu : nullptr; }
    void ran(LoopExit reason) override;
    // Held, but the segment goes on a little: whoever pauses the machine meanwhile waits for its end, which is the guest's.
    bool on_the_way_to_hold() const override;
    void removed(Vcpu&) override { turn_ = nullptr; }
    bool wanted(Vcpu&) override { return !wants_nothing(); }

    void ask_all() override { queue_.ask_current(); }
    void tell_of_work(Vcpu& vcpu) override;
    void wake(Vcpu& vcpu) override;
    void deadline_set(uint64_t deadline_ns) override;

  private:
    void ask_from_outside();
    bool wants_nothing() const;
    bool turn_lasts() const;
    bool plan_segment(EpochDomain::Reader& reader);
    bool turn_goes_on() const;
    uint64_t next_stop() const;
    void sleep(EpochDomain::Reader& reader);
    void idle(EpochDomain::Reader& reader, uint64_t next);

    InsnClock& insns_;
    const Clock& clock_;
    // Whose turn it is (null: a new one begins), and when it ends. The thread's.
    Vcpu* turn_ = nullptr;
    uint64_t turn_end_ = 0;
    // An interrupt or a deadline came from another thread. Written by any thread, taken by this one.
    std::atomic<bool> outside_{false};
};

}  // namespace weft::accel
