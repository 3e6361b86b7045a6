// A lock for critical sections of a few dozen instructions that never block.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>

#include "base/thread_annotations.h"

namespace weft {

// Tells the processor that this is a spin loop.
inline void cpu_relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield" ::: "memory");
#endif
}

// Waiting in a loop: pauses at first, then gives the processor away, because the one waited for may have lost
// its own (more vCPUs than host processors is the ordinary case).
class SpinWait {
  public:
    void once() {
        if (spins_ < kPauses) {
            ++spins_;
            cpu_relax();
        } else {
            sched_yield();
        }
    }

  private:
    static constexpr unsigned kPauses = 128;
    unsigned spins_ = 0;
};

// Four bytes, zero when free. Not recursive, not fair.
class WEFT_CAPABILITY("spin lock") SpinLock {
  public:
    constexpr SpinLock() = default;
    SpinLock(const SpinLock&) = delete;
    SpinLock& operator=(const SpinLock&) = delete;

    void lock() WEFT_ACQUIRE() {
        SpinWait wait;
        // acquire; pairs with the release in unlock().
        while (word_.exchange(1, kTaking) != 0) {
            // Only reading while it is taken keeps the line shared among those who wait.
            while (word_.load(std::memory_order_relaxed) != 0) {
                wait.once();
            }
        }
    }

    bool try_lock() WEFT_TRY_ACQUIRE(true) {
        return word_.load(std::memory_order_relaxed) == 0 &&
               word_.exchange(1, std::memory_order_acquire) == 0;
    }

    // release; pairs with the acquire in lock() and try_lock().
    void unlock() WEFT_RELEASE() { word_.store(0, std::memory_order_release); }

  private:
#ifdef WEFT_PLANT_NO_ACQUIRE
    // A fault that tests/tsan plants: ThreadSanitizer must find it.
    static constexpr std::memory_order kTaking = std::memory_order_relaxed;
#else
    static constexpr std::memory_order kTaking = std::memory_order_acquire;
#endif

    std::atomic<std::uint32_t> word_{0};
};

class WEFT_SCOPED_CAPABILITY SpinLockGuard {
  public:
    explicit SpinLockGuard(SpinLock& lock) WEFT_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
    ~SpinLockGuard() WEFT_RELEASE() { lock_.unlock(); }
    SpinLockGuard(const SpinLockGuard&) = delete;
    SpinLockGuard& operator=(const SpinLockGuard&) = delete;

  private:
    SpinLock& lock_;
};

}  // namespace weft
