#include "accel/tcg/time/alarm.h"

#include <algorithm>
#include <utility>

namespace weft::accel {

Alarm::Alarm(TimerThread& timer, void (*ring)(void* context), void* context)
    : timer_(timer), ring_(ring), context_(context) {
    MutexLock lock(timer_.mutex_);
    next_ = timer_.alarms_;
    timer_.alarms_ = this;
}

Alarm::~Alarm() {
    MutexLock lock(timer_.mutex_);
    Alarm** place = &timer_.alarms_;
    while (*place != this) {
        place = &(*place)->next_;
    }
    *place = next_;
}

void Alarm::set(uint64_t ns) {
    time_ns_.store(ns, std::memory_order_seq_cst);
    if (!own_.load(std::memory_order_seq_cst)) {
        timer_.look_again(ns);
    }
}

bool Alarm::take_if_due(uint64_t now_ns) {
    uint64_t time = time_ns();
    return time <= now_ns && time_ns_.compare_exchange_strong(time, kNever, std::memory_order_seq_cst);
}

void Alarm::set_own(bool own) {
    own_.store(own, std::memory_order_seq_cst);
    if (!own) {
        timer_.look_again(time_ns());
    }
}

TimerThread::~TimerThread() {
    {
        MutexLock lock(mutex_);
        stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

Result<> TimerThread::start() {
    auto thread = Thread::start("timer/TCG", [this] { run(); });
    if (!thread) {
        return std::unexpected(thread.error());
    }
    thread_ = std::move(*thread);
    return {};
}

void TimerThread::look_again(uint64_t time_ns) {
    if (time_ns >= wake_ns_.load(std::memory_order_seq_cst)) {
        return;
    }
    {
        MutexLock lock(mutex_);
        ++signals_;
    }
    changed_.notify_one();
}

uint64_t TimerThread::earliest() {
    uint64_t earliest = kNever;
    for (const Alarm* alarm = alarms_; alarm != nullptr; alarm = alarm->next_) {
        if (!alarm->own_.load(std::memory_order_seq_cst)) {
            earliest = std::min(earliest, alarm->time_ns());
        }
    }
    return earliest;
}

void TimerThread::ring_due() {
    const uint64_t now = clock_.now_ns();
    for (Alarm* alarm = alarms_; alarm != nullptr; alarm = alarm->next_) {
        if (!alarm->own_.load(std::memory_order_seq_cst) && alarm->take_if_due(now)) {
            alarm->ring_(alarm->context_);
        }
    }
}

void TimerThread::run() {
    wake_exactly();
    MutexLock lock(mutex_);
    while (!stop_) {
        ring_due();
        const uint64_t seen = signals_;
        // Stored before the times are read again: see the class.
        uint64_t wake = earliest();
        wake_ns_.store(wake, std::memory_order_seq_cst);
        wake = std::min(wake, earliest());
        while (!stop_ && signals_ == seen) {
            if (wake == kNever) {
                changed_.wait(mutex_);
            } else if (!changed_.wait_until(mutex_, clock_.host_time(wake))) {
                break;
            }
        }
        // Whoever sets an alarm now need not signal: it is looked at before the thread sleeps again.
        wake_ns_.store(0, std::memory_order_seq_cst);
    }
}

}  // namespace weft::accel
