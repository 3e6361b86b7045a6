// Text of the interpreter's units, for -d out_asm.
#pragma once

#include <span>
#include <string>

#include "tcg/code/code_address.h"
#include "weft/helper.h"

namespace weft::tcg::interp {

// One line an instruction: its offset in the unit, then the op. Values are state+0x.., fN (a slot of the frame) or $0x..
std::string disassemble(CodeWindow code, std::span<const HelperDesc> helpers);

}  // namespace weft::tcg::interp
