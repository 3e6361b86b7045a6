// Zknd, Zkne, Zknh, Zksed and Zksh: AES, SHA-2, SM4 and SM3. For the columns see insns_rv64i.h.
#pragma once

// clang-format off
// aes64im is a part of Zknd alone; the key schedule is of both.
#define WEFT_RISCV_INSNS_ZKNE_ZKND(X) \
    X(aes64es,    "aes64es",    "0011001 ..... ..... 000 ..... 0110011", r, zkne, rule_none, 4) \
    X(aes64esm,   "aes64esm",   "0011011 ..... ..... 000 ..... 0110011", r, zkne, rule_none, 4) \
    X(aes64ds,    "aes64ds",    "0011101 ..... ..... 000 ..... 0110011", r, zknd, rule_none, 4) \
    X(aes64dsm,   "aes64dsm",   "0011111 ..... ..... 000 ..... 0110011", r, zknd, rule_none, 4) \
    X(aes64im,    "aes64im",    "0011000 00000 ..... 001 ..... 0010011", r_unary, zknd, rule_none, 4) \
    X(aes64ks1i,  "aes64ks1i",  "0011000 1.... ..... 001 ..... 0010011", aes_round, zkne_zknd, rule_round, 4) \
    X(aes64ks2,   "aes64ks2",   "0111111 ..... ..... 000 ..... 0110011", r, zkne_zknd, rule_none, 4)

#define WEFT_RISCV_INSNS_ZKNH(X) \
    X(sha256sum0, "sha256sum0", "0001000 00000 ..... 001 ..... 0010011", r_unary, zknh, rule_none, 4) \
    X(sha256sum1, "sha256sum1", "0001000 00001 ..... 001 ..... 0010011", r_unary, zknh, rule_none, 4) \
    X(sha256sig0, "sha256sig0", "0001000 00010 ..... 001 ..... 0010011", r_unary, zknh, rule_none, 4) \
    X(sha256sig1, "sha256sig1", "0001000 00011 ..... 001 ..... 0010011", r_unary, zknh, rule_none, 4) \
    X(sha512sum0, "sha512sum0", "0001000 00100 ..... 001 ..... 0010011", r_unary, zknh, rule_none, 4) \
    X(sha512sum1, "sha512sum1", "0001000 00101 ..... 001 ..... 0010011", r_unary, zknh, rule_none, 4) \
    X(sha512sig0, "sha512sig0", "0001000 00110 ..... 001 ..... 0010011", r_unary, zknh, rule_none, 4) \
    X(sha512sig1, "sha512sig1", "0001000 00111 ..... 001 ..... 0010011", r_unary, zknh, rule_none, 4)

#define WEFT_RISCV_INSNS_ZKS(X) \
    X(sm3p0,      "sm3p0",      "0001000 01000 ..... 001 ..... 0010011", r_unary, zksh, rule_none, 4) \
    X(sm3p1,      "sm3p1",      "0001000 01001 ..... 001 ..... 0010011", r_unary, zksh, rule_none, 4) \
    X(sm4ed,      "sm4ed",      "..11000 ..... ..... 000 ..... 0110011", sm4_byte, zksed, rule_none, 4) \
    X(sm4ks,      "sm4ks",      "..11010 ..... ..... 000 ..... 0110011", sm4_byte, zksed, rule_none, 4)
// clang-format on
