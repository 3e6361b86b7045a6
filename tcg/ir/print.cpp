#include "tcg/ir/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "tcg/ir/text.h"
#include "weft/ir_info.h"

namespace weft::tcg {

using ir::Aux;
using ir::MemOp;
using ir::Opcode;

namespace {

template <size_t kCount>
std::string name_of(const std::array<std::string_view, kCount>& names, unsigned index) {
    return index < kCount ? std::string(names[index]) : fmt::format("?{}", index);
}

std::string pc_text(uint32_t aux) {
    const auto offset = static_cast<int32_t>(aux);
    return offset < 0 ? fmt::format("pc-{:#x}", -static_cast<int64_t>(offset))
                      : fmt::format("pc+{:#x}", offset);
}

std::string memop_text(uint32_t bits, bool is_store) {
    const MemOp memop(bits);
    std::string text = memop.size_log2() > 3
                           ? fmt::format("?{}", memop.size_log2())
                           : fmt::format("{}{}", memop.sign() ? 's' : 'u', 8 * memop.size());
    if (is_store && !memop.sign()) {
        text.erase(0, 1);
    }
    text += memop.aligned() ? "+al" : "";
    text += memop.acquire() ? "+aq" : "";
    text += memop.release() ? "+rl" : "";
    text += memop.reserve() ? "+res" : "";
    text += fmt::format(",mmu{}", memop.mmu_mode());
    return memop.displacement() == 0 ? text : fmt::format("{},{:+}", text, memop.displacement());
}

std::string barrier_text(uint32_t kinds) {
    std::string text;
    for (unsigned i = 0; i < text::kBarriers.size(); ++i) {
        if ((kinds >> i & 1) != 0) {
            text += text.empty() ? "" : "|";
            text += text::kBarriers[i];
        }
    }
    return text.empty() ? "none" : text;
}

std::string temp_text(const ir::Unit& unit, unsigned index, const PrintNames& names) {
    if (index >= unit.temp_count) {
        return fmt::format("?{}", index);
    }
    const ir::Temp& temp = unit.temps[index];
    switch (temp.kind) {
        case ir::TempKind::global:
            return index < names.globals.size() ? names.globals[index].name : fmt::format("g{}", index);
        case ir::TempKind::constant:
            return fmt::format("${:#x}", temp.value);
        case ir::TempKind::unit:
            return fmt::format("loc{}", index);
        default:
            return fmt::format("tmp{}", index);
    }
}

std::string helper_text(uint32_t id, const PrintNames& names) {
    return id < names.helpers.size() ? names.helpers[id].name : fmt::format("?{}", id);
}

// The auxiliary word as the last argument; empty where there is none to show.
std::string aux_text(const ir::Op& op) {
    switch (ir::info(op.code).aux) {
        case Aux::none:
        case Aux::helper:
            return {};
        case Aux::label:
            return fmt::format("$L{}", op.aux);
        case Aux::cond:
            return name_of(text::kConds, op.cond);
        case Aux::cond_label:
            return fmt::format("{},$L{}", name_of(text::kConds, op.cond), op.args[ir::kBrcondLabelArg]);
        case Aux::field:
            return fmt::format("{},{}", op.aux & 0xff, op.aux >> 8);
        case Aux::offset: {
            const auto offset = static_cast<int32_t>(op.aux);
            return fmt::format("state{}{:#x}", offset < 0 ? '-' : '+',
                               offset < 0 ? -int64_t{offset} : offset);
        }
        case Aux::memop:
            return memop_text(op.aux, op.code == Opcode::guest_st);
        case Aux::slot:
            return fmt::format("${},{}", ir::goto_tb_slot(op), pc_text(op.aux));
        case Aux::reason:
            return name_of(text::kReasons, op.aux);
        case Aux::pc_offset:
            return pc_text(op.aux);
        case Aux::barrier:
            return barrier_text(op.aux);
        case Aux::returns:
            return (op.cond & 1) != 0 ? "returns" : "";
        case Aux::insns:
            return fmt::format("{}{}", op.aux, (op.cond & 1) != 0 ? ",cycle" : "");
        case Aux::rounding:
            return name_of(text::kRoundings, op.cond);
        case Aux::convert:
            return fmt::format("{},{}", text::kConversions[op.aux & 3], name_of(text::kRoundings, op.cond));
    }
    return {};
}

}  // namespace

std::string_view opcode_name(Opcode code) {
    if (static_cast<unsigned>(code) >= ir::kOpcodeCount) {
        return "?";
    }
    std::string_view name = ir::info(code).name;
    if (name.ends_with('_')) {
        name.remove_suffix(1);
    }
    return name;
}

std::string print_op(const ir::Unit& unit, const ir::Op& op, const PrintNames& names) {
    if (static_cast<unsigned>(op.code) >= ir::kOpcodeCount) {
        return fmt::format("?{}", static_cast<unsigned>(op.code));
    }
    if (op.code == Opcode::insn_start) {
        return std::string(text::kInsnStart) + ' ' + aux_text(op);
    }
    std::string text(opcode_name(op.code));
    if (ir::info(op.code).types != ir::TypeSet::none) {
        text += '_' + name_of(text::kTypes, static_cast<unsigned>(op.type));
    }
    char separator = ' ';
    auto append = [&](const std::string& part) {
        text += separator;
        text += part;
        separator = ',';
    };
    if (op.code == Opcode::call) {
        append(helper_text(op.aux, names));
    }
    const unsigned count = std::min<unsigned>(op.arg_count, std::size(op.args));
    for (unsigned i = 0; i < count; ++i) {
        append(temp_text(unit, op.args[i], names));
    }
    if (const std::string aux = aux_text(op); !aux.empty()) {
        append(aux);
    }
    return text;
}

std::string print_unit(const ir::Unit& unit, const PrintNames& names) {
    std::string text;
    for (uint32_t i = 0; i < unit.op_count; ++i) {
        const ir::Op& op = unit.ops[i];
        text += op.code == Opcode::insn_start ? (i == 0 ? " " : "\n ") : " ";
        text += print_op(unit, op, names);
        text += '\n';
    }
    return text;
}

}  // namespace weft::tcg
