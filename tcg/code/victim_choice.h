// Which full region to empty: by what look-ups found of it lately.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "tcg/code/region_record.h"
#include "tcg/code/tb.h"

namespace weft::tcg {

// Time goes by in rounds: one between two choices.
class VictimChoice {
  public:
    explicit VictimChoice(size_t regions) { candidates_.reserve(regions); }

    // Notes that a look-up found the TB. True for the first time in a round: then its bytes count, in RegionRecord::found. Any
    // thread; cheap: a store once a round and TB.
    bool first_use(TranslationBlock& tb) const {
        const uint16_t round = round_.load(std::memory_order_relaxed);
        if (tb.used_in.load(std::memory_order_relaxed) == round) {
            return false;
        }
        tb.used_in.store(round, std::memory_order_relaxed);
        return true;
    }

    // A choice: begin(), then offer() each region, with the sequence number of its lease where it is full, then end().
    void begin() { candidates_.clear(); }
    void offer(RegionRecord& region, bool full, uint64_t sequence);
    // Among the older half of those that are full, the one of whose code look-ups found least, lately; of equals the one
    // that was taken first. nullopt where none is full. A new round begins.
    std::optional<RegionId> end();

  private:
    struct Candidate {
        RegionId id;
        uint32_t warmth;
        uint64_t sequence;
    };
    std::vector<Candidate> candidates_;
    // Descriptors begin with 0. Written by who chooses, under the region lock; read by anybody; relaxed.
    std::atomic<uint16_t> round_{1};
};

}  // namespace weft::tcg
