// Blocking I/O of a machine whose accelerator makes the time: done on the vCPUs' thread, a fixed time after it was asked for,
// so that it completes at the same instruction in every run.
#pragma once

#include <cstdint>
#include <deque>

#include "base/mutex.h"
#include "weft/accel.h"

namespace weft::machine {

class DeterministicIo {
  public:
    // How long a request takes, in nanoseconds of the machine's time.
    static constexpr uint64_t kDelayNs = 20'000;

    // Both outlive it.
    DeterministicIo(const VirtualTimeOps& time, AccelInstance* accelerator)
        : time_(time), accelerator_(accelerator) {}
    ~DeterministicIo() { time_.set_timer(accelerator_, UINT64_MAX, nullptr, this); }
    DeterministicIo(const DeterministicIo&) = delete;
    DeterministicIo& operator=(const DeterministicIo&) = delete;

    // Runs fn(opaque) when its time has come, in the order of the calls. Any thread.
    void run(void (*fn)(void* opaque), void* opaque) WEFT_EXCLUDES(mutex_);

    // Does all there is, what that asks for included. While no vCPU runs.
    void drain() WEFT_EXCLUDES(mutex_);

  private:
    struct Request {
        void (*fn)(void* opaque);
        void* opaque;
        uint64_t due_ns;
    };

    void run_due() WEFT_EXCLUDES(mutex_);
    bool run_first() WEFT_EXCLUDES(mutex_);
    void arm(uint64_t due_ns);

    const VirtualTimeOps& time_;
    AccelInstance* const accelerator_;
    Mutex mutex_;  // a leaf; not held while a request runs
    std::deque<Request> requests_ WEFT_GUARDED_BY(mutex_);
};

}  // namespace weft::machine
