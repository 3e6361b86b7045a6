// Zba, Zbb and Zbs.
#include "emulator/target/riscv/translator.h"

namespace weft::riscv::semantics {

using ir::I32;
using ir::I64;
using ir::Opcode;
using ir::Type;

namespace {

constexpr uint64_t kLow7OfBytes = 0x7f7f7f7f7f7f7f7f;
constexpr uint64_t kHighOfBytes = 0x8080808080808080;

// Results for x0 are dropped before they are computed: nothing here has another effect.
void binary(Translator& t, const Insn& insn, Opcode code) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, code, t.x(insn.rs1), t.x(insn.rs2));
    }
}

void unary(Translator& t, const Insn& insn, Opcode code) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, code, t.x(insn.rs1));
    }
}

// A count of bits of the low word: 0..32, so it is extended either way.
void count_word(Translator& t, const Insn& insn, Opcode code) {
    if (insn.rd != 0) {
        const I32 count = t.b().op(code, t.b().extrl_i64_i32(t.x(insn.rs1)));
        t.emit_x(insn.rd, Opcode::extu_i32_i64, Type::none, 0, 0, count);
    }
}

void shift_and_add(Translator& t, const Insn& insn, unsigned amount, bool word) {
    if (insn.rd != 0) {
        ir::Builder& b = t.b();
        const I64 index = word ? b.extract(t.x(insn.rs1), 0, 32) : t.x(insn.rs1);
        const I64 scaled = amount == 0 ? index : b.shl(index, b.imm(amount));
        t.set_x(insn.rd, Opcode::add, scaled, t.x(insn.rs2));
    }
}

I64 count_of(Translator& t, const Insn& insn) { return t.b().and_(t.x(insn.rs2), t.b().imm(63)); }

void rotate(Translator& t, const Insn& insn, Opcode code) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, code, t.x(insn.rs1), count_of(t, insn));
    }
}

void rotate_word(Translator& t, const Insn& insn, Opcode code, I32 count) {
    if (insn.rd != 0) {
        t.set_x_word(insn.rd, t.b().op(code, t.b().extrl_i64_i32(t.x(insn.rs1)), count));
    }
}

I32 word_count_of(Translator& t, const Insn& insn) {
    return t.b().and_(t.b().extrl_i64_i32(t.x(insn.rs2)), t.b().imm32(31));
}

// `code` with the bit that rs2 or the immediate selects.
void single_bit(Translator& t, const Insn& insn, Opcode code) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, code, t.x(insn.rs1), t.b().shl(t.b().imm(1), count_of(t, insn)));
    }
}

void single_bit_imm(Translator& t, const Insn& insn, Opcode code) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, code, t.x(insn.rs1), t.b().imm(uint64_t{1} << insn.imm));
    }
}

}  // namespace

// ---- Zba ----

void add_uw(Translator& t, const Insn& insn) { shift_and_add(t, insn, 0, true); }
void sh1add(Translator& t, const Insn& insn) { shift_and_add(t, insn, 1, false); }
void sh2add(Translator& t, const Insn& insn) { shift_and_add(t, insn, 2, false); }
void sh3add(Translator& t, const Insn& insn) { shift_and_add(t, insn, 3, false); }
void sh1add_uw(Translator& t, const Insn& insn) { shift_and_add(t, insn, 1, true); }
void sh2add_uw(Translator& t, const Insn& insn) { shift_and_add(t, insn, 2, true); }
void sh3add_uw(Translator& t, const Insn& insn) { shift_and_add(t, insn, 3, true); }

void slli_uw(Translator& t, const Insn& insn) {
    if (insn.rd != 0) {
        const I64 word = t.b().extract(t.x(insn.rs1), 0, 32);
        t.set_x(insn.rd, Opcode::shl, word, t.b().imm(static_cast<uint64_t>(insn.imm)));
    }
}

// ---- Zbb ----

void andn(Translator& t, const Insn& insn) { binary(t, insn, Opcode::andc); }
void orn(Translator& t, const Insn& insn) { binary(t, insn, Opcode::orc); }
void xnor(Translator& t, const Insn& insn) { binary(t, insn, Opcode::eqv); }
void clz(Translator& t, const Insn& insn) { unary(t, insn, Opcode::clz); }
void ctz(Translator& t, const Insn& insn) { unary(t, insn, Opcode::ctz); }
void cpop(Translator& t, const Insn& insn) { unary(t, insn, Opcode::ctpop); }
void clzw(Translator& t, const Insn& insn) { count_word(t, insn, Opcode::clz); }
void ctzw(Translator& t, const Insn& insn) { count_word(t, insn, Opcode::ctz); }
void cpopw(Translator& t, const Insn& insn) { count_word(t, insn, Opcode::ctpop); }
void max(Translator& t, const Insn& insn) { binary(t, insn, Opcode::smax); }
void maxu(Translator& t, const Insn& insn) { binary(t, insn, Opcode::umax); }
void min(Translator& t, const Insn& insn) { binary(t, insn, Opcode::smin); }
void minu(Translator& t, const Insn& insn) { binary(t, insn, Opcode::umin); }

void sext_b(Translator& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_field(insn.rd, Opcode::sextract, t.x(insn.rs1), 0, 8);
    }
}

void sext_h(Translator& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_field(insn.rd, Opcode::sextract, t.x(insn.rs1), 0, 16);
    }
}

void zext_h(Translator& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_field(insn.rd, Opcode::extract, t.x(insn.rs1), 0, 16);
    }
}

void rol(Translator& t, const Insn& insn) { rotate(t, insn, Opcode::rotl); }
void ror(Translator& t, const Insn& insn) { rotate(t, insn, Opcode::rotr); }
void rolw(Translator& t, const Insn& insn) { rotate_word(t, insn, Opcode::rotl, word_count_of(t, insn)); }
void rorw(Translator& t, const Insn& insn) { rotate_word(t, insn, Opcode::rotr, word_count_of(t, insn)); }

void rori(Translator& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, Opcode::rotr, t.x(insn.rs1), t.b().imm(static_cast<uint64_t>(insn.imm)));
    }
}

void roriw(Translator& t, const Insn& insn) {
    rotate_word(t, insn, Opcode::rotr, t.b().imm32(static_cast<uint32_t>(insn.imm)));
}

void orc_b(Translator& t, const Insn& insn) {
    if (insn.rd == 0) {
        return;
    }
    ir::Builder& b = t.b();
    // Bit 7 of each byte that is not zero: adding 0x7f to the lower seven bits carries into it, and nothing
    // carries further.
    const I64 low = b.add(b.and_(t.x(insn.rs1), b.imm(kLow7OfBytes)), b.imm(kLow7OfBytes));
    const I64 high = b.and_(b.or_(low, t.x(insn.rs1)), b.imm(kHighOfBytes));
    // 0x80 becomes 0x80 - 0x01 = 0x7f, byte by byte without a borrow.
    const I64 rest = b.sub(high, b.shr(high, b.imm(7)));
    t.set_x(insn.rd, Opcode::or_, high, rest);
}

void rev8(Translator& t, const Insn& insn) { unary(t, insn, Opcode::bswap); }

// ---- Zbs ----

void bclr(Translator& t, const Insn& insn) { single_bit(t, insn, Opcode::andc); }
void binv(Translator& t, const Insn& insn) { single_bit(t, insn, Opcode::xor_); }
void bset(Translator& t, const Insn& insn) { single_bit(t, insn, Opcode::or_); }
void bclri(Translator& t, const Insn& insn) { single_bit_imm(t, insn, Opcode::andc); }
void binvi(Translator& t, const Insn& insn) { single_bit_imm(t, insn, Opcode::xor_); }
void bseti(Translator& t, const Insn& insn) { single_bit_imm(t, insn, Opcode::or_); }

void bext(Translator& t, const Insn& insn) {
    if (insn.rd != 0) {
        const I64 shifted = t.b().shr(t.x(insn.rs1), count_of(t, insn));
        t.set_x(insn.rd, Opcode::and_, shifted, t.b().imm(1));
    }
}

void bexti(Translator& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_field(insn.rd, Opcode::extract, t.x(insn.rs1), static_cast<unsigned>(insn.imm), 1);
    }
}

}  // namespace weft::riscv::semantics
