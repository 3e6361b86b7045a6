#include "emulator/memory/topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace weft::mem {

AddressSpace::AddressSpace(Topology& topology, std::string name, RegionPtr root)
    : topology_(topology), name_(std::move(name)), root_(std::move(root)), view_(&topology.empty_view_) {
    try {
        Transaction transaction(topology_);
        topology_.spaces_.push_back(this);
        topology_.mark_changed();
    } catch (const std::bad_alloc&) {
        leave();
        throw;
    }
}

AddressSpace::~AddressSpace() { leave(); }

void AddressSpace::leave() noexcept {
    try {
        Transaction transaction(topology_);
        std::erase(topology_.spaces_, this);
        topology_.mark_changed();
    } catch (const std::bad_alloc&) {
        // What it alone showed goes with the next transaction, or with the topology.
    }
}

void AddressSpace::set_root(RegionPtr root) {
    Transaction transaction(topology_);
    root_ = std::move(root);
    topology_.mark_changed();
}

Topology::Topology(const HostCalls& calls) : ram_space_(std::make_shared<RamSpace>(calls)) {}

Topology::~Topology() { WEFT_ASSERT(spaces_.empty() && listeners_.empty()); }

RegionPtr Topology::make(std::string name, RegionKind kind, uint64_t size) {
    return RegionPtr(new MemoryRegion(*this, std::move(name), kind, size));
}

RegionPtr Topology::container(std::string name, uint64_t size) {
    return make(std::move(name), RegionKind::container, size);
}

RegionPtr Topology::alias(std::string name, RegionPtr target, uint64_t offset, uint64_t size) {
    WEFT_ASSERT(target != nullptr);
    RegionPtr region = make(std::move(name), RegionKind::alias, size);
    region->target_ = std::move(target);
    region->target_offset_ = offset;
    return region;
}

RegionPtr Topology::ram(std::shared_ptr<RamBlock> block) {
    RegionPtr region = make(block->name(), RegionKind::ram, block->size());
    region->ram_ = std::move(block);
    return region;
}

RegionPtr Topology::rom(std::shared_ptr<RamBlock> block) {
    RegionPtr region = make(block->name(), RegionKind::rom, block->size());
    region->ram_ = std::move(block);
    return region;
}

RegionPtr Topology::rom(std::shared_ptr<RamBlock> block, const MemoryRegionOps& ops, void* opaque,
                        Mutex* lock) {
    RegionPtr region = rom(std::move(block));
    region->ops_ = &ops;
    region->opaque_ = opaque;
    region->lock_ = lock;
    return region;
}

RegionPtr Topology::io(std::string name, uint64_t size, const MemoryRegionOps& ops, void* opaque, Mutex* lock,
                       std::shared_ptr<void> keepalive) {
    WEFT_ASSERT(ops.valid.min <= ops.valid.max && ops.valid.max <= 8);
    WEFT_ASSERT(ops.impl.min <= ops.impl.max && ops.impl.max <= 8);
    RegionPtr region = make(std::move(name), RegionKind::io, size);
    region->ops_ = &ops;
    region->opaque_ = opaque;
    region->lock_ = lock;
    region->keepalive_ = std::move(keepalive);
    return region;
}

void Topology::add_listener(TopologyListener& listener) {
    Transaction transaction(*this);
    listeners_.push_back(&listener);
}

void Topology::remove_listener(TopologyListener& listener) {
    Transaction transaction(*this);
    std::erase(listeners_, &listener);
}

void Topology::begin() WEFT_NO_THREAD_SAFETY_ANALYSIS {
    // Relaxed: only this thread ever stores its own id, and it does so holding the lock.
    if (owner_.load(std::memory_order_relaxed) != std::this_thread::get_id()) {
        mutex_.lock();
        owner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    }
    ++depth_;
}

void Topology::unlock() WEFT_NO_THREAD_SAFETY_ANALYSIS {
    owner_.store(std::thread::id(), std::memory_order_relaxed);
    mutex_.unlock();
}

void Topology::commit(bool publishes) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    if (--depth_ != 0) {
        return;
    }
    Changeover* changeover = nullptr;
    std::vector<TopologyListener*> told;
    if (changed_ && publishes) {
        try {
            told = listeners_;
            changeover = publish();
        } catch (const std::bad_alloc&) {
            unlock();  // nothing was published; the next transaction tries again
            throw;
        }
        changed_ = false;
        if (changeover != nullptr) {
            changeover->waiting.store(static_cast<unsigned>(told.size()) + 1, std::memory_order_relaxed);
        }
    }
    unlock();
    if (changeover == nullptr) {
        return;
    }
    for (TopologyListener* listener : told) {
        listener->topology_changed(acknowledged, changeover);
    }
    acknowledged(changeover);
    epochs_.poll();
}

// All or, where there is no memory, nothing: everything is made before the first address space changes.
Topology::Changeover* Topology::publish() {
    std::map<const MemoryRegion*, std::unique_ptr<const FlatView>> fresh;
    std::vector<const MemoryRegion*> kept;  // roots of views that stay
    std::vector<std::pair<AddressSpace*, const FlatView*>> shown;
    for (AddressSpace* space : spaces_) {
        const RegionPtr root = effective_root(space->root_);
        const FlatView* view = nullptr;
        const auto before = views_.find(root.get());
        if (const auto known = fresh.find(root.get()); known != fresh.end()) {
            view = known->second.get();
        } else if (std::ranges::find(kept, root.get()) != kept.end()) {
            view = before->second.get();
        } else if (std::vector<FlatRange> ranges = FlatView::render(root); ranges.empty()) {
            view = &empty_view_;
        } else if (before != views_.end() && before->second->ranges() == ranges) {
            kept.push_back(root.get());
            view = before->second.get();
        } else {
            auto made = std::make_unique<const FlatView>(std::move(ranges));
            view = made.get();
            fresh.emplace(root.get(), std::move(made));
        }
        if (view != space->view_.load(std::memory_order_relaxed)) {
            shown.emplace_back(space, view);
        }
    }
    std::list<std::unique_ptr<Changeover>> entry;
    entry.push_back(std::make_unique<Changeover>());
    Changeover* const changeover = entry.front().get();
    changeover->topology = this;
    changeover->views.reserve(views_.size());

    // From here on nothing is allocated.
    for (auto old = views_.begin(); old != views_.end();) {
        if (std::ranges::find(kept, old->first) != kept.end()) {
            ++old;
        } else {
            changeover->views.push_back(std::move(old->second));
            old = views_.erase(old);
        }
    }
    views_.merge(fresh);
    for (const auto& [space, view] : shown) {
        // Release; pairs with the acquire in AddressSpace::view().
        space->view_.store(view, std::memory_order_release);
    }
    if (shown.empty() && changeover->views.empty()) {
        return nullptr;
    }
    const MutexLock lock(changeover_mutex_);
    changeovers_.splice(changeovers_.end(), entry);
    changeover->self = std::prev(changeovers_.end());
    return changeover;
}

void Topology::acknowledged(void* opaque) {
    auto* changeover = static_cast<Changeover*>(opaque);
    // What every listener did before its acknowledgement happens before the retiring: acq_rel on all of them.
    if (changeover->waiting.fetch_sub(1, std::memory_order_acq_rel) != 1) {
        return;
    }
    Topology& topology = *changeover->topology;
    for (auto& view : changeover->views) {
        auto* const node = const_cast<FlatView*>(view.release());
        topology.epochs_.retire(
            node, [](Retired* retired, void*) { delete static_cast<FlatView*>(retired); }, nullptr);
    }
    const MutexLock lock(topology.changeover_mutex_);
    topology.changeovers_.erase(changeover->self);
}

size_t Topology::view_count() {
    Transaction transaction(*this);
    std::vector<const FlatView*> seen;
    for (const AddressSpace* space : spaces_) {
        const FlatView* const view = &space->view();
        if (std::ranges::find(seen, view) == seen.end()) {
            seen.push_back(view);
        }
    }
    return seen.size();
}

namespace {

const char* kind_word(const MemoryRegion& region) {
    switch (region.kind()) {
        case RegionKind::container:
            return "container";
        case RegionKind::alias:
            return "alias";
        case RegionKind::ram:
            return "ram";
        case RegionKind::rom:
            return "rom";
        case RegionKind::io:
            return "i/o";
    }
    return "";
}

// One line for the region, which lies at `address`, and one for each below it. Under the topology's lock.
void describe_region(const MemoryRegion& region, uint64_t address, int priority, unsigned depth,
                     std::string& text) {
    text += fmt::format("{:{}}{:016x}-{:016x} (prio {}, {}): {}", "", 2 * (depth + 1), address,
                        address + region.last(), priority, kind_word(region), region.name());
    if (region.kind() == RegionKind::alias) {
        text += fmt::format(" @{} {:016x}-{:016x}", region.target()->name(), region.target_offset(),
                            region.target_offset() + region.last());
    }
    text += region.enabled() ? "\n" : " [disabled]\n";
    std::vector<const MemoryRegion::Child*> children;
    for (const MemoryRegion::Child& child : region.children()) {
        children.push_back(&child);
    }
    std::ranges::sort(children, {},
                      [](const MemoryRegion::Child* child) { return std::pair(child->address, child); });
    for (const MemoryRegion::Child* child : children) {
        describe_region(*child->region, address + child->address, child->priority, depth + 1, text);
    }
}

}  // namespace

std::string Topology::describe_regions() {
    Transaction transaction(*this);
    std::vector<const MemoryRegion*> seen;
    std::string text;
    for (const AddressSpace* space : spaces_) {
        const MemoryRegion* const root = space->root_.get();
        if (root == nullptr || std::ranges::find(seen, root) != seen.end()) {
            continue;
        }
        seen.push_back(root);
        for (const AddressSpace* other : spaces_) {
            if (other->root_.get() == root) {
                text += fmt::format("address space \"{}\"\n", other->name());
            }
        }
        describe_region(*root, 0, 0, 0, text);
    }
    return text;
}

std::string Topology::describe_views() {
    Transaction transaction(*this);
    std::vector<const FlatView*> seen;
    std::string text;
    for (const AddressSpace* space : spaces_) {
        const FlatView* const view = &space->view();
        if (std::ranges::find(seen, view) != seen.end()) {
            continue;
        }
        text += fmt::format("FlatView #{}\n", seen.size());
        seen.push_back(view);
        for (const AddressSpace* other : spaces_) {
            if (&other->view() == view) {
                text += fmt::format("  address space \"{}\", root \"{}\"\n", other->name(),
                                    other->root_ != nullptr ? other->root_->name() : "");
            }
        }
        if (view->ranges().empty()) {
            text += "  nothing\n";
        }
        for (const FlatRange& range : view->ranges()) {
            const RegionKind kind = range.region->kind();
            text += fmt::format("  {:016x}-{:016x} {} {}", range.first, range.last,
                                kind == RegionKind::ram   ? "ram"
                                : kind == RegionKind::rom ? "rom"
                                                          : "i/o",
                                range.region->name());
            text += range.offset != 0 ? fmt::format(" @{:016x}\n", range.offset) : "\n";
        }
    }
    return text;
}

}  // namespace weft::mem
