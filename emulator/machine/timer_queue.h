// One-shot timers on the host's monotonic clock, behind one descriptor that a main loop waits for.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "base/error.h"
#include "base/mutex.h"
#include "base/unique_fd.h"

namespace weft::machine {

// CLOCK_MONOTONIC and CLOCK_REALTIME, in nanoseconds.
uint64_t monotonic_ns();
uint64_t realtime_ns();

class TimerQueue {
  public:
    using Function = void (*)(void* opaque);

    static Result<std::unique_ptr<TimerQueue>> create();
    TimerQueue(const TimerQueue&) = delete;
    TimerQueue& operator=(const TimerQueue&) = delete;

    // Readable once a deadline has passed.
    int fd() const { return timer_.get(); }

    // fn(opaque) at `deadline_ns`, once; an earlier deadline of `opaque` is forgotten; UINT64_MAX is never. Any thread,
    // also from within a callback. A callback that run_due() has begun is not stopped by this.
    void set(uint64_t deadline_ns, Function fn, void* opaque);

    // Held, none is due, however late; until it is let go. The owner's thread only.
    void hold(bool held);

    // Calls what is due, without a lock held. The owner's thread only.
    void run_due();

  private:
    struct Timer {
        uint64_t deadline_ns;
        Function fn;
    };

    explicit TimerQueue(UniqueFd timer) : timer_(std::move(timer)) {}
    void arm() WEFT_REQUIRES(mutex_);

    const UniqueFd timer_;                                   // a timerfd, set to the earliest deadline
    Mutex mutex_;                                            // a leaf
    std::map<void*, Timer> timers_ WEFT_GUARDED_BY(mutex_);  // a machine has a handful
    bool held_ WEFT_GUARDED_BY(mutex_) = false;
};

}  // namespace weft::machine
