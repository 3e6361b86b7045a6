// Where each format keeps its operands: unprivileged specification, "Base Instruction Formats" and
// "Compressed Instruction Formats".
#include "emulator/guest/riscv/isa/decode.h"

namespace weft::riscv {

namespace {

constexpr uint8_t kSp = 2;

// Bits [low, low + length) of `bits`, put at `position`.
constexpr uint32_t field(uint32_t bits, unsigned low, unsigned length, unsigned position = 0) {
    return (bits >> low & ((1u << length) - 1)) << position;
}

constexpr int32_t sign_extend(uint32_t value, unsigned width) {
    const unsigned unused = 32 - width;
    return static_cast<int32_t>(value << unused) >> unused;
}

constexpr uint8_t reg(uint32_t bits, unsigned low) { return static_cast<uint8_t>(bits >> low & 31); }
// A compressed format's three-bit register field: x8..x15.
constexpr uint8_t reg3(uint32_t bits, unsigned low) { return static_cast<uint8_t>((bits >> low & 7) + 8); }

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

void extract_32(Format format, Insn* insn) {
    const uint32_t bits = insn->bits;
    const uint8_t rd = reg(bits, 7);
    const uint8_t rs1 = reg(bits, 15);
    const uint8_t rs2 = reg(bits, 20);
    const uint8_t rm = static_cast<uint8_t>(field(bits, 12, 3));
    switch (format) {
        case Format::r:
        case Format::amo:
        case Format::fp_r:
        case Format::fp_compare:
            insn->rd = rd;
            insn->rs1 = rs1;
            insn->rs2 = rs2;
            break;
        case Format::r_unary:
        case Format::lr:
        case Format::fp_to_x:
        case Format::fp_li:
        case Format::x_to_fp:
            insn->rd = rd;
            insn->rs1 = rs1;
            break;
        case Format::i:
        case Format::load:
        case Format::fp_load:
        case Format::jalr:
            insn->rd = rd;
            insn->rs1 = rs1;
            insn->imm = imm_i(bits);
            break;
        case Format::csr:
        case Format::csri:
            insn->rd = rd;
            insn->rs1 = rs1;
            insn->imm = as_signed(bits >> 20);
            break;
        case Format::fence:
            insn->imm = as_signed(bits >> 20);
            break;
        case Format::shift64:
            insn->rd = rd;
            insn->rs1 = rs1;
            insn->imm = as_signed(field(bits, 20, 6));
            break;
        case Format::shift32:
            insn->rd = rd;
            insn->rs1 = rs1;
            insn->imm = as_signed(field(bits, 20, 5));
            break;
        case Format::aes_round:
            insn->rd = rd;
            insn->rs1 = rs1;
            insn->imm = as_signed(field(bits, 20, 4));
            break;
        case Format::sm4_byte:
            insn->rd = rd;
            insn->rs1 = rs1;
            insn->rs2 = rs2;
            insn->imm = as_signed(field(bits, 30, 2));
            break;
        case Format::store:
        case Format::fp_store:
            insn->rs1 = rs1;
            insn->rs2 = rs2;
            insn->imm = imm_s(bits);
            break;
        case Format::branch:
            insn->rs1 = rs1;
            insn->rs2 = rs2;
            insn->imm = imm_b(bits);
            break;
        case Format::u:
            insn->rd = rd;
            insn->imm = as_signed(bits & 0xfffff000);
            break;
        case Format::jal:
            insn->rd = rd;
            insn->imm = imm_j(bits);
            break;
        case Format::cbo:
            insn->rs1 = rs1;
            break;
        case Format::sfence:
            insn->rs1 = rs1;
            insn->rs2 = rs2;
            break;
        case Format::fp_r4_rm:
            insn->rs3 = reg(bits, 27);
            [[fallthrough]];
        case Format::fp_r_rm:
            insn->rs2 = rs2;
            [[fallthrough]];
        case Format::fp_unary_rm:
        case Format::fp_widen:
        case Format::fp_to_x_rm:
        case Format::fp_to_x_rtz:
        case Format::x_to_fp_rm:
        case Format::x_to_fp_exact:
            insn->rd = rd;
            insn->rs1 = rs1;
            insn->rm = rm;
            break;
        default:  // none, fence_none
            break;
    }
}

void extract_16(Format format, Insn* insn) {
    const uint32_t bits = insn->bits;
    const uint8_t rd = reg(bits, 7);
    const uint8_t rs2 = reg(bits, 2);
    const uint8_t low3 = reg3(bits, 2);
    const uint8_t high3 = reg3(bits, 7);
    switch (format) {
        case Format::c_nop:
            insn->imm = sign_extend(imm_ci(bits), 6);
            break;
        case Format::ciw:
            insn->rd = low3;
            insn->rs1 = kSp;
            insn->imm = as_signed(imm_ciw(bits));
            break;
        case Format::ci:
            insn->rd = insn->rs1 = rd;
            insn->imm = sign_extend(imm_ci(bits), 6);
            break;
        case Format::ci_li:
            insn->rd = rd;
            insn->imm = sign_extend(imm_ci(bits), 6);
            break;
        case Format::ci_lui:
            insn->rd = rd;
            insn->imm = sign_extend(imm_ci(bits) << 12, 18);
            break;
        case Format::ci_sp:
            insn->rd = insn->rs1 = kSp;
            insn->imm = imm_ci_sp(bits);
            break;
        case Format::ci_shift:
            insn->rd = insn->rs1 = rd;
            insn->imm = as_signed(imm_ci(bits));
            break;
        case Format::ci_lw:
            insn->rd = rd;
            insn->rs1 = kSp;
            insn->imm = as_signed(imm_ci_lw(bits));
            break;
        case Format::ci_ld:
        case Format::ci_fld:
            insn->rd = rd;
            insn->rs1 = kSp;
            insn->imm = as_signed(imm_ci_ld(bits));
            break;
        case Format::css_sw:
            insn->rs2 = rs2;
            insn->rs1 = kSp;
            insn->imm = as_signed(imm_css_sw(bits));
            break;
        case Format::css_sd:
        case Format::css_fsd:
            insn->rs2 = rs2;
            insn->rs1 = kSp;
            insn->imm = as_signed(imm_css_sd(bits));
            break;
        case Format::cl_lbu:
            insn->rd = low3;
            insn->rs1 = high3;
            insn->imm = as_signed(imm_cl_lbu(bits));
            break;
        case Format::cl_lh:
            insn->rd = low3;
            insn->rs1 = high3;
            insn->imm = as_signed(imm_cl_lh(bits));
            break;
        case Format::cl_lw:
            insn->rd = low3;
            insn->rs1 = high3;
            insn->imm = as_signed(imm_cl_lw(bits));
            break;
        case Format::cl_ld:
        case Format::cl_fld:
            insn->rd = low3;
            insn->rs1 = high3;
            insn->imm = as_signed(imm_cl_ld(bits));
            break;
        case Format::cs_sb:
            insn->rs2 = low3;
            insn->rs1 = high3;
            insn->imm = as_signed(imm_cl_lbu(bits));
            break;
        case Format::cs_sh:
            insn->rs2 = low3;
            insn->rs1 = high3;
            insn->imm = as_signed(imm_cl_lh(bits));
            break;
        case Format::cs_sw:
            insn->rs2 = low3;
            insn->rs1 = high3;
            insn->imm = as_signed(imm_cl_lw(bits));
            break;
        case Format::cs_sd:
        case Format::cs_fsd:
            insn->rs2 = low3;
            insn->rs1 = high3;
            insn->imm = as_signed(imm_cl_ld(bits));
            break;
        case Format::ca:
            insn->rd = insn->rs1 = high3;
            insn->rs2 = low3;
            break;
        case Format::cu:
            insn->rd = insn->rs1 = high3;
            break;
        case Format::cu_zext_b:
            insn->rd = insn->rs1 = high3;
            insn->imm = 0xff;
            break;
        case Format::cu_not:
            insn->rd = insn->rs1 = high3;
            insn->imm = -1;
            break;
        case Format::cb_shift:
            insn->rd = insn->rs1 = high3;
            insn->imm = as_signed(imm_ci(bits));
            break;
        case Format::cb_andi:
            insn->rd = insn->rs1 = high3;
            insn->imm = sign_extend(imm_ci(bits), 6);
            break;
        case Format::cb_branch:
            insn->rs1 = high3;
            insn->imm = imm_cb(bits);
            break;
        case Format::cj:
            insn->imm = imm_cj(bits);
            break;
        case Format::cr_move:
            insn->rd = rd;
            insn->rs2 = rs2;
            break;
        case Format::cr_add:
            insn->rd = insn->rs1 = rd;
            insn->rs2 = rs2;
            break;
        case Format::cr_jr:
            insn->rs1 = rd;
            break;
        case Format::cr_jalr:
            insn->rd = 1;
            insn->rs1 = rd;
            break;
        default:  // c_none
            break;
    }
}

}  // namespace

void extract_operands(Format format, Insn* insn) {
    if (insn->size == 2) {
        extract_16(format, insn);
    } else {
        extract_32(format, insn);
    }
}

}  // namespace weft::riscv
