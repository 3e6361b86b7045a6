// Instructions as text, in LLVM's `no-aliases` syntax.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "emulator/guest/riscv/isa/decode.h"
#include "weft/guest.h"

namespace weft::riscv {

// "addi a0, a0, 1". Targets of branches and jumps are addresses where `pc`, the instruction's address, is
// given, else distances in bytes. An unknown instruction is ".4byte 0x..." or ".2byte 0x...".
std::string format_insn(const Insn& insn, std::optional<uint64_t> pc);

// GuestArch::disassemble: one line an instruction with address, raw bytes, mnemonic and operands. `model`: a CpuModel.
void disassemble(const void* model, const uint8_t* code, size_t size, uint64_t pc, const TextSink* sink);

}  // namespace weft::riscv
