#include "accel/tcg/blocks/provisional.h"

#include <algorithm>

namespace weft::accel {

void ProvisionalBlocks::add(tcg::TranslationBlock& tb, CodePage& page) {
    SpinLockGuard guard(lock_);
    entries_.push_back({&tb, &page});
}

void ProvisionalBlocks::remove(const tcg::TranslationBlock& tb) {
    SpinLockGuard guard(lock_);
    std::erase_if(entries_, [&tb](const Entry& entry) { return entry.tb == &tb; });
}

bool ProvisionalBlocks::holds(const Entry& entry) {
    SpinLockGuard guard(lock_);
    return std::ranges::any_of(
        entries_, [&entry](const Entry& each) { return each.tb == entry.tb && each.page == entry.page; });
}

std::vector<ProvisionalBlocks::Entry> ProvisionalBlocks::list() {
    SpinLockGuard guard(lock_);
    std::erase_if(entries_, [](const Entry& entry) {
        const uint32_t state = entry.tb->state.load(std::memory_order_acquire);
        return (state & tcg::kTbProvisional) == 0 || (state & tcg::kTbWithdrawn) != 0;
    });
    return entries_;
}

void ProvisionalBlocks::remove_region(tcg::RegionId region) {
    SpinLockGuard guard(lock_);
    std::erase_if(entries_, [region](const Entry& entry) { return entry.tb->region == region; });
}

void ProvisionalBlocks::clear() {
    SpinLockGuard guard(lock_);
    entries_.clear();
}

}  // namespace weft::accel
