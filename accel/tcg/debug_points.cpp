#include "accel/tcg/debug_points.h"

#include <algorithm>
#include <utility>

#include "weft/memory.h"

namespace weft::accel {

namespace {

// Whether [a, a + a_size) and [b, b + b_size) share an address; both wrap around, and neither is empty.
bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) {
    return b - a < a_size || a - b < b_size;
}

bool wants(DebugPoint::Kind kind, bool loads, bool stores) {
    return kind == DebugPoint::Kind::access || (kind == DebugPoint::Kind::load && loads) ||
           (kind == DebugPoint::Kind::store && stores);
}

}  // namespace

void DebugPoints::set(std::span<const DebugPoint> points) {
    breakpoints_.clear();
    watchpoints_.clear();
    std::vector<uint64_t> breakpoints;
    std::vector<DebugPoint> watchpoints;
    for (const DebugPoint& point : points) {
        if (point.kind == DebugPoint::Kind::breakpoint) {
            breakpoints.push_back(point.address);
        } else {
            watchpoints.push_back(point);
        }
    }
    std::ranges::sort(breakpoints);
    breakpoints_ = std::move(breakpoints);
    watchpoints_ = std::move(watchpoints);
}

bool DebugPoints::breakpoint_at(uint64_t pc) const { return std::ranges::binary_search(breakpoints_, pc); }

bool DebugPoints::breakpoint_in_page(uint64_t pc) const {
    const uint64_t page = pc & ~(kPageSize - 1);
    const auto first = std::ranges::lower_bound(breakpoints_, page);
    return first != breakpoints_.end() && *first - page < kPageSize;
}

uint64_t DebugPoints::next_stop(uint64_t pc) const {
    const uint64_t page = pc & ~(kPageSize - 1);
    const auto next = std::ranges::upper_bound(breakpoints_, pc);
    return next != breakpoints_.end() && *next - page < kPageSize ? *next : page + kPageSize;
}

bool DebugPoints::watched_page(uint64_t vaddr) const {
    const uint64_t page = vaddr & ~(kPageSize - 1);
    return std::ranges::any_of(watchpoints_, [page](const DebugPoint& point) {
        return overlap(page, kPageSize, point.address, point.size);
    });
}

std::optional<WatchHit> DebugPoints::watch_hit(uint64_t vaddr, unsigned size, bool loads, bool stores) const {
    for (const DebugPoint& point : watchpoints_) {
        if (wants(point.kind, loads, stores) && overlap(vaddr, size, point.address, point.size)) {
            // Where the access begins within the point, its first byte is.
            return WatchHit{point.kind, vaddr - point.address < point.size ? vaddr : point.address};
        }
    }
    return std::nullopt;
}

}  // namespace weft::accel
