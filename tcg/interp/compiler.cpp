#include "tcg/interp/compiler.h"

#include <cstring>
#include <limits>

#include "base/assert.h"
#include "tcg/interp/code.h"
#include "tcg/interp/trampolines.h"
#include "tcg/ir/outputs.h"

namespace weft::tcg::interp {

using ir::Op;
using ir::Opcode;
using ir::TempKind;

namespace {

constexpr int32_t kNotPlaced = -1;  // no operand: both low bits set
constexpr uint32_t kUnitAlignment = 16;

constexpr uint32_t align_up(uint32_t value, uint32_t alignment) {
    return (value + alignment - 1) & ~(alignment - 1);
}

}  // namespace

bool InterpCompiler::place_temps(const ir::Unit& unit, CodeWindow window) {
    operand_of_temp_.assign(unit.temp_count, kNotPlaced);
    constant_count_ = 0;
    int32_t frame_slots = 0;
    for (uint32_t i = 0; i < unit.op_count; ++i) {
        const Op& op = unit.ops[i];
        for (unsigned j = 0; j < op.arg_count; ++j) {
            const ir::Temp& temp = unit.temps[op.args[j]];
            int32_t& operand = operand_of_temp_[op.args[j]];
            if (operand != kNotPlaced) {
                continue;
            }
            if (temp.kind == TempKind::global) {
                operand = operand_of(kBaseState, temp.offset);
            } else if (temp.kind == TempKind::constant) {
                const auto offset = static_cast<uint32_t>(sizeof(UnitHeader) + 8 * size_t{constant_count_});
                if (offset + 8 > window.size) {
                    return false;
                }
                std::memcpy(window.bytes() + offset, &temp.value, 8);
                operand = operand_of(kBaseUnit, static_cast<int32_t>(offset));
                ++constant_count_;
            } else {
                operand = operand_of(kBaseFrame, 8 * frame_slots++);
            }
        }
    }
    return true;
}

void InterpCompiler::end_insn_row() {
    if (!rows_.empty()) {
        rows_.back().host_end = at_;
    }
}

bool InterpCompiler::emit(const Op& op, CodeWindow window, CompiledUnit* out) {
    switch (op.code) {
        case Opcode::discard:
            return true;
        case Opcode::set_label:
            label_offsets_[op.aux] = at_;
            return true;
        case Opcode::insn_start:
            // Ops before the first instruction count as part of it.
            end_insn_row();
            rows_.push_back(InsnRow{0, static_cast<int32_t>(op.aux)});
            return true;
        default:
            break;
    }

    uint32_t words[ir::kMaxArgs + 1];
    unsigned count = 0;
    Insn insn{key_of(op.code, op.type), op.cond, 0, op.aux};
    if (op.code == Opcode::call) {
        const HelperDesc& helper = helpers_[op.aux];
        words[count++] = CallShape::of(helper.signature).bits;
        insn.cond = static_cast<uint8_t>(((helper.effects & kHelperMayRaise) != 0 ? kCallMayRaise : 0) |
                                         (output_count(op, helpers_) != 0 ? kCallHasResult : 0));
    }
    for (unsigned i = 0; i < op.arg_count; ++i) {
        words[count++] = static_cast<uint32_t>(operand_of_temp_[op.args[i]]);
    }
    const auto operand_offset = static_cast<uint32_t>(at_ + sizeof(Insn));
    if (op.code == Opcode::br || op.code == Opcode::brcond) {
        const uint32_t label = op.code == Opcode::br ? op.aux : op.args[ir::kBrcondLabelArg];
        fixups_.push_back(Fixup{at_, operand_offset + 4 * count, label});
        words[count++] = 0;
    } else if (op.code == Opcode::goto_tb || op.code == Opcode::return_point) {
        // A return_point's is never linked: nothing leaves by it.
        out->jumps[ir::goto_tb_slot(op)] = JumpSite{operand_offset, at_, ir::goto_tb_offset(op), 0};
        words[count++] = 0;
    }

    const auto size = static_cast<uint32_t>(sizeof(Insn) + 4 * count);
    if (align_up(at_ + size, kUnitAlignment) > window.size) {
        return false;
    }
    insn.words = static_cast<uint8_t>(size / 4);
    std::memcpy(window.bytes() + at_, &insn, sizeof(insn));
    if (count != 0) {
        std::memcpy(window.bytes() + operand_offset, words, 4 * count);
    }
    at_ += size;
    return true;
}

CompileStatus InterpCompiler::compile(const ir::Unit& unit, CodeWindow window, uint32_t unit_index,
                                      CompiledUnit* out) {
    WEFT_ASSERT(window.rw.value() % 8 == 0 && window.rx.value() % 8 == 0);
    *out = CompiledUnit{};
    out->jump_count = unit.goto_tb_count;
    label_offsets_.assign(unit.label_count, 0);
    fixups_.clear();
    rows_.clear();
    // Offsets within a unit are 32 bits wide; a unit of kMaxTemps and the most ops is far below.
    if (window.size > std::numeric_limits<int32_t>::max()) {
        window.size = std::numeric_limits<int32_t>::max();
    }
    if (window.size < sizeof(UnitHeader) || !place_temps(unit, window)) {
        return CompileStatus::region_full;
    }
    const auto first_insn = static_cast<uint32_t>(sizeof(UnitHeader) + 8 * size_t{constant_count_});
    at_ = first_insn;
    if (profile_) {
        const Insn insn{kCountEntryKey, 0, kHeadWords, 0};
        if (at_ + sizeof(insn) > window.size) {
            return CompileStatus::region_full;
        }
        std::memcpy(window.bytes() + at_, &insn, sizeof(insn));
        at_ += sizeof(insn);
    }
    for (uint32_t i = 0; i < unit.op_count; ++i) {
        if (!emit(unit.ops[i], window, out)) {
            return CompileStatus::region_full;
        }
    }
    end_insn_row();
    for (const Fixup& fixup : fixups_) {
        const int32_t distance =
            (static_cast<int32_t>(label_offsets_[fixup.label]) - static_cast<int32_t>(fixup.insn)) / 4;
        std::memcpy(window.bytes() + fixup.word, &distance, sizeof(distance));
    }
    const UnitHeader header{unit_index, first_insn, at_, constant_count_};
    std::memcpy(window.bytes(), &header, sizeof(header));
    out->code_size = align_up(at_, kUnitAlignment);
    out->insns = rows_;
    return CompileStatus::ok;
}

}  // namespace weft::tcg::interp
