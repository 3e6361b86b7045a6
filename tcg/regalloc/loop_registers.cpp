#include "tcg/regalloc/loop_registers.h"

#include <algorithm>

#include "tcg/ir/outputs.h"
#include "weft/ir_info.h"

namespace weft::tcg {

using ir::Opcode;
using ir::TempIndex;

// The op behind the last branch that leads back; its goto_tb may stand anywhere behind.
bool LoopRegisters::find_body(const ir::Unit& unit, uint32_t* end) const {
    *end = 0;
    // Most stand at the unit's end.
    unsigned left = unit.goto_tb_count;
    for (uint32_t i = unit.op_count; i-- > 0 && left != 0;) {
        const ir::Op& op = unit.ops[i];
        left -= op.code == Opcode::goto_tb || op.code == Opcode::return_point;
        if (op.code != Opcode::goto_tb || ir::goto_tb_offset(op) != start_) {
            continue;
        }
        uint32_t from = i;
        // What stands behind a label that branches alone reach: they are where the body ends.
        uint32_t label = i;
        while (label > 0 && unit.ops[label].code != Opcode::set_label) {
            --label;
        }
        if (unit.ops[label].code == Opcode::set_label && label > 0 &&
            ir::has_flag(unit.ops[label - 1].code, ir::flag_block_end)) {
            from = 0;
            for (uint32_t branch = 0; branch < label; ++branch) {
                const ir::Op& other = unit.ops[branch];
                const bool aims = other.code == Opcode::brcond
                                      ? other.args[ir::kBrcondLabelArg] == unit.ops[label].aux
                                      : other.code == Opcode::br && other.aux == unit.ops[label].aux;
                from = aims ? branch + 1 : from;
            }
        }
        *end = std::max(*end, from);
    }
    return *end != 0;
}

// Those that are used most, as far as there are registers.
void LoopRegisters::choose(const ir::Unit& unit, std::span<const HostReg> regs, bool fp) {
    for (const HostReg reg : regs) {
        uint32_t best = unit.global_count;
        for (uint32_t i = 0; i < unit.global_count; ++i) {
            const bool better = uses_[i] != 0 && (best == unit.global_count || uses_[i] > uses_[best]);
            if (better && ir::is_fp(unit.temps[i].type) == fp) {
                best = i;
            }
        }
        if (best == unit.global_count) {
            return;
        }
        chosen_.push_back({static_cast<TempIndex>(best), reg, written_[best]});
        uses_[best] = 0;
    }
}

void LoopRegisters::plan(const ir::Unit& unit, std::span<const HelperDesc> helpers,
                         std::span<const HostReg> pinned, const Choice& choice) {
    chosen_.clear();
    if (unit.op_count == 0 || unit.ops[0].code != Opcode::insn_start) {
        return;
    }
    start_ = static_cast<int32_t>(unit.ops[0].aux);
    uint32_t end = 0;
    if (!find_body(unit, &end)) {
        return;
    }
    bool atomics = false;
    uses_.assign(unit.global_count, 0);
    written_.assign(unit.global_count, false);
    for (uint32_t i = 0; i < unit.op_count; ++i) {
        const ir::Op& op = unit.ops[i];
        const bool call = ir::has_flag(op.code, ir::flag_call);
        if (i < end && call) {
            return;
        }
        const bool accesses = ir::has_flag(op.code, ir::flag_may_fault);
        atomics = atomics || (accesses && op.code != Opcode::guest_ld && op.code != Opcode::guest_st);
        const unsigned outputs = output_count(op, helpers);
        for (unsigned argument = 0; argument < op.arg_count; ++argument) {
            const uint16_t t = op.args[argument];
            if (t >= unit.global_count || pinned[t] != kNoReg) {
                continue;
            }
            uses_[t] += i < end;
            written_[t] = written_[t] || argument < outputs;
        }
    }
    if (!atomics) {
        choose(unit, choice.ints, false);
    }
    choose(unit, choice.fps, true);
}

}  // namespace weft::tcg
