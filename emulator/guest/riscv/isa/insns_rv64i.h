// RV64I, Zifencei, Zihintpause. The columns of all insns_*.h:
//   identifier (also the name of the function that translates it), mnemonic, bits from the most significant one on ("."
//   is an operand's), Format, Extension, rules (InsnRule), weight in random programs (0: never)
#pragma once

// clang-format off
#define WEFT_RISCV_INSNS_I(X)                                                                        \
    X(lui,     "lui",     ".................... ..... 0110111",           u,       i, rule_none, 4)  \
    X(auipc,   "auipc",   ".................... ..... 0010111",           u,       i, rule_none, 2)  \
    X(jal,     "jal",     ".................... ..... 1101111",           jal,     i, rule_none, 2)  \
    X(jalr,    "jalr",    "............ ..... 000 ..... 1100111",         jalr,    i, rule_none, 2)  \
    X(beq,     "beq",     "....... ..... ..... 000 ..... 1100011",        branch,  i, rule_none, 2)  \
    X(bne,     "bne",     "....... ..... ..... 001 ..... 1100011",        branch,  i, rule_none, 2)  \
    X(blt,     "blt",     "....... ..... ..... 100 ..... 1100011",        branch,  i, rule_none, 2)  \
    X(bge,     "bge",     "....... ..... ..... 101 ..... 1100011",        branch,  i, rule_none, 2)  \
    X(bltu,    "bltu",    "....... ..... ..... 110 ..... 1100011",        branch,  i, rule_none, 2)  \
    X(bgeu,    "bgeu",    "....... ..... ..... 111 ..... 1100011",        branch,  i, rule_none, 2)  \
    X(lb,      "lb",      "............ ..... 000 ..... 0000011",         load,    i, rule_none, 4)  \
    X(lh,      "lh",      "............ ..... 001 ..... 0000011",         load,    i, rule_none, 4)  \
    X(lw,      "lw",      "............ ..... 010 ..... 0000011",         load,    i, rule_none, 4)  \
    X(ld,      "ld",      "............ ..... 011 ..... 0000011",         load,    i, rule_none, 4)  \
    X(lbu,     "lbu",     "............ ..... 100 ..... 0000011",         load,    i, rule_none, 4)  \
    X(lhu,     "lhu",     "............ ..... 101 ..... 0000011",         load,    i, rule_none, 4)  \
    X(lwu,     "lwu",     "............ ..... 110 ..... 0000011",         load,    i, rule_none, 4)  \
    X(sb,      "sb",      "....... ..... ..... 000 ..... 0100011",        store,   i, rule_none, 4)  \
    X(sh,      "sh",      "....... ..... ..... 001 ..... 0100011",        store,   i, rule_none, 4)  \
    X(sw,      "sw",      "....... ..... ..... 010 ..... 0100011",        store,   i, rule_none, 4)  \
    X(sd,      "sd",      "....... ..... ..... 011 ..... 0100011",        store,   i, rule_none, 4)  \
    X(addi,    "addi",    "............ ..... 000 ..... 0010011",         i,       i, rule_none, 4)  \
    X(slti,    "slti",    "............ ..... 010 ..... 0010011",         i,       i, rule_none, 4)  \
    X(sltiu,   "sltiu",   "............ ..... 011 ..... 0010011",         i,       i, rule_none, 4)  \
    X(xori,    "xori",    "............ ..... 100 ..... 0010011",         i,       i, rule_none, 4)  \
    X(ori,     "ori",     "............ ..... 110 ..... 0010011",         i,       i, rule_none, 4)  \
    X(andi,    "andi",    "............ ..... 111 ..... 0010011",         i,       i, rule_none, 4)  \
    X(slli,    "slli",    "000000 ...... ..... 001 ..... 0010011",        shift64, i, rule_none, 4)  \
    X(srli,    "srli",    "000000 ...... ..... 101 ..... 0010011",        shift64, i, rule_none, 4)  \
    X(srai,    "srai",    "010000 ...... ..... 101 ..... 0010011",        shift64, i, rule_none, 4)  \
    X(add,     "add",     "0000000 ..... ..... 000 ..... 0110011",        r,       i, rule_none, 4)  \
    X(sub,     "sub",     "0100000 ..... ..... 000 ..... 0110011",        r,       i, rule_none, 4)  \
    X(sll,     "sll",     "0000000 ..... ..... 001 ..... 0110011",        r,       i, rule_none, 4)  \
    X(slt,     "slt",     "0000000 ..... ..... 010 ..... 0110011",        r,       i, rule_none, 4)  \
    X(sltu,    "sltu",    "0000000 ..... ..... 011 ..... 0110011",        r,       i, rule_none, 4)  \
    X(xor_,    "xor",     "0000000 ..... ..... 100 ..... 0110011",        r,       i, rule_none, 4)  \
    X(srl,     "srl",     "0000000 ..... ..... 101 ..... 0110011",        r,       i, rule_none, 4)  \
    X(sra,     "sra",     "0100000 ..... ..... 101 ..... 0110011",        r,       i, rule_none, 4)  \
    X(or_,     "or",      "0000000 ..... ..... 110 ..... 0110011",        r,       i, rule_none, 4)  \
    X(and_,    "and",     "0000000 ..... ..... 111 ..... 0110011",        r,       i, rule_none, 4)  \
    X(addiw,   "addiw",   "............ ..... 000 ..... 0011011",         i,       i, rule_none, 4)  \
    X(slliw,   "slliw",   "0000000 ..... ..... 001 ..... 0011011",        shift32, i, rule_none, 4)  \
    X(srliw,   "srliw",   "0000000 ..... ..... 101 ..... 0011011",        shift32, i, rule_none, 4)  \
    X(sraiw,   "sraiw",   "0100000 ..... ..... 101 ..... 0011011",        shift32, i, rule_none, 4)  \
    X(addw,    "addw",    "0000000 ..... ..... 000 ..... 0111011",        r,       i, rule_none, 4)  \
    X(subw,    "subw",    "0100000 ..... ..... 000 ..... 0111011",        r,       i, rule_none, 4)  \
    X(sllw,    "sllw",    "0000000 ..... ..... 001 ..... 0111011",        r,       i, rule_none, 4)  \
    X(srlw,    "srlw",    "0000000 ..... ..... 101 ..... 0111011",        r,       i, rule_none, 4)  \
    X(sraw,    "sraw",    "0100000 ..... ..... 101 ..... 0111011",        r,       i, rule_none, 4)  \
    /* Reserved fields of fences are ignored (unprivileged specification, "Memory Ordering Instructions"). */ \
    X(fence,   "fence",   "............ ..... 000 ..... 0001111",         fence,   i, rule_plain_fence, 1)  \
    X(fence_tso, "fence.tso", "100000110011 00000 000 00000 0001111",     fence_none, i, rule_none, 1) \
    X(ecall,   "ecall",   "000000000000 00000 000 00000 1110011",         none,    i, rule_none, 0)  \
    X(ebreak,  "ebreak",  "000000000001 00000 000 00000 1110011",         none,    i, rule_none, 0)  \
    X(pause,   "pause",   "000000010000 00000 000 00000 0001111",         none,    zihintpause, rule_none, 1) \
    X(fence_i, "fence.i", "............ ..... 001 ..... 0001111",         fence_none, zifencei, rule_none, 0)
// clang-format on
