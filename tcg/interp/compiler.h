// Serialises units of IR for the interpreter.
#pragma once

#include <vector>

#include "tcg/backend.h"

namespace weft::tcg::interp {

class InterpCompiler : public Compiler {
  public:
    explicit InterpCompiler(const BackendConfig& config)
        : helpers_(config.guest->helpers, config.guest->helper_count), profile_(config.profile) {}

    CompileStatus compile(const ir::Unit& unit, CodeWindow window, uint32_t unit_index,
                          CompiledUnit* out) override;

  private:
    struct Fixup {
        uint32_t insn;  // offset of the instruction
        uint32_t word;  // offset of the word to fill in
        uint32_t label;
    };

    // Gives every temp that the unit uses its operand word; false if the window is too small for the constants.
    bool place_temps(const ir::Unit& unit, CodeWindow window);
    bool emit(const ir::Op& op, CodeWindow window, CompiledUnit* out);
    void end_insn_row();

    std::span<const HelperDesc> helpers_;
    const bool profile_;
    // Kept from unit to unit.
    std::vector<int32_t> operand_of_temp_;
    std::vector<uint32_t> label_offsets_;
    std::vector<Fixup> fixups_;
    std::vector<InsnRow> rows_;
    uint32_t constant_count_ = 0;
    uint32_t at_ = 0;  // bytes written
};

}  // namespace weft::tcg::interp
