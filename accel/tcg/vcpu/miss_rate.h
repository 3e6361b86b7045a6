// How often something fails that generated code relies on: by the place in that code, and as a rate.
#pragma once

#include <array>
#include <cstdint>

namespace weft::accel {

// One vCPU's, and its thread's: nothing is shared.
class MissRate {
  public:
    // `many` misses at one place within 10 ms are too many.
    explicit MissRate(uint32_t many) : many_(many) {}

    // There was a miss in code whose call returns to `host_pc`, at `now_ns()`. True where that happens too often; it is counted anew
    // from then on.
    template <class Now>
    bool too_often(uint64_t host_pc, Now&& now_ns) {
        Entry& entry = entries_[(host_pc ^ host_pc >> 8) % kEntries];
        if (entry.host_pc != host_pc) {
            entry = {host_pc, 0, now_ns()};
        }
        if (++entry.count < many_) {
            return false;
        }
        const uint64_t since = entry.since_ns;
        entry = {};
        return now_ns() - since < kPeriodNs;
    }

  private:
    static constexpr unsigned kEntries = 64;
    static constexpr uint64_t kPeriodNs = 10'000'000;

    struct Entry {
        uint64_t host_pc = 0;
        uint32_t count = 0;
        uint64_t since_ns = 0;  // when the first was met
    };
    const uint32_t many_;
    std::array<Entry, kEntries> entries_{};
};

}  // namespace weft::accel
