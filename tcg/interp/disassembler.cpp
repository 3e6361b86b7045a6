#include "tcg/interp/disassembler.h"

#include <fmt/format.h>

#include "tcg/interp/code.h"
#include "tcg/ir/print.h"

namespace weft::tcg::interp {

using ir::Opcode;

namespace {

std::string value_text(uint32_t word, const uint8_t* unit) {
    const auto operand = static_cast<int32_t>(word);
    const int32_t displacement = operand & ~3;
    switch (operand & 3) {
        case kBaseState:
            return displacement < 0 ? fmt::format("state-{:#x}", -int64_t{displacement})
                                    : fmt::format("state+{:#x}", displacement);
        case kBaseFrame:
            return fmt::format("f{}", displacement / 8);
        default: {
            uint64_t value;
            std::memcpy(&value, unit + displacement, sizeof(value));
            return fmt::format("${:#x}", value);
        }
    }
}

// What an operand word that is no value means; empty for a value.
std::string special_text(const Insn& insn, uint32_t at, unsigned index, unsigned count,
                         const uint32_t* word) {
    const Opcode code = opcode_of(insn.key);
    if (code == Opcode::call && index == 0) {
        return fmt::format("shape {:#x}", *word);
    }
    if ((code == Opcode::br || code == Opcode::brcond) && index + 1 == count) {
        return fmt::format("-> {:#06x}", at + 4 * *word);
    }
    if (code == Opcode::goto_tb) {
        // Relaxed: another thread may be linking, and it is only shown.
        const auto distance = static_cast<int32_t>(__atomic_load_n(word, __ATOMIC_RELAXED));
        return distance == 0 ? "unlinked" : fmt::format("linked {:+#x}", distance);
    }
    return {};
}

}  // namespace

std::string disassemble(CodeWindow code, std::span<const HelperDesc> helpers) {
    // By the writable view, which may be a copy.
    const uint8_t* unit = code.bytes();
    const auto& header = *code.rw.as<const UnitHeader>();
    std::string text;
    for (uint32_t at = header.first_insn; at < header.end && at < code.size;) {
        const auto& insn = *reinterpret_cast<const Insn*>(unit + at);
        if (insn.key == kCountEntryKey) {
            text += fmt::format("{:#06x}: count_entry\n", at);
            at += 4u * insn.words;
            continue;
        }
        const Opcode opcode = opcode_of(insn.key);
        text += fmt::format("{:#06x}: {}", at, opcode_name(opcode));
        if (ir::info(opcode).types != ir::TypeSet::none) {
            text += (insn.key & 1) != 0 ? "_64" : "_32";
        }
        if (opcode == Opcode::call && insn.aux < helpers.size()) {
            text += fmt::format(" {}", helpers[insn.aux].name);
        }
        const unsigned count = insn.words - kHeadWords;
        for (unsigned i = 0; i < count; ++i) {
            const uint32_t* word = operands(insn) + i;
            const std::string special = special_text(insn, at, i, count, word);
            text +=
                fmt::format("{}{}", i == 0 ? " " : ", ", special.empty() ? value_text(*word, unit) : special);
        }
        text += fmt::format("  ; cond {} aux {:#x}\n", insn.cond, insn.aux);
        at += 4u * insn.words;
    }
    return text;
}

}  // namespace weft::tcg::interp
