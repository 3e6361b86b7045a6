// Host code as text, for -d out_asm.
#pragma once

#include <string>

#include "tcg/code/code_address.h"

namespace weft::tcg::x86_64 {

// One line an instruction, with its executable address. Bytes that are no instruction (records behind calls) are shown
// as data.
std::string disassemble(CodeWindow code);

}  // namespace weft::tcg::x86_64
