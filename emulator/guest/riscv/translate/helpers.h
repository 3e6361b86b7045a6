// Helpers that RISC-V translations call (weft/helper.h). Ids are indices into GuestArch::helpers.
#pragma once

#include <cstdint>
#include <span>

#include "emulator/guest/riscv/cpu/csr.h"
#include "emulator/guest/riscv/cpu/state.h"
#include "weft/helper.h"

namespace weft::riscv {

enum HelperId : uint32_t {
    kHelperRaise,  // raise(state, cause, tval): always raises
    kHelperCsr,    // csr(state, number, operand, CsrOp) -> old value; may raise illegal instruction
    kHelperInterruptsDue,  // interrupts_due(state) -> 1 where one may be taken now, which the accelerator is told, else 0
    kHelperMret,       // mret(state) -> pc; may raise
    kHelperSret,       // sret(state) -> pc; may raise
    kHelperWfi,        // wfi(state): may raise (mstatus.TW); the unit then leaves by exit_tb halt
    kHelperSfenceVma,  // sfence_vma(state, address, asid, SfenceFlags); may raise (mstatus.TVM, U mode)
    kHelperFenceI,     // fence_i(state)
    kHelperWrsNto,     // wrs_nto(state): may raise (mstatus.TW)
    kHelperAmo,        // amo(state, address, operand, opcode, memop) -> value before; may raise
    kHelperCas,        // cas(state, address, expected, desired, memop) -> value before; may raise
    kHelperCasPair,    // cas_pair(state, address, rd, rs2, memop): of two registers each; may raise
    kHelperCbo,        // cbo(state, address, CacheOp): may raise (menvcfg, senvcfg, what may not be accessed)
    kHelperSoftFp,     // soft_fp(state, a, b, c, operation) -> result; adds to the flags (soft_fp.h)
    // Pure functions of two words (bit_functions.h).
    kHelperClmul,
    kHelperClmulh,
    kHelperXperm4,
    kHelperXperm8,
    // The same (cipher_functions.h).
    kHelperAesEncryptLast,
    kHelperAesEncryptMiddle,
    kHelperAesDecryptLast,
    kHelperAesDecryptMiddle,
    kHelperAesInverseMix,
    kHelperAesKeyWord,
    kHelperSm4Round,
    kHelperSm4KeyRound,
    kHelperCount,
};

enum class CacheOp : uint32_t { invalidate, clean, flush };

enum SfenceFlags : uint32_t { kSfenceHasAddress = 1, kSfenceHasAsid = 2 };

// An illegal instruction's tval is the instruction's bits: csr, mret, sret, wfi, wrs_nto, cbo, sfence take them as their last argument
// (`insn`), so that what they raise is precise.
//   raise(State*, uint32_t cause, uint64_t tval)
//   csr(State*, uint32_t number, uint64_t operand, uint32_t op, uint32_t insn) -> uint64_t
//   interrupts_due(State*) -> uint64_t
//   mret(State*, uint32_t insn) -> uint64_t        sret(State*, uint32_t insn) -> uint64_t
//   wfi(State*, uint32_t insn)                      wrs_nto(State*, uint32_t insn)
//   sfence_vma(State*, uint64_t address, uint64_t asid, uint32_t flags, uint32_t insn)
//   fence_i(State*)
//   amo(State*, uint64_t address, uint64_t operand, uint32_t opcode, uint32_t memop) -> uint64_t
//   cas(State*, uint64_t address, uint64_t expected, uint64_t desired, uint32_t memop) -> uint64_t
//   cas_pair(State*, uint64_t address, uint32_t rd, uint32_t rs2, uint32_t memop)
//   cbo(State*, uint64_t address, uint32_t op, uint32_t insn)
//   soft_fp(State*, uint64_t a, uint64_t b, uint64_t c, uint32_t operation) -> uint64_t
//   clmul(uint64_t, uint64_t) -> uint64_t, and the other pure ones
std::span<const HelperDesc> helper_table();

}  // namespace weft::riscv
