// Zfhmin, Zfh and Zfa. For the columns see insns_rv64i.h.
#pragma once

// clang-format off
// Halves as they are in memory and registers.
#define WEFT_RISCV_INSNS_ZFHMIN(X) \
    X(flh, "flh", "............ ..... 001 ..... 0000111", fp_load, zfhmin, rule_none, 3) \
    X(fsh, "fsh", "....... ..... ..... 001 ..... 0100111", fp_store, zfhmin, rule_none, 3) \
    X(fmv_x_h, "fmv.x.h", "1110010 00000 ..... 000 ..... 1010011", fp_to_x, zfhmin, rule_none, 2) \
    X(fmv_h_x, "fmv.h.x", "1111010 00000 ..... 000 ..... 1010011", x_to_fp, zfhmin, rule_none, 2)

// And conversions, Zfhmin's among them.
#define WEFT_RISCV_INSNS_ZFH(X) \
    X(fmadd_h, "fmadd.h", "..... 10 ..... ..... ... ..... 1000011", fp_r4_rm, zfh, rule_rounding, 3) \
    X(fmsub_h, "fmsub.h", "..... 10 ..... ..... ... ..... 1000111", fp_r4_rm, zfh, rule_rounding, 3) \
    X(fnmsub_h, "fnmsub.h", "..... 10 ..... ..... ... ..... 1001011", fp_r4_rm, zfh, rule_rounding, 3) \
    X(fnmadd_h, "fnmadd.h", "..... 10 ..... ..... ... ..... 1001111", fp_r4_rm, zfh, rule_rounding, 3) \
    X(fadd_h, "fadd.h", "0000010 ..... ..... ... ..... 1010011", fp_r_rm, zfh, rule_rounding, 3) \
    X(fsub_h, "fsub.h", "0000110 ..... ..... ... ..... 1010011", fp_r_rm, zfh, rule_rounding, 3) \
    X(fmul_h, "fmul.h", "0001010 ..... ..... ... ..... 1010011", fp_r_rm, zfh, rule_rounding, 3) \
    X(fdiv_h, "fdiv.h", "0001110 ..... ..... ... ..... 1010011", fp_r_rm, zfh, rule_rounding, 3) \
    X(fsqrt_h, "fsqrt.h", "0101110 00000 ..... ... ..... 1010011", fp_unary_rm, zfh, rule_rounding, 3) \
    X(fsgnj_h, "fsgnj.h", "0010010 ..... ..... 000 ..... 1010011", fp_r, zfh, rule_none, 2) \
    X(fsgnjn_h, "fsgnjn.h", "0010010 ..... ..... 001 ..... 1010011", fp_r, zfh, rule_none, 2) \
    X(fsgnjx_h, "fsgnjx.h", "0010010 ..... ..... 010 ..... 1010011", fp_r, zfh, rule_none, 2) \
    X(fmin_h, "fmin.h", "0010110 ..... ..... 000 ..... 1010011", fp_r, zfh, rule_none, 2) \
    X(fmax_h, "fmax.h", "0010110 ..... ..... 001 ..... 1010011", fp_r, zfh, rule_none, 2) \
    X(feq_h, "feq.h", "1010010 ..... ..... 010 ..... 1010011", fp_compare, zfh, rule_none, 2) \
    X(flt_h, "flt.h", "1010010 ..... ..... 001 ..... 1010011", fp_compare, zfh, rule_none, 2) \
    X(fle_h, "fle.h", "1010010 ..... ..... 000 ..... 1010011", fp_compare, zfh, rule_none, 2) \
    X(fclass_h, "fclass.h", "1110010 00000 ..... 001 ..... 1010011", fp_to_x, zfh, rule_none, 2) \
    X(fcvt_w_h, "fcvt.w.h", "1100010 00000 ..... ... ..... 1010011", fp_to_x_rm, zfh, rule_rounding, 2) \
    X(fcvt_wu_h, "fcvt.wu.h", "1100010 00001 ..... ... ..... 1010011", fp_to_x_rm, zfh, rule_rounding, 2) \
    X(fcvt_l_h, "fcvt.l.h", "1100010 00010 ..... ... ..... 1010011", fp_to_x_rm, zfh, rule_rounding, 2) \
    X(fcvt_lu_h, "fcvt.lu.h", "1100010 00011 ..... ... ..... 1010011", fp_to_x_rm, zfh, rule_rounding, 2) \
    X(fcvt_h_w, "fcvt.h.w", "1101010 00000 ..... ... ..... 1010011", x_to_fp_rm, zfh, rule_rounding, 2) \
    X(fcvt_h_wu, "fcvt.h.wu", "1101010 00001 ..... ... ..... 1010011", x_to_fp_rm, zfh, rule_rounding, 2) \
    X(fcvt_h_l, "fcvt.h.l", "1101010 00010 ..... ... ..... 1010011", x_to_fp_rm, zfh, rule_rounding, 2) \
    X(fcvt_h_lu, "fcvt.h.lu", "1101010 00011 ..... ... ..... 1010011", x_to_fp_rm, zfh, rule_rounding, 2) \
    X(fcvt_s_h, "fcvt.s.h", "0100000 00010 ..... ... ..... 1010011", fp_widen, zfhmin, rule_rounding, 2) \
    X(fcvt_h_s, "fcvt.h.s", "0100010 00000 ..... ... ..... 1010011", fp_unary_rm, zfhmin, rule_rounding, 2) \
    X(fcvt_d_h, "fcvt.d.h", "0100001 00010 ..... ... ..... 1010011", fp_widen, zfh_d, rule_rounding, 2) \
    X(fcvt_h_d, "fcvt.h.d", "0100010 00001 ..... ... ..... 1010011", fp_unary_rm, zfh_d, rule_rounding, 2)

#define WEFT_RISCV_INSNS_ZFA_CONSTANTS(X) \
    X(fli_s, "fli.s", "1111000 00001 ..... 000 ..... 1010011", fp_li, zfa, rule_none, 2) \
    X(fli_d, "fli.d", "1111001 00001 ..... 000 ..... 1010011", fp_li, zfa_d, rule_none, 2) \
    X(fli_h, "fli.h", "1111010 00001 ..... 000 ..... 1010011", fp_li, zfa_zfh, rule_none, 2)

#define WEFT_RISCV_INSNS_ZFA(X) \
    X(fminm_s, "fminm.s", "0010100 ..... ..... 010 ..... 1010011", fp_r, zfa, rule_none, 2) \
    X(fmaxm_s, "fmaxm.s", "0010100 ..... ..... 011 ..... 1010011", fp_r, zfa, rule_none, 2) \
    X(fround_s, "fround.s", "0100000 00100 ..... ... ..... 1010011", fp_unary_rm, zfa, rule_rounding, 2) \
    X(froundnx_s, "froundnx.s", "0100000 00101 ..... ... ..... 1010011", fp_unary_rm, zfa, rule_rounding, 2) \
    X(fleq_s, "fleq.s", "1010000 ..... ..... 100 ..... 1010011", fp_compare, zfa, rule_none, 2) \
    X(fltq_s, "fltq.s", "1010000 ..... ..... 101 ..... 1010011", fp_compare, zfa, rule_none, 2) \
    X(fminm_d, "fminm.d", "0010101 ..... ..... 010 ..... 1010011", fp_r, zfa_d, rule_none, 2) \
    X(fmaxm_d, "fmaxm.d", "0010101 ..... ..... 011 ..... 1010011", fp_r, zfa_d, rule_none, 2) \
    X(fround_d, "fround.d", "0100001 00100 ..... ... ..... 1010011", fp_unary_rm, zfa_d, rule_rounding, 2) \
    X(froundnx_d, "froundnx.d", "0100001 00101 ..... ... ..... 1010011", fp_unary_rm, zfa_d, rule_rounding, 2) \
    X(fleq_d, "fleq.d", "1010001 ..... ..... 100 ..... 1010011", fp_compare, zfa_d, rule_none, 2) \
    X(fltq_d, "fltq.d", "1010001 ..... ..... 101 ..... 1010011", fp_compare, zfa_d, rule_none, 2) \
    X(fminm_h, "fminm.h", "0010110 ..... ..... 010 ..... 1010011", fp_r, zfa_zfh, rule_none, 2) \
    X(fmaxm_h, "fmaxm.h", "0010110 ..... ..... 011 ..... 1010011", fp_r, zfa_zfh, rule_none, 2) \
    X(fround_h, "fround.h", "0100010 00100 ..... ... ..... 1010011", fp_unary_rm, zfa_zfh, rule_rounding, 2) \
    X(froundnx_h, "froundnx.h", "0100010 00101 ..... ... ..... 1010011", fp_unary_rm, zfa_zfh, rule_rounding, 2) \
    X(fleq_h, "fleq.h", "1010010 ..... ..... 100 ..... 1010011", fp_compare, zfa_zfh, rule_none, 2) \
    X(fltq_h, "fltq.h", "1010010 ..... ..... 101 ..... 1010011", fp_compare, zfa_zfh, rule_none, 2) \
    X(fcvtmod_w_d, "fcvtmod.w.d", "1100001 01000 ..... 001 ..... 1010011", fp_to_x_rtz, zfa_d, rule_none, 2)
// clang-format on
