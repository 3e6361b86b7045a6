// Text of IR, for -d op, -d op_opt and messages. Driven by the op table.
//
//   ---- pc+0x4
//   add_i64 x5,x6,$0x10
//   guest_ld_i64 tmp70,x5,s32,mmu1
//   brcond_i64 x5,x6,ltu,$L1
//
// Globals have the guest's names, temps are tmpN (to the end of the extended basic block) or locN (through the unit),
// constants $0x.. (i32 and f32 ones in 8 digits at most), labels $LN. Addresses that depend on where the unit runs are
// shown as pc+offset, from the start of its page.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "weft/guest.h"
#include "weft/ir.h"

namespace weft::tcg {

// Names; what is missing is numbered.
struct PrintNames {
    std::span<const GlobalDesc> globals;
    std::span<const HelperDesc> helpers;
};

// One op, without a line end. Prints whatever it is given: broken ops as well.
std::string print_op(const ir::Unit& unit, const ir::Op& op, const PrintNames& names);
// A whole unit, one line an op.
std::string print_unit(const ir::Unit& unit, const PrintNames& names);

// "add", "and": the name without the underscore that C++ asks for.
std::string_view opcode_name(ir::Opcode code);

}  // namespace weft::tcg
