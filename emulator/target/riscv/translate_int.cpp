// RV64I's integer computations and control transfers, and the M extension.
#include "emulator/target/riscv/translator.h"

namespace weft::riscv::semantics {

using ir::Cond;
using ir::I32;
using ir::I64;
using ir::Opcode;

namespace {

constexpr uint64_t kAllOnes = ~uint64_t{0};

I64 immediate(Translator& t, const Insn& insn) { return t.b().imm(static_cast<uint64_t>(int64_t{insn.imm})); }

// Results for x0 are dropped before they are computed: nothing here has another effect.
void binary(Translator& t, const Insn& insn, Opcode code) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, code, t.x(insn.rs1), t.x(insn.rs2));
    }
}

void binary_imm(Translator& t, const Insn& insn, Opcode code) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, code, t.x(insn.rs1), immediate(t, insn));
    }
}

void binary_word(Translator& t, const Insn& insn, Opcode code) {
    if (insn.rd != 0) {
        t.set_x_word(insn.rd, t.b().op(code, t.x(insn.rs1), t.x(insn.rs2)));
    }
}

void shift(Translator& t, const Insn& insn, Opcode code) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, code, t.x(insn.rs1), t.b().and_(t.x(insn.rs2), t.b().imm(63)));
    }
}

I64 word_count(Translator& t, const Insn& insn) { return t.b().and_(t.x(insn.rs2), t.b().imm(31)); }

void set_if(Translator& t, const Insn& insn, Cond cond, I64 b) {
    if (insn.rd != 0) {
        t.emit_x(insn.rd, Opcode::setcond, ir::Type::i64, static_cast<uint8_t>(cond), 0, t.x(insn.rs1), b);
    }
}

void branch_if(Translator& t, const Insn& insn, Cond cond) {
    const int32_t target = t.offset() + insn.imm;
    if (insn.rs1 != insn.rs2) {
        t.branch(cond, t.x(insn.rs1), t.x(insn.rs2), target);
        return;
    }
    // A register compared with itself: always or never.
    if (cond == Cond::eq || cond == Cond::ge || cond == Cond::geu) {
        t.end_with_jump(target);
    }
}

}  // namespace

void lui(Translator& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, immediate(t, insn));
    }
}

void auipc(Translator& t, const Insn& insn) {
    if (insn.rd != 0) {
        // The sum does not overflow: the immediate's low 12 bits are zero, and a page offset has no more.
        t.emit_x(insn.rd, Opcode::pc_add, ir::Type::none, 0, static_cast<uint32_t>(t.offset() + insn.imm));
    }
}

void jal(Translator& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.emit_x(insn.rd, Opcode::pc_add, ir::Type::none, 0, static_cast<uint32_t>(t.next_offset()));
    }
    t.end_with_jump(t.offset() + insn.imm);
}

void jalr(Translator& t, const Insn& insn) {
    const I64 target = t.b().and_(t.address(insn), t.b().imm(~uint64_t{1}));
    if (insn.rd != 0) {
        t.emit_x(insn.rd, Opcode::pc_add, ir::Type::none, 0, static_cast<uint32_t>(t.next_offset()));
    }
    t.end_with_jump(target);
}

void beq(Translator& t, const Insn& insn) { branch_if(t, insn, Cond::eq); }
void bne(Translator& t, const Insn& insn) { branch_if(t, insn, Cond::ne); }
void blt(Translator& t, const Insn& insn) { branch_if(t, insn, Cond::lt); }
void bge(Translator& t, const Insn& insn) { branch_if(t, insn, Cond::ge); }
void bltu(Translator& t, const Insn& insn) { branch_if(t, insn, Cond::ltu); }
void bgeu(Translator& t, const Insn& insn) { branch_if(t, insn, Cond::geu); }

void addi(Translator& t, const Insn& insn) {
    if (insn.rd == 0) {
        return;
    }
    if (insn.rs1 == 0) {
        t.set_x(insn.rd, immediate(t, insn));
    } else if (insn.imm == 0) {
        t.set_x(insn.rd, t.x(insn.rs1));
    } else {
        binary_imm(t, insn, Opcode::add);
    }
}

void slti(Translator& t, const Insn& insn) { set_if(t, insn, Cond::lt, immediate(t, insn)); }
void sltiu(Translator& t, const Insn& insn) { set_if(t, insn, Cond::ltu, immediate(t, insn)); }
void xori(Translator& t, const Insn& insn) { binary_imm(t, insn, Opcode::xor_); }
void ori(Translator& t, const Insn& insn) { binary_imm(t, insn, Opcode::or_); }
void andi(Translator& t, const Insn& insn) { binary_imm(t, insn, Opcode::and_); }
void slli(Translator& t, const Insn& insn) { binary_imm(t, insn, Opcode::shl); }
void srli(Translator& t, const Insn& insn) { binary_imm(t, insn, Opcode::shr); }
void srai(Translator& t, const Insn& insn) { binary_imm(t, insn, Opcode::sar); }

void add(Translator& t, const Insn& insn) {
    if (insn.rd == 0) {
        return;
    }
    if (insn.rs1 == 0) {
        t.set_x(insn.rd, t.x(insn.rs2));
    } else if (insn.rs2 == 0) {
        t.set_x(insn.rd, t.x(insn.rs1));
    } else {
        binary(t, insn, Opcode::add);
    }
}

void sub(Translator& t, const Insn& insn) { binary(t, insn, Opcode::sub); }
void sll(Translator& t, const Insn& insn) { shift(t, insn, Opcode::shl); }
void slt(Translator& t, const Insn& insn) { set_if(t, insn, Cond::lt, t.x(insn.rs2)); }
void sltu(Translator& t, const Insn& insn) { set_if(t, insn, Cond::ltu, t.x(insn.rs2)); }
void xor_(Translator& t, const Insn& insn) { binary(t, insn, Opcode::xor_); }
void srl(Translator& t, const Insn& insn) { shift(t, insn, Opcode::shr); }
void sra(Translator& t, const Insn& insn) { shift(t, insn, Opcode::sar); }
void or_(Translator& t, const Insn& insn) { binary(t, insn, Opcode::or_); }
void and_(Translator& t, const Insn& insn) { binary(t, insn, Opcode::and_); }

void addiw(Translator& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_word(insn.rd, t.address(insn));
    }
}

void slliw(Translator& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_word(insn.rd, t.b().shl(t.x(insn.rs1), immediate(t, insn)));
    }
}

void srliw(Translator& t, const Insn& insn) {
    if (insn.rd == 0) {
        return;
    }
    if (insn.imm == 0) {
        t.set_x_word(insn.rd, t.x(insn.rs1));
    } else {  // bit 31 of the result is zero, so its sign is known
        const unsigned amount = static_cast<unsigned>(insn.imm);
        t.set_x_field(insn.rd, Opcode::extract, t.x(insn.rs1), amount, 32 - amount);
    }
}

void sraiw(Translator& t, const Insn& insn) {
    if (insn.rd != 0) {
        const unsigned amount = static_cast<unsigned>(insn.imm);
        t.set_x_field(insn.rd, Opcode::sextract, t.x(insn.rs1), amount, 32 - amount);
    }
}

void addw(Translator& t, const Insn& insn) { binary_word(t, insn, Opcode::add); }
void subw(Translator& t, const Insn& insn) { binary_word(t, insn, Opcode::sub); }

void sllw(Translator& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_word(insn.rd, t.b().shl(t.x(insn.rs1), word_count(t, insn)));
    }
}

void srlw(Translator& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_word(insn.rd, t.b().shr(t.b().extract(t.x(insn.rs1), 0, 32), word_count(t, insn)));
    }
}

void sraw(Translator& t, const Insn& insn) {
    if (insn.rd != 0) {
        const I64 word = t.b().sextract(t.x(insn.rs1), 0, 32);
        t.set_x(insn.rd, Opcode::sar, word, word_count(t, insn));
    }
}

// ---- M ----

namespace {

// Division by zero and overflow trap nowhere on RISC-V (unprivileged specification, "Division Operations"): x
// / 0 is all ones, x % 0 is x, min / -1 is min and min % -1 is 0. A divisor of 1 takes their place in the op,
// which gives the last two; the first two are chosen afterwards.

I64 constant(Translator& t, I64, uint64_t value) { return t.b().imm(value); }
I32 constant(Translator& t, I32, uint64_t value) { return t.b().imm32(static_cast<uint32_t>(value)); }

template <class V>
V divide(Translator& t, Opcode code, V dividend, V divisor) {
    ir::Builder& b = t.b();
    const V zero = constant(t, V{}, 0);
    const V one = constant(t, V{}, 1);
    const bool is_signed = code == Opcode::divs || code == Opcode::rems;
    V safe = b.movcond(Cond::eq, divisor, zero, one, divisor);
    if (is_signed) {
        const V minimum = constant(t, V{}, uint64_t{1} << (ir::width(V::type) - 1));
        // Zero where the dividend is the minimum and the divisor -1.
        const V no_overflow = b.op(Opcode::orc, b.xor_(dividend, minimum), divisor);
        safe = b.movcond(Cond::eq, no_overflow, zero, one, safe);
    }
    const bool is_quotient = code == Opcode::divs || code == Opcode::divu;
    const V by_zero = is_quotient ? constant(t, V{}, kAllOnes) : dividend;
    return b.movcond(Cond::eq, divisor, zero, by_zero, b.op(code, dividend, safe));
}

void divide_long(Translator& t, const Insn& insn, Opcode code) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, divide(t, code, t.x(insn.rs1), t.x(insn.rs2)));
    }
}

void divide_word(Translator& t, const Insn& insn, Opcode code) {
    if (insn.rd != 0) {
        const I32 dividend = t.b().extrl_i64_i32(t.x(insn.rs1));
        const I32 divisor = t.b().extrl_i64_i32(t.x(insn.rs2));
        t.set_x_word(insn.rd, divide(t, code, dividend, divisor));
    }
}

}  // namespace

void mul(Translator& t, const Insn& insn) { binary(t, insn, Opcode::mul); }
void mulh(Translator& t, const Insn& insn) { binary(t, insn, Opcode::mulsh); }
void mulhsu(Translator& t, const Insn& insn) { binary(t, insn, Opcode::mulsuh); }
void mulhu(Translator& t, const Insn& insn) { binary(t, insn, Opcode::muluh); }
void div(Translator& t, const Insn& insn) { divide_long(t, insn, Opcode::divs); }
void divu(Translator& t, const Insn& insn) { divide_long(t, insn, Opcode::divu); }
void rem(Translator& t, const Insn& insn) { divide_long(t, insn, Opcode::rems); }
void remu(Translator& t, const Insn& insn) { divide_long(t, insn, Opcode::remu); }
void mulw(Translator& t, const Insn& insn) { binary_word(t, insn, Opcode::mul); }
void divw(Translator& t, const Insn& insn) { divide_word(t, insn, Opcode::divs); }
void divuw(Translator& t, const Insn& insn) { divide_word(t, insn, Opcode::divu); }
void remw(Translator& t, const Insn& insn) { divide_word(t, insn, Opcode::rems); }
void remuw(Translator& t, const Insn& insn) { divide_word(t, insn, Opcode::remu); }

}  // namespace weft::riscv::semantics
