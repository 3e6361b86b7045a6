// Floating point that IR has no ops for: Zfh's arithmetic of halves, and most of Zfa. Computed in integers.
#pragma once

#include <cstdint>

#include "emulator/guest/riscv/cpu/state.h"
#include "emulator/guest/riscv/isa/insn_table.h"
#include "weft/ir.h"

namespace weft::riscv {

// The last argument of soft_fp(): what the instruction of this row does, in this direction.
constexpr uint32_t soft_fp_operation(InsnId id, ir::Rounding rounding) {
    return static_cast<uint32_t>(id) << 3 | static_cast<uint32_t>(rounding);
}

// Operands and results are whole registers: f registers' with their NaN boxes (unprivileged specification, "NaN Boxing of Narrower
// Values"), x registers'. Adds to StateHeader::fp_flags. On the vCPU's thread; nothing of the host's floating point is used.
uint64_t soft_fp(State* state, uint64_t a, uint64_t b, uint64_t c, uint32_t operation);

}  // namespace weft::riscv
