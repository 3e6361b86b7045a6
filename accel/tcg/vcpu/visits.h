// How often code without a translation was met lately. What is met rarely is run without one (GuestArch::run).
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/zeroed_array.h"

namespace weft::accel {

// What a visit says of the code that it came to.
enum class Visit : uint8_t {
    cold,     // met too seldom for a translation
    due,      // often enough, and nobody makes one yet
    awaited,  // somebody was asked to make one: set_awaited()
    hot,      // to be translated now: it was waited for long enough, or set_hot() says so
};

// The thread's that runs the vCPU.
class Visits {
  public:
    // Code is cold the first `limit` times it is met; 0: never. Until kFirst codes were met `first_limit` times, which is at least
    // `limit`, it is cold as often as that: most processes are short, and that much does not matter to the others.
    Visits(uint8_t limit, uint8_t first_limit) : Visits(limit, first_limit, make_counts(limit)) {}
    // What was counted; of make_counts(), or what another thread of the process has counted: code that is new to a thread need not be new
    // to the process, and most threads are short.
    struct Counts {
        ZeroedArray<uint8_t> codes;
        uint32_t used = 0;  // that are not zero
    };
    Visits(uint8_t limit, uint8_t first_limit, Counts counts)
        : limit_(std::min(first_limit, kMaxLimit)),
          later_limit_(std::min(limit, kMaxLimit)),
          counts_(std::move(counts)) {}
    // Throws std::bad_alloc.
    static Counts make_counts(uint8_t limit) {
        return limit == 0 ? Counts{} : Counts{ZeroedArray<uint8_t>(kEntries, PagesMade::at_once)};
    }
    // Gives them away: no visit is counted any more.
    Counts release_counts() { return std::move(counts_); }

    static constexpr uint8_t kPatience = 16;
    static constexpr uint8_t kHot = UINT8_MAX;
    // Counts from here on are of code that is awaited.
    static constexpr uint8_t kAwaited = kHot - kPatience;
    // Larger limits mean this one.
    static constexpr uint8_t kMaxLimit = kAwaited - 1;

    // Counts a visit to `pc`.
    Visit meet(uint64_t pc) {
        if (limit_ == 0) {
            return Visit::hot;
        }
        uint8_t& count = count_of(pc);
        if (count >= limit_) {
            if (count < kAwaited) {
                return Visit::due;
            }
            return count == kHot ? Visit::hot : (++count, Visit::awaited);
        }
        // Codes that share an entry are translated sooner. Were it never emptied, all would be in the end.
        if (count == 0 && ++counts_.used == kMaxUsed) {
            counts_.codes.clear();
            counts_.used = 1;
        }
        if (++count == limit_ && limit_ != later_limit_ && ++first_ == kFirst) {
            limit_ = later_limit_;
        }
        return Visit::cold;
    }

    // The code at `pc` is hot from now on.
    void set_hot(uint64_t pc) { count_of(pc) = kHot; }
    // Somebody was asked to translate the code at `pc`, which is due: it is hot if it is met kPatience times more.
    void set_awaited(uint64_t pc) { count_of(pc) = kAwaited; }

  private:
    // Folded first: multiplied as they are, pcs at equal distances share entries.
    uint8_t& count_of(uint64_t pc) {
        return counts_.codes[(pc ^ pc >> kIndexBits) * kMultiplier >> (64 - kIndexBits)];
    }

    static constexpr unsigned kFirst = 64;
    static constexpr unsigned kIndexBits = 15;
    static constexpr uint32_t kEntries = 1u << kIndexBits;
    static constexpr uint32_t kMaxUsed = kEntries / 2;
    static constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15;  // 2^64 by the golden ratio

    uint8_t limit_;
    const uint8_t later_limit_;
    Counts counts_;
    uint32_t first_ = 0;  // codes met limit_ times, while that is not later_limit_
};

}  // namespace weft::accel
