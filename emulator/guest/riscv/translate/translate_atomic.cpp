// What is reserved, pairs of registers (Zacas), Zawrs, and pause. Reservations are explained in semantics_atomic.h.
#include "emulator/guest/riscv/translate/translator.h"

namespace weft::riscv {

using ir::Cond;
using ir::I32;
using ir::I64;
using ir::MemOp;
using ir::Opcode;
using ir::Type;

namespace {

constexpr unsigned kDoubleLog2 = semantics::detail::kDouble;

I64 res_address(ir::Builder& b) { return b.global<I64>(kResAddressGlobal); }
I64 res_value(ir::Builder& b) { return b.global<I64>(kResValueGlobal); }

// What res_address holds for a reservation of this size at the address.
I64 reservation_key(ir::Builder& b, I64 address, MemOp memop) {
    return memop.size_log2() == kDoubleLog2 ? b.or_(address, b.imm(1)) : address;
}

// The value in memory before, sign-extended, having tried to replace the reserved one by `desired`.
I64 exchange_reserved(ir::Builder& b, I64 address, MemOp memop, I64 desired) {
    if (memop.size_log2() == kDoubleLog2) {
        return b.atomic_cmpxchg(address, res_value(b), desired, memop);
    }
    const I32 expected = b.extrl_i64_i32(res_value(b));
    return b.ext_i32_i64(b.atomic_cmpxchg(address, expected, b.extrl_i64_i32(desired), memop));
}

}  // namespace

void Translator::load_reserved_x(unsigned n, I64 pointer, MemOp memop) {
    const MemOp op(memop.bits() | MemOp::kReserve);
    const I64 address = masked(pointer);
    if (op.size_log2() == kDoubleLog2) {
        b_.emit(Opcode::guest_ld, Type::i64, 0, op.bits(), res_value(b_).index, address.index);
    } else {
        const I32 value = b_.guest_ld<I32>(address, op);
        b_.emit(Opcode::ext_i32_i64, Type::none, 0, 0, res_value(b_).index, value.index);
    }
    b_.mov(res_address(b_), reservation_key(b_, address, op));
    if (n != 0) {
        set_x(n, res_value(b_));
    }
}

void Translator::store_conditional_x(unsigned n, I64 pointer, I64 value, MemOp memop) {
    const I64 address = masked(pointer);
    const I64 key = reservation_key(b_, address, memop);
    const I64 desired = b_.movcond(Cond::eq, res_address(b_), key, value, res_value(b_));
    const I64 before = exchange_reserved(b_, address, memop, desired);
    const I64 elsewhere = b_.setcond(Cond::ne, res_address(b_), key);
    const I64 changed = b_.setcond(Cond::ne, before, res_value(b_));
    if (n != 0) {
        set_x(n, Opcode::or_, elsewhere, changed);
    }
    b_.mov(res_address(b_), b_.imm(kNoReservation));
}

namespace semantics {

void amocas_q(Translator& t, const Insn& insn) {
    t.b().call(kHelperCasPair, t.masked(t.x(insn.rs1)), t.b().imm32(insn.rd), t.b().imm32(insn.rs2),
               t.b().imm32(t.memop(detail::kDouble, MemOp::kAligned | detail::ordering(insn)).bits()));
    t.forget_x(insn.rd);
    t.forget_x(insn.rd + 1u);
}

void pause(Translator& t, const Insn&) { t.end_with_exit(ir::ExitReason::yield); }

// Others run, which may end what is waited for; the program looks again.
void wrs_nto(Translator& t, const Insn& insn) {
    t.b().call(kHelperWrsNto, t.b().imm32(insn.bits));
    t.end_with_exit(ir::ExitReason::yield);
}
void wrs_sto(Translator& t, const Insn&) { t.end_with_exit(ir::ExitReason::yield); }

}  // namespace semantics

}  // namespace weft::riscv
