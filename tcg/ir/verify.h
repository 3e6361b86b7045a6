// Checks that a unit is what weft/ir.h says a unit is. What the optimizer and the backends rely on is checked here.
#pragma once

#include <span>

#include "base/error.h"
#include "weft/guest.h"
#include "weft/ir.h"

namespace weft::tcg {

// Fails with "op N (text of the op): reason" for the first breach:
//  - ops: known opcode, type among those the op table allows, argument count, types of arguments by the signature
//    letters (calls: by the helper's signature), auxiliary words in range;
//  - temps: globals first and equal in number to global_count, constants never written and narrow ones zero-extended,
//    nothing read that may not have been written, no ebb temp used across a set_label;
//  - labels: in range, bound once if anything refers to them, never twice;
//  - blocks: nothing but a set_label after a block's end, and the unit ends with a block's end;
//  - transfers: slots are 0 .. goto_tb_count - 1, each once, offsets below 4096 but with fixed_pages; an exit_check stands directly
//    before each goto_tb and lookup_and_goto_ptr, and directly before some transfer wherever it stands; a return_point directly
//    before the exit_check of one of these two;
//  - guest instructions: an insn_start stands before anything that may raise an exception;
//  - guest state: ld and st ops do not touch the homes of globals.
// Shift counts and divisors are not checked: they are values. `helpers` is GuestArch::helpers.
//
// With RedoRule::on also what process mode needs, where an instruction at whose memory access the host faulted is done
// again from its start once the reason is gone:
//  - before an op that may raise an exception, no way through its guest instruction writes anything that outlives the unit:
//    a global, the guest state, guest memory (but by a guest_st of a constant), or by way of a helper that says it does (kHelperWritesGlobals,
//    kHelperSideEffects).
enum class RedoRule : bool { off, on };
Result<> verify(const ir::Unit& unit, std::span<const HelperDesc> helpers, RedoRule redo = RedoRule::off);

}  // namespace weft::tcg
