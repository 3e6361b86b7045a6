#include "emulator/memory/flat_view.h"

#include <algorithm>
#include <queue>
#include <utility>

#include "base/assert.h"

namespace weft::mem {

namespace {

// Deeper trees are cycles of aliases.
constexpr unsigned kMaxDepth = 64;

// A part of a region as it would be seen if nothing were in front of it. Layers are numbered from the back to the front.
struct Layer {
    uint64_t first, last;
    uint64_t offset;
    const RegionPtr* region;
    uint32_t number;
};

class Collector {
  public:
    // The window [low, high] of `region`, in offsets of its own, whose first byte is seen at `address`. All arithmetic is
    // in windows that were clipped already, so that nothing wraps.
    void visit(const RegionPtr& region, uint64_t low, uint64_t high, uint64_t address, unsigned depth = 0) {
        WEFT_ASSERT(depth < kMaxDepth);
        if (!region->enabled()) {
            return;
        }
        switch (region->kind()) {
            case RegionKind::alias:
                visit_target(*region, low, high, address, depth);
                return;
            case RegionKind::container:
                break;
            case RegionKind::ram:
            case RegionKind::rom:
            case RegionKind::io:
                layers_.push_back(Layer{address, address + (high - low), low, &region, next_number()});
                break;
        }
        for (const MemoryRegion::Child& child : region->children()) {
            const uint64_t start = std::max(low, child.address);
            const uint64_t end = child.region->last() > UINT64_MAX - child.address
                                     ? high
                                     : std::min(high, child.address + child.region->last());
            if (start <= end) {
                visit(child.region, start - child.address, end - child.address, address + (start - low),
                      depth + 1);
            }
        }
    }

    std::vector<Layer>& layers() { return layers_; }

  private:
    void visit_target(const MemoryRegion& alias, uint64_t low, uint64_t high, uint64_t address,
                      unsigned depth) {
        const uint64_t offset = alias.target_offset();
        const uint64_t last = alias.target()->last();
        if (offset > last || low > last - offset) {
            return;
        }
        visit(alias.target(), low + offset, std::min(high, last - offset) + offset, address, depth + 1);
    }

    uint32_t next_number() { return static_cast<uint32_t>(layers_.size()); }

    std::vector<Layer> layers_;
};

void append(std::vector<FlatRange>& ranges, const Layer& layer, uint64_t first, uint64_t last) {
    const uint64_t offset = layer.offset + (first - layer.first);
    if (!ranges.empty()) {
        FlatRange& before = ranges.back();
        if (before.region == *layer.region && before.last + 1 == first && before.offset_of(first) == offset) {
            before.last = last;
            return;
        }
    }
    ranges.push_back(FlatRange{first, last, offset, *layer.region});
}

}  // namespace

// A sweep over ascending addresses: the layers that cover the current address wait in a heap with the frontmost on top.
std::vector<FlatRange> FlatView::render(const RegionPtr& root) {
    std::vector<FlatRange> ranges;
    if (root == nullptr) {
        return ranges;
    }
    Collector collector;
    collector.visit(root, 0, root->last(), 0);
    std::vector<Layer>& layers = collector.layers();
    std::ranges::sort(layers, [](const Layer& a, const Layer& b) { return a.first < b.first; });

    const auto behind = [](const Layer* a, const Layer* b) { return a->number < b->number; };
    std::priority_queue<const Layer*, std::vector<const Layer*>, decltype(behind)> covering(behind);
    auto upcoming = layers.begin();
    uint64_t address = 0;
    while (upcoming != layers.end() || !covering.empty()) {
        if (covering.empty()) {
            address = upcoming->first;
        }
        for (; upcoming != layers.end() && upcoming->first == address; ++upcoming) {
            covering.push(&*upcoming);
        }
        while (!covering.empty() && covering.top()->last < address) {
            covering.pop();
        }
        if (covering.empty()) {
            continue;
        }
        const Layer& front = *covering.top();
        uint64_t last = front.last;
        if (upcoming != layers.end() && upcoming->first <= last) {
            last = upcoming->first - 1;
        }
        append(ranges, front, address, last);
        if (last == UINT64_MAX) {
            break;
        }
        address = last + 1;
    }
    return ranges;
}

const FlatRange* FlatView::next(uint64_t address) const {
    const auto at = std::ranges::lower_bound(ranges_, address, {}, &FlatRange::last);
    return at != ranges_.end() ? &*at : nullptr;
}

const FlatRange* FlatView::find_slowly(uint64_t address, size_t& hint) const {
    const FlatRange* const range = next(address);
    if (range == nullptr || range->first > address) {
        return nullptr;
    }
    hint = static_cast<size_t>(range - ranges_.data());
    return range;
}

RegionPtr effective_root(const RegionPtr& root) {
    RegionPtr region = root;
    for (unsigned depth = 0; region != nullptr; ++depth) {
        WEFT_ASSERT(depth < kMaxDepth);
        if (!region->enabled()) {
            return nullptr;
        }
        if (region->kind() == RegionKind::alias) {
            if (region->target_offset() != 0 || region->last() < region->target()->last()) {
                return region;
            }
            region = region->target();
            continue;
        }
        if (region->kind() != RegionKind::container) {
            return region;
        }
        const MemoryRegion::Child* only = nullptr;
        for (const MemoryRegion::Child& child : region->children()) {
            if (!child.region->enabled()) {
                continue;
            }
            if (only != nullptr) {
                return region;
            }
            only = &child;
        }
        if (only == nullptr) {
            return nullptr;
        }
        if (only->address != 0 || only->region->last() > region->last()) {
            return region;
        }
        region = only->region;
    }
    return nullptr;
}

}  // namespace weft::mem
