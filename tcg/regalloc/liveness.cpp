#include "tcg/regalloc/liveness.h"

#include "tcg/ir/outputs.h"
#include "weft/ir_info.h"

namespace weft::tcg {

using ir::Opcode;
using ir::TempKind;

namespace {

// Ops that stay, whether their results are needed or not. Of calls the helper says it.
bool has_effect(const ir::Op& op, uint32_t helper_effects) {
    constexpr uint16_t kStays = ir::flag_side_effect | ir::flag_fp | ir::flag_block_start |
                                ir::flag_block_end | ir::flag_cond_branch | ir::flag_exit;
    if (op.code == Opcode::call) {
        return (helper_effects & kHelperSideEffects) != 0;
    }
    // fpflags_get reads what earlier ops did and changes nothing.
    return (ir::shape(op.code).flags & kStays) != 0 && op.code != Opcode::fpflags_get;
}

}  // namespace

bool Liveness::needs_result(const ir::Op& op, unsigned outputs) const {
    for (unsigned i = 0; i < outputs; ++i) {
        if (needed_.has(op.args[i])) {
            return true;
        }
    }
    return false;
}

OpLife Liveness::visit(const ir::Op& op) {
    const uint16_t flags = ir::shape(op.code).flags;
    const uint32_t effects = op.code == Opcode::call ? helpers_[op.aux].effects : 0;
    const unsigned outputs = output_count(op, helpers_);
    OpLife life;
    if (!has_effect(op, effects) && !needs_result(op, outputs)) {
        life.removed = true;
        return life;
    }
    if ((flags & (ir::flag_block_end | ir::flag_block_start)) != 0) {
        needed_.become((flags & ir::flag_exit) != 0 ? outside_ : across_);
    } else if ((flags & ir::flag_cond_branch) != 0) {
        needed_.add_all(across_);
    }
    for (unsigned i = 0; i < outputs; ++i) {
        if (!needed_.has(op.args[i])) {
            life.dead |= static_cast<uint8_t>(1u << i);
        }
        needed_.remove(op.args[i]);
    }
    if ((flags & ir::flag_may_fault) != 0 || (effects & (kHelperReadsGlobals | kHelperMayRaise)) != 0) {
        needed_.add_all(outside_);
    }
    for (unsigned i = outputs; i < op.arg_count; ++i) {
        if (!needed_.has(op.args[i])) {
            life.dead |= static_cast<uint8_t>(1u << i);
        }
    }
    for (unsigned i = outputs; i < op.arg_count; ++i) {
        needed_.add(op.args[i]);
    }
    return life;
}

void Liveness::analyse(const ir::Unit& unit) {
    ops_.resize(unit.op_count);
    outside_.clear(unit.temp_count);
    outside_.add_first(unit.global_count);
    across_.clear(unit.temp_count);
    across_.become(outside_);
    for (uint32_t i = unit.global_count; i < unit.temp_count; ++i) {
        if (unit.temps[i].kind == TempKind::unit) {
            across_.add(static_cast<ir::TempIndex>(i));
        }
    }
    needed_.clear(unit.temp_count);
    needed_.become(outside_);
    for (uint32_t i = unit.op_count; i-- > 0;) {
        const ir::Op& op = unit.ops[i];
        // insn_start and exit_check: many, and nothing to do.
        const bool bare = op.arg_count == 0 && ir::shape(op.code).flags == ir::flag_side_effect;
        ops_[i] = bare ? OpLife{} : visit(op);
    }
}

}  // namespace weft::tcg
