// The scheduler with the host's clock: the vCPUs of a thread take turns, and run at the host's pace. A vCPU that pauses while
// others wait for their turn gives way to them. For threads that have nothing to run see SharedVcpus.
//
// Guests expect that their harts run all at the same time, and four rules keep what they do then short:
//
// - A vCPU that was kicked runs at once, but shortly: other harts often wait for what it does now (the flush of its TLB).
//   Then the turn that it interrupted goes on.
// - A vCPU that pauses again and again waits for another one, and passes its turn on. Where other threads run vCPUs it first
//   pauses for some microseconds: most locks are held for less.
// - A turn ends where the guest runs a user program, if it comes to that soon: others would wait for the locks of its kernel
//   and firmware otherwise, the latter without a pause.
// - When it has what it waited for, it passes its turn on as soon as it runs a user program, where it holds no lock of its
//   kernel. Spin locks that are handed on in order of arrival make a queue of all vCPUs otherwise, which never ends: each
//   handing-on needs a change of turns, and whoever had the lock is back before the queue is empty.
#pragma once

#include <atomic>

#include "accel/tcg/run/scheduler.h"
#include "accel/tcg/time/alarm.h"
#include "accel/tcg/time/clock.h"

namespace weft::accel {

class Turns final : public Scheduler {
  public:
    // All of it outlives this. `shared`: null where the thread keeps its vCPUs.
    Turns(RunQueue& queue, const ExclusiveGate& gate, TimerThread& timer, const Clock& clock,
          SharedVcpus* shared);

    Vcpu* next(EpochDomain::Reader& reader) override;
    Vcpu* after_pause(Vcpu& vcpu) override;
    void ran(LoopExit reason) override;
    void removed(Vcpu&) override {}
    bool wanted(Vcpu& vcpu) override;

    void ask_all() override { queue_.ask_each(); }
    void tell_of_work(Vcpu& vcpu) override;
    void wake(Vcpu& vcpu) override;
    void deadline_set(uint64_t deadline_ns) override;

  private:
    // Why the turn is over.
    enum Over : uint8_t { kSliceEnded = 1, kKicked = 2 };

    Vcpu* choose();
    void end_turn(Over why);
    bool take_one();
    void sleep(EpochDomain::Reader& reader);

    const Clock& clock_;
    SharedVcpus* const shared_;
    Alarm slice_;  // the end of a vCPU's turn, where others wait for theirs

    // The thread's.
    bool shares_ = false;       // others wait for their turn
    bool out_of_turn_ = false;  // who runs was kicked, and it was another one's turn
    bool in_grace_ = false;     // the turn's end is put off
    bool again_ = false;        // whose turn it was is to have the rest of it
    unsigned kicks_in_a_row_ = 0;
    uint64_t slice_end_ns_ = 0;
    uint64_t entries_at_pause_ = 0;  // the vCPU's entries from the loop, or past it, at its last pause
    unsigned pauses_ = 0;            // in a row

    // Over bits. Written by any thread, taken by this one.
    std::atomic<uint8_t> over_{0};
};

}  // namespace weft::accel
