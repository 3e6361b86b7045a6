// How often accesses that share a TLB probe reach over a page's end: see blocks/ungrouped_code.h.
#pragma once

#include <array>
#include <cstdint>

namespace weft::accel {

// How often the groups of accesses of one vCPU that share a probe reach over a page's end. The thread's that runs the vCPU.
class PageCrossRate {
  public:
    // The first access of a group, whose call returns to `host_pc`, did so at `now_ns()`. True where it does so too often: a group that does
    // not reach this costs a thousandth of the vCPU's time at most.
    template <class Now>
    bool too_often(uint64_t host_pc, Now&& now_ns) {
        Entry& entry = entries_[(host_pc ^ host_pc >> 8) % kEntries];
        if (entry.host_pc != host_pc) {
            entry = {host_pc, 0, now_ns()};
        }
        if (++entry.count < kMany) {
            return false;
        }
        const uint64_t since = entry.since_ns;
        entry = {};
        return now_ns() - since < kPeriodNs;
    }

  private:
    static constexpr unsigned kEntries = 64;
    static constexpr uint32_t kMany = 32;
    static constexpr uint64_t kPeriodNs = 10'000'000;

    struct Entry {
        uint64_t host_pc = 0;
        uint32_t count = 0;
        uint64_t since_ns = 0;  // when the first was met
    };
    std::array<Entry, kEntries> entries_{};
};

}  // namespace weft::accel
