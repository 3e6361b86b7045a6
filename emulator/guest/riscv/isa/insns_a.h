// The A extension. Bits 26 and 25 are aq and rl. For the columns see insns_rv64i.h.
#pragma once

// clang-format off
#define WEFT_RISCV_INSNS_A(X)                                                                 \
    X(lr_w,      "lr.w",      "00010 .. 00000 ..... 010 ..... 0101111", lr, a, rule_none, 2)  \
    X(sc_w,      "sc.w",      "00011 .. ..... ..... 010 ..... 0101111", amo, a, rule_none, 2) \
    X(amoswap_w, "amoswap.w", "00001 .. ..... ..... 010 ..... 0101111", amo, a, rule_none, 2) \
    X(amoadd_w,  "amoadd.w",  "00000 .. ..... ..... 010 ..... 0101111", amo, a, rule_none, 2) \
    X(amoxor_w,  "amoxor.w",  "00100 .. ..... ..... 010 ..... 0101111", amo, a, rule_none, 2) \
    X(amoand_w,  "amoand.w",  "01100 .. ..... ..... 010 ..... 0101111", amo, a, rule_none, 2) \
    X(amoor_w,   "amoor.w",   "01000 .. ..... ..... 010 ..... 0101111", amo, a, rule_none, 2) \
    X(amomin_w,  "amomin.w",  "10000 .. ..... ..... 010 ..... 0101111", amo, a, rule_none, 2) \
    X(amomax_w,  "amomax.w",  "10100 .. ..... ..... 010 ..... 0101111", amo, a, rule_none, 2) \
    X(amominu_w, "amominu.w", "11000 .. ..... ..... 010 ..... 0101111", amo, a, rule_none, 2) \
    X(amomaxu_w, "amomaxu.w", "11100 .. ..... ..... 010 ..... 0101111", amo, a, rule_none, 2) \
    X(lr_d,      "lr.d",      "00010 .. 00000 ..... 011 ..... 0101111", lr, a, rule_none, 2)  \
    X(sc_d,      "sc.d",      "00011 .. ..... ..... 011 ..... 0101111", amo, a, rule_none, 2) \
    X(amoswap_d, "amoswap.d", "00001 .. ..... ..... 011 ..... 0101111", amo, a, rule_none, 2) \
    X(amoadd_d,  "amoadd.d",  "00000 .. ..... ..... 011 ..... 0101111", amo, a, rule_none, 2) \
    X(amoxor_d,  "amoxor.d",  "00100 .. ..... ..... 011 ..... 0101111", amo, a, rule_none, 2) \
    X(amoand_d,  "amoand.d",  "01100 .. ..... ..... 011 ..... 0101111", amo, a, rule_none, 2) \
    X(amoor_d,   "amoor.d",   "01000 .. ..... ..... 011 ..... 0101111", amo, a, rule_none, 2) \
    X(amomin_d,  "amomin.d",  "10000 .. ..... ..... 011 ..... 0101111", amo, a, rule_none, 2) \
    X(amomax_d,  "amomax.d",  "10100 .. ..... ..... 011 ..... 0101111", amo, a, rule_none, 2) \
    X(amominu_d, "amominu.d", "11000 .. ..... ..... 011 ..... 0101111", amo, a, rule_none, 2) \
    X(amomaxu_d, "amomaxu.d", "11100 .. ..... ..... 011 ..... 0101111", amo, a, rule_none, 2)
// clang-format on
