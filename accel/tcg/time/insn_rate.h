// How long an instruction takes with the instruction clock: 2^shift nanoseconds. Of the vCPUs' thread.
//
// Chosen by the user, so that runs are equal; or adjusted now and then, so that guest time keeps near the host's. Also: whether guest
// time sleeps while all vCPUs wait.
#pragma once

#include <cstdint>

#include "accel/tcg/time/clock.h"

namespace weft::accel {

class InsnRate {
  public:
    // A microsecond: no processor that runs such guests is slower.
    static constexpr unsigned kMaxShift = 10;

    // 0 to kMaxShift. `sleeps`: while all vCPUs wait, time goes on as the host's does; else it jumps to the next deadline.
    explicit InsnRate(unsigned shift = 0, bool sleeps = false) : shift_(shift), sleeps_(sleeps) {}
    // Adjusts itself, and sleeps: time that jumps on could not be near the host's.
    static InsnRate automatic();

    unsigned shift() const { return shift_; }
    bool sleeps() const { return sleeps_; }

    // The guest's time at which adjust() is to be called again; kNever: it has not to.
    uint64_t check_at_ns() const { return check_at_ns_; }
    // At that time or later, between segments; `host_ns` of any clock that goes as the host's time does. An instruction becomes
    // shorter by half where the guest's time is ahead and gets further ahead, longer by as much where it is behind. A second
    // is the most that it makes up for: what is lost besides was lost to a pause.
    void adjust(uint64_t guest_ns, uint64_t host_ns);
    // The guest's time became another (InsnClock::set_now_ns): adjust() begins anew from there.
    void time_was_set();

  private:
    unsigned shift_;
    bool sleeps_;
    uint64_t check_at_ns_ = kNever;
    // How far the guest's time was ahead of the host's when it was looked at last, and what that is counted from.
    int64_t ahead_ns_ = 0;
    int64_t origin_ns_ = 0;
    uint64_t guest_ns_ = 0, host_ns_ = 0;  // when that was
    bool begun_ = false;
};

}  // namespace weft::accel
