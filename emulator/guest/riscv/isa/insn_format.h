// How instructions are laid out and written: what the columns of the instruction tables (insns_*.h) mean.
#pragma once

#include <cstdint>
#include <string_view>

#include "emulator/guest/riscv/isa/extensions.h"

namespace weft::riscv {

// Format, operand syntax. The format says which fields an instruction has, and how its operands are written.
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
#define WEFT_RISCV_FORMATS(X)         \
    X(none, "")                       \
    X(r, "d, s, t")                   \
    X(r_unary, "d, s")                \
    X(i, "d, s, i")                   \
    X(shift64, "d, s, i")             \
    X(shift32, "d, s, i")             \
    X(aes_round, "d, s, i")           \
    X(sm4_byte, "d, s, t, i")         \
    X(load, "d, i(s)")                \
    X(store, "t, i(s)")               \
    X(branch, "s, t, b")              \
    X(u, "d, u")                      \
    X(jal, "d, b")                    \
    X(jalr, "d, i(s)")                \
    X(fence, "p, q")                  \
    X(fence_none, "")                 \
    X(csr, "d, c, s")                 \
    X(csri, "d, c, z")                \
    X(amo, "d, t, (s)")               \
    X(lr, "d, (s)")                   \
    X(sfence, "s, t")                 \
    X(cbo, "(s)")                     \
    X(fp_load, "D, i(s)")             \
    X(fp_store, "T, i(s)")            \
    X(fp_r, "D, S, T")                \
    X(fp_r_rm, "D, S, T, m")          \
    X(fp_r4_rm, "D, S, T, R, m")      \
    X(fp_unary_rm, "D, S, m")         \
    X(fp_widen, "D, S, n")            \
    X(fp_compare, "d, S, T")          \
    X(fp_to_x, "d, S")                \
    X(fp_to_x_rm, "d, S, m")          \
    X(fp_to_x_rtz, "d, S, m")         \
    X(fp_li, "D, k")                  \
    X(x_to_fp, "D, s")                \
    X(x_to_fp_rm, "D, s, m")          \
    X(x_to_fp_exact, "D, s, n")       \
    /* 16 bits wide */                \
    X(c_none, "")                     \
    X(c_nop, "i")                     \
    X(ciw, "d, s, i")                 \
    X(ci, "d, i")                     \
    X(ci_li, "d, i")                  \
    X(ci_lui, "d, u")                 \
    X(ci_sp, "d, i")                  \
    X(ci_shift, "d, i")               \
    X(ci_lw, "d, i(s)")               \
    X(ci_ld, "d, i(s)")               \
    X(ci_fld, "D, i(s)")              \
    X(css_sw, "t, i(s)")              \
    X(css_sd, "t, i(s)")              \
    X(css_fsd, "T, i(s)")             \
    X(cl_lbu, "d, i(s)")              \
    X(cl_lh, "d, i(s)")               \
    X(cl_lw, "d, i(s)")               \
    X(cl_ld, "d, i(s)")               \
    X(cl_fld, "D, i(s)")              \
    X(cs_sb, "t, i(s)")               \
    X(cs_sh, "t, i(s)")               \
    X(cs_sw, "t, i(s)")               \
    X(cs_sd, "t, i(s)")               \
    X(cs_fsd, "T, i(s)")              \
    X(ca, "d, t")                     \
    X(cu, "d")                        \
    X(cu_zext_b, "d")                 \
    X(cu_not, "d")                    \
    X(cb_shift, "d, i")               \
    X(cb_andi, "d, i")                \
    X(cb_branch, "s, b")              \
    X(cj, "b")                        \
    X(cr_move, "d, t")                \
    X(cr_add, "d, t")                 \
    X(cr_jr, "s")                     \
    X(cr_jalr, "s")
// clang-format on

enum class Format : uint8_t {
#define WEFT_RISCV_FORMAT_ENUM(name, syntax) name,
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
