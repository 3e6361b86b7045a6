// Reservations of the A extension, Zawrs, and pause.
//
// LR/SC is a compare-and-swap with the value that LR loaded. SC to another address or of another size fails, and changes nothing.
//
// What is reserved is memory, and the address that is compared is a virtual one. So whatever may make it mean other memory
// ends the reservation: traps, MRET and SRET, writes of satp and of what mstatus says about loads and stores, SFENCE.VMA
// and SINVAL.VMA (state.h, end_reservation). SC may fail for that: those are no instructions of constrained LR/SC loops
// (unprivileged specification, "Eventual Success of Store-Conditional Instructions").
//
// Memory that has no atomics cannot be reserved either: LR to a device or to ROM is a load access fault, as AMO to it is a
// store access fault (privileged specification 3.6.3, RsrvNone and AMONone). So SC never has a reservation there.
//
// Two deviations: that another hart stored and put the same value back goes unnoticed, and so does a page table entry that
// was changed without SFENCE.VMA, where the other memory has the same value.
#include "emulator/guest/riscv/translate/translator.h"

namespace weft::riscv::semantics {

using ir::Cond;
using ir::I32;
using ir::I64;
using ir::MemOp;
using ir::Opcode;
using ir::Type;

namespace {

using detail::kDouble;
using detail::kWord;

MemOp memop(Translator& t, const Insn& insn, unsigned size) {
    return t.memop(size, MemOp::kAligned | detail::ordering(insn));
}

I64 res_address(Translator& t) { return t.b().global<I64>(kResAddressGlobal); }
I64 res_value(Translator& t) { return t.b().global<I64>(kResValueGlobal); }

// What res_address holds for a reservation of this size at the address.
I64 reservation_key(Translator& t, I64 address, unsigned size) {
    return size == kDouble ? t.b().or_(address, t.b().imm(1)) : address;
}

void load_reserved(Translator& t, const Insn& insn, unsigned size) {
    ir::Builder& b = t.b();
    const MemOp op(memop(t, insn, size).bits() | MemOp::kReserve);
    const I64 address = t.masked(t.x(insn.rs1));
    if (size == kDouble) {
        b.emit(Opcode::guest_ld, Type::i64, 0, op.bits(), res_value(t).index, address.index);
    } else {
        const I32 value = b.guest_ld<I32>(address, op);
        b.emit(Opcode::ext_i32_i64, Type::none, 0, 0, res_value(t).index, value.index);
    }
    b.mov(res_address(t), reservation_key(t, address, size));
    if (insn.rd != 0) {
        t.set_x(insn.rd, res_value(t));
    }
}

// The value in memory before, sign-extended, having tried to replace the reserved one by `desired`.
I64 exchange_reserved(Translator& t, const Insn& insn, I64 address, unsigned size, I64 desired) {
    ir::Builder& b = t.b();
    if (size == kDouble) {
        return b.atomic_cmpxchg(address, res_value(t), desired, memop(t, insn, size));
    }
    const I32 expected = b.extrl_i64_i32(res_value(t));
    return b.ext_i32_i64(b.atomic_cmpxchg(address, expected, b.extrl_i64_i32(desired), memop(t, insn, size)));
}

void store_conditional(Translator& t, const Insn& insn, unsigned size) {
    ir::Builder& b = t.b();
    // SC that fails has to be allowed to store nonetheless (unprivileged specification, Zalrsc): it exchanges a value for itself.
    const I64 address = t.masked(t.x(insn.rs1));
    const I64 key = reservation_key(t, address, size);
    const I64 desired = b.movcond(Cond::eq, res_address(t), key, t.x(insn.rs2), res_value(t));
    const I64 before = exchange_reserved(t, insn, address, size, desired);
    const I64 elsewhere = b.setcond(Cond::ne, res_address(t), key);
    const I64 changed = b.setcond(Cond::ne, before, res_value(t));
    if (insn.rd != 0) {
        t.set_x(insn.rd, Opcode::or_, elsewhere, changed);
    }
    b.mov(res_address(t), b.imm(kNoReservation));
}

}  // namespace

void lr_w(Translator& t, const Insn& insn) { load_reserved(t, insn, kWord); }
void lr_d(Translator& t, const Insn& insn) { load_reserved(t, insn, kDouble); }
void sc_w(Translator& t, const Insn& insn) { store_conditional(t, insn, kWord); }
void sc_d(Translator& t, const Insn& insn) { store_conditional(t, insn, kDouble); }

void amocas_q(Translator& t, const Insn& insn) {
    t.b().call(kHelperCasPair, t.masked(t.x(insn.rs1)), t.b().imm32(insn.rd), t.b().imm32(insn.rs2),
               t.b().imm32(memop(t, insn, detail::kDouble).bits()));
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

}  // namespace weft::riscv::semantics
