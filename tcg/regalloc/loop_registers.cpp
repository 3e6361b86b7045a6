#include "tcg/regalloc/loop_registers.h"

#include <algorithm>

#include "tcg/ir/jumps_back.h"
#include "tcg/ir/outputs.h"
#include "weft/ir_info.h"

namespace weft::tcg {

using ir::Opcode;
using ir::TempIndex;

namespace {

// The op behind the last branch that leads back, 0 where there is none; its goto_tb, at `jump`, may stand anywhere behind.
uint32_t end_of_body(const ir::Unit& unit, uint32_t jump) {
    // What stands behind a label that branches alone reach: they are where the body ends.
    uint32_t label = jump;
    while (label > 0 && unit.ops[label].code != Opcode::set_label) {
        --label;
    }
    if (unit.ops[label].code != Opcode::set_label || label == 0 ||
        !ir::has_flag(unit.ops[label - 1].code, ir::flag_block_end)) {
        return jump;
    }
    uint32_t end = 0;
    for (uint32_t branch = 0; branch < label; ++branch) {
        const ir::Op& op = unit.ops[branch];
        const bool aims = op.code == Opcode::brcond ? op.args[ir::kBrcondLabelArg] == unit.ops[label].aux
                                                    : op.code == Opcode::br && op.aux == unit.ops[label].aux;
        end = aims ? branch + 1 : end;
    }
    return end;
}

}  // namespace

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
    for_jumps_back(unit, [&](uint32_t jump) {
        end = std::max(end, end_of_body(unit, jump));
        return true;
    });
    if (end == 0) {
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
