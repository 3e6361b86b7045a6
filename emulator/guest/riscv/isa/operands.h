// Where each format keeps its operands: unprivileged specification, "Base Instruction Formats" and
// "Compressed Instruction Formats". Internal to decode.cpp and to what runs instructions one by one, which knows the format when it is
// compiled, and then pays for the operands that an instruction looks at alone.
#pragma once

#include <array>
#include <cstdint>

#include "emulator/guest/riscv/isa/decode.h"

namespace weft::riscv::operands {

// Columns of WEFT_RISCV_FORMATS: a register's number is (bits >> shift & mask) + base.
struct RegisterPlace {
    uint8_t shift;
    uint8_t mask;
    uint8_t base;
};
inline constexpr RegisterPlace no{0, 0, 0};
inline constexpr RegisterPlace ra{0, 0, 1};
inline constexpr RegisterPlace sp{0, 0, 2};
inline constexpr RegisterPlace at2{2, 31, 0};
inline constexpr RegisterPlace at7{7, 31, 0};
inline constexpr RegisterPlace at15{15, 31, 0};
inline constexpr RegisterPlace at20{20, 31, 0};
inline constexpr RegisterPlace low3{2, 7, 8};   // x8 to x15
inline constexpr RegisterPlace high3{7, 7, 8};  // the same

// The immediate, or what else is in bits of its own.
enum class OtherField : uint8_t {
    none,
    i,
    s,
    b,
    u,
    j,
    shift64,
    shift32,
    aes_round,
    sm4_byte,
    upper,  // 12 bits, not signed
    rm,
    rs3_rm,
    ci,
    ci_lui,
    ci_sp,
    ciw,
    ci_shift,
    ci_lw,
    ci_ld,
    css_sw,
    css_sd,
    cl_lbu,
    cl_lh,
    cl_lw,
    cl_ld,
    cb,
    cj,
    byte,  // 255
    ones,  // -1
};

struct Places {
    RegisterPlace rd;
    RegisterPlace rs1;
    RegisterPlace rs2;
    OtherField other;
};

// By Format.
inline constexpr auto kPlaces = std::to_array<Places>({
#define WEFT_RISCV_FORMAT_PLACES(name, syntax, rd, rs1, rs2, other) {rd, rs1, rs2, OtherField::other},
    WEFT_RISCV_FORMATS(WEFT_RISCV_FORMAT_PLACES)
#undef WEFT_RISCV_FORMAT_PLACES
});
constexpr const Places& places_of(Format format) { return kPlaces[static_cast<unsigned>(format)]; }

// Bits [low, low + length) of `bits`, put at `position`.
constexpr uint32_t field(uint32_t bits, unsigned low, unsigned length, unsigned position = 0) {
    return (bits >> low & ((1u << length) - 1)) << position;
}

constexpr int32_t sign_extend(uint32_t value, unsigned width) {
    const unsigned unused = 32 - width;
    return static_cast<int32_t>(value << unused) >> unused;
}

constexpr int32_t imm_i(uint32_t bits) { return static_cast<int32_t>(bits) >> 20; }
constexpr int32_t imm_s(uint32_t bits) { return sign_extend(field(bits, 7, 5) | field(bits, 25, 7, 5), 12); }
constexpr int32_t imm_b(uint32_t bits) {
    return sign_extend(
        field(bits, 8, 4, 1) | field(bits, 25, 6, 5) | field(bits, 7, 1, 11) | field(bits, 31, 1, 12), 13);
}
constexpr int32_t imm_j(uint32_t bits) {
    return sign_extend(
        field(bits, 21, 10, 1) | field(bits, 20, 1, 11) | field(bits, 12, 8, 12) | field(bits, 31, 1, 20),
        21);
}

constexpr uint32_t imm_ci(uint32_t bits) { return field(bits, 2, 5) | field(bits, 12, 1, 5); }
constexpr int32_t imm_ci_sp(uint32_t bits) {
    return sign_extend(field(bits, 6, 1, 4) | field(bits, 2, 1, 5) | field(bits, 5, 1, 6) |
                           field(bits, 3, 2, 7) | field(bits, 12, 1, 9),
                       10);
}
constexpr uint32_t imm_ciw(uint32_t bits) {
    return field(bits, 6, 1, 2) | field(bits, 5, 1, 3) | field(bits, 11, 2, 4) | field(bits, 7, 4, 6);
}
constexpr uint32_t imm_ci_lw(uint32_t bits) {
    return field(bits, 4, 3, 2) | field(bits, 12, 1, 5) | field(bits, 2, 2, 6);
}
constexpr uint32_t imm_ci_ld(uint32_t bits) {
    return field(bits, 5, 2, 3) | field(bits, 12, 1, 5) | field(bits, 2, 3, 6);
}
constexpr uint32_t imm_css_sw(uint32_t bits) { return field(bits, 9, 4, 2) | field(bits, 7, 2, 6); }
constexpr uint32_t imm_css_sd(uint32_t bits) { return field(bits, 10, 3, 3) | field(bits, 7, 3, 6); }
constexpr uint32_t imm_cl_lbu(uint32_t bits) { return field(bits, 6, 1) | field(bits, 5, 1, 1); }
constexpr uint32_t imm_cl_lh(uint32_t bits) { return field(bits, 5, 1, 1); }
constexpr uint32_t imm_cl_lw(uint32_t bits) {
    return field(bits, 6, 1, 2) | field(bits, 10, 3, 3) | field(bits, 5, 1, 6);
}
constexpr uint32_t imm_cl_ld(uint32_t bits) { return field(bits, 10, 3, 3) | field(bits, 5, 2, 6); }
constexpr int32_t imm_cb(uint32_t bits) {
    return sign_extend(field(bits, 3, 2, 1) | field(bits, 10, 2, 3) | field(bits, 2, 1, 5) |
                           field(bits, 5, 2, 6) | field(bits, 12, 1, 8),
                       9);
}
constexpr int32_t imm_cj(uint32_t bits) {
    return sign_extend(field(bits, 3, 3, 1) | field(bits, 11, 1, 4) | field(bits, 2, 1, 5) |
                           field(bits, 7, 1, 6) | field(bits, 6, 1, 7) | field(bits, 9, 2, 8) |
                           field(bits, 8, 1, 10) | field(bits, 12, 1, 11),
                       12);
}

constexpr int32_t as_signed(uint32_t value) { return static_cast<int32_t>(value); }

constexpr uint8_t reg(uint32_t bits, RegisterPlace place) {
    return static_cast<uint8_t>((bits >> place.shift & place.mask) + place.base);
}

constexpr int32_t immediate(OtherField kind, uint32_t bits) {
    switch (kind) {
        case OtherField::none:
        case OtherField::rm:
        case OtherField::rs3_rm:
            return 0;
        case OtherField::i:
            return imm_i(bits);
        case OtherField::s:
            return imm_s(bits);
        case OtherField::b:
            return imm_b(bits);
        case OtherField::u:
            return as_signed(bits & 0xfffff000);
        case OtherField::j:
            return imm_j(bits);
        case OtherField::shift64:
            return as_signed(field(bits, 20, 6));
        case OtherField::shift32:
            return as_signed(field(bits, 20, 5));
        case OtherField::aes_round:
            return as_signed(field(bits, 20, 4));
        case OtherField::sm4_byte:
            return as_signed(field(bits, 30, 2));
        case OtherField::upper:
            return as_signed(bits >> 20);
        case OtherField::ci:
            return sign_extend(imm_ci(bits), 6);
        case OtherField::ci_lui:
            return sign_extend(imm_ci(bits) << 12, 18);
        case OtherField::ci_sp:
            return imm_ci_sp(bits);
        case OtherField::ciw:
            return as_signed(imm_ciw(bits));
        case OtherField::ci_shift:
            return as_signed(imm_ci(bits));
        case OtherField::ci_lw:
            return as_signed(imm_ci_lw(bits));
        case OtherField::ci_ld:
            return as_signed(imm_ci_ld(bits));
        case OtherField::css_sw:
            return as_signed(imm_css_sw(bits));
        case OtherField::css_sd:
            return as_signed(imm_css_sd(bits));
        case OtherField::cl_lbu:
            return as_signed(imm_cl_lbu(bits));
        case OtherField::cl_lh:
            return as_signed(imm_cl_lh(bits));
        case OtherField::cl_lw:
            return as_signed(imm_cl_lw(bits));
        case OtherField::cl_ld:
            return as_signed(imm_cl_ld(bits));
        case OtherField::cb:
            return imm_cb(bits);
        case OtherField::cj:
            return imm_cj(bits);
        case OtherField::byte:
            return 0xff;
        case OtherField::ones:
            return -1;
    }
    return 0;
}

// The instruction `desc`, whose format it is, in `bits`.
[[gnu::always_inline]] constexpr Insn extract(const InsnDesc& desc, Format format, uint32_t bits) {
    const Places& places = places_of(format);
    const bool rs3 = places.other == OtherField::rs3_rm;
    const bool rm = rs3 || places.other == OtherField::rm;
    return {.desc = &desc,
            .bits = bits,
            .imm = immediate(places.other, bits),
            .size = static_cast<uint8_t>(insn_size(static_cast<uint16_t>(bits))),
            .rd = reg(bits, places.rd),
            .rs1 = reg(bits, places.rs1),
            .rs2 = reg(bits, places.rs2),
            .rs3 = static_cast<uint8_t>(rs3 ? bits >> 27 : 0),
            .rm = static_cast<uint8_t>(rm ? bits >> 12 & 7 : 0)};
}

}  // namespace weft::riscv::operands
