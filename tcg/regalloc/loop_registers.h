// Which globals a unit that is a loop keeps in registers of its own.
//
// A unit that jumps back to its own start is a loop; its body is what stands before the last branch that does. Globals that have no
// pinned register but are used in the body get one for as long as control stays in the unit: they are loaded where it is entered,
// stay where they are from round to round, and those that it writes are stored wherever it is left.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tcg/regalloc/allocator.h"
#include "weft/guest.h"
#include "weft/ir.h"

namespace weft::tcg {

class LoopRegisters {
  public:
    // What may be given away, in the order that it is. Integer registers are not where the unit has atomics, which take the most.
    struct Choice {
        std::span<const HostReg> ints;
        std::span<const HostReg> fps;
    };

    // Plans for `unit`. Nothing is chosen where it is no loop, or calls a helper in its body: helpers find globals in their homes, and
    // preserve none of these registers.
    void plan(const ir::Unit& unit, std::span<const HelperDesc> helpers, std::span<const HostReg> pinned,
              const Choice& choice);
    void clear() { chosen_.clear(); }

    bool any() const { return !chosen_.empty(); }
    std::span<const UnitPin> chosen() const { return chosen_; }
    // Whether this goto_tb leads to the unit's start. False where nothing was chosen.
    bool leads_back(const ir::Op& op) const { return any() && ir::goto_tb_offset(op) == start_; }

  private:
    void choose(const ir::Unit& unit, std::span<const HostReg> regs, bool fp);

    std::vector<UnitPin> chosen_;
    std::vector<uint32_t> uses_;  // by global, in the body
    std::vector<bool> written_;   // by global, in the unit
    int32_t start_ = 0;
};

}  // namespace weft::tcg
