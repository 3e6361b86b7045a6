// RISC-V assembly text as bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace weft::codegen {

struct Sequence {
    std::string path;  // where its text is, for the assembler's messages:
    uint32_t line;     // a file, and a line of it
    std::string text;  // instructions as the GNU assembler reads them; numbers are labels
};

// What each sequence is, at an address of its own that is a multiple of 4; one run of the cross compiler for all sequences. Instructions are
// compressed where they can be, as compilers' are. Error: what the assembler says.
Result<std::vector<std::vector<uint8_t>>> assemble(std::span<const Sequence> sequences);

}  // namespace weft::codegen
