// Zba, Zbb, Zbc, Zbkb, Zbkx, Zbs and Zicond.
#pragma once

#include "emulator/guest/riscv/translate/bit_functions.h"
#include "emulator/guest/riscv/translate/helpers.h"
#include "emulator/guest/riscv/translate/semantics.h"

namespace weft::riscv::semantics {

namespace detail {

inline constexpr uint64_t kLow7OfBytes = 0x7f7f7f7f7f7f7f7f;
inline constexpr uint64_t kHighOfBytes = 0x8080808080808080;

// A count of bits of the low word: 0..32, so it is extended either way.
template <ir::Opcode kCode>
void count_word(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_zero_extended(insn.rd, t.b().op(op<kCode>, t.b().extrl_i64_i32(t.x(insn.rs1))));
    }
}

void shift_and_add(auto& t, const Insn& insn, unsigned amount, bool word) {
    if (insn.rd != 0) {
        auto& b = t.b();
        const auto index = word ? b.extract(t.x(insn.rs1), 0, 32) : t.x(insn.rs1);
        const auto scaled = amount == 0 ? index : b.shl(index, b.imm(amount));
        t.set_x(insn.rd, op<ir::Opcode::add>, scaled, t.x(insn.rs2));
    }
}

auto count_of(auto& t, const Insn& insn) { return t.b().and_(t.x(insn.rs2), t.b().imm(63)); }

template <ir::Opcode kCode>
void rotate(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, op<kCode>, t.x(insn.rs1), count_of(t, insn));
    }
}

template <ir::Opcode kCode>
void rotate_word(auto& t, const Insn& insn, auto count) {
    if (insn.rd != 0) {
        t.set_x_word(insn.rd, t.b().op(op<kCode>, t.b().extrl_i64_i32(t.x(insn.rs1)), count));
    }
}

auto word_count_of(auto& t, const Insn& insn) {
    return t.b().and_(t.b().extrl_i64_i32(t.x(insn.rs2)), t.b().imm32(31));
}

// The op with the bit that rs2 or the immediate selects.
template <ir::Opcode kCode>
void single_bit(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, op<kCode>, t.x(insn.rs1), t.b().shl(t.b().imm(1), count_of(t, insn)));
    }
}

template <ir::Opcode kCode>
void single_bit_imm(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, op<kCode>, t.x(insn.rs1), t.b().imm(uint64_t{1} << insn.imm));
    }
}

void pure_function(auto& t, const Insn& insn, HelperId helper, auto function) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, t.pure(helper, function, t.x(insn.rs1), t.x(insn.rs2)));
    }
}

// Fields of 2 * amount bits with their halves exchanged; `low` has the lower halves' bits.
auto exchange_halves(auto& b, auto value, unsigned amount, uint64_t low) {
    const auto count = b.imm(amount);
    const auto mask = b.imm(low);
    return b.or_(b.and_(b.shr(value, count), mask), b.shl(b.and_(value, mask), count));
}

// rs1 or zero.
void zero_if(auto& t, const Insn& insn, ir::Cond cond) {
    if (insn.rd != 0) {
        const auto zero = t.b().imm(0);
        t.set_x(insn.rd, t.b().movcond(cond, t.x(insn.rs2), zero, zero, t.x(insn.rs1)));
    }
}

}  // namespace detail

// ---- Zba ----

void add_uw(auto& t, const Insn& insn) { detail::shift_and_add(t, insn, 0, true); }
void sh1add(auto& t, const Insn& insn) { detail::shift_and_add(t, insn, 1, false); }
void sh2add(auto& t, const Insn& insn) { detail::shift_and_add(t, insn, 2, false); }
void sh3add(auto& t, const Insn& insn) { detail::shift_and_add(t, insn, 3, false); }
void sh1add_uw(auto& t, const Insn& insn) { detail::shift_and_add(t, insn, 1, true); }
void sh2add_uw(auto& t, const Insn& insn) { detail::shift_and_add(t, insn, 2, true); }
void sh3add_uw(auto& t, const Insn& insn) { detail::shift_and_add(t, insn, 3, true); }

void slli_uw(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        const auto word = t.b().extract(t.x(insn.rs1), 0, 32);
        t.set_x(insn.rd, op<ir::Opcode::shl>, word, t.b().imm(static_cast<uint64_t>(insn.imm)));
    }
}

// ---- Zbb ----

void andn(auto& t, const Insn& insn) { detail::binary<ir::Opcode::andc>(t, insn); }
void orn(auto& t, const Insn& insn) { detail::binary<ir::Opcode::orc>(t, insn); }
void xnor(auto& t, const Insn& insn) { detail::binary<ir::Opcode::eqv>(t, insn); }
void clz(auto& t, const Insn& insn) { detail::unary<ir::Opcode::clz>(t, insn); }
void ctz(auto& t, const Insn& insn) { detail::unary<ir::Opcode::ctz>(t, insn); }
void cpop(auto& t, const Insn& insn) { detail::unary<ir::Opcode::ctpop>(t, insn); }
void clzw(auto& t, const Insn& insn) { detail::count_word<ir::Opcode::clz>(t, insn); }
void ctzw(auto& t, const Insn& insn) { detail::count_word<ir::Opcode::ctz>(t, insn); }
void cpopw(auto& t, const Insn& insn) { detail::count_word<ir::Opcode::ctpop>(t, insn); }
void max(auto& t, const Insn& insn) { detail::binary<ir::Opcode::smax>(t, insn); }
void maxu(auto& t, const Insn& insn) { detail::binary<ir::Opcode::umax>(t, insn); }
void min(auto& t, const Insn& insn) { detail::binary<ir::Opcode::smin>(t, insn); }
void minu(auto& t, const Insn& insn) { detail::binary<ir::Opcode::umin>(t, insn); }

void sext_b(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_field(insn.rd, op<ir::Opcode::sextract>, t.x(insn.rs1), 0, 8);
    }
}

void sext_h(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_field(insn.rd, op<ir::Opcode::sextract>, t.x(insn.rs1), 0, 16);
    }
}

void zext_h(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_field(insn.rd, op<ir::Opcode::extract>, t.x(insn.rs1), 0, 16);
    }
}

void rol(auto& t, const Insn& insn) { detail::rotate<ir::Opcode::rotl>(t, insn); }
void ror(auto& t, const Insn& insn) { detail::rotate<ir::Opcode::rotr>(t, insn); }
void rolw(auto& t, const Insn& insn) {
    detail::rotate_word<ir::Opcode::rotl>(t, insn, detail::word_count_of(t, insn));
}
void rorw(auto& t, const Insn& insn) {
    detail::rotate_word<ir::Opcode::rotr>(t, insn, detail::word_count_of(t, insn));
}

void rori(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, op<ir::Opcode::rotr>, t.x(insn.rs1), t.b().imm(static_cast<uint64_t>(insn.imm)));
    }
}

void roriw(auto& t, const Insn& insn) {
    detail::rotate_word<ir::Opcode::rotr>(t, insn, t.b().imm32(static_cast<uint32_t>(insn.imm)));
}

void orc_b(auto& t, const Insn& insn) {
    if (insn.rd == 0) {
        return;
    }
    auto& b = t.b();
    // Bit 7 of each byte that is not zero: adding 0x7f to the lower seven bits carries into it, and nothing
    // carries further.
    const auto low = b.add(b.and_(t.x(insn.rs1), b.imm(detail::kLow7OfBytes)), b.imm(detail::kLow7OfBytes));
    const auto high = b.and_(b.or_(low, t.x(insn.rs1)), b.imm(detail::kHighOfBytes));
    // 0x80 becomes 0x80 - 0x01 = 0x7f, byte by byte without a borrow.
    const auto rest = b.sub(high, b.shr(high, b.imm(7)));
    t.set_x(insn.rd, op<ir::Opcode::or_>, high, rest);
}

void rev8(auto& t, const Insn& insn) { detail::unary<ir::Opcode::bswap>(t, insn); }

// ---- Zbc ----

void clmul(auto& t, const Insn& insn) { detail::pure_function(t, insn, kHelperClmul, carryless_multiply); }
void clmulh(auto& t, const Insn& insn) {
    detail::pure_function(t, insn, kHelperClmulh, carryless_multiply_high);
}

// Bits 126 to 63 of the product, that is its upper half with one bit more below.
void clmulr(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        auto& b = t.b();
        const auto low = t.pure(kHelperClmul, carryless_multiply, t.x(insn.rs1), t.x(insn.rs2));
        const auto high = t.pure(kHelperClmulh, carryless_multiply_high, t.x(insn.rs1), t.x(insn.rs2));
        t.set_x(insn.rd, op<ir::Opcode::or_>, b.shl(high, b.imm(1)), b.shr(low, b.imm(63)));
    }
}

// ---- Zbkb, Zbkx ----

void pack(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        auto& b = t.b();
        t.set_x(insn.rd, op<ir::Opcode::or_>, b.extract(t.x(insn.rs1), 0, 32),
                b.shl(t.x(insn.rs2), b.imm(32)));
    }
}

void packh(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        auto& b = t.b();
        t.set_x(insn.rd, op<ir::Opcode::or_>, b.extract(t.x(insn.rs1), 0, 8),
                b.shl(b.extract(t.x(insn.rs2), 0, 8), b.imm(8)));
    }
}

void packw(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        auto& b = t.b();
        t.set_x_word(insn.rd, b.or_(b.extract(t.x(insn.rs1), 0, 16), b.shl(t.x(insn.rs2), b.imm(16))));
    }
}

void brev8(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        auto& b = t.b();
        const auto pairs = detail::exchange_halves(b, t.x(insn.rs1), 1, 0x5555555555555555);
        const auto nibbles = detail::exchange_halves(b, pairs, 2, 0x3333333333333333);
        t.set_x(insn.rd, detail::exchange_halves(b, nibbles, 4, 0x0f0f0f0f0f0f0f0f));
    }
}

void xperm4(auto& t, const Insn& insn) { detail::pure_function(t, insn, kHelperXperm4, permute<4>); }
void xperm8(auto& t, const Insn& insn) { detail::pure_function(t, insn, kHelperXperm8, permute<8>); }

// ---- Zicond ----

void czero_eqz(auto& t, const Insn& insn) { detail::zero_if(t, insn, ir::Cond::eq); }
void czero_nez(auto& t, const Insn& insn) { detail::zero_if(t, insn, ir::Cond::ne); }

// ---- Zbs ----

void bclr(auto& t, const Insn& insn) { detail::single_bit<ir::Opcode::andc>(t, insn); }
void binv(auto& t, const Insn& insn) { detail::single_bit<ir::Opcode::xor_>(t, insn); }
void bset(auto& t, const Insn& insn) { detail::single_bit<ir::Opcode::or_>(t, insn); }
void bclri(auto& t, const Insn& insn) { detail::single_bit_imm<ir::Opcode::andc>(t, insn); }
void binvi(auto& t, const Insn& insn) { detail::single_bit_imm<ir::Opcode::xor_>(t, insn); }
void bseti(auto& t, const Insn& insn) { detail::single_bit_imm<ir::Opcode::or_>(t, insn); }

void bext(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        const auto shifted = t.b().shr(t.x(insn.rs1), detail::count_of(t, insn));
        t.set_x(insn.rd, op<ir::Opcode::and_>, shifted, t.b().imm(1));
    }
}

void bexti(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x_field(insn.rd, op<ir::Opcode::extract>, t.x(insn.rs1), static_cast<unsigned>(insn.imm), 1);
    }
}

}  // namespace weft::riscv::semantics
