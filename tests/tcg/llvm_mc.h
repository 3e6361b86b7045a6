// llvm-mc as the oracle of encodings.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weft::tcg::testing {

using Code = std::vector<uint8_t>;

// Whether the program is installed.
bool have_llvm_mc();

// For each line of Intel syntax, its encoding; empty where llvm-mc refuses it. One run of the program.
std::vector<Code> assemble(const std::vector<std::string>& lines);

// For each piece of code, its instructions in Intel syntax joined by "; "; "?" where something is no
// instruction. One run of the program. The code must not hold `hlt`.
std::vector<std::string> disassemble(const std::vector<Code>& pieces);

std::string to_hex(const Code& code);

}  // namespace weft::tcg::testing
