// A unit with storage of its own, translated from code given as bytes: what tests of the translator look at.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "emulator/target/riscv/translate.h"
#include "weft/ir_info.h"

namespace weft::riscv {

class TestUnit {
  public:
    TestUnit();
    TestUnit(const TestUnit&) = delete;
    TestUnit& operator=(const TestUnit&) = delete;

    // Fails to grow beyond this many ops.
    void limit_ops(size_t limit) { op_limit_ = limit; }

    ir::Unit& unit() { return unit_; }
    std::vector<ir::Op> ops() const { return {unit_.ops, unit_.ops + unit_.op_count}; }
    const ir::Temp& temp(unsigned index) const { return unit_.temps[index]; }

    std::vector<ir::Op> ops_of(ir::Opcode code) const;
    unsigned count(ir::Opcode code) const { return static_cast<unsigned>(ops_of(code).size()); }
    // Value of input `index` of `op`, which must be a constant.
    uint64_t constant(const ir::Op& op, unsigned index) const;
    // Offset that the pc_add which made the pc of `exit` (a lookup_and_goto_ptr or exit_tb) adds; -1 if none
    // did.
    int64_t exit_offset(const ir::Op& exit) const;

    // What breaks the rules of weft/ir.h, one line each; empty for a good unit.
    std::string faults() const;

  private:
    static bool grow_ops(ir::Unit* unit);
    static bool grow_temps(ir::Unit* unit);
    static constexpr ir::UnitStorage kStorage{&grow_ops, &grow_temps};

    std::vector<ir::Op> ops_;
    std::vector<ir::Temp> temps_;
    size_t op_limit_ = SIZE_MAX;
    ir::Unit unit_{};
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
    uint32_t page_offset = 0;
    TbFlags flags = kMachineFlags;
    uint32_t max_insns = 512;
    bool one_insn_per_tb = false;
};

TranslateStatus translate_code(const Code& code, TestUnit* unit, const TranslateOptions& options = {});

}  // namespace weft::riscv
