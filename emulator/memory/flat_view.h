// A flat view: what an address space looks like, as sorted ranges that do not overlap.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/epoch.h"
#include "emulator/memory/region.h"

namespace weft::mem {

// One stretch of guest-physical addresses that a single ram, rom or io region answers.
struct FlatRange {
    uint64_t first;
    uint64_t last;    // inclusive
    uint64_t offset;  // of `first` within the region
    RegionPtr region;

    bool contains(uint64_t address) const { return address - first <= last - first; }
    uint64_t offset_of(uint64_t address) const { return offset + (address - first); }
    // ram and rom.
    uint8_t* host_of(uint64_t address) const { return region->ram()->host() + offset_of(address); }
    uint64_t ram_offset_of(uint64_t address) const {
        return region->ram()->ram_offset() + offset_of(address);
    }

    bool operator==(const FlatRange&) const = default;
};

// Immutable once published; reclaimed by the topology's epochs.
class FlatView : public Retired {
  public:
    FlatView() = default;
    explicit FlatView(std::vector<FlatRange> ranges) : ranges_(std::move(ranges)) {}
    FlatView(const FlatView&) = delete;
    FlatView& operator=(const FlatView&) = delete;

    // What is seen from `root` (null: nothing). Under the topology's lock.
    static std::vector<FlatRange> render(const RegionPtr& root);

    // Ascending. Neighbours that one region answers in one go are one range.
    const std::vector<FlatRange>& ranges() const { return ranges_; }

    // The range that holds `address`, or null. `hint` is the caller's memory of the last hit, any number at first.
    const FlatRange* find(uint64_t address, size_t& hint) const {
        if (hint < ranges_.size() && ranges_[hint].contains(address)) [[likely]] {
            return &ranges_[hint];
        }
        return find_slowly(address, hint);
    }
    // The first range that ends at or above `address`, or null.
    const FlatRange* next(uint64_t address) const;

  private:
    const FlatRange* find_slowly(uint64_t address, size_t& hint) const;

    const std::vector<FlatRange> ranges_;
};

// The region that decides what is seen from `root`: wrappers that add nothing (containers with one subregion that fills
// them, aliases of a whole region) are looked through, so that address spaces behind different wrappers share a view.
// Null: nothing is seen. Under the topology's lock.
RegionPtr effective_root(const RegionPtr& root);

}  // namespace weft::mem
