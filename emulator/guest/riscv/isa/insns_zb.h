// Zba, Zbb, Zbc, Zbkb, Zbkx and Zbs. For the columns see insns_rv64i.h.
#pragma once

// clang-format off
#define WEFT_RISCV_INSNS_ZBA(X) \
    X(add_uw,    "add.uw",    "0000100 ..... ..... 000 ..... 0111011", r, zba, rule_none, 4) \
    X(sh1add,    "sh1add",    "0010000 ..... ..... 010 ..... 0110011", r, zba, rule_none, 4) \
    X(sh2add,    "sh2add",    "0010000 ..... ..... 100 ..... 0110011", r, zba, rule_none, 4) \
    X(sh3add,    "sh3add",    "0010000 ..... ..... 110 ..... 0110011", r, zba, rule_none, 4) \
    X(sh1add_uw, "sh1add.uw", "0010000 ..... ..... 010 ..... 0111011", r, zba, rule_none, 4) \
    X(sh2add_uw, "sh2add.uw", "0010000 ..... ..... 100 ..... 0111011", r, zba, rule_none, 4) \
    X(sh3add_uw, "sh3add.uw", "0010000 ..... ..... 110 ..... 0111011", r, zba, rule_none, 4) \
    X(slli_uw,   "slli.uw",   "000010 ...... ..... 001 ..... 0011011", shift64, zba, rule_none, 4)

#define WEFT_RISCV_INSNS_ZBB(X) \
    X(andn,   "andn",   "0100000 ..... ..... 111 ..... 0110011", r, zbb_zbkb, rule_none, 4) \
    X(orn,    "orn",    "0100000 ..... ..... 110 ..... 0110011", r, zbb_zbkb, rule_none, 4) \
    X(xnor,   "xnor",   "0100000 ..... ..... 100 ..... 0110011", r, zbb_zbkb, rule_none, 4) \
    X(clz,    "clz",    "0110000 00000 ..... 001 ..... 0010011", r_unary, zbb, rule_none, 4) \
    X(clzw,   "clzw",   "0110000 00000 ..... 001 ..... 0011011", r_unary, zbb, rule_none, 4) \
    X(ctz,    "ctz",    "0110000 00001 ..... 001 ..... 0010011", r_unary, zbb, rule_none, 4) \
    X(ctzw,   "ctzw",   "0110000 00001 ..... 001 ..... 0011011", r_unary, zbb, rule_none, 4) \
    X(cpop,   "cpop",   "0110000 00010 ..... 001 ..... 0010011", r_unary, zbb, rule_none, 4) \
    X(cpopw,  "cpopw",  "0110000 00010 ..... 001 ..... 0011011", r_unary, zbb, rule_none, 4) \
    X(max,    "max",    "0000101 ..... ..... 110 ..... 0110011", r, zbb, rule_none, 4) \
    X(maxu,   "maxu",   "0000101 ..... ..... 111 ..... 0110011", r, zbb, rule_none, 4) \
    X(min,    "min",    "0000101 ..... ..... 100 ..... 0110011", r, zbb, rule_none, 4) \
    X(minu,   "minu",   "0000101 ..... ..... 101 ..... 0110011", r, zbb, rule_none, 4) \
    X(sext_b, "sext.b", "0110000 00100 ..... 001 ..... 0010011", r_unary, zbb, rule_none, 4) \
    X(sext_h, "sext.h", "0110000 00101 ..... 001 ..... 0010011", r_unary, zbb, rule_none, 4) \
    X(zext_h, "zext.h", "0000100 00000 ..... 100 ..... 0111011", r_unary, zbb_zbkb, rule_none, 4) \
    X(rol,    "rol",    "0110000 ..... ..... 001 ..... 0110011", r, zbb_zbkb, rule_none, 4) \
    X(rolw,   "rolw",   "0110000 ..... ..... 001 ..... 0111011", r, zbb_zbkb, rule_none, 4) \
    X(ror,    "ror",    "0110000 ..... ..... 101 ..... 0110011", r, zbb_zbkb, rule_none, 4) \
    X(rorw,   "rorw",   "0110000 ..... ..... 101 ..... 0111011", r, zbb_zbkb, rule_none, 4) \
    X(rori,   "rori",   "011000 ...... ..... 101 ..... 0010011", shift64, zbb_zbkb, rule_none, 4) \
    X(roriw,  "roriw",  "0110000 ..... ..... 101 ..... 0011011", shift32, zbb_zbkb, rule_none, 4) \
    X(orc_b,  "orc.b",  "0010100 00111 ..... 101 ..... 0010011", r_unary, zbb, rule_none, 4) \
    X(rev8,   "rev8",   "0110101 11000 ..... 101 ..... 0010011", r_unary, zbb_zbkb, rule_none, 4)

// Zbkc is a part of it.
#define WEFT_RISCV_INSNS_ZBC(X) \
    X(clmul,  "clmul",  "0000101 ..... ..... 001 ..... 0110011", r, zbc_zbkc, rule_none, 4) \
    X(clmulh, "clmulh", "0000101 ..... ..... 011 ..... 0110011", r, zbc_zbkc, rule_none, 4) \
    X(clmulr, "clmulr", "0000101 ..... ..... 010 ..... 0110011", r, zbc, rule_none, 4)

// And much of Zbb. packw with x0 is zext.h.
#define WEFT_RISCV_INSNS_ZBKB(X) \
    X(pack,  "pack",  "0000100 ..... ..... 100 ..... 0110011", r, zbkb, rule_none, 4) \
    X(packh, "packh", "0000100 ..... ..... 111 ..... 0110011", r, zbkb, rule_none, 4) \
    X(packw, "packw", "0000100 ..... ..... 100 ..... 0111011", r, zbkb, rule_rs2, 4) \
    X(brev8, "brev8", "0110100 00111 ..... 101 ..... 0010011", r_unary, zbkb, rule_none, 4)

#define WEFT_RISCV_INSNS_ZBKX(X)                                                        \
    X(xperm4, "xperm4", "0010100 ..... ..... 010 ..... 0110011", r, zbkx, rule_none, 4) \
    X(xperm8, "xperm8", "0010100 ..... ..... 100 ..... 0110011", r, zbkx, rule_none, 4)

#define WEFT_RISCV_INSNS_ZBS(X) \
    X(bclr,  "bclr",  "0100100 ..... ..... 001 ..... 0110011", r, zbs, rule_none, 4) \
    X(bclri, "bclri", "010010 ...... ..... 001 ..... 0010011", shift64, zbs, rule_none, 4) \
    X(bext,  "bext",  "0100100 ..... ..... 101 ..... 0110011", r, zbs, rule_none, 4) \
    X(bexti, "bexti", "010010 ...... ..... 101 ..... 0010011", shift64, zbs, rule_none, 4) \
    X(binv,  "binv",  "0110100 ..... ..... 001 ..... 0110011", r, zbs, rule_none, 4) \
    X(binvi, "binvi", "011010 ...... ..... 001 ..... 0010011", shift64, zbs, rule_none, 4) \
    X(bset,  "bset",  "0010100 ..... ..... 001 ..... 0110011", r, zbs, rule_none, 4) \
    X(bseti, "bseti", "001010 ...... ..... 001 ..... 0010011", shift64, zbs, rule_none, 4)
// clang-format on
