#include "emulator/memory/region.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "emulator/memory/topology.h"

namespace weft::mem {

namespace {

void insert_child(std::vector<MemoryRegion::Child>& children, MemoryRegion::Child child) {
    const auto at =
        std::upper_bound(children.begin(), children.end(), child.priority,
                         [](int priority, const auto& other) { return priority < other.priority; });
    children.insert(at, std::move(child));
}

}  // namespace

MemoryRegion::MemoryRegion(Topology& topology, std::string name, RegionKind kind, uint64_t size)
    : topology_(topology),
      name_(std::move(name)),
      kind_(kind),
      last_(size == kEntireSpace ? UINT64_MAX : size - 1) {
    WEFT_ASSERT(size != 0);
}

MemoryRegion::~MemoryRegion() {
    for (const Child& child : children_) {
        child.region->parent_.store(nullptr, std::memory_order_relaxed);
    }
}

void MemoryRegion::add_subregion(uint64_t address, const RegionPtr& region, int priority) {
    WEFT_ASSERT(kind_ != RegionKind::alias && &region->topology_ == &topology_);
    Transaction transaction(topology_);
    WEFT_ASSERT(!region->has_parent() && region.get() != this);
    region->parent_.store(this, std::memory_order_relaxed);
    insert_child(children_, Child{region, address, priority});
    topology_.mark_changed();
}

void MemoryRegion::remove_subregion(MemoryRegion& region) {
    Transaction transaction(topology_);
    const auto at =
        std::ranges::find_if(children_, [&](const Child& c) { return c.region.get() == &region; });
    WEFT_ASSERT(at != children_.end());
    region.parent_.store(nullptr, std::memory_order_relaxed);
    children_.erase(at);
    topology_.mark_changed();
}

void MemoryRegion::move_subregion(MemoryRegion& region, uint64_t address) {
    Transaction transaction(topology_);
    const auto at =
        std::ranges::find_if(children_, [&](const Child& c) { return c.region.get() == &region; });
    WEFT_ASSERT(at != children_.end());
    Child child = std::move(*at);
    children_.erase(at);
    child.address = address;
    insert_child(children_, std::move(child));
    topology_.mark_changed();
}

void MemoryRegion::set_enabled(bool enabled) {
    Transaction transaction(topology_);
    if (enabled_ != enabled) {
        enabled_ = enabled;
        topology_.mark_changed();
    }
}

void MemoryRegion::set_target_offset(uint64_t offset) {
    WEFT_ASSERT(kind_ == RegionKind::alias);
    Transaction transaction(topology_);
    if (target_offset_ != offset) {
        target_offset_ = offset;
        topology_.mark_changed();
    }
}

}  // namespace weft::mem
