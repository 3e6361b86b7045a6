// From bits to an instruction and its operands.
#pragma once

#include <cstdint>

#include "emulator/guest/riscv/isa/insn_table.h"

namespace weft::riscv {

// A decoded instruction. Fields that its format does not have are zero. A compressed instruction's fields are
// those of the instruction it stands for (c.lwsp: rs1 is x2), so translation looks at InsnDesc::semantic and
// these alone.
struct Insn {
    const InsnDesc* desc = nullptr;  // null: no instruction
    uint32_t bits = 0;               // a 16-bit instruction in the low half, the upper half zero
    // Signed immediate; a shift's amount, a CSR's number, the 12 upper bits of a fence.
    int32_t imm = 0;
    uint8_t size = 0;  // bytes, also where there is no instruction
    uint8_t rd = 0;
    uint8_t rs1 = 0;  // or the 5-bit immediate of csrrwi and its like
    uint8_t rs2 = 0;
    uint8_t rs3 = 0;
    uint8_t rm = 0;  // rounding mode: 0..4, or 7 for the one in frm

    bool aq() const { return (bits & 1u << 26) != 0; }
    bool rl() const { return (bits & 1u << 25) != 0; }
};

inline constexpr unsigned kRoundingDynamic = 7;

// Bytes of the instruction whose first 16 bits these are: 2 or 4. Longer encodings, none of which is known,
// count as 4.
constexpr unsigned insn_size(uint16_t first_half) { return (first_half & 3) == 3 ? 4 : 2; }

// The row of the instruction in `bits`, whose upper half is zero for a 16-bit one; null if it is none of these extensions.
const InsnDesc* find_insn(uint32_t bits, const ExtensionSet& extensions);

// Decodes the instruction in `bits` (the upper half is ignored for a 16-bit one), which is one of these extensions: another
// encoding is no instruction.
Insn decode(uint32_t bits, const ExtensionSet& extensions);
// One of any extension.
inline Insn decode(uint32_t bits) { return decode(bits, kAllExtensions); }

// Whether `bits` is an encoding of `desc`, its rules included. Only the table's tests need to ask row by row.
bool matches(const InsnDesc& desc, uint32_t bits);

}  // namespace weft::riscv
