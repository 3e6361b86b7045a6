// RV64I's integer computations and control transfers, the M extension and Zimop.
#pragma once

#include "emulator/guest/riscv/cpu/exception.h"
#include "emulator/guest/riscv/translate/jump_hint.h"
#include "emulator/guest/riscv/translate/semantics.h"
#include "weft/ir_info.h"

namespace weft::riscv::semantics {

namespace detail {

template <ir::Opcode kCode>
void binary_word(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_word(insn.rd, t.b().op(op<kCode>, t.x(insn.rs1), t.x(insn.rs2)));
    }
}

template <ir::Opcode kCode>
void shift(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, op<kCode>, t.x(insn.rs1), t.b().and_(t.x(insn.rs2), t.b().imm(63)));
    }
}

auto word_count(auto& t, const Insn& insn) { return t.b().and_(t.x(insn.rs2), t.b().imm(31)); }

// Without 16-bit instructions a jump to an address that is no multiple of 4 raises before it does anything else (unprivileged
// specification, "Control Transfer Instructions").
bool aligns_words(auto& t) { return !t.extensions().has(Extension::zca); }
bool is_misaligned(auto& t, int32_t target) { return (target & 2) != 0 && aligns_words(t); }

void raise_misaligned(auto& t, int32_t target) { t.raise(Exception::insn_misaligned, t.pc_plus(target)); }

template <ir::Cond kCond>
void branch_if(auto& t, const Insn& insn) {
    const int32_t target = t.offset() + insn.imm;
    if (is_misaligned(t, target)) {
        t.raise_if(kCond, t.x(insn.rs1), t.x(insn.rs2), Exception::insn_misaligned, t.pc_plus(target));
        return;
    }
    if (insn.rs1 != insn.rs2) {
        t.branch(kCond, t.x(insn.rs1), t.x(insn.rs2), target);
        return;
    }
    // A register compared with itself: always or never.
    if (kCond == ir::Cond::eq || kCond == ir::Cond::ge || kCond == ir::Cond::geu) {
        t.end_with_jump(target);
    }
}

// Division by zero and overflow trap nowhere on RISC-V (unprivileged specification, "Division Operations"): x / 0 is all
// ones, x % 0 is x, min / -1 is min and min % -1 is 0. A divisor of 1 takes their place in the op, which gives the last
// two; the first two are chosen afterwards.
template <ir::Opcode kCode, class V>
V divide(auto& t, V dividend, V divisor) {
    auto& b = t.b();
    const auto constant = [&b](uint64_t value) {
        if constexpr (V::type == ir::Type::i64) {
            return b.imm(value);
        } else {
            return b.imm32(static_cast<uint32_t>(value));
        }
    };
    const V zero = constant(0);
    const V one = constant(1);
    V safe = b.movcond(ir::Cond::eq, divisor, zero, one, divisor);
    if constexpr (kCode == ir::Opcode::divs || kCode == ir::Opcode::rems) {
        const V minimum = constant(uint64_t{1} << (ir::width(V::type) - 1));
        // Zero where the dividend is the minimum and the divisor -1.
        const V no_overflow = b.op(op<ir::Opcode::orc>, b.xor_(dividend, minimum), divisor);
        safe = b.movcond(ir::Cond::eq, no_overflow, zero, one, safe);
    }
    constexpr bool kIsQuotient = kCode == ir::Opcode::divs || kCode == ir::Opcode::divu;
    const V by_zero = kIsQuotient ? constant(~uint64_t{0}) : dividend;
    return b.movcond(ir::Cond::eq, divisor, zero, by_zero, b.op(op<kCode>, dividend, safe));
}

template <ir::Opcode kCode>
void divide_long(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, divide<kCode>(t, t.x(insn.rs1), t.x(insn.rs2)));
    }
}

template <ir::Opcode kCode>
void divide_word(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        const auto dividend = t.b().extrl_i64_i32(t.x(insn.rs1));
        const auto divisor = t.b().extrl_i64_i32(t.x(insn.rs2));
        t.set_x_word(insn.rd, divide<kCode>(t, dividend, divisor));
    }
}

}  // namespace detail

void lui(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, detail::immediate(t, insn));
    }
}

void auipc(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        // The sum does not overflow: the immediate's low 12 bits are zero, and offset() has no more.
        t.set_x_pc(insn.rd, t.offset() + insn.imm);
    }
}

void jal(auto& t, const Insn& insn) {
    const int32_t target = t.offset() + insn.imm;
    if (detail::is_misaligned(t, target)) {
        detail::raise_misaligned(t, target);
        return;
    }
    t.set_x_pc(insn.rd, t.next_offset());
    t.end_with_jump(target, hint_of_jal(insn));
}

void jalr(auto& t, const Insn& insn) {
    if (int32_t near = 0; t.knows_target(insn, &near)) {
        if (detail::is_misaligned(t, near)) {
            detail::raise_misaligned(t, near);
            return;
        }
        t.set_x_pc(insn.rd, t.next_offset());
        t.end_with_jump(near, hint_of_jalr(insn));
        return;
    }
    if (detail::aligns_words(t)) {
        const auto checked = t.b().and_(t.address(insn), t.b().imm(~uint64_t{1}));
        if (t.raise_if(ir::Cond::tstne, checked, t.b().imm(2), Exception::insn_misaligned, checked)) {
            return;
        }
    }
    const auto target = t.b().and_(t.address(insn), t.b().imm(~uint64_t{1}));
    t.set_x_pc(insn.rd, t.next_offset());
    t.end_with_jump(target, hint_of_jalr(insn));
}

void ecall(auto& t, const Insn&) {
    const Priv priv = t.flags().priv();
    t.raise(priv == Priv::user         ? Exception::ecall_user
            : priv == Priv::supervisor ? Exception::ecall_supervisor
                                       : Exception::ecall_machine,
            t.b().imm(0));
}

void beq(auto& t, const Insn& insn) { detail::branch_if<ir::Cond::eq>(t, insn); }
void bne(auto& t, const Insn& insn) { detail::branch_if<ir::Cond::ne>(t, insn); }
void blt(auto& t, const Insn& insn) { detail::branch_if<ir::Cond::lt>(t, insn); }
void bge(auto& t, const Insn& insn) { detail::branch_if<ir::Cond::ge>(t, insn); }
void bltu(auto& t, const Insn& insn) { detail::branch_if<ir::Cond::ltu>(t, insn); }
void bgeu(auto& t, const Insn& insn) { detail::branch_if<ir::Cond::geu>(t, insn); }

void addi(auto& t, const Insn& insn) {
    if (insn.rd == 0) {
        return;
    }
    if (insn.rs1 == 0) {
        t.set_x(insn.rd, detail::immediate(t, insn));
    } else if (insn.imm == 0) {
        t.set_x(insn.rd, t.x(insn.rs1));
    } else {
        detail::binary_imm<ir::Opcode::add>(t, insn);
    }
}

void slti(auto& t, const Insn& insn) {
    t.set_x_if(insn.rd, ir::Cond::lt, t.x(insn.rs1), detail::immediate(t, insn));
}
void sltiu(auto& t, const Insn& insn) {
    t.set_x_if(insn.rd, ir::Cond::ltu, t.x(insn.rs1), detail::immediate(t, insn));
}
void xori(auto& t, const Insn& insn) { detail::binary_imm<ir::Opcode::xor_>(t, insn); }
void ori(auto& t, const Insn& insn) { detail::binary_imm<ir::Opcode::or_>(t, insn); }
void andi(auto& t, const Insn& insn) { detail::binary_imm<ir::Opcode::and_>(t, insn); }
void slli(auto& t, const Insn& insn) { detail::binary_imm<ir::Opcode::shl>(t, insn); }
void srli(auto& t, const Insn& insn) { detail::binary_imm<ir::Opcode::shr>(t, insn); }
void srai(auto& t, const Insn& insn) { detail::binary_imm<ir::Opcode::sar>(t, insn); }

void add(auto& t, const Insn& insn) {
    if (insn.rd == 0) {
        return;
    }
    if (insn.rs1 == 0) {
        t.set_x(insn.rd, t.x(insn.rs2));
    } else if (insn.rs2 == 0) {
        t.set_x(insn.rd, t.x(insn.rs1));
    } else {
        detail::binary<ir::Opcode::add>(t, insn);
    }
}

void sub(auto& t, const Insn& insn) { detail::binary<ir::Opcode::sub>(t, insn); }
void sll(auto& t, const Insn& insn) { detail::shift<ir::Opcode::shl>(t, insn); }
void slt(auto& t, const Insn& insn) { t.set_x_if(insn.rd, ir::Cond::lt, t.x(insn.rs1), t.x(insn.rs2)); }
void sltu(auto& t, const Insn& insn) { t.set_x_if(insn.rd, ir::Cond::ltu, t.x(insn.rs1), t.x(insn.rs2)); }
void xor_(auto& t, const Insn& insn) { detail::binary<ir::Opcode::xor_>(t, insn); }
void srl(auto& t, const Insn& insn) { detail::shift<ir::Opcode::shr>(t, insn); }
void sra(auto& t, const Insn& insn) { detail::shift<ir::Opcode::sar>(t, insn); }
void or_(auto& t, const Insn& insn) { detail::binary<ir::Opcode::or_>(t, insn); }
void and_(auto& t, const Insn& insn) { detail::binary<ir::Opcode::and_>(t, insn); }

void addiw(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_word(insn.rd, t.address(insn));
    }
}

void slliw(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_word(insn.rd, t.b().shl(t.x(insn.rs1), detail::immediate(t, insn)));
    }
}

void srliw(auto& t, const Insn& insn) {
    if (insn.rd == 0) {
        return;
    }
    if (insn.imm == 0) {
        t.set_x_word(insn.rd, t.x(insn.rs1));
    } else {  // bit 31 of the result is zero, so its sign is known
        const unsigned amount = static_cast<unsigned>(insn.imm);
        t.set_x_field(insn.rd, op<ir::Opcode::extract>, t.x(insn.rs1), amount, 32 - amount);
    }
}

void sraiw(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        const unsigned amount = static_cast<unsigned>(insn.imm);
        t.set_x_field(insn.rd, op<ir::Opcode::sextract>, t.x(insn.rs1), amount, 32 - amount);
    }
}

void addw(auto& t, const Insn& insn) { detail::binary_word<ir::Opcode::add>(t, insn); }
void subw(auto& t, const Insn& insn) { detail::binary_word<ir::Opcode::sub>(t, insn); }

void sllw(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_word(insn.rd, t.b().shl(t.x(insn.rs1), detail::word_count(t, insn)));
    }
}

void srlw(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_word(insn.rd, t.b().shr(t.b().extract(t.x(insn.rs1), 0, 32), detail::word_count(t, insn)));
    }
}

void sraw(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        const auto word = t.b().sextract(t.x(insn.rs1), 0, 32);
        t.set_x(insn.rd, op<ir::Opcode::sar>, word, detail::word_count(t, insn));
    }
}

// ---- Zimop ----

#define WEFT_RISCV_MAY_BE_OP(id, ...)       \
    void id(auto& t, const Insn& insn) {    \
        if (insn.rd != 0) {                 \
            t.set_x(insn.rd, t.b().imm(0)); \
        }                                   \
    }
WEFT_RISCV_INSNS_ZIMOP(WEFT_RISCV_MAY_BE_OP)
#undef WEFT_RISCV_MAY_BE_OP

// ---- M ----

void mul(auto& t, const Insn& insn) { detail::binary<ir::Opcode::mul>(t, insn); }
void mulh(auto& t, const Insn& insn) { detail::binary<ir::Opcode::mulsh>(t, insn); }
void mulhsu(auto& t, const Insn& insn) { detail::binary<ir::Opcode::mulsuh>(t, insn); }
void mulhu(auto& t, const Insn& insn) { detail::binary<ir::Opcode::muluh>(t, insn); }
void div(auto& t, const Insn& insn) { detail::divide_long<ir::Opcode::divs>(t, insn); }
void divu(auto& t, const Insn& insn) { detail::divide_long<ir::Opcode::divu>(t, insn); }
void rem(auto& t, const Insn& insn) { detail::divide_long<ir::Opcode::rems>(t, insn); }
void remu(auto& t, const Insn& insn) { detail::divide_long<ir::Opcode::remu>(t, insn); }
void mulw(auto& t, const Insn& insn) { detail::binary_word<ir::Opcode::mul>(t, insn); }
void divw(auto& t, const Insn& insn) { detail::divide_word<ir::Opcode::divs>(t, insn); }
void divuw(auto& t, const Insn& insn) { detail::divide_word<ir::Opcode::divu>(t, insn); }
void remw(auto& t, const Insn& insn) { detail::divide_word<ir::Opcode::rems>(t, insn); }
void remuw(auto& t, const Insn& insn) { detail::divide_word<ir::Opcode::remu>(t, insn); }

}  // namespace weft::riscv::semantics
