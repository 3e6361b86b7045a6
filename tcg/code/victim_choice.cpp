#include "tcg/code/victim_choice.h"

#include <algorithm>

namespace weft::tcg {

void VictimChoice::offer(RegionRecord& region, bool full, uint64_t sequence) {
    region.warmth = region.warmth / 2 + region.found.exchange(0, std::memory_order_relaxed);
    if (full) {
        candidates_.push_back({region.id, region.warmth, sequence});
    }
}

std::optional<RegionId> VictimChoice::end() {
    const uint16_t round = round_.load(std::memory_order_relaxed);
    round_.store(round == UINT16_MAX ? 1 : static_cast<uint16_t>(round + 1), std::memory_order_relaxed);
    if (candidates_.empty()) {
        return std::nullopt;
    }
    std::ranges::sort(candidates_, {}, &Candidate::sequence);
    // The younger ones have not had their time to be found.
    candidates_.resize((candidates_.size() + 1) / 2);
    return std::ranges::min_element(candidates_, {}, &Candidate::warmth)->id;
}

}  // namespace weft::tcg
