// What the registers of a jump say of it: whether it is a call or a return (RISC-V unprivileged specification, "Unconditional
// Jumps", the table of return-address stack prediction hints).
#pragma once

#include <cstdint>

#include "emulator/guest/riscv/isa/decode.h"

namespace weft::riscv {

struct JumpHint {
    uint8_t link = 0;      // of a call: where it leaves the address that it returns to
    bool returns = false;  // no call, most likely back from one

    bool is_call() const { return link != 0; }
};

constexpr bool is_link(unsigned reg) { return reg == 1 || reg == 5; }

constexpr JumpHint hint_of_jal(const Insn& insn) { return {.link = is_link(insn.rd) ? insn.rd : uint8_t{0}}; }

// One that goes from coroutine to coroutine, with two link registers, is taken for a call alone.
constexpr JumpHint hint_of_jalr(const Insn& insn) {
    return is_link(insn.rd) ? JumpHint{.link = insn.rd} : JumpHint{.returns = is_link(insn.rs1)};
}

}  // namespace weft::riscv
