// Where a unit jumps back to its own start.
#pragma once

#include <cstdint>

#include "weft/ir.h"

namespace weft::tcg {

// Calls visit(index) for each goto_tb of `unit` that leads to the pc of its first instruction, from the last one on, until it returns
// false. A unit that begins with something else than an instruction has none.
template <class Visit>
void for_jumps_back(const ir::Unit& unit, Visit&& visit) {
    if (unit.op_count == 0 || unit.ops[0].code != ir::Opcode::insn_start) {
        return;
    }
    const auto start = static_cast<int32_t>(unit.ops[0].aux);
    // Most stand at the unit's end.
    unsigned left = unit.goto_tb_count;
    for (uint32_t i = unit.op_count; i-- > 0 && left != 0;) {
        const ir::Op& op = unit.ops[i];
        left -= op.code == ir::Opcode::goto_tb || op.code == ir::Opcode::return_point;
        if (op.code == ir::Opcode::goto_tb && ir::goto_tb_offset(op) == start && !visit(i)) {
            return;
        }
    }
}

// Whether there is one: most likely the unit is a loop.
inline bool jumps_back(const ir::Unit& unit) {
    bool any = false;
    for_jumps_back(unit, [&](uint32_t) {
        any = true;
        return false;
    });
    return any;
}

}  // namespace weft::tcg
