#include "tcg/x86_64/encoder.h"

namespace weft::tcg::x86_64 {

using namespace encoding;

namespace {

void put_vex_opcode(Cursor& out, Encoding encoding, unsigned vvvv, unsigned r, unsigned x, unsigned b) {
    const unsigned not_vvvv = ~vvvv & 15;
    const auto pp = static_cast<unsigned>(encoding.prefix);
    if (encoding.map == Map::m0f && !encoding.wide && x == 0 && b == 0) {
        out.byte(0xc5);
        out.byte((r ^ 1) << 7 | not_vvvv << 3 | pp);
    } else {
        out.byte(0xc4);
        out.byte((r ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | static_cast<unsigned>(encoding.map));
        out.byte(static_cast<unsigned>(encoding.wide) << 7 | not_vvvv << 3 | pp);
    }
    out.byte(encoding.opcode);
}

void put_evex_rr(Cursor& out, Encoding encoding, unsigned reg, unsigned vvvv, unsigned rm,
                 unsigned rounding) {
    constexpr unsigned kNotHighReg = 1U << 4;  // EVEX.R', inverted
    constexpr unsigned kNotHighRm = 1U << 6;   // EVEX.X, inverted: the fifth bit of a register in ModRM.rm
    constexpr unsigned kNotHighVvvv = 1U << 3;
    constexpr unsigned kFixed = 1U << 2;
    out.byte(0x62);
    out.byte(((reg >> 3) ^ 1) << 7 | kNotHighRm | ((rm >> 3) ^ 1) << 5 | kNotHighReg |
             static_cast<unsigned>(encoding.map));
    out.byte(static_cast<unsigned>(encoding.wide) << 7 | (~vvvv & 15) << 3 | kFixed |
             static_cast<unsigned>(encoding.prefix));
    out.byte(rounding | kNotHighVvvv);
    out.byte(encoding.opcode);
    out.byte(modrm(kModRegister, reg, rm));
}

}  // namespace

void legacy_opcode_reg(Cursor& out, Encoding encoding, unsigned reg) {
    put_legacy_opcode(out, encoding.with_opcode(encoding.opcode | (reg & 7)), 0, 0, reg >> 3, false);
}

void vex_rr(Cursor& out, Encoding encoding, unsigned reg, unsigned vvvv, unsigned rm) {
    put_vex_opcode(out, encoding, vvvv, reg >> 3, 0, rm >> 3);
    out.byte(modrm(kModRegister, reg, rm));
}

void vex_rm(Cursor& out, Encoding encoding, unsigned reg, unsigned vvvv, const Mem& rm) {
    put_segment(out, rm);
    put_vex_opcode(out, encoding, vvvv, reg >> 3, high_index(rm), high_base(rm));
    put_modrm_mem(out, reg, rm);
}

void evex_rr(Cursor& out, Encoding encoding, unsigned reg, unsigned vvvv, unsigned rm) {
    put_evex_rr(out, encoding, reg, vvvv, rm, 0);
}

void evex_rr_rounding(Cursor& out, Encoding encoding, unsigned reg, unsigned vvvv, unsigned rm,
                      Rounding rounding) {
    constexpr unsigned kEmbeddedRounding = 1U << 4;  // EVEX.b
    put_evex_rr(out, encoding, reg, vvvv, rm, static_cast<unsigned>(rounding) << 5 | kEmbeddedRounding);
}

}  // namespace weft::tcg::x86_64
