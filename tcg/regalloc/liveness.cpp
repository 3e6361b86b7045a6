#include "tcg/regalloc/liveness.h"

#include <algorithm>

#include "tcg/ir/outputs.h"
#include "weft/ir_info.h"

namespace weft::tcg {

using ir::Opcode;
using ir::TempKind;

void Liveness::all_globals(const ir::Unit& unit, bool needed) {
    std::fill_n(needed_.begin(), unit.global_count, static_cast<uint8_t>(needed));
}

void Liveness::end_of_block(const ir::Unit& unit, bool leaves_unit) {
    std::fill_n(needed_.begin(), unit.temp_count, uint8_t{0});
    all_globals(unit, true);
    if (!leaves_unit) {
        for (const ir::TempIndex temp : unit_temps_) {
            needed_[temp] = 1;
        }
    }
}

void Liveness::visit(const ir::Unit& unit, uint32_t index) {
    const ir::Op& op = unit.ops[index];
    OpLife& life = ops_[index];
    const uint16_t flags = ir::info(op.code).flags;
    const unsigned outputs = output_count(op, helpers_);

    uint32_t effects = 0;
    if ((flags & ir::flag_call) != 0) {
        effects = helpers_[op.aux].effects;
    }
    const bool pure_call = (flags & ir::flag_call) != 0 && (effects & kHelperSideEffects) == 0;
    const bool has_side_effect = ((flags & ir::flag_side_effect) != 0 && !pure_call) ||
                                 (flags & (ir::flag_fp | ir::flag_block_start | ir::flag_block_end |
                                           ir::flag_cond_branch | ir::flag_exit)) != 0;
    // fpflags_get reads what earlier ops did and changes nothing.
    const bool removable = !has_side_effect || op.code == Opcode::fpflags_get || op.code == Opcode::discard;
    bool result_needed = false;
    for (unsigned i = 0; i < outputs; ++i) {
        result_needed = result_needed || needed_[op.args[i]] != 0;
    }
    if (removable && !result_needed) {
        life.removed = true;
        return;
    }

    if ((flags & (ir::flag_block_end | ir::flag_block_start)) != 0) {
        end_of_block(unit, (flags & ir::flag_exit) != 0);
    } else if ((flags & ir::flag_cond_branch) != 0) {
        all_globals(unit, true);
        for (const ir::TempIndex temp : unit_temps_) {
            needed_[temp] = 1;
        }
    }

    for (unsigned i = 0; i < outputs; ++i) {
        if (needed_[op.args[i]] == 0) {
            life.dead |= static_cast<uint8_t>(1u << i);
        }
        needed_[op.args[i]] = 0;
    }
    if ((flags & ir::flag_may_fault) != 0 || (effects & (kHelperReadsGlobals | kHelperMayRaise)) != 0) {
        all_globals(unit, true);
    }
    for (unsigned i = outputs; i < op.arg_count; ++i) {
        if (needed_[op.args[i]] == 0) {
            life.dead |= static_cast<uint8_t>(1u << i);
        }
    }
    for (unsigned i = outputs; i < op.arg_count; ++i) {
        needed_[op.args[i]] = 1;
    }
}

void Liveness::analyse(const ir::Unit& unit) {
    ops_.assign(unit.op_count, OpLife{});
    needed_.assign(unit.temp_count, 0);
    unit_temps_.clear();
    for (uint32_t i = unit.global_count; i < unit.temp_count; ++i) {
        if (unit.temps[i].kind == TempKind::unit) {
            unit_temps_.push_back(static_cast<ir::TempIndex>(i));
        }
    }
    end_of_block(unit, true);
    for (uint32_t i = unit.op_count; i-- > 0;) {
        visit(unit, i);
    }
}

}  // namespace weft::tcg
