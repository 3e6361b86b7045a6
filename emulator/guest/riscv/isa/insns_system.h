// Zicsr, the privileged instructions and Svinval. For the columns see insns_rv64i.h.
#pragma once

// clang-format off
#define WEFT_RISCV_INSNS_ZICSR(X) \
    X(csrrw,  "csrrw",  "............ ..... 001 ..... 1110011", csr, zicsr, rule_none, 1) \
    X(csrrs,  "csrrs",  "............ ..... 010 ..... 1110011", csr, zicsr, rule_none, 1) \
    X(csrrc,  "csrrc",  "............ ..... 011 ..... 1110011", csr, zicsr, rule_none, 1) \
    X(csrrwi, "csrrwi", "............ ..... 101 ..... 1110011", csri, zicsr, rule_none, 1) \
    X(csrrsi, "csrrsi", "............ ..... 110 ..... 1110011", csri, zicsr, rule_none, 1) \
    X(csrrci, "csrrci", "............ ..... 111 ..... 1110011", csri, zicsr, rule_none, 1)

#define WEFT_RISCV_INSNS_PRIV(X) \
    X(mret,            "mret",            "0011000 00010 00000 000 00000 1110011", none, priv, rule_none, 0) \
    X(sret,            "sret",            "0001000 00010 00000 000 00000 1110011", none, s, rule_none, 0) \
    X(wfi,             "wfi",             "0001000 00101 00000 000 00000 1110011", none, priv, rule_none, 0) \
    X(sfence_vma,      "sfence.vma",      "0001001 ..... ..... 000 00000 1110011", sfence, s, rule_none, 0) \
    X(sinval_vma,      "sinval.vma",      "0001011 ..... ..... 000 00000 1110011", sfence, svinval, rule_none, 0) \
    X(sfence_w_inval,  "sfence.w.inval",  "0001100 00000 00000 000 00000 1110011", none, svinval, rule_none, 0) \
    X(sfence_inval_ir, "sfence.inval.ir", "0001100 00001 00000 000 00000 1110011", none, svinval, rule_none, 0)
// clang-format on
