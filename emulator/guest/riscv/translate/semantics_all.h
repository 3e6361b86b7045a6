// All semantics: the templates, and what is written for the translator alone.
#pragma once

#include "emulator/guest/riscv/isa/insn_table.h"
#include "emulator/guest/riscv/translate/semantics_atomic.h"
#include "emulator/guest/riscv/translate/semantics_bitmanip.h"
#include "emulator/guest/riscv/translate/semantics_cipher.h"
#include "emulator/guest/riscv/translate/semantics_int.h"
#include "emulator/guest/riscv/translate/semantics_mem.h"

namespace weft::riscv {

class Translator;

namespace semantics {

#define WEFT_RISCV_DECLARE(id, ...) void id(Translator& t, const Insn& insn);
// Breakpoints, waiting and what orders instruction fetches (list I); pairs of registers (Zacas), and waiting for the end of a reservation;
// all of floating point, of CSRs and of the privileged architecture.
WEFT_RISCV_DECLARE(ebreak)
WEFT_RISCV_DECLARE(pause)
WEFT_RISCV_DECLARE(fence_i)
WEFT_RISCV_DECLARE(amocas_q)
WEFT_RISCV_INSNS_F(WEFT_RISCV_DECLARE)
WEFT_RISCV_INSNS_D(WEFT_RISCV_DECLARE)
WEFT_RISCV_INSNS_ZFHMIN(WEFT_RISCV_DECLARE)
WEFT_RISCV_INSNS_ZFH(WEFT_RISCV_DECLARE)
WEFT_RISCV_INSNS_ZFA_CONSTANTS(WEFT_RISCV_DECLARE)
WEFT_RISCV_INSNS_ZFA(WEFT_RISCV_DECLARE)
WEFT_RISCV_INSNS_ZICSR(WEFT_RISCV_DECLARE)
WEFT_RISCV_INSNS_ZAWRS(WEFT_RISCV_DECLARE)
WEFT_RISCV_INSNS_ZICBOM(WEFT_RISCV_DECLARE)
WEFT_RISCV_INSNS_ZICBOZ(WEFT_RISCV_DECLARE)
WEFT_RISCV_INSNS_PRIV(WEFT_RISCV_DECLARE)
#undef WEFT_RISCV_DECLARE

}  // namespace semantics

}  // namespace weft::riscv
