// Zicond, Zimop, Zawrs, Zicbom and Zicboz. For the columns see insns_rv64i.h.
#pragma once

// clang-format off
#define WEFT_RISCV_INSNS_ZICOND(X) \
    X(czero_eqz, "czero.eqz", "0000111 ..... ..... 101 ..... 0110011", r, zicond, rule_none, 4) \
    X(czero_nez, "czero.nez", "0000111 ..... ..... 111 ..... 0110011", r, zicond, rule_none, 4)

// They write zero to rd until another extension gives one of them a meaning.
#define WEFT_RISCV_INSNS_ZIMOP(X) \
    X(mop_r_0, "mop.r.0", "100000011100 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_1, "mop.r.1", "100000011101 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_2, "mop.r.2", "100000011110 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_3, "mop.r.3", "100000011111 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_4, "mop.r.4", "100001011100 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_5, "mop.r.5", "100001011101 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_6, "mop.r.6", "100001011110 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_7, "mop.r.7", "100001011111 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_8, "mop.r.8", "100010011100 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_9, "mop.r.9", "100010011101 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_10, "mop.r.10", "100010011110 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_11, "mop.r.11", "100010011111 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_12, "mop.r.12", "100011011100 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_13, "mop.r.13", "100011011101 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_14, "mop.r.14", "100011011110 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_15, "mop.r.15", "100011011111 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_16, "mop.r.16", "110000011100 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_17, "mop.r.17", "110000011101 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_18, "mop.r.18", "110000011110 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_19, "mop.r.19", "110000011111 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_20, "mop.r.20", "110001011100 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_21, "mop.r.21", "110001011101 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_22, "mop.r.22", "110001011110 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_23, "mop.r.23", "110001011111 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_24, "mop.r.24", "110010011100 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_25, "mop.r.25", "110010011101 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_26, "mop.r.26", "110010011110 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_27, "mop.r.27", "110010011111 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_28, "mop.r.28", "110011011100 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_29, "mop.r.29", "110011011101 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_30, "mop.r.30", "110011011110 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_r_31, "mop.r.31", "110011011111 ..... 100 ..... 1110011", r_unary, zimop, rule_none, 1) \
    X(mop_rr_0, "mop.rr.0", "1000001 ..... ..... 100 ..... 1110011", r, zimop, rule_none, 1) \
    X(mop_rr_1, "mop.rr.1", "1000011 ..... ..... 100 ..... 1110011", r, zimop, rule_none, 1) \
    X(mop_rr_2, "mop.rr.2", "1000101 ..... ..... 100 ..... 1110011", r, zimop, rule_none, 1) \
    X(mop_rr_3, "mop.rr.3", "1000111 ..... ..... 100 ..... 1110011", r, zimop, rule_none, 1) \
    X(mop_rr_4, "mop.rr.4", "1100001 ..... ..... 100 ..... 1110011", r, zimop, rule_none, 1) \
    X(mop_rr_5, "mop.rr.5", "1100011 ..... ..... 100 ..... 1110011", r, zimop, rule_none, 1) \
    X(mop_rr_6, "mop.rr.6", "1100101 ..... ..... 100 ..... 1110011", r, zimop, rule_none, 1) \
    X(mop_rr_7, "mop.rr.7", "1100111 ..... ..... 100 ..... 1110011", r, zimop, rule_none, 1)

#define WEFT_RISCV_INSNS_ZAWRS(X) \
    X(wrs_nto, "wrs.nto", "000000001101 00000 000 00000 1110011", none, zawrs, rule_none, 1) \
    X(wrs_sto, "wrs.sto", "000000011101 00000 000 00000 1110011", none, zawrs, rule_none, 1)

// On the block of 64 bytes that the address is in.
#define WEFT_RISCV_INSNS_ZICBOM(X) \
    X(cbo_inval, "cbo.inval", "000000000000 ..... 010 00000 0001111", cbo, zicbom, rule_none, 1) \
    X(cbo_clean, "cbo.clean", "000000000001 ..... 010 00000 0001111", cbo, zicbom, rule_none, 1) \
    X(cbo_flush, "cbo.flush", "000000000010 ..... 010 00000 0001111", cbo, zicbom, rule_none, 1)

#define WEFT_RISCV_INSNS_ZICBOZ(X) \
    X(cbo_zero,  "cbo.zero",  "000000000100 ..... 010 00000 0001111", cbo, zicboz, rule_none, 1)
// clang-format on
