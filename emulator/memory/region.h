// The tree of memory regions: what lies where in guest-physical memory, as boards and devices declare it.
//
// Regions are made by a Topology and changed inside its transactions. Readers never look at the tree: they use flat views
// rendered from it (flat_view.h), which keep the regions they name alive.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "emulator/memory/ram.h"
#include "weft/memory.h"

namespace weft::mem {

class Topology;
class MemoryRegion;
using RegionPtr = std::shared_ptr<MemoryRegion>;

enum class RegionKind : uint8_t {
    container,  // nothing but its subregions
    alias,      // a window on a part of another region, whose subregions are seen as well
    ram,
    rom,  // guest stores are dropped, or handed to functions of the region
    io,   // every access is a call
};

// Access sizes in bytes, powers of two from 1 to 8. `unaligned`: also at offsets that are no multiple of the size.
struct AccessSizes {
    uint8_t min = 1;
    uint8_t max = 8;
    bool unaligned = false;
};

// How an I/O region answers. `offset` is from the region's start; values are in host order. The functions are called with
// the region's lock held (if it names one), from any thread.
struct MemoryRegionOps {
    DeviceStatus (*read)(void* opaque, uint64_t offset, unsigned size, uint64_t* value);
    DeviceStatus (*write)(void* opaque, uint64_t offset, unsigned size, uint64_t value);
    // What the guest may do; anything else is a bus error.
    AccessSizes valid;
    // What the functions take. Wider accesses are split in ascending order, narrower ones widened: a read extracts, a
    // write reads, changes and writes back. The region's lock is held over all parts.
    AccessSizes impl;
};

// The size of a region that fills the whole 64-bit space (the last byte cannot be said otherwise).
inline constexpr uint64_t kEntireSpace = UINT64_MAX;

class MemoryRegion {
  public:
    ~MemoryRegion();
    MemoryRegion(const MemoryRegion&) = delete;
    MemoryRegion& operator=(const MemoryRegion&) = delete;

    const std::string& name() const { return name_; }
    RegionKind kind() const { return kind_; }
    uint64_t size() const { return last_ == UINT64_MAX ? kEntireSpace : last_ + 1; }
    uint64_t last() const { return last_; }  // offset of the last byte

    // ram and rom.
    const std::shared_ptr<RamBlock>& ram() const { return ram_; }
    // io; and rom, where it takes stores (takes_stores()), of which `read` is not called.
    const MemoryRegionOps& ops() const { return *ops_; }
    bool takes_stores() const { return ops_ != nullptr; }
    void* opaque() const { return opaque_; }
    Mutex* lock() const { return lock_; }
    // alias.
    const RegionPtr& target() const { return target_; }
    uint64_t target_offset() const { return target_offset_; }

    // The functions below open a transaction of their own where the caller has none; readers see their effect when the
    // outermost one commits. Any thread.

    // Places `region`, which has no parent, at `address` of this one. What lies outside this region is not seen. Where
    // subregions overlap, the one of higher priority is seen; among equals, the one added last. Where no subregion is
    // seen, this region itself is (unless it is a container). Not for aliases.
    void add_subregion(uint64_t address, const RegionPtr& region, int priority = 0);
    void remove_subregion(MemoryRegion& region);
    // Moves a subregion, keeping its priority; it then counts as added last.
    void move_subregion(MemoryRegion& region, uint64_t address);
    // A disabled region and what is below it are not seen.
    void set_enabled(bool enabled);
    // What part of its target an alias shows.
    void set_target_offset(uint64_t offset);

    struct Child {
        RegionPtr region;
        uint64_t address;
        int priority;
    };
    // In ascending order of priority, and of addition among equals. Under the topology's lock.
    const std::vector<Child>& children() const { return children_; }
    bool enabled() const { return enabled_; }
    bool has_parent() const { return parent_.load(std::memory_order_relaxed) != nullptr; }

  private:
    friend class Topology;
    MemoryRegion(Topology& topology, std::string name, RegionKind kind, uint64_t size);

    Topology& topology_;
    const std::string name_;
    const RegionKind kind_;
    const uint64_t last_;

    // Constant after construction.
    std::shared_ptr<RamBlock> ram_;
    const MemoryRegionOps* ops_ = nullptr;
    void* opaque_ = nullptr;
    Mutex* lock_ = nullptr;
    std::shared_ptr<void> keepalive_;
    RegionPtr target_;

    // Guarded by the topology's lock (which clang cannot be told of, being another object's).
    uint64_t target_offset_ = 0;
    bool enabled_ = true;
    std::vector<Child> children_;
    // Atomic because a region that goes lets its children go on whatever thread dropped the last view of it. Relaxed: the
    // reference counts order construction, use and destruction.
    std::atomic<MemoryRegion*> parent_{nullptr};
};

}  // namespace weft::mem
