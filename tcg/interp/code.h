// The form in which the interpreter keeps units in the code buffer.
//
//   | UnitHeader | constants, 8 bytes each | instructions ... |
//
// A unit is read-only once compiled, but for one word in each goto_tb: written by Backend::link and unlink (any thread,
// release), read by the vCPUs that run the unit (acquire). It contains no absolute addresses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "weft/ir.h"
#include "weft/ir_info.h"

namespace weft::tcg::interp {

struct UnitHeader {
    uint32_t unit_index;  // ExecState::exit_unit
    uint32_t first_insn;  // bytes from the unit's start
    uint32_t end;         // of the instructions
    uint32_t constant_count;
};
static_assert(sizeof(UnitHeader) == 16);

// An instruction: this head, then its operands, one 32-bit word each.
struct Insn {
    uint16_t key;   // which handler: key_of()
    uint8_t cond;   // Op::cond; for a call CallFlag bits
    uint8_t words;  // size of the whole in 32-bit words
    uint32_t aux;   // Op::aux
};
static_assert(sizeof(Insn) == 8);
inline constexpr unsigned kHeadWords = sizeof(Insn) / sizeof(uint32_t);

enum CallFlag : uint8_t { kCallMayRaise = 1, kCallHasResult = 2 };

inline constexpr unsigned kKeyCount = 2 * ir::kOpcodeCount;
// 32-bit and 64-bit forms of an op have handlers of their own.
constexpr uint16_t key_of(ir::Opcode code, ir::Type type) {
    return static_cast<uint16_t>(2 * static_cast<unsigned>(code) + (ir::width(type) == 64 ? 1 : 0));
}
// One more: counts an entry into its unit (ExecState::profile). The first of a unit, where it is there.
inline constexpr uint16_t kCountEntryKey = kKeyCount;
inline constexpr unsigned kHandlerCount = kKeyCount + 1;
constexpr ir::Opcode opcode_of(uint16_t key) { return static_cast<ir::Opcode>(key / 2); }

// A value operand is a displacement (a multiple of 4) from one of three bases, which its two low bits name.
enum Base : unsigned { kBaseState = 0, kBaseFrame = 1, kBaseUnit = 2 };
constexpr int32_t operand_of(Base base, int32_t displacement) {
    return displacement | static_cast<int32_t>(base);
}

// Operand words of jumps: br and brcond keep, last, the distance to their destination in words from the
// instruction's start; goto_tb (and return_point, in vain) keeps the distance to the unit it is linked to in bytes from this word, 0 if unlinked.

inline const uint32_t* operands(const Insn& insn) {
    return reinterpret_cast<const uint32_t*>(&insn) + kHeadWords;
}
inline const Insn* insn_at(const Insn& insn, ptrdiff_t words) {
    return reinterpret_cast<const Insn*>(reinterpret_cast<const uint32_t*>(&insn) + words);
}

}  // namespace weft::tcg::interp
