#include "emulator/machine/timer_queue.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <vector>

#include "base/assert.h"

namespace weft::machine {

namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;

uint64_t clock_ns(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<uint64_t>(now.tv_sec) * kNsPerSecond + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

uint64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }
uint64_t realtime_ns() { return clock_ns(CLOCK_REALTIME); }

Result<std::unique_ptr<TimerQueue>> TimerQueue::create() {
    UniqueFd timer(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    if (!timer) {
        return fail_errno("cannot create a timer");
    }
    return std::unique_ptr<TimerQueue>(new TimerQueue(std::move(timer)));
}

void TimerQueue::set(uint64_t deadline_ns, Function fn, void* opaque) {
    MutexLock lock(mutex_);
    if (deadline_ns == UINT64_MAX) {
        timers_.erase(opaque);
    } else {
        timers_.insert_or_assign(opaque, Timer{deadline_ns, fn});
    }
    arm();
}

void TimerQueue::hold(bool held) {
    MutexLock lock(mutex_);
    held_ = held;
    arm();
}

void TimerQueue::run_due() {
    uint64_t expirations = 0;
    // Nothing to read where the deadline was moved since the loop woke up; what is due is decided below.
    [[maybe_unused]] const ssize_t count = ::read(timer_.get(), &expirations, sizeof expirations);
    std::vector<std::pair<void*, Timer>> due;
    {
        MutexLock lock(mutex_);
        const uint64_t now = monotonic_ns();
        for (const auto& [opaque, timer] : timers_) {
            if (timer.deadline_ns <= now && !held_) {
                due.emplace_back(opaque, timer);
            }
        }
        for (const auto& [opaque, timer] : due) {
            timers_.erase(opaque);
        }
        arm();
    }
    std::ranges::sort(due, {}, [](const auto& entry) { return entry.second.deadline_ns; });
    for (const auto& [opaque, timer] : due) {
        timer.fn(opaque);
    }
}

void TimerQueue::arm() {
    itimerspec setting{};  // all zero: disarmed
    if (!timers_.empty() && !held_) {
        const auto first =
            std::ranges::min_element(timers_, {}, [](const auto& entry) { return entry.second.deadline_ns; });
        // Zero would disarm it; a deadline in the past fires at once, as it should.
        const uint64_t deadline = std::max<uint64_t>(first->second.deadline_ns, 1);
        setting.it_value.tv_sec = static_cast<time_t>(deadline / kNsPerSecond);
        setting.it_value.tv_nsec = static_cast<long>(deadline % kNsPerSecond);
    }
    WEFT_ASSERT(timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &setting, nullptr) == 0);
}

}  // namespace weft::machine
