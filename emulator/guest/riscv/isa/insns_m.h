// The M extension. For the columns see insns_rv64i.h.
#pragma once

// clang-format off
#define WEFT_RISCV_INSNS_M(X) \
    X(mul,    "mul",    "0000001 ..... ..... 000 ..... 0110011", r, zmmul, rule_none, 4) \
    X(mulh,   "mulh",   "0000001 ..... ..... 001 ..... 0110011", r, zmmul, rule_none, 4) \
    X(mulhsu, "mulhsu", "0000001 ..... ..... 010 ..... 0110011", r, zmmul, rule_none, 4) \
    X(mulhu,  "mulhu",  "0000001 ..... ..... 011 ..... 0110011", r, zmmul, rule_none, 4) \
    X(div,    "div",    "0000001 ..... ..... 100 ..... 0110011", r, m, rule_none, 4) \
    X(divu,   "divu",   "0000001 ..... ..... 101 ..... 0110011", r, m, rule_none, 4) \
    X(rem,    "rem",    "0000001 ..... ..... 110 ..... 0110011", r, m, rule_none, 4) \
    X(remu,   "remu",   "0000001 ..... ..... 111 ..... 0110011", r, m, rule_none, 4) \
    X(mulw,   "mulw",   "0000001 ..... ..... 000 ..... 0111011", r, zmmul, rule_none, 4) \
    X(divw,   "divw",   "0000001 ..... ..... 100 ..... 0111011", r, m, rule_none, 4) \
    X(divuw,  "divuw",  "0000001 ..... ..... 101 ..... 0111011", r, m, rule_none, 4) \
    X(remw,   "remw",   "0000001 ..... ..... 110 ..... 0111011", r, m, rule_none, 4) \
    X(remuw,  "remuw",  "0000001 ..... ..... 111 ..... 0111011", r, m, rule_none, 4)
// clang-format on
