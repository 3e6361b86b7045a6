// Loads and stores, of integer and of floating-point registers.
#include "emulator/target/riscv/translator.h"

namespace weft::riscv::semantics {

using ir::F32;
using ir::I64;
using ir::MemOp;
using ir::Opcode;
using ir::Type;

namespace {

constexpr unsigned kByte = 0;
constexpr unsigned kHalf = 1;
constexpr unsigned kWord = 2;
constexpr unsigned kDouble = 3;

// A load to x0 still accesses memory.
void load(Translator& t, const Insn& insn, unsigned size, uint32_t flags) {
    t.emit_x(insn.rd, Opcode::qemu_ld, Type::i64, 0, t.memop(size, flags).bits(), t.address(insn));
}

void store(Translator& t, const Insn& insn, unsigned size) {
    t.b().qemu_st(t.x(insn.rs2), t.address(insn), t.memop(size));
}

}  // namespace

void lb(Translator& t, const Insn& insn) { load(t, insn, kByte, MemOp::kSign); }
void lh(Translator& t, const Insn& insn) { load(t, insn, kHalf, MemOp::kSign); }
void lw(Translator& t, const Insn& insn) { load(t, insn, kWord, MemOp::kSign); }
void ld(Translator& t, const Insn& insn) { load(t, insn, kDouble, 0); }
void lbu(Translator& t, const Insn& insn) { load(t, insn, kByte, 0); }
void lhu(Translator& t, const Insn& insn) { load(t, insn, kHalf, 0); }
void lwu(Translator& t, const Insn& insn) { load(t, insn, kWord, 0); }
void sb(Translator& t, const Insn& insn) { store(t, insn, kByte); }
void sh(Translator& t, const Insn& insn) { store(t, insn, kHalf); }
void sw(Translator& t, const Insn& insn) { store(t, insn, kWord); }
void sd(Translator& t, const Insn& insn) { store(t, insn, kDouble); }

void flw(Translator& t, const Insn& insn) {
    if (t.needs_fp(insn)) {
        t.set_f32(insn.rd, t.b().qemu_ld<F32>(t.address(insn), t.memop(kWord)));
    }
}

void fld(Translator& t, const Insn& insn) {
    if (t.needs_fp(insn)) {
        const I64 address = t.address(insn);
        t.b().emit(Opcode::qemu_ld, Type::f64, 0, t.memop(kDouble).bits(), t.f_out(insn.rd).index,
                   address.index);
    }
}

// The register's low half as it is, NaN-boxed or not.
void fsw(Translator& t, const Insn& insn) {
    if (t.needs_fp(insn)) {
        t.b().qemu_st(t.b().bits(t.f(insn.rs2)), t.address(insn), t.memop(kWord));
    }
}

void fsd(Translator& t, const Insn& insn) {
    if (t.needs_fp(insn)) {
        t.b().qemu_st(t.f(insn.rs2), t.address(insn), t.memop(kDouble));
    }
}

}  // namespace weft::riscv::semantics
