// The F and D extensions. For the columns see insns_rv64i.h.
#pragma once

// clang-format off
#define WEFT_RISCV_INSNS_F(X)                                                                             \
    X(flw,       "flw",       "............ ..... 010 ..... 0000111",   fp_load, f, rule_none, 3)         \
    X(fsw,       "fsw",       "....... ..... ..... 010 ..... 0100111",  fp_store, f, rule_none, 3)        \
    X(fmadd_s,   "fmadd.s",   "..... 00 ..... ..... ... ..... 1000011", fp_r4_rm, f, rule_rounding, 3)    \
    X(fmsub_s,   "fmsub.s",   "..... 00 ..... ..... ... ..... 1000111", fp_r4_rm, f, rule_rounding, 3)    \
    X(fnmsub_s,  "fnmsub.s",  "..... 00 ..... ..... ... ..... 1001011", fp_r4_rm, f, rule_rounding, 3)    \
    X(fnmadd_s,  "fnmadd.s",  "..... 00 ..... ..... ... ..... 1001111", fp_r4_rm, f, rule_rounding, 3)    \
    X(fadd_s,    "fadd.s",    "0000000 ..... ..... ... ..... 1010011",  fp_r_rm, f, rule_rounding, 3)     \
    X(fsub_s,    "fsub.s",    "0000100 ..... ..... ... ..... 1010011",  fp_r_rm, f, rule_rounding, 3)     \
    X(fmul_s,    "fmul.s",    "0001000 ..... ..... ... ..... 1010011",  fp_r_rm, f, rule_rounding, 3)     \
    X(fdiv_s,    "fdiv.s",    "0001100 ..... ..... ... ..... 1010011",  fp_r_rm, f, rule_rounding, 3)     \
    X(fsqrt_s,   "fsqrt.s",   "0101100 00000 ..... ... ..... 1010011",  fp_unary_rm, f, rule_rounding, 3) \
    X(fsgnj_s,   "fsgnj.s",   "0010000 ..... ..... 000 ..... 1010011",  fp_r, f, rule_none, 2)            \
    X(fsgnjn_s,  "fsgnjn.s",  "0010000 ..... ..... 001 ..... 1010011",  fp_r, f, rule_none, 2)            \
    X(fsgnjx_s,  "fsgnjx.s",  "0010000 ..... ..... 010 ..... 1010011",  fp_r, f, rule_none, 2)            \
    X(fmin_s,    "fmin.s",    "0010100 ..... ..... 000 ..... 1010011",  fp_r, f, rule_none, 2)            \
    X(fmax_s,    "fmax.s",    "0010100 ..... ..... 001 ..... 1010011",  fp_r, f, rule_none, 2)            \
    X(feq_s,     "feq.s",     "1010000 ..... ..... 010 ..... 1010011",  fp_compare, f, rule_none, 2)      \
    X(flt_s,     "flt.s",     "1010000 ..... ..... 001 ..... 1010011",  fp_compare, f, rule_none, 2)      \
    X(fle_s,     "fle.s",     "1010000 ..... ..... 000 ..... 1010011",  fp_compare, f, rule_none, 2)      \
    X(fclass_s,  "fclass.s",  "1110000 00000 ..... 001 ..... 1010011",  fp_to_x, f, rule_none, 2)         \
    X(fcvt_w_s,  "fcvt.w.s",  "1100000 00000 ..... ... ..... 1010011",  fp_to_x_rm, f, rule_rounding, 2)  \
    X(fcvt_wu_s, "fcvt.wu.s", "1100000 00001 ..... ... ..... 1010011",  fp_to_x_rm, f, rule_rounding, 2)  \
    X(fcvt_l_s,  "fcvt.l.s",  "1100000 00010 ..... ... ..... 1010011",  fp_to_x_rm, f, rule_rounding, 2)  \
    X(fcvt_lu_s, "fcvt.lu.s", "1100000 00011 ..... ... ..... 1010011",  fp_to_x_rm, f, rule_rounding, 2)  \
    X(fcvt_s_w,  "fcvt.s.w",  "1101000 00000 ..... ... ..... 1010011",  x_to_fp_rm, f, rule_rounding, 2)  \
    X(fcvt_s_wu, "fcvt.s.wu", "1101000 00001 ..... ... ..... 1010011",  x_to_fp_rm, f, rule_rounding, 2)  \
    X(fcvt_s_l,  "fcvt.s.l",  "1101000 00010 ..... ... ..... 1010011",  x_to_fp_rm, f, rule_rounding, 2)  \
    X(fcvt_s_lu, "fcvt.s.lu", "1101000 00011 ..... ... ..... 1010011",  x_to_fp_rm, f, rule_rounding, 2)  \
    X(fmv_x_w,   "fmv.x.w",   "1110000 00000 ..... 000 ..... 1010011",  fp_to_x, f, rule_none, 2)         \
    X(fmv_w_x,   "fmv.w.x",   "1111000 00000 ..... 000 ..... 1010011",  x_to_fp, f, rule_none, 2)

#define WEFT_RISCV_INSNS_D(X)                                                                               \
    X(fld,       "fld",       "............ ..... 011 ..... 0000111",   fp_load, d, rule_none, 3)           \
    X(fsd,       "fsd",       "....... ..... ..... 011 ..... 0100111",  fp_store, d, rule_none, 3)          \
    X(fmadd_d,   "fmadd.d",   "..... 01 ..... ..... ... ..... 1000011", fp_r4_rm, d, rule_rounding, 3)      \
    X(fmsub_d,   "fmsub.d",   "..... 01 ..... ..... ... ..... 1000111", fp_r4_rm, d, rule_rounding, 3)      \
    X(fnmsub_d,  "fnmsub.d",  "..... 01 ..... ..... ... ..... 1001011", fp_r4_rm, d, rule_rounding, 3)      \
    X(fnmadd_d,  "fnmadd.d",  "..... 01 ..... ..... ... ..... 1001111", fp_r4_rm, d, rule_rounding, 3)      \
    X(fadd_d,    "fadd.d",    "0000001 ..... ..... ... ..... 1010011",  fp_r_rm, d, rule_rounding, 3)       \
    X(fsub_d,    "fsub.d",    "0000101 ..... ..... ... ..... 1010011",  fp_r_rm, d, rule_rounding, 3)       \
    X(fmul_d,    "fmul.d",    "0001001 ..... ..... ... ..... 1010011",  fp_r_rm, d, rule_rounding, 3)       \
    X(fdiv_d,    "fdiv.d",    "0001101 ..... ..... ... ..... 1010011",  fp_r_rm, d, rule_rounding, 3)       \
    X(fsqrt_d,   "fsqrt.d",   "0101101 00000 ..... ... ..... 1010011",  fp_unary_rm, d, rule_rounding, 3)   \
    X(fsgnj_d,   "fsgnj.d",   "0010001 ..... ..... 000 ..... 1010011",  fp_r, d, rule_none, 2)              \
    X(fsgnjn_d,  "fsgnjn.d",  "0010001 ..... ..... 001 ..... 1010011",  fp_r, d, rule_none, 2)              \
    X(fsgnjx_d,  "fsgnjx.d",  "0010001 ..... ..... 010 ..... 1010011",  fp_r, d, rule_none, 2)              \
    X(fmin_d,    "fmin.d",    "0010101 ..... ..... 000 ..... 1010011",  fp_r, d, rule_none, 2)              \
    X(fmax_d,    "fmax.d",    "0010101 ..... ..... 001 ..... 1010011",  fp_r, d, rule_none, 2)              \
    X(feq_d,     "feq.d",     "1010001 ..... ..... 010 ..... 1010011",  fp_compare, d, rule_none, 2)        \
    X(flt_d,     "flt.d",     "1010001 ..... ..... 001 ..... 1010011",  fp_compare, d, rule_none, 2)        \
    X(fle_d,     "fle.d",     "1010001 ..... ..... 000 ..... 1010011",  fp_compare, d, rule_none, 2)        \
    X(fclass_d,  "fclass.d",  "1110001 00000 ..... 001 ..... 1010011",  fp_to_x, d, rule_none, 2)           \
    X(fcvt_w_d,  "fcvt.w.d",  "1100001 00000 ..... ... ..... 1010011",  fp_to_x_rm, d, rule_rounding, 2)    \
    X(fcvt_wu_d, "fcvt.wu.d", "1100001 00001 ..... ... ..... 1010011",  fp_to_x_rm, d, rule_rounding, 2)    \
    X(fcvt_l_d,  "fcvt.l.d",  "1100001 00010 ..... ... ..... 1010011",  fp_to_x_rm, d, rule_rounding, 2)    \
    X(fcvt_lu_d, "fcvt.lu.d", "1100001 00011 ..... ... ..... 1010011",  fp_to_x_rm, d, rule_rounding, 2)    \
    X(fcvt_d_w,  "fcvt.d.w",  "1101001 00000 ..... ... ..... 1010011",  x_to_fp_exact, d, rule_rounding, 2) \
    X(fcvt_d_wu, "fcvt.d.wu", "1101001 00001 ..... ... ..... 1010011",  x_to_fp_exact, d, rule_rounding, 2) \
    X(fcvt_d_l,  "fcvt.d.l",  "1101001 00010 ..... ... ..... 1010011",  x_to_fp_rm, d, rule_rounding, 2)    \
    X(fcvt_d_lu, "fcvt.d.lu", "1101001 00011 ..... ... ..... 1010011",  x_to_fp_rm, d, rule_rounding, 2)    \
    X(fmv_x_d,   "fmv.x.d",   "1110001 00000 ..... 000 ..... 1010011",  fp_to_x, d, rule_none, 2)           \
    X(fmv_d_x,   "fmv.d.x",   "1111001 00000 ..... 000 ..... 1010011",  x_to_fp, d, rule_none, 2)           \
    X(fcvt_s_d,  "fcvt.s.d",  "0100000 00001 ..... ... ..... 1010011",  fp_unary_rm, d, rule_rounding, 2)   \
    X(fcvt_d_s,  "fcvt.d.s",  "0100001 00000 ..... ... ..... 1010011",  fp_widen, d, rule_rounding, 2)
// clang-format on
