#include "emulator/guest/riscv/translate/insn_interpreter.h"

#include "emulator/guest/riscv/translate/interpreted_execution.h"
#include "emulator/guest/riscv/translate/semantics_all.h"
#include "weft/guest_ram.h"

namespace weft::riscv {

namespace {

using Action = void (*)(InsnInterpreter&, const Insn&);

// Chooses InsnInterpreter's instance of a semantics by the type it is asked for. A function of Translator's is none.
#define WEFT_RISCV_ACTION(id, mnemonic, bits, format, extension, rules, weight)             \
    template <class Context>                                                                \
    constexpr void (*action_##id())(Context&, const Insn&) {                                \
        if constexpr (requires(Context& t, const Insn& insn) { semantics::id(t, insn); }) { \
            return [](Context& t, const Insn& insn) { semantics::id(t, insn); };            \
        } else {                                                                            \
            return nullptr;                                                                 \
        }                                                                                   \
    }
WEFT_RISCV_INSNS_32(WEFT_RISCV_ACTION)
#undef WEFT_RISCV_ACTION

// By InsnDesc::semantic. Null: only translated.
constexpr Action kActions[kInsn32Count] = {
#define WEFT_RISCV_ACTION(id, mnemonic, bits, format, extension, rules, weight) \
    action_##id<InsnInterpreter>(),
    WEFT_RISCV_INSNS_32(WEFT_RISCV_ACTION)
#undef WEFT_RISCV_ACTION
};

Action action_of(const Insn& insn) {
    return insn.desc == nullptr ? nullptr : kActions[static_cast<unsigned>(insn.desc->semantic)];
}

}  // namespace

bool InsnInterpreter::fetch(Insn* insn) const {
    const uint32_t low = guest_ram::load<uint16_t>(code_ + offset_);
    if (insn_size(static_cast<uint16_t>(low)) == 2) {
        *insn = decode(low, extensions_);
        return true;
    }
    if (offset_ + 4 > end_) {
        return false;
    }
    *insn = decode(low | uint32_t{guest_ram::load<uint16_t>(code_ + offset_ + 2)} << 16, extensions_);
    return true;
}

RunResult InsnInterpreter::run() {
    uint32_t insns = 0;
    Insn insn;
    while (offset_ < end_ && fetch(&insn)) {
        const Action action = action_of(insn);
        if (action == nullptr) {
            break;
        }
        size_ = insn.size;
        action(*this, insn);
        if (progress_ == Progress::raised) {
            header_.pc = pc_at(offset());
            return {RunStop::exception, insns};
        }
        ++insns;
        if (progress_ == Progress::jumps) {
            header_.pc = target_;
            return {RunStop::jump, insns};
        }
        offset_ += size_;
    }
    header_.pc = pc_at(offset());
    return {offset_ == end_ && insns != 0 ? RunStop::jump : RunStop::translate, insns};
}

RunResult run(void* state, uint64_t tb_flags, const uint8_t* code, uint32_t size) {
    return InsnInterpreter(*static_cast<State*>(state), TbFlags(tb_flags), code, size).run();
}

bool runs_untranslated(const InsnDesc& desc) {
    return kActions[static_cast<unsigned>(desc.semantic)] != nullptr;
}

}  // namespace weft::riscv
