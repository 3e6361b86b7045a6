// How instructions are laid out and written: what the columns of the instruction tables (insns_*.h) mean.
#pragma once

#include <cstdint>
#include <string_view>

#include "emulator/guest/riscv/isa/extensions.h"

namespace weft::riscv {

// Format, operand syntax, and where rd, rs1 and rs2 are, and what else there is: RegisterPlace and OtherField in operands.h. The format
// says which fields an instruction has, and how its operands are written (unprivileged specification, "Base Instruction Formats" and
// "Compressed Instruction Formats").
//
// In the syntax these letters stand for an operand, everything else for itself:
//   d s t    x registers rd, rs1, rs2
//   D S T R  f registers rd, rs1, rs2, rs3
//   i        signed immediate
//   u        immediate of lui and auipc: its upper 20 bits, unsigned
//   b        target of a branch or jump
//   c        CSR
//   z        5-bit immediate in rs1's place
//   m        rounding mode
//   k        one of fli's constants, by number in rs1's place
//   n        the same, written only where it is not rne
//   p q      what a fence orders: before, after
// clang-format off
#define WEFT_RISCV_FORMATS(X)                                                 \
    X(none, "", no, no, no, none)                                             \
    X(r, "d, s, t", at7, at15, at20, none)                                    \
    X(r_unary, "d, s", at7, at15, no, none)                                   \
    X(i, "d, s, i", at7, at15, no, i)                                         \
    X(shift64, "d, s, i", at7, at15, no, shift64)                             \
    X(shift32, "d, s, i", at7, at15, no, shift32)                             \
    X(aes_round, "d, s, i", at7, at15, no, aes_round)                         \
    X(sm4_byte, "d, s, t, i", at7, at15, at20, sm4_byte)                      \
    X(load, "d, i(s)", at7, at15, no, i)                                      \
    X(store, "t, i(s)", no, at15, at20, s)                                    \
    X(branch, "s, t, b", no, at15, at20, b)                                   \
    X(u, "d, u", at7, no, no, u)                                              \
    X(jal, "d, b", at7, no, no, j)                                            \
    X(jalr, "d, i(s)", at7, at15, no, i)                                      \
    X(fence, "p, q", no, no, no, upper)                                       \
    X(fence_none, "", no, no, no, none)                                       \
    X(csr, "d, c, s", at7, at15, no, upper)                                   \
    X(csri, "d, c, z", at7, at15, no, upper)                                  \
    X(amo, "d, t, (s)", at7, at15, at20, none)                                \
    X(lr, "d, (s)", at7, at15, no, none)                                      \
    X(sfence, "s, t", no, at15, at20, none)                                   \
    X(cbo, "(s)", no, at15, no, none)                                         \
    X(fp_load, "D, i(s)", at7, at15, no, i)                                   \
    X(fp_store, "T, i(s)", no, at15, at20, s)                                 \
    X(fp_r, "D, S, T", at7, at15, at20, none)                                 \
    X(fp_r_rm, "D, S, T, m", at7, at15, at20, rm)                             \
    X(fp_r4_rm, "D, S, T, R, m", at7, at15, at20, rs3_rm)                     \
    X(fp_unary_rm, "D, S, m", at7, at15, no, rm)                              \
    X(fp_widen, "D, S, n", at7, at15, no, rm)                                 \
    X(fp_compare, "d, S, T", at7, at15, at20, none)                           \
    X(fp_to_x, "d, S", at7, at15, no, none)                                   \
    X(fp_to_x_rm, "d, S, m", at7, at15, no, rm)                               \
    X(fp_to_x_rtz, "d, S, m", at7, at15, no, rm)                              \
    X(fp_li, "D, k", at7, at15, no, none)                                     \
    X(x_to_fp, "D, s", at7, at15, no, none)                                   \
    X(x_to_fp_rm, "D, s, m", at7, at15, no, rm)                               \
    X(x_to_fp_exact, "D, s, n", at7, at15, no, rm)                            \
    /* 16 bits wide: registers are those of the instruction that is meant */  \
    X(c_none, "", no, no, no, none)                                           \
    X(c_nop, "i", no, no, no, ci)                                             \
    X(ciw, "d, s, i", low3, sp, no, ciw)                                      \
    X(ci, "d, i", at7, at7, no, ci)                                           \
    X(ci_li, "d, i", at7, no, no, ci)                                         \
    X(ci_lui, "d, u", at7, no, no, ci_lui)                                    \
    X(ci_sp, "d, i", sp, sp, no, ci_sp)                                       \
    X(ci_shift, "d, i", at7, at7, no, ci_shift)                               \
    X(ci_lw, "d, i(s)", at7, sp, no, ci_lw)                                   \
    X(ci_ld, "d, i(s)", at7, sp, no, ci_ld)                                   \
    X(ci_fld, "D, i(s)", at7, sp, no, ci_ld)                                  \
    X(css_sw, "t, i(s)", no, sp, at2, css_sw)                                 \
    X(css_sd, "t, i(s)", no, sp, at2, css_sd)                                 \
    X(css_fsd, "T, i(s)", no, sp, at2, css_sd)                                \
    X(cl_lbu, "d, i(s)", low3, high3, no, cl_lbu)                             \
    X(cl_lh, "d, i(s)", low3, high3, no, cl_lh)                               \
    X(cl_lw, "d, i(s)", low3, high3, no, cl_lw)                               \
    X(cl_ld, "d, i(s)", low3, high3, no, cl_ld)                               \
    X(cl_fld, "D, i(s)", low3, high3, no, cl_ld)                              \
    X(cs_sb, "t, i(s)", no, high3, low3, cl_lbu)                              \
    X(cs_sh, "t, i(s)", no, high3, low3, cl_lh)                               \
    X(cs_sw, "t, i(s)", no, high3, low3, cl_lw)                               \
    X(cs_sd, "t, i(s)", no, high3, low3, cl_ld)                               \
    X(cs_fsd, "T, i(s)", no, high3, low3, cl_ld)                              \
    X(ca, "d, t", high3, high3, low3, none)                                   \
    X(cu, "d", high3, high3, no, none)                                        \
    X(cu_zext_b, "d", high3, high3, no, byte)                                 \
    X(cu_not, "d", high3, high3, no, ones)                                    \
    X(cb_shift, "d, i", high3, high3, no, ci_shift)                           \
    X(cb_andi, "d, i", high3, high3, no, ci)                                  \
    X(cb_branch, "s, b", no, high3, no, cb)                                   \
    X(cj, "b", no, no, no, cj)                                                \
    X(cr_move, "d, t", at7, no, at2, none)                                    \
    X(cr_add, "d, t", at7, at7, at2, none)                                    \
    X(cr_jr, "s", no, at7, no, none)                                          \
    X(cr_jalr, "s", ra, at7, no, none)
// clang-format on

enum class Format : uint8_t {
#define WEFT_RISCV_FORMAT_ENUM(name, ...) name,
    WEFT_RISCV_FORMATS(WEFT_RISCV_FORMAT_ENUM)
#undef WEFT_RISCV_FORMAT_ENUM
};

std::string_view format_syntax(Format format);

// What mask and match cannot say: encodings that fit the bits and yet are another instruction or reserved.
enum InsnRule : uint16_t {
    rule_none = 0,
    rule_rounding = 1 << 0,     // rounding modes 5 and 6 are reserved
    rule_imm = 1 << 1,          // the immediate is not zero
    rule_rd = 1 << 2,           // rd is not x0
    rule_rd_sp = 1 << 3,        // rd is not x2
    rule_rs1 = 1 << 4,          // rs1 is not x0
    rule_rs2 = 1 << 5,          // rs2 is not x0
    rule_plain_fence = 1 << 6,  // neither fence.tso nor pause
    rule_even = 1 << 7,         // rd and rs2, which begin pairs, are even
    rule_round = 1 << 8,        // the immediate is one of AES' rounds
};

}  // namespace weft::riscv
