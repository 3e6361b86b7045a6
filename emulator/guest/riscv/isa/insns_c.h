// The C extension for RV64, Zca and Zcd, then Zcb and Zcmop. The columns are those of insns_rv64i.h, except that the fifth names the
// 32-bit instruction that this one stands for: its operands are decoded to that one's, so there is one
// translation of both. The extension comes after it. HINT encodings belong to the instruction whose bits they are
// and have no effect (rd is x0, or a shift by zero).
#pragma once

// clang-format off
#define WEFT_RISCV_INSNS_C(X) \
    X(c_addi4spn, "c.addi4spn", "000 ........ ... 00",    ciw, addi, zca, rule_imm, 3) \
    X(c_fld,      "c.fld",      "001 ... ... .. ... 00",  cl_fld, fld, zcd, rule_none, 2) \
    X(c_lw,       "c.lw",       "010 ... ... .. ... 00",  cl_lw, lw, zca, rule_none, 2) \
    X(c_ld,       "c.ld",       "011 ... ... .. ... 00",  cl_ld, ld, zca, rule_none, 2) \
    X(c_fsd,      "c.fsd",      "101 ... ... .. ... 00",  cs_fsd, fsd, zcd, rule_none, 2) \
    X(c_sw,       "c.sw",       "110 ... ... .. ... 00",  cs_sw, sw, zca, rule_none, 2) \
    X(c_sd,       "c.sd",       "111 ... ... .. ... 00",  cs_sd, sd, zca, rule_none, 2) \
    X(c_nop,      "c.nop",      "000 . 00000 ..... 01",   c_nop, addi, zca, rule_none, 1) \
    X(c_addi,     "c.addi",     "000 . ..... ..... 01",   ci, addi, zca, rule_rd, 3) \
    X(c_addiw,    "c.addiw",    "001 . ..... ..... 01",   ci, addiw, zca, rule_rd, 3) \
    X(c_li,       "c.li",       "010 . ..... ..... 01",   ci_li, addi, zca, rule_none, 3) \
    X(c_addi16sp, "c.addi16sp", "011 . 00010 ..... 01",   ci_sp, addi, zca, rule_imm, 1) \
    X(c_lui,      "c.lui",      "011 . ..... ..... 01",   ci_lui, lui, zca, rule_imm | rule_rd_sp, 3) \
    X(c_srli,     "c.srli",     "100 . 00 ... ..... 01",  cb_shift, srli, zca, rule_none, 3) \
    X(c_srai,     "c.srai",     "100 . 01 ... ..... 01",  cb_shift, srai, zca, rule_none, 3) \
    X(c_andi,     "c.andi",     "100 . 10 ... ..... 01",  cb_andi, andi, zca, rule_none, 3) \
    X(c_sub,      "c.sub",      "100 0 11 ... 00 ... 01", ca, sub, zca, rule_none, 3) \
    X(c_xor,      "c.xor",      "100 0 11 ... 01 ... 01", ca, xor_, zca, rule_none, 3) \
    X(c_or,       "c.or",       "100 0 11 ... 10 ... 01", ca, or_, zca, rule_none, 3) \
    X(c_and,      "c.and",      "100 0 11 ... 11 ... 01", ca, and_, zca, rule_none, 3) \
    X(c_subw,     "c.subw",     "100 1 11 ... 00 ... 01", ca, subw, zca, rule_none, 3) \
    X(c_addw,     "c.addw",     "100 1 11 ... 01 ... 01", ca, addw, zca, rule_none, 3) \
    X(c_j,        "c.j",        "101 ........... 01",     cj, jal, zca, rule_none, 1) \
    X(c_beqz,     "c.beqz",     "110 ... ... ..... 01",   cb_branch, beq, zca, rule_none, 1) \
    X(c_bnez,     "c.bnez",     "111 ... ... ..... 01",   cb_branch, bne, zca, rule_none, 1) \
    X(c_slli,     "c.slli",     "000 . ..... ..... 10",   ci_shift, slli, zca, rule_none, 3) \
    X(c_fldsp,    "c.fldsp",    "001 . ..... ..... 10",   ci_fld, fld, zcd, rule_none, 2) \
    X(c_lwsp,     "c.lwsp",     "010 . ..... ..... 10",   ci_lw, lw, zca, rule_rd, 2) \
    X(c_ldsp,     "c.ldsp",     "011 . ..... ..... 10",   ci_ld, ld, zca, rule_rd, 2) \
    X(c_jr,       "c.jr",       "100 0 ..... 00000 10",   cr_jr, jalr, zca, rule_rs1, 1) \
    X(c_mv,       "c.mv",       "100 0 ..... ..... 10",   cr_move, add, zca, rule_rs2, 3) \
    X(c_ebreak,   "c.ebreak",   "100 1 00000 00000 10",   c_none, ebreak, zca, rule_none, 0) \
    X(c_jalr,     "c.jalr",     "100 1 ..... 00000 10",   cr_jalr, jalr, zca, rule_rs1, 1) \
    X(c_add,      "c.add",      "100 1 ..... ..... 10",   cr_add, add, zca, rule_rs2, 3) \
    X(c_fsdsp,    "c.fsdsp",    "101 ...... ..... 10",    css_fsd, fsd, zcd, rule_none, 2) \
    X(c_swsp,     "c.swsp",     "110 ...... ..... 10",    css_sw, sw, zca, rule_none, 2) \
    X(c_sdsp,     "c.sdsp",     "111 ...... ..... 10",    css_sd, sd, zca, rule_none, 2)

#define WEFT_RISCV_INSNS_ZCB(X) \
    X(c_lbu,    "c.lbu",    "100 000 ... .. ... 00",  cl_lbu, lbu, zcb, rule_none, 2) \
    X(c_lhu,    "c.lhu",    "100 001 ... 0. ... 00",  cl_lh, lhu, zcb, rule_none, 2) \
    X(c_lh,     "c.lh",     "100 001 ... 1. ... 00",  cl_lh, lh, zcb, rule_none, 2) \
    X(c_sb,     "c.sb",     "100 010 ... .. ... 00",  cs_sb, sb, zcb, rule_none, 2) \
    X(c_sh,     "c.sh",     "100 011 ... 0. ... 00",  cs_sh, sh, zcb, rule_none, 2) \
    X(c_zext_b, "c.zext.b", "100 111 ... 11 000 01",  cu_zext_b, andi, zcb, rule_none, 2) \
    X(c_sext_b, "c.sext.b", "100 111 ... 11 001 01",  cu, sext_b, zcb_zbb, rule_none, 2) \
    X(c_zext_h, "c.zext.h", "100 111 ... 11 010 01",  cu, zext_h, zcb_zbb, rule_none, 2) \
    X(c_sext_h, "c.sext.h", "100 111 ... 11 011 01",  cu, sext_h, zcb_zbb, rule_none, 2) \
    X(c_zext_w, "c.zext.w", "100 111 ... 11 100 01",  cu, add_uw, zcb_zba, rule_none, 2) \
    X(c_not,    "c.not",    "100 111 ... 11 101 01",  cu_not, xori, zcb, rule_none, 2) \
    X(c_mul,    "c.mul",    "100 111 ... 10 ... 01",  ca, mul, zcb_zmmul, rule_none, 2)

// The encodings that c.lui leaves: nothing is done.
#define WEFT_RISCV_INSNS_ZCMOP(X) \
    X(c_mop_1, "c.mop.1", "011 0 00001 00000 01", c_none, addi, zcmop, rule_none, 1) \
    X(c_mop_3, "c.mop.3", "011 0 00011 00000 01", c_none, addi, zcmop, rule_none, 1) \
    X(c_mop_5, "c.mop.5", "011 0 00101 00000 01", c_none, addi, zcmop, rule_none, 1) \
    X(c_mop_7, "c.mop.7", "011 0 00111 00000 01", c_none, addi, zcmop, rule_none, 1) \
    X(c_mop_9, "c.mop.9", "011 0 01001 00000 01", c_none, addi, zcmop, rule_none, 1) \
    X(c_mop_11, "c.mop.11", "011 0 01011 00000 01", c_none, addi, zcmop, rule_none, 1) \
    X(c_mop_13, "c.mop.13", "011 0 01101 00000 01", c_none, addi, zcmop, rule_none, 1) \
    X(c_mop_15, "c.mop.15", "011 0 01111 00000 01", c_none, addi, zcmop, rule_none, 1)
// clang-format on
