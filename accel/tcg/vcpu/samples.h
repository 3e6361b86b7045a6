// Where a vCPU is when an interrupt comes. Guests have themselves interrupted some hundred times a second: code that is met again
// and again runs most of the time.
#pragma once

#include <array>
#include <cstdint>

namespace weft::accel {

// One vCPU's, and its thread's: nothing is shared.
class Samples {
  public:
    // An interrupt came before the unit that begins at `start` (TbKey::start). True: that unit is hot; it is counted anew from then on.
    bool hot(uint64_t start) {
        Entry& entry = entries_[(start >> 1 ^ start >> 9) % kEntries];
        if (entry.start != start) {
            entry = {start, 0};  // what is met seldom makes way
        }
        if (++entry.count < kHot) {
            return false;
        }
        entry.count = 0;
        return true;
    }

  private:
    static constexpr unsigned kEntries = 256;
    static constexpr uint32_t kHot = 3;

    struct Entry {
        uint64_t start = 0;
        uint32_t count = 0;
    };
    std::array<Entry, kEntries> entries_{};
};

}  // namespace weft::accel
