// How many vCPU threads of a machine want a host processor, and whether there are too few processors for them.
#pragma once

#include <atomic>
#include <cstdint>

namespace weft::accel {

class RunnableThreads {
  public:
    // `processors`: how many the threads may run on; kAnyNumber: never too few.
    static constexpr uint32_t kAnyNumber = UINT32_MAX;
    explicit RunnableThreads(uint32_t processors) : processors_(processors) {}
    RunnableThreads(const RunnableThreads&) = delete;
    RunnableThreads& operator=(const RunnableThreads&) = delete;

    // How many processors the calling thread, and those it starts, may run on (sched_getaffinity(2)); kAnyNumber if the
    // host does not say.
    static uint32_t host_processors();

    // A thread begins or ceases to want a processor. Who wakes a thread counts it: the woken one may wait long for a
    // processor, and this is what is to be known meanwhile. Any thread.
    void add() { count_.fetch_add(1, std::memory_order_relaxed); }
    void remove() { count_.fetch_sub(1, std::memory_order_relaxed); }

    // Whether more threads want a processor than there are. Any thread; a snapshot.
    bool crowded() const { return count_.load(std::memory_order_relaxed) > processors_; }

  private:
    const uint32_t processors_;
    std::atomic<uint32_t> count_{0};
};

}  // namespace weft::accel
