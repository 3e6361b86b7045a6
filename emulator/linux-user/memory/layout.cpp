#include "emulator/linux-user/memory/layout.h"

#include <algorithm>

namespace weft::user {

namespace {

constexpr uint64_t kLeastStackZone = 128 * 1024 * 1024;
constexpr uint64_t kBelowStackZone = 1024 * 1024;

}  // namespace

Layout::Layout(uint64_t minimum, uint64_t limit, uint64_t stack_limit, uint64_t host_page)
    : minimum_(round_up(std::max(minimum, kGuestPage), kGuestPage)),
      limit_(limit),
      window_top_(std::min(limit, kWindowTop)),
      host_page_(host_page) {
    const uint64_t zone = std::min(std::max(kLeastStackZone, stack_limit), window_top_ / 6 * 5);
    mmap_base_ = round_down(window_top_ - zone, host_page_);
    // A space too small for the rest keeps what it has.
    mmap_base_ -= std::min(kBelowStackZone, mmap_base_ / 2);
    mmap_base_ = round_down(mmap_base_, host_page_);
}

uint64_t Layout::program_base() const { return round_down(window_top_ / 3 * 2, host_page_); }

bool Layout::contains(uint64_t start, uint64_t size) const {
    return start >= minimum_ && size <= limit_ && start <= limit_ - size;
}

bool Layout::hint_fits(IntervalTree tree, const Request& request, uint64_t address) const {
    if (address == 0 || !contains(address, request.size) || address % request.alignment != 0) {
        return false;
    }
    if (host_page_ > kGuestPage && address % host_page_ != request.offset % host_page_) {
        return false;
    }
    const uint64_t start = round_down(address, host_page_);
    const uint64_t end = round_up(address + request.size, host_page_);
    if (!tree.empty(start, end)) {
        return false;
    }
    // The gap that a growing mapping above keeps free.
    const Interval* above = tree.at_or_after(end);
    return above == nullptr || !above->attributes.growing || above->start - end >= kGuardGap;
}

std::optional<uint64_t> Layout::search(IntervalTree tree, const Request& request, uint64_t alignment) const {
    HoleRequest hole{.size = request.size,
                     .low = std::max(minimum_, kLowestChoice),
                     .high = mmap_base_,
                     .alignment = std::max(alignment, host_page_),
                     .phase = request.offset % host_page_,
                     .unit = host_page_,
                     .top_down = true};
    if (const auto found = tree.find_hole(hole)) {
        return found;
    }
    hole.high = window_top_;
    hole.top_down = false;
    if (const auto found = tree.find_hole(hole)) {
        return found;
    }
    hole.low = window_top_;
    hole.high = limit_;
    return tree.find_hole(hole);
}

std::optional<uint64_t> Layout::choose(IntervalTree tree, const Request& request) const {
    const uint64_t hint = round_down(request.hint, kGuestPage);
    if (hint_fits(tree, request, hint)) {
        return hint;
    }
    if (request.wish > request.alignment) {
        if (const auto found = search(tree, request, request.wish)) {
            return found;
        }
    }
    return search(tree, request, request.alignment);
}

}  // namespace weft::user
