// The machine's time: nanoseconds of the host's monotonic clock since the machine was made.
#pragma once

#include <chrono>
#include <cstdint>

namespace weft::accel {

class Clock {
  public:
    using Time = std::chrono::steady_clock::time_point;

    // Any thread.
    uint64_t now_ns() const {
        return static_cast<uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start_)
                .count());
    }
    // The host's time of a machine's time. What lies beyond the host clock's range becomes its end.
    Time host_time(uint64_t ns) const {
        const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(Time::max() - start_).count();
        return ns < static_cast<uint64_t>(rest) ? start_ + std::chrono::nanoseconds(static_cast<int64_t>(ns))
                                                : Time::max();
    }

  private:
    const Time start_ = std::chrono::steady_clock::now();
};

inline constexpr uint64_t kNever = UINT64_MAX;

}  // namespace weft::accel
