// The machine's timer thread: it lets alarms go off.
#pragma once

#include <atomic>
#include <cstdint>

#include "accel/tcg/time/clock.h"
#include "base/error.h"
#include "base/mutex.h"
#include "base/thread.h"

namespace weft::accel {

class TimerThread;

// Something to be done at a time. Registered as long as it exists.
class Alarm {
  public:
    // `ring` runs on the timer thread with its mutex held: it sets flags and wakes threads, nothing else.
    Alarm(TimerThread& timer, void (*ring)(void* context), void* context);
    ~Alarm();
    Alarm(const Alarm&) = delete;
    Alarm& operator=(const Alarm&) = delete;

    // Goes off at `ns` of the machine's clock, once; kNever: not. Replaces what was set before. Any thread, also within
    // the guest's and devices' locks.
    void set(uint64_t ns);
    uint64_t time_ns() const { return time_ns_.load(std::memory_order_seq_cst); }

    // If the time has come: true, and the alarm is not set any more. For a thread that waits for it by itself.
    bool take_if_due(uint64_t now_ns);
    // Whether a thread waits for it by itself: the timer thread ignores it then.
    void set_own(bool own);

  private:
    friend class TimerThread;

    TimerThread& timer_;
    void (*const ring_)(void* context);
    void* const context_;
    // Written by any thread, taken back by who let it go off; sequentially consistent, see TimerThread.
    std::atomic<uint64_t> time_ns_{kNever};
    std::atomic<bool> own_{false};
    Alarm* next_ = nullptr;  // guarded by the timer's mutex
};

// No wake-up is lost: who sets an alarm stores its time and then loads `wake_ns`; the timer thread stores `wake_ns` and
// then loads the times, holding the mutex until it sleeps. One of them sees the other.
class TimerThread {
  public:
    explicit TimerThread(const Clock& clock) : clock_(clock) {}
    ~TimerThread();
    TimerThread(const TimerThread&) = delete;
    TimerThread& operator=(const TimerThread&) = delete;

    // Once; alarms that were set before go off then.
    Result<> start();
    bool started() const { return thread_.joinable(); }

    // Around fork(2), of a process that never started it: another thread may make or end an alarm, which the child finds done or not
    // begun.
    void fork_prepare() WEFT_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
    void fork_over() WEFT_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }

  private:
    friend class Alarm;

    void run();
    void look_again(uint64_t time_ns);
    uint64_t earliest() WEFT_REQUIRES(mutex_);
    void ring_due() WEFT_REQUIRES(mutex_);

    const Clock& clock_;
    Thread thread_;
    std::atomic<uint64_t> wake_ns_{kNever};  // when the thread will look again; written by it
    Mutex mutex_;
    CondVar changed_;
    Alarm* alarms_ WEFT_GUARDED_BY(mutex_) = nullptr;
    bool stop_ WEFT_GUARDED_BY(mutex_) = false;
    uint64_t signals_ WEFT_GUARDED_BY(mutex_) = 0;
};

}  // namespace weft::accel
