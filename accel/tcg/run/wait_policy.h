// When a vCPU lets others run, where there are too few host processors for all.
//
// A guest that waits for another vCPU says so by PAUSE in a loop. Two things follow from many of these in a short time
// (hypervisors know them as pause-loop exits):
//
// - The thread yields its processor, so that the vCPU waited for can run.
// - It rests when its guest next runs a user program. Locks that are handed on in order of arrival (Linux's spin locks on
//   RISC-V) make a convoy: as soon as one in the queue has no processor, every handing-on takes a change of threads, and
//   whoever had the lock comes back to the end of the queue before the queue is empty. Measured, a lock then takes a
//   hundred times as long, and stays so. Yielding alone does not end it. A kernel that runs a user program neither holds
//   a spin lock nor waits for one, so a vCPU that rests there keeps nobody waiting; as many as there are processors for
//   go on, alone.
//
// One a vCPU thread. Knows neither clocks nor threads.
#pragma once

#include <cstdint>

namespace weft::accel {

class WaitPolicy {
  public:
    // So many pauses within so long are a wait. A round of a loop that only waits takes a tenth of a microsecond.
    static constexpr unsigned kPauses = 32;
    static constexpr uint64_t kWindowNs = 100'000;
    // How long it rests. Any kick ends it.
    static constexpr uint64_t kRestNs = 3'000'000;
    // Having kicked a vCPU that does not run: how long it sleeps at a time until that one has seen it, and how often.
    static constexpr uint64_t kKickSleepNs = 50'000;
    static constexpr unsigned kKickSleeps = 20;

    // The vCPU paused: whether its thread yields. `crowded`: there are too few processors. `now` gives the time in
    // nanoseconds; it is asked for at the first and at the last of kPauses pauses.
    template <class Now>
    bool paused(bool crowded, const Now& now) {
        if (!crowded) {
            pauses_ = 0;
            return false;
        }
        if (pauses_ == 0) {
            since_ns_ = now();
        }
        if (++pauses_ < kPauses) {
            return false;
        }
        pauses_ = 0;
        if (now() - since_ns_ > kWindowNs) {
            return false;
        }
        rest_due_ = true;
        return true;
    }

    // Whether it is to rest when the guest next runs a user program.
    bool rest_due() const { return rest_due_; }
    // It runs one: whether it rests now. Asked once for each wait.
    bool rests(bool crowded) {
        const bool due = rest_due_;
        rest_due_ = false;
        return due && crowded;
    }
    // It was halted: what it waited for has come.
    void halted() {
        pauses_ = 0;
        rest_due_ = false;
    }

  private:
    unsigned pauses_ = 0;
    uint64_t since_ns_ = 0;  // when the first of them was
    bool rest_due_ = false;
};

}  // namespace weft::accel
