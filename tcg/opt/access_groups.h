// Which plain accesses of a unit can share one TLB probe.
//
// A group is a run of accesses at displacements from one temp that is not written in between. The first of them, its
// leader, probes for all: it looks whether the whole window from the lowest to the highest byte of the group lies in one
// page that the TLB has, and keeps the entry's addend in a register. The others test that the addend is there and need
// no probe. A group of loads takes no store in, for a page may be readable alone; one that a store leads takes both: what
// may be written without reserve may be read.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "weft/helper.h"
#include "weft/ir.h"

namespace weft::tcg {

struct AccessGroup {
    ir::TempIndex base;
    bool store;  // led by a store
    uint8_t mmu_mode;
    uint16_t accesses;
    uint32_t last;      // op
    int32_t low, high;  // the window: first byte, and the one behind the last, from the base
};

class AccessGroups {
  public:
    // Finds the groups of `unit`; none where `enabled` is false.
    void plan(const ir::Unit& unit, std::span<const HelperDesc> helpers, bool enabled);

    // The group of the access at op `index`, or null where it is alone.
    static constexpr uint16_t kNone = 0xffff;
    uint16_t of(uint32_t index) const { return of_[index]; }
    const AccessGroup& group(uint16_t number) const { return groups_[number]; }

  private:
    // Groups that accesses may still join, at most: each keeps a register.
    static constexpr unsigned kOpen = 3;
    // The wider a window, the likelier it reaches into a second page.
    static constexpr int32_t kMaxWindow = 256;

    void close_all() { open_.fill(kNone); }
    void close(ir::TempIndex base);
    void join(const ir::Op& op, uint32_t index);

    std::vector<uint16_t> of_;  // by op
    std::vector<AccessGroup> groups_;
    std::array<uint16_t, kOpen> open_{};
    unsigned next_ = 0;  // of open_, to be replaced
};

}  // namespace weft::tcg
