// std::mutex and friends with clang's thread-safety annotations, which the standard types lack with libstdc++.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>

#include "base/thread_annotations.h"

namespace weft {

class WEFT_CAPABILITY("mutex") Mutex {
  public:
    Mutex() = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    void lock() WEFT_ACQUIRE() { mutex_.lock(); }
    void unlock() WEFT_RELEASE() { mutex_.unlock(); }
    bool try_lock() WEFT_TRY_ACQUIRE(true) { return mutex_.try_lock(); }

  private:
    friend class CondVar;
    std::mutex mutex_;
};

// Holds a Mutex for a scope; unlock() and lock() allow a gap in it.
class WEFT_SCOPED_CAPABILITY MutexLock {
  public:
    explicit MutexLock(Mutex& mutex) WEFT_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
    ~MutexLock() WEFT_RELEASE() {
        if (held_) {
            mutex_.unlock();
        }
    }
    MutexLock(const MutexLock&) = delete;
    MutexLock& operator=(const MutexLock&) = delete;

    void unlock() WEFT_RELEASE() {
        held_ = false;
        mutex_.unlock();
    }
    void lock() WEFT_ACQUIRE() {
        mutex_.lock();
        held_ = true;
    }

  private:
    Mutex& mutex_;
    bool held_ = true;
};

// A condition variable for Mutex. Callers loop over their condition: wake-ups may be spurious.
class CondVar {
  public:
    void wait(Mutex& mutex) WEFT_REQUIRES(mutex) {
        std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
        condition_.wait(lock);
        lock.release();
    }
    // Returns false when `deadline` passed.
    template <class Clock, class Duration>
    bool wait_until(Mutex& mutex, const std::chrono::time_point<Clock, Duration>& deadline)
        WEFT_REQUIRES(mutex) {
        std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
        const bool signalled = condition_.wait_until(lock, deadline) == std::cv_status::no_timeout;
        lock.release();
        return signalled;
    }
    void notify_one() { condition_.notify_one(); }
    void notify_all() { condition_.notify_all(); }
    // In a forked process, where who waited is no more: as if new. (It cannot be destroyed: it would wait for them.)
    void forget_waiters() { new (&condition_) std::condition_variable; }

  private:
    std::condition_variable condition_;
};

}  // namespace weft
