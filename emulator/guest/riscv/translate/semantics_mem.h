// Loads and stores of integer registers.
#pragma once

#include "emulator/guest/riscv/translate/semantics.h"
#include "weft/memory.h"

namespace weft::riscv::semantics {

namespace detail {

enum SizeLog2 : unsigned { kByte, kHalf, kWord, kDouble };

// A load to x0 still accesses memory.
void load(auto& t, const Insn& insn, SizeLog2 size, uint32_t flags) {
    t.load_x(insn.rd, t.x(insn.rs1), t.memop(size, flags).at(insn.imm));
}

void store(auto& t, const Insn& insn, SizeLog2 size) {
    t.store(t.x(insn.rs2), t.x(insn.rs1), t.memop(size, 0).at(insn.imm));
}

}  // namespace detail

void lb(auto& t, const Insn& insn) { detail::load(t, insn, detail::kByte, ir::MemOp::kSign); }
void lh(auto& t, const Insn& insn) { detail::load(t, insn, detail::kHalf, ir::MemOp::kSign); }
void lw(auto& t, const Insn& insn) { detail::load(t, insn, detail::kWord, ir::MemOp::kSign); }
void ld(auto& t, const Insn& insn) { detail::load(t, insn, detail::kDouble, 0); }
void lbu(auto& t, const Insn& insn) { detail::load(t, insn, detail::kByte, 0); }
void lhu(auto& t, const Insn& insn) { detail::load(t, insn, detail::kHalf, 0); }
void lwu(auto& t, const Insn& insn) { detail::load(t, insn, detail::kWord, 0); }
void sb(auto& t, const Insn& insn) { detail::store(t, insn, detail::kByte); }
void sh(auto& t, const Insn& insn) { detail::store(t, insn, detail::kHalf); }
void sw(auto& t, const Insn& insn) { detail::store(t, insn, detail::kWord); }
void sd(auto& t, const Insn& insn) { detail::store(t, insn, detail::kDouble); }

}  // namespace weft::riscv::semantics
