// The one table of IR ops. The verifier, the printer, the optimizer, both backends and the tests are driven by it.
//
// Names are TCG's where TCG has the op. An op is polymorphic over Op::type where its signature says T.
//
// Columns: name, outputs, inputs, auxiliary word, types that T may be, flags.
//   Outputs and inputs are one letter an argument:
//     T the op's type   w i32   l i64   s f32   d f64   U the integer type as wide as T   P pc or address (i64)
//   "*" stands for the arguments of a call, whose types the helper's signature gives.
//   Auxiliary word (Op::aux unless said otherwise):
//     none, label (index), cond (Op::cond), cond_label (both), field (position | length << 8), offset (into the guest
//     state, signed), memop (MemOp), helper (id), slot (offset from page_pc; Op::cond is the goto_tb slot), reason (ExitReason),
//     pc_offset (signed, from page_pc), barrier (BarrierKind), insns (count; Op::cond bit 0: closes a cycle),
//     returns (Op::cond bit 0: likely to the last return_point),
//     rounding (Op::cond is a Rounding), convert (Op::cond is a Rounding; aux bit 0: the integer is unsigned, bit 1: it is
//     64 bits wide)
#pragma once

// clang-format off
#define WEFT_IR_OPS(X)                                                                                       \
    /* ---- control ---- */                                                                                  \
    X(discard,              "",   "T",   none,       any,  flag_none)                                        \
    X(set_label,            "",   "",    label,      none, flag_block_start)                                 \
    X(br,                   "",   "",    label,      none, flag_block_end)                                   \
    X(brcond,               "",   "TT",  cond_label, ints, flag_cond_branch)                                 \
    X(call,                 "*",  "*",   helper,     none, flag_call | flag_side_effect)                     \
    X(insn_start,           "",   "",    pc_offset,  none, flag_side_effect)                                 \
    X(exit_check,           "",   "",    insns,      none, flag_side_effect)                                 \
    X(return_point,         "",   "P",   slot,       none, flag_side_effect)                                 \
    X(goto_tb,              "",   "",    slot,       none, flag_block_end | flag_exit)                       \
    X(lookup_and_goto_ptr,  "",   "P",   returns,    none, flag_block_end | flag_exit)                       \
    X(exit_tb,              "",   "P",   reason,     none, flag_block_end | flag_exit)                       \
    X(mb,                   "",   "",    barrier,    none, flag_side_effect)                                 \
    /* ---- moves and conversions between integer widths ---- */                                             \
    X(mov,                  "T",  "T",   none,       any,  flag_none)                                        \
    X(ext_i32_i64,          "l",  "w",   none,       none, flag_none)                                        \
    X(extu_i32_i64,         "l",  "w",   none,       none, flag_none)                                        \
    X(extrl_i64_i32,        "w",  "l",   none,       none, flag_none)                                        \
    X(bitcast_int,          "U",  "T",   none,       fps,  flag_none)                                        \
    X(bitcast_fp,           "T",  "U",   none,       fps,  flag_none)                                        \
    X(pc_add,               "P",  "",    pc_offset,  none, flag_none)                                        \
    /* ---- integer arithmetic ---- */                                                                       \
    X(add,                  "T",  "TT",  none,       ints, flag_commutes)                                    \
    X(sub,                  "T",  "TT",  none,       ints, flag_none)                                        \
    X(neg,                  "T",  "T",   none,       ints, flag_none)                                        \
    X(mul,                  "T",  "TT",  none,       ints, flag_commutes)                                    \
    X(mulsh,                "T",  "TT",  none,       ints, flag_commutes)                                    \
    X(muluh,                "T",  "TT",  none,       ints, flag_commutes)                                    \
    X(mulsuh,               "T",  "TT",  none,       ints, flag_none)                                        \
    X(divs,                 "T",  "TT",  none,       ints, flag_none)                                        \
    X(divu,                 "T",  "TT",  none,       ints, flag_none)                                        \
    X(rems,                 "T",  "TT",  none,       ints, flag_none)                                        \
    X(remu,                 "T",  "TT",  none,       ints, flag_none)                                        \
    X(smin,                 "T",  "TT",  none,       ints, flag_commutes)                                    \
    X(smax,                 "T",  "TT",  none,       ints, flag_commutes)                                    \
    X(umin,                 "T",  "TT",  none,       ints, flag_commutes)                                    \
    X(umax,                 "T",  "TT",  none,       ints, flag_commutes)                                    \
    /* ---- logic, shifts, bit fields ---- */                                                                \
    X(and_,                 "T",  "TT",  none,       ints, flag_commutes)                                    \
    X(or_,                  "T",  "TT",  none,       ints, flag_commutes)                                    \
    X(xor_,                 "T",  "TT",  none,       ints, flag_commutes)                                    \
    X(not_,                 "T",  "T",   none,       ints, flag_none)                                        \
    X(andc,                 "T",  "TT",  none,       ints, flag_none)                                        \
    X(orc,                  "T",  "TT",  none,       ints, flag_none)                                        \
    X(eqv,                  "T",  "TT",  none,       ints, flag_commutes)                                    \
    X(shl,                  "T",  "TT",  none,       ints, flag_none)                                        \
    X(shr,                  "T",  "TT",  none,       ints, flag_none)                                        \
    X(sar,                  "T",  "TT",  none,       ints, flag_none)                                        \
    X(rotl,                 "T",  "TT",  none,       ints, flag_none)                                        \
    X(rotr,                 "T",  "TT",  none,       ints, flag_none)                                        \
    X(extract,              "T",  "T",   field,      ints, flag_none)                                        \
    X(sextract,             "T",  "T",   field,      ints, flag_none)                                        \
    X(deposit,              "T",  "TT",  field,      ints, flag_none)                                        \
    X(clz,                  "T",  "T",   none,       ints, flag_none)                                        \
    X(ctz,                  "T",  "T",   none,       ints, flag_none)                                        \
    X(ctpop,                "T",  "T",   none,       ints, flag_none)                                        \
    X(bswap,                "T",  "T",   none,       ints, flag_none)                                        \
    X(setcond,              "T",  "TT",  cond,       ints, flag_none)                                        \
    X(negsetcond,           "T",  "TT",  cond,       ints, flag_none)                                        \
    X(movcond,              "T",  "TTTT", cond,      ints, flag_none)                                        \
    /* ---- guest state, by offset from the state pointer ---- */                                            \
    X(ld8u,                 "T",  "",    offset,     ints, flag_reads_state)                                 \
    X(ld8s,                 "T",  "",    offset,     ints, flag_reads_state)                                 \
    X(ld16u,                "T",  "",    offset,     ints, flag_reads_state)                                 \
    X(ld16s,                "T",  "",    offset,     ints, flag_reads_state)                                 \
    X(ld32u,                "T",  "",    offset,     ints, flag_reads_state)                                 \
    X(ld32s,                "T",  "",    offset,     ints, flag_reads_state)                                 \
    X(ld,                   "T",  "",    offset,     any,  flag_reads_state)                                 \
    X(st8,                  "",   "T",   offset,     ints, flag_side_effect)                                 \
    X(st16,                 "",   "T",   offset,     ints, flag_side_effect)                                 \
    X(st32,                 "",   "T",   offset,     ints, flag_side_effect)                                 \
    X(st,                   "",   "T",   offset,     any,  flag_side_effect)                                 \
    /* ---- guest memory ---- */                                                                             \
    X(guest_ld,              "T",  "P",   memop,      any,  flag_may_fault | flag_side_effect)                \
    X(guest_st,              "",   "TP",  memop,      any,  flag_may_fault | flag_side_effect)                \
    X(atomic_xchg,          "T",  "PT",  memop,      ints, flag_may_fault | flag_side_effect)                \
    X(atomic_cmpxchg,       "T",  "PTT", memop,      ints, flag_may_fault | flag_side_effect)                \
    X(atomic_add,           "T",  "PT",  memop,      ints, flag_may_fault | flag_side_effect)                \
    X(atomic_and,           "T",  "PT",  memop,      ints, flag_may_fault | flag_side_effect)                \
    X(atomic_or,            "T",  "PT",  memop,      ints, flag_may_fault | flag_side_effect)                \
    X(atomic_xor,           "T",  "PT",  memop,      ints, flag_may_fault | flag_side_effect)                \
    X(atomic_smin,          "T",  "PT",  memop,      ints, flag_may_fault | flag_side_effect)                \
    X(atomic_smax,          "T",  "PT",  memop,      ints, flag_may_fault | flag_side_effect)                \
    X(atomic_umin,          "T",  "PT",  memop,      ints, flag_may_fault | flag_side_effect)                \
    X(atomic_umax,          "T",  "PT",  memop,      ints, flag_may_fault | flag_side_effect)                \
    /* ---- floating point (IEEE 754; NaN results are canonical; exceptions accumulate) ---- */              \
    X(fadd,                 "T",  "TT",  rounding,   fps,  flag_fp)                                          \
    X(fsub,                 "T",  "TT",  rounding,   fps,  flag_fp)                                          \
    X(fmul,                 "T",  "TT",  rounding,   fps,  flag_fp)                                          \
    X(fdiv,                 "T",  "TT",  rounding,   fps,  flag_fp)                                          \
    X(fsqrt,                "T",  "T",   rounding,   fps,  flag_fp)                                          \
    X(fmadd,                "T",  "TTT", rounding,   fps,  flag_fp)                                          \
    X(fmsub,                "T",  "TTT", rounding,   fps,  flag_fp)                                          \
    X(fnmadd,               "T",  "TTT", rounding,   fps,  flag_fp)                                          \
    X(fnmsub,               "T",  "TTT", rounding,   fps,  flag_fp)                                          \
    X(fmin,                 "T",  "TT",  none,       fps,  flag_fp)                                          \
    X(fmax,                 "T",  "TT",  none,       fps,  flag_fp)                                          \
    X(feq,                  "l",  "TT",  none,       fps,  flag_fp)                                          \
    X(flt,                  "l",  "TT",  none,       fps,  flag_fp)                                          \
    X(fle,                  "l",  "TT",  none,       fps,  flag_fp)                                          \
    X(fcvt_f32_f64,         "d",  "s",   none,       none, flag_fp)                                          \
    X(fcvt_f64_f32,         "s",  "d",   rounding,   none, flag_fp)                                          \
    X(fcvt_to_int,          "l",  "T",   convert,    fps,  flag_fp)                                          \
    X(fcvt_from_int,        "T",  "l",   convert,    fps,  flag_fp)                                          \
    /* ---- floating point that raises nothing ---- */                                                       \
    X(fclass,               "l",  "T",   none,       fps,  flag_none)                                        \
    X(fsgnj,                "T",  "TT",  none,       fps,  flag_none)                                        \
    X(fsgnjn,               "T",  "TT",  none,       fps,  flag_none)                                        \
    X(fsgnjx,               "T",  "TT",  none,       fps,  flag_none)                                        \
    X(fbox,                 "d",  "s",   none,       none, flag_none)                                        \
    X(funbox,               "s",  "d",   none,       none, flag_none)                                        \
    X(fpflags_get,          "l",  "",    none,       none, flag_side_effect)                                 \
    X(fpflags_set,          "",   "l",   none,       none, flag_side_effect)
// clang-format on
