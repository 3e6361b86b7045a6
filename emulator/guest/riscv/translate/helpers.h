// Helpers that RISC-V translations call (weft/helper.h). Ids are indices into GuestArch::helpers.
#pragma once

#include <cstdint>
#include <span>

#include "emulator/guest/riscv/cpu/csr.h"
#include "emulator/guest/riscv/cpu/state.h"
#include "weft/helper.h"

namespace weft::riscv {

enum HelperId : uint32_t {
    kHelperRaise,      // raise(state, cause, tval): always raises
    kHelperCsr,        // csr(state, number, operand, CsrOp) -> old value; may raise illegal instruction
    kHelperMret,       // mret(state) -> pc; may raise
    kHelperSret,       // sret(state) -> pc; may raise
    kHelperWfi,        // wfi(state): may raise (mstatus.TW); the unit then leaves by exit_tb halt
    kHelperSfenceVma,  // sfence_vma(state, address, asid, SfenceFlags); may raise (mstatus.TVM, U mode)
    kHelperFenceI,     // fence_i(state)
    kHelperCount,
};

enum SfenceFlags : uint32_t { kSfenceHasAddress = 1, kSfenceHasAsid = 2 };

// An illegal instruction's tval is the instruction's bits: csr, mret, sret, wfi, sfence take them as their last argument
// (`insn`), so that what they raise is precise.
//   raise(State*, uint32_t cause, uint64_t tval)
//   csr(State*, uint32_t number, uint64_t operand, uint32_t op, uint32_t insn) -> uint64_t
//   mret(State*, uint32_t insn) -> uint64_t        sret(State*, uint32_t insn) -> uint64_t
//   wfi(State*, uint32_t insn)
//   sfence_vma(State*, uint64_t address, uint64_t asid, uint32_t flags, uint32_t insn)
//   fence_i(State*)
std::span<const HelperDesc> helper_table();

}  // namespace weft::riscv
