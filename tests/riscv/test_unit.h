// A unit translated from code given as bytes, and questions about it: what tests of the translator look at.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "emulator/guest/riscv/isa/cpu_model.h"
#include "emulator/guest/riscv/translate/globals.h"
#include "emulator/guest/riscv/translate/translate.h"
#include "tcg/ir/unit_storage.h"
#include "tcg/ir/verify.h"
#include "weft/ir_info.h"

namespace weft::riscv {

class TestUnit {
  public:
    explicit TestUnit(const tcg::UnitLimits& limits = {}) : memory_(global_table(), limits) {
        memory_.begin_unit();
    }

    ir::Unit& unit() { return memory_.unit(); }
    const ir::Unit& unit() const { return memory_.unit(); }
    std::vector<ir::Op> ops() const { return {unit().ops, unit().ops + unit().op_count}; }
    const ir::Temp& temp(unsigned index) const { return unit().temps[index]; }

    std::vector<ir::Op> ops_of(ir::Opcode code) const;
    unsigned count(ir::Opcode code) const { return static_cast<unsigned>(ops_of(code).size()); }
    // Value of argument `index` of `op`, or all ones if it is no constant.
    uint64_t constant(const ir::Op& op, unsigned index) const;
    // Offset that the pc_add which made the pc of `exit` (a lookup_and_goto_ptr or exit_tb) adds; -1 if none did.
    int64_t exit_offset(const ir::Op& exit) const;

    // What the verifier has against the unit; empty for a good one.
    std::string faults(tcg::RedoRule redo = tcg::RedoRule::off) const;

  private:
    tcg::UnitMemory memory_;
};

// The code of a program, little by little.
class Code {
  public:
    Code& half(uint16_t bits) {
        bytes_.push_back(static_cast<uint8_t>(bits));
        bytes_.push_back(static_cast<uint8_t>(bits >> 8));
        return *this;
    }
    Code& word(uint32_t bits) {
        return half(static_cast<uint16_t>(bits)).half(static_cast<uint16_t>(bits >> 16));
    }
    const std::vector<uint8_t>& bytes() const { return bytes_; }

  private:
    std::vector<uint8_t> bytes_;
};

inline constexpr TbFlags kMachineFlags{Priv::machine, MmuMode::machine, MmuMode::machine, FpState::dirty, 0};

struct TranslateOptions {
    const CpuModel* model = &kMax;
    uint32_t page_offset = 0;
    TbFlags flags = kMachineFlags;
    uint32_t max_insns = 512;
    bool one_insn_per_tb = false;
    bool fixed_pages = false;
    bool return_points = false;
    bool inline_csrs = false;
    bool inner_branches = false;
};

TranslateStatus translate_code(TestUnit* unit, const Code& code, const TranslateOptions& options = {});

}  // namespace weft::riscv
