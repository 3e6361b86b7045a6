// The A extension, that is Zalrsc and Zaamo, then Zabha and Zacas. Bits 26 and 25 are aq and rl. For the columns see insns_rv64i.h.
#pragma once

// clang-format off
#define WEFT_RISCV_INSNS_A(X)                                                                 \
    X(lr_w,      "lr.w",      "00010 .. 00000 ..... 010 ..... 0101111", lr, zalrsc, rule_none, 2)  \
    X(sc_w,      "sc.w",      "00011 .. ..... ..... 010 ..... 0101111", amo, zalrsc, rule_none, 2) \
    X(amoswap_w, "amoswap.w", "00001 .. ..... ..... 010 ..... 0101111", amo, zaamo, rule_none, 2) \
    X(amoadd_w,  "amoadd.w",  "00000 .. ..... ..... 010 ..... 0101111", amo, zaamo, rule_none, 2) \
    X(amoxor_w,  "amoxor.w",  "00100 .. ..... ..... 010 ..... 0101111", amo, zaamo, rule_none, 2) \
    X(amoand_w,  "amoand.w",  "01100 .. ..... ..... 010 ..... 0101111", amo, zaamo, rule_none, 2) \
    X(amoor_w,   "amoor.w",   "01000 .. ..... ..... 010 ..... 0101111", amo, zaamo, rule_none, 2) \
    X(amomin_w,  "amomin.w",  "10000 .. ..... ..... 010 ..... 0101111", amo, zaamo, rule_none, 2) \
    X(amomax_w,  "amomax.w",  "10100 .. ..... ..... 010 ..... 0101111", amo, zaamo, rule_none, 2) \
    X(amominu_w, "amominu.w", "11000 .. ..... ..... 010 ..... 0101111", amo, zaamo, rule_none, 2) \
    X(amomaxu_w, "amomaxu.w", "11100 .. ..... ..... 010 ..... 0101111", amo, zaamo, rule_none, 2) \
    X(lr_d,      "lr.d",      "00010 .. 00000 ..... 011 ..... 0101111", lr, zalrsc, rule_none, 2)  \
    X(sc_d,      "sc.d",      "00011 .. ..... ..... 011 ..... 0101111", amo, zalrsc, rule_none, 2) \
    X(amoswap_d, "amoswap.d", "00001 .. ..... ..... 011 ..... 0101111", amo, zaamo, rule_none, 2) \
    X(amoadd_d,  "amoadd.d",  "00000 .. ..... ..... 011 ..... 0101111", amo, zaamo, rule_none, 2) \
    X(amoxor_d,  "amoxor.d",  "00100 .. ..... ..... 011 ..... 0101111", amo, zaamo, rule_none, 2) \
    X(amoand_d,  "amoand.d",  "01100 .. ..... ..... 011 ..... 0101111", amo, zaamo, rule_none, 2) \
    X(amoor_d,   "amoor.d",   "01000 .. ..... ..... 011 ..... 0101111", amo, zaamo, rule_none, 2) \
    X(amomin_d,  "amomin.d",  "10000 .. ..... ..... 011 ..... 0101111", amo, zaamo, rule_none, 2) \
    X(amomax_d,  "amomax.d",  "10100 .. ..... ..... 011 ..... 0101111", amo, zaamo, rule_none, 2) \
    X(amominu_d, "amominu.d", "11000 .. ..... ..... 011 ..... 0101111", amo, zaamo, rule_none, 2) \
    X(amomaxu_d, "amomaxu.d", "11100 .. ..... ..... 011 ..... 0101111", amo, zaamo, rule_none, 2)

#define WEFT_RISCV_INSNS_ZABHA(X) \
    X(amoswap_b, "amoswap.b", "00001 .. ..... ..... 000 ..... 0101111", amo, zabha, rule_none, 2) \
    X(amoadd_b, "amoadd.b", "00000 .. ..... ..... 000 ..... 0101111", amo, zabha, rule_none, 2) \
    X(amoxor_b, "amoxor.b", "00100 .. ..... ..... 000 ..... 0101111", amo, zabha, rule_none, 2) \
    X(amoand_b, "amoand.b", "01100 .. ..... ..... 000 ..... 0101111", amo, zabha, rule_none, 2) \
    X(amoor_b, "amoor.b", "01000 .. ..... ..... 000 ..... 0101111", amo, zabha, rule_none, 2) \
    X(amomin_b, "amomin.b", "10000 .. ..... ..... 000 ..... 0101111", amo, zabha, rule_none, 2) \
    X(amomax_b, "amomax.b", "10100 .. ..... ..... 000 ..... 0101111", amo, zabha, rule_none, 2) \
    X(amominu_b, "amominu.b", "11000 .. ..... ..... 000 ..... 0101111", amo, zabha, rule_none, 2) \
    X(amomaxu_b, "amomaxu.b", "11100 .. ..... ..... 000 ..... 0101111", amo, zabha, rule_none, 2) \
    X(amoswap_h, "amoswap.h", "00001 .. ..... ..... 001 ..... 0101111", amo, zabha, rule_none, 2) \
    X(amoadd_h, "amoadd.h", "00000 .. ..... ..... 001 ..... 0101111", amo, zabha, rule_none, 2) \
    X(amoxor_h, "amoxor.h", "00100 .. ..... ..... 001 ..... 0101111", amo, zabha, rule_none, 2) \
    X(amoand_h, "amoand.h", "01100 .. ..... ..... 001 ..... 0101111", amo, zabha, rule_none, 2) \
    X(amoor_h, "amoor.h", "01000 .. ..... ..... 001 ..... 0101111", amo, zabha, rule_none, 2) \
    X(amomin_h, "amomin.h", "10000 .. ..... ..... 001 ..... 0101111", amo, zabha, rule_none, 2) \
    X(amomax_h, "amomax.h", "10100 .. ..... ..... 001 ..... 0101111", amo, zabha, rule_none, 2) \
    X(amominu_h, "amominu.h", "11000 .. ..... ..... 001 ..... 0101111", amo, zabha, rule_none, 2) \
    X(amomaxu_h, "amomaxu.h", "11100 .. ..... ..... 001 ..... 0101111", amo, zabha, rule_none, 2)

// rd is the value that is expected, and becomes the one that was there; of amocas.q it is a pair of registers, as rs2.
#define WEFT_RISCV_INSNS_ZACAS(X) \
    X(amocas_b, "amocas.b", "00101 .. ..... ..... 000 ..... 0101111", amo, zabha_zacas, rule_none, 2) \
    X(amocas_h, "amocas.h", "00101 .. ..... ..... 001 ..... 0101111", amo, zabha_zacas, rule_none, 2) \
    X(amocas_w, "amocas.w", "00101 .. ..... ..... 010 ..... 0101111", amo, zacas, rule_none, 2) \
    X(amocas_d, "amocas.d", "00101 .. ..... ..... 011 ..... 0101111", amo, zacas, rule_none, 2) \
    X(amocas_q, "amocas.q", "00101 .. ..... ..... 100 ..... 0101111", amo, zacas, rule_even, 2)
// clang-format on
