// Which values are still needed: one backward pass over a unit.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tcg/regalloc/temp_set.h"
#include "weft/guest.h"
#include "weft/ir_info.h"

namespace weft::tcg {

// What the pass found of one op.
struct OpLife {
    bool removed = false;  // computes nothing that is needed and does nothing else: skip it
    uint8_t dead = 0;  // bit i: the value in argument i is not needed after the op (for an output: at all)
};

// Globals count as needed wherever others may look at them: at exits, labels, branches, faults and calls that read
// them. Temps of kind ebb live to the end of their extended block, temps of kind unit across labels.
class Liveness {
  public:
    explicit Liveness(std::span<const HelperDesc> helpers) : helpers_(helpers) {}

    void analyse(const ir::Unit& unit);

    const OpLife& of(uint32_t op) const { return ops_[op]; }

  private:
    OpLife visit(const ir::Op& op);
    bool needs_result(const ir::Op& op, unsigned outputs) const;

    std::span<const HelperDesc> helpers_;
    // Kept from unit to unit, so that a compilation allocates nothing once they have grown.
    std::vector<OpLife> ops_;
    TempSet needed_;
    // What is needed behind an op that leaves the unit, and behind one that goes to a label: all globals, and those with all temps
    // of kind unit.
    TempSet outside_;
    TempSet across_;
};

}  // namespace weft::tcg
