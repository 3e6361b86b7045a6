// Prefixes, opcodes, ModRM, SIB, displacements and immediates: the pieces instructions are made of.
#pragma once

#include <cstdint>
#include <cstring>

#include "tcg/x86_64/instruction_table.h"
#include "tcg/x86_64/registers.h"

namespace weft::tcg::x86_64 {

// The instruction that is being written; there is room for kMaxInstructionBytes at `begin`.
struct Cursor {
    uint8_t* const begin;
    uint8_t* at = begin;
    uint8_t* rip_field = nullptr;  // the displacement of a rip-relative operand
    const Mem* rip_mem = nullptr;  // and that operand

    explicit Cursor(uint8_t* start) : begin(start) {}

    void byte(unsigned value) { *at++ = static_cast<uint8_t>(value); }
    void imm16(uint32_t value) { put(static_cast<uint16_t>(value)); }
    void imm32(uint32_t value) { put(value); }
    void imm64(uint64_t value) { put(value); }

  private:
    template <class Int>
    void put(Int value) {
        std::memcpy(at, &value, sizeof(value));
        at += sizeof(value);
    }
};

// A byte operand in spl, bpl, sil, dil is told from ah, ch, dh, bh by the presence of a REX prefix.
constexpr bool needs_rex_as_byte(Gpr reg) { return number_of(reg) >= 4 && number_of(reg) < 8; }

// Here, as the encodings are constants where they are asked for: most of the choices below are made by the compiler.
namespace encoding {

inline constexpr unsigned kModRegister = 3;
inline constexpr unsigned kRmSib = 4;  // ModRM.rm: a SIB byte follows
inline constexpr unsigned kNoIndex = 4;
inline constexpr unsigned kRmRip = 5;   // ModRM.rm with mod 0: rip + disp32
inline constexpr unsigned kNoBase = 5;  // SIB.base with mod 0: disp32 alone
inline constexpr unsigned kGsPrefix = 0x65;

// Prefixes of legacy instructions stand in any order, but REX, VEX and EVEX come last (SDM volume 2, 2.1.1 and 2.2.1).
inline void put_segment(Cursor& out, const Mem& mem) {
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

inline void put_modrm_mem(Cursor& out, unsigned reg, const Mem& mem) {
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

inline void put_legacy_prefix(Cursor& out, Prefix prefix) {
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
inline void put_legacy_opcode(Cursor& out, Encoding encoding, unsigned r, unsigned x, unsigned b,
                              bool force_rex) {
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

}  // namespace encoding

// Legacy encodings. `reg` is ModRM.reg (a register's number or a /digit), `rm` is ModRM.rm. Immediates are
// appended by the caller.
inline void legacy_rr(Cursor& out, Encoding encoding, unsigned reg, unsigned rm, bool force_rex = false) {
    encoding::put_legacy_opcode(out, encoding, reg >> 3, 0, rm >> 3, force_rex);
    out.byte(encoding::modrm(encoding::kModRegister, reg, rm));
}

inline void legacy_rm(Cursor& out, Encoding encoding, unsigned reg, const Mem& rm, bool force_rex = false) {
    encoding::put_segment(out, rm);
    encoding::put_legacy_opcode(out, encoding, reg >> 3, encoding::high_index(rm), encoding::high_base(rm),
                                force_rex);
    encoding::put_modrm_mem(out, reg, rm);
}

// A register in the low three bits of the opcode.
void legacy_opcode_reg(Cursor& out, Encoding encoding, unsigned reg);

// VEX.128 encodings; `vvvv` is 0 where the instruction does not use it.
void vex_rr(Cursor& out, Encoding encoding, unsigned reg, unsigned vvvv, unsigned rm);
void vex_rm(Cursor& out, Encoding encoding, unsigned reg, unsigned vvvv, const Mem& rm);

// EVEX encodings of scalar instructions on registers 0 to 15, unmasked: plain, and with embedded rounding.
void evex_rr(Cursor& out, Encoding encoding, unsigned reg, unsigned vvvv, unsigned rm);
void evex_rr_rounding(Cursor& out, Encoding encoding, unsigned reg, unsigned vvvv, unsigned rm,
                      Rounding rounding);

}  // namespace weft::tcg::x86_64
