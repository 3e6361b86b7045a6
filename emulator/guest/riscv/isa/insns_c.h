// The C extension for RV64 with D. The columns are those of insns_rv64i.h, except that the fifth names the
// 32-bit instruction that this one stands for: its operands are decoded to that one's, so there is one
// translation of both. HINT encodings belong to the instruction whose bits they are and have no effect (rd is
// x0, or a shift by zero).
#pragma once

// clang-format off
#define WEFT_RISCV_INSNS_C(X)                                                                    \
    X(c_addi4spn, "c.addi4spn", "000 ........ ... 00",    ciw, addi, rule_imm, 3)                \
    X(c_fld,      "c.fld",      "001 ... ... .. ... 00",  cl_fld, fld, rule_none, 2)             \
    X(c_lw,       "c.lw",       "010 ... ... .. ... 00",  cl_lw, lw, rule_none, 2)               \
    X(c_ld,       "c.ld",       "011 ... ... .. ... 00",  cl_ld, ld, rule_none, 2)               \
    X(c_fsd,      "c.fsd",      "101 ... ... .. ... 00",  cs_fsd, fsd, rule_none, 2)             \
    X(c_sw,       "c.sw",       "110 ... ... .. ... 00",  cs_sw, sw, rule_none, 2)               \
    X(c_sd,       "c.sd",       "111 ... ... .. ... 00",  cs_sd, sd, rule_none, 2)               \
    X(c_nop,      "c.nop",      "000 . 00000 ..... 01",   c_nop, addi, rule_none, 1)             \
    X(c_addi,     "c.addi",     "000 . ..... ..... 01",   ci, addi, rule_rd, 3)                  \
    X(c_addiw,    "c.addiw",    "001 . ..... ..... 01",   ci, addiw, rule_rd, 3)                 \
    X(c_li,       "c.li",       "010 . ..... ..... 01",   ci_li, addi, rule_none, 3)             \
    X(c_addi16sp, "c.addi16sp", "011 . 00010 ..... 01",   ci_sp, addi, rule_imm, 1)              \
    X(c_lui,      "c.lui",      "011 . ..... ..... 01",   ci_lui, lui, rule_imm | rule_rd_sp, 3) \
    X(c_srli,     "c.srli",     "100 . 00 ... ..... 01",  cb_shift, srli, rule_none, 3)            \
    X(c_srai,     "c.srai",     "100 . 01 ... ..... 01",  cb_shift, srai, rule_none, 3)            \
    X(c_andi,     "c.andi",     "100 . 10 ... ..... 01",  cb_andi, andi, rule_none, 3)            \
    X(c_sub,      "c.sub",      "100 0 11 ... 00 ... 01", ca, sub, rule_none, 3)                 \
    X(c_xor,      "c.xor",      "100 0 11 ... 01 ... 01", ca, xor_, rule_none, 3)                \
    X(c_or,       "c.or",       "100 0 11 ... 10 ... 01", ca, or_, rule_none, 3)                 \
    X(c_and,      "c.and",      "100 0 11 ... 11 ... 01", ca, and_, rule_none, 3)                \
    X(c_subw,     "c.subw",     "100 1 11 ... 00 ... 01", ca, subw, rule_none, 3)                \
    X(c_addw,     "c.addw",     "100 1 11 ... 01 ... 01", ca, addw, rule_none, 3)                \
    X(c_j,        "c.j",        "101 ........... 01",     cj, jal, rule_none, 1)                 \
    X(c_beqz,     "c.beqz",     "110 ... ... ..... 01",   cb_branch, beq, rule_none, 1)          \
    X(c_bnez,     "c.bnez",     "111 ... ... ..... 01",   cb_branch, bne, rule_none, 1)          \
    X(c_slli,     "c.slli",     "000 . ..... ..... 10",   ci_shift, slli, rule_none, 3)          \
    X(c_fldsp,    "c.fldsp",    "001 . ..... ..... 10",   ci_fld, fld, rule_none, 2)             \
    X(c_lwsp,     "c.lwsp",     "010 . ..... ..... 10",   ci_lw, lw, rule_rd, 2)                 \
    X(c_ldsp,     "c.ldsp",     "011 . ..... ..... 10",   ci_ld, ld, rule_rd, 2)                 \
    X(c_jr,       "c.jr",       "100 0 ..... 00000 10",   cr_jr, jalr, rule_rs1, 1)              \
    X(c_mv,       "c.mv",       "100 0 ..... ..... 10",   cr_move, add, rule_rs2, 3)             \
    X(c_ebreak,   "c.ebreak",   "100 1 00000 00000 10",   c_none, ebreak, rule_none, 0)          \
    X(c_jalr,     "c.jalr",     "100 1 ..... 00000 10",   cr_jalr, jalr, rule_rs1, 1)            \
    X(c_add,      "c.add",      "100 1 ..... ..... 10",   cr_add, add, rule_rs2, 3)              \
    X(c_fsdsp,    "c.fsdsp",    "101 ...... ..... 10",    css_fsd, fsd, rule_none, 2)            \
    X(c_swsp,     "c.swsp",     "110 ...... ..... 10",    css_sw, sw, rule_none, 2)              \
    X(c_sdsp,     "c.sdsp",     "111 ...... ..... 10",    css_sd, sd, rule_none, 2)
// clang-format on
