#include "emulator/guest/riscv/translate/insn_interpreter.h"

#include "emulator/guest/riscv/isa/operands.h"
#include "emulator/guest/riscv/translate/interpreted_execution.h"
#include "emulator/guest/riscv/translate/semantics_all.h"
#include "weft/guest_ram.h"

namespace weft::riscv {

namespace {

// Runs the instruction in `bits`, which is of the row that the action was made for: where its operands are is known then.
template <class Context>
using ActionOf = void (*)(Context&, uint32_t bits);
using Action = ActionOf<InsnInterpreter>;

// Chooses InsnInterpreter's instance of a semantics by the type it is asked for. A function of Translator's is none.
#define WEFT_RISCV_ACTION(id, semantic, format)                                                         \
    template <class Context>                                                                            \
    constexpr ActionOf<Context> action_##id() {                                                         \
        if constexpr (requires(Context& t, const Insn& insn) { semantics::semantic(t, insn); }) {       \
            return [](Context& t, uint32_t bits) {                                                      \
                semantics::semantic(t, operands::extract(insn_desc(InsnId::id), Format::format, bits)); \
            };                                                                                          \
        } else {                                                                                        \
            return nullptr;                                                                             \
        }                                                                                               \
    }
#define WEFT_RISCV_ACTION_32(id, mnemonic, bits, format, extension, rules, weight) \
    WEFT_RISCV_ACTION(id, id, format)
#define WEFT_RISCV_ACTION_16(id, mnemonic, bits, format, expands, extension, rules, weight) \
    WEFT_RISCV_ACTION(id, expands, format)
WEFT_RISCV_INSNS_32(WEFT_RISCV_ACTION_32)
WEFT_RISCV_INSNS_16(WEFT_RISCV_ACTION_16)
#undef WEFT_RISCV_ACTION_16
#undef WEFT_RISCV_ACTION_32
#undef WEFT_RISCV_ACTION

// By InsnDesc::id, plus one. Null: only translated.
constexpr Action kActions[kInsnCount + 1] = {
    nullptr,
#define WEFT_RISCV_ACTION(id, ...) action_##id<InsnInterpreter>(),
    WEFT_RISCV_INSNS_32(WEFT_RISCV_ACTION) WEFT_RISCV_INSNS_16(WEFT_RISCV_ACTION)
#undef WEFT_RISCV_ACTION
};

constexpr unsigned action_row(InsnId id) { return static_cast<unsigned>(id) + 1; }

}  // namespace

unsigned InsnInterpreter::find_row(uint32_t bits) {
    RecentInsns::Entry& entry = state_.recent_insns.at(bits);
    if (entry.bits != bits) [[unlikely]] {
        const InsnDesc* const desc = find_insn(bits, extensions_);
        entry = {bits, static_cast<uint16_t>(desc != nullptr ? action_row(desc->id) : 0)};
    }
    return entry.row;
}

RunResult InsnInterpreter::run() {
    uint32_t insns = 0;
    uint32_t offset = 0;  // kept in a register: the actions are told by the member
    const uint32_t end = flags_.stopped() ? 0 : end_;
    while (offset < end) {
        uint32_t bits = guest_ram::load<uint16_t>(code_ + offset);
        const unsigned size = insn_size(static_cast<uint16_t>(bits));
        if (size == 4) {
            if (offset + 4 > end) {
                break;
            }
            bits |= uint32_t{guest_ram::load<uint16_t>(code_ + offset + 2)} << 16;
        }
        const Action action = kActions[find_row(bits)];
        if (action == nullptr) {
            break;
        }
        offset_ = offset;
        size_ = size;
        action(*this, bits);
        if (progress_ != Progress::goes_on) {
            const bool jumps = progress_ == Progress::jumps;
            header_.pc = jumps ? target_ : pc_at(static_cast<int32_t>(offset));
            return jumps ? RunResult{RunStop::jump, insns + 1} : RunResult{RunStop::exception, insns};
        }
        offset += size;
        ++insns;
    }
    header_.pc = pc_at(static_cast<int32_t>(offset));
    return {offset == end && insns != 0 ? RunStop::jump : RunStop::translate, insns};
}

RunResult run(void* state, uint64_t tb_flags, const uint8_t* code, uint32_t size) {
    return InsnInterpreter(*static_cast<State*>(state), TbFlags(tb_flags), code, size).run();
}

bool runs_untranslated(const InsnDesc& desc) { return kActions[action_row(desc.id)] != nullptr; }

}  // namespace weft::riscv
