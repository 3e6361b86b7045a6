// The fatal message of a process: threads fail for one reason together, and the first says why.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <thread>

namespace weft::user {

class FirstMessage {
  public:
    // Calls `print`, but not where it is called already, or was. Comes back when that is done: who comes second may end the process.
    // Any thread. A child of fork says what it has to say itself.
    template <class Print>
    void say(Print&& print) {
        const auto self = static_cast<int32_t>(::getpid());
        int32_t found = state_.load(std::memory_order_acquire);
        while (found != self && found != -self) {
            if (state_.compare_exchange_weak(found, self, std::memory_order_acq_rel,
                                             std::memory_order_acquire)) {
                print();
                state_.store(-self, std::memory_order_release);
                return;
            }
        }
        while (state_.load(std::memory_order_acquire) == self) {
            std::this_thread::yield();
        }
    }

  private:
    // Of the process that says it while it does, and that number negated when it was said. 0: nobody's.
    std::atomic<int32_t> state_{0};
};

}  // namespace weft::user
