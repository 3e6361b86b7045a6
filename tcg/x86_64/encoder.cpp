#include "tcg/x86_64/encoder.h"

namespace weft::tcg::x86_64 {
namespace {

constexpr unsigned kModRegister = 3;
constexpr unsigned kRmSib = 4;  // ModRM.rm: a SIB byte follows
constexpr unsigned kNoIndex = 4;
constexpr unsigned kRmRip = 5;   // ModRM.rm with mod 0: rip + disp32
constexpr unsigned kNoBase = 5;  // SIB.base with mod 0: disp32 alone
constexpr unsigned kGsPrefix = 0x65;

// Prefixes of legacy instructions stand in any order, but REX, VEX and EVEX come last (SDM volume 2, 2.1.1 and 2.2.1).
void put_segment(Cursor& out, const Mem& mem) {
    if (mem.gs())
        out.byte(kGsPrefix);
}

constexpr unsigned modrm(unsigned mod, unsigned reg, unsigned rm) {
    return mod << 6 | (reg & 7) << 3 | (rm & 7);
}

// The fourth bits of the registers of a memory operand.
constexpr unsigned high_base(const Mem& mem) {
    const bool has_base = mem.kind() == Mem::Kind::base || mem.kind() == Mem::Kind::base_index;
    return has_base ? number_of(mem.base()) >> 3 : 0;
}
constexpr unsigned high_index(const Mem& mem) {
    const bool has_index = mem.kind() == Mem::Kind::index_only || mem.kind() == Mem::Kind::base_index;
    return has_index ? number_of(mem.index()) >> 3 : 0;
}

void put_modrm_mem(Cursor& out, unsigned reg, const Mem& mem) {
    const auto disp = static_cast<uint32_t>(mem.disp());
    switch (mem.kind()) {
        case Mem::Kind::rip:
        case Mem::Kind::rip_unit:
        case Mem::Kind::rip_label:
            out.byte(modrm(0, reg, kRmRip));
            out.rip_field = out.at;
            out.rip_mem = &mem;
            out.imm32(disp);
            return;
        case Mem::Kind::index_only:
            out.byte(modrm(0, reg, kRmSib));
            out.byte(modrm(mem.scale_log2(), number_of(mem.index()), kNoBase));
            out.imm32(disp);
            return;
        case Mem::Kind::base:
        case Mem::Kind::base_index:
            break;
    }
    const unsigned base = number_of(mem.base()) & 7;
    // With mod 0, the encodings of rbp and r13 mean something else: they always have a displacement.
    unsigned mod = 2;
    if (mem.disp() == 0 && base != kNoBase)
        mod = 0;
    else if (mem.disp() >= -128 && mem.disp() <= 127)
        mod = 1;
    // rsp and r12 as base are only to be had through a SIB byte.
    if (mem.kind() == Mem::Kind::base_index || base == kRmSib) {
        const bool has_index = mem.kind() == Mem::Kind::base_index;
        out.byte(modrm(mod, reg, kRmSib));
        out.byte(modrm(mem.scale_log2(), has_index ? number_of(mem.index()) : kNoIndex, base));
    } else {
        out.byte(modrm(mod, reg, base));
    }
    if (mod == 1)
        out.byte(disp);
    else if (mod == 2)
        out.imm32(disp);
}

void put_legacy_prefix(Cursor& out, Prefix prefix) {
    switch (prefix) {
        case Prefix::none:
            return;
        case Prefix::p66:
            out.byte(0x66);
            return;
        case Prefix::pf3:
            out.byte(0xf3);
            return;
        case Prefix::pf2:
            out.byte(0xf2);
            return;
    }
}

// The bits r, x, b extend ModRM.reg, SIB.index, and ModRM.rm or SIB.base.
void put_legacy_opcode(Cursor& out, Encoding encoding, unsigned r, unsigned x, unsigned b, bool force_rex) {
    put_legacy_prefix(out, encoding.prefix);
    const unsigned rex = static_cast<unsigned>(encoding.wide) << 3 | r << 2 | x << 1 | b;
    if (rex != 0 || force_rex)
        out.byte(0x40 | rex);
    if (encoding.map != Map::one_byte)
        out.byte(0x0f);
    if (encoding.map == Map::m0f38)
        out.byte(0x38);
    else if (encoding.map == Map::m0f3a)
        out.byte(0x3a);
    out.byte(encoding.opcode);
}

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

void legacy_rr(Cursor& out, Encoding encoding, unsigned reg, unsigned rm, bool force_rex) {
    put_legacy_opcode(out, encoding, reg >> 3, 0, rm >> 3, force_rex);
    out.byte(modrm(kModRegister, reg, rm));
}

void legacy_rm(Cursor& out, Encoding encoding, unsigned reg, const Mem& rm, bool force_rex) {
    put_segment(out, rm);
    put_legacy_opcode(out, encoding, reg >> 3, high_index(rm), high_base(rm), force_rex);
    put_modrm_mem(out, reg, rm);
}

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
