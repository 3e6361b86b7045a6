// The encodings that generators put together themselves, independent of weft's decoder: unprivileged specification,
// "Base Instruction Formats" and "Compressed Instruction Formats".
#pragma once

#include <cstdint>

namespace weft::isa_test {

constexpr uint32_t bit_range(int32_t value, unsigned high, unsigned low, unsigned position) {
    return (static_cast<uint32_t>(value) >> low & ((1u << (high - low + 1)) - 1)) << position;
}

// Displacements of branches and jumps, to be or'ed into an encoding in which they are zero.
constexpr uint32_t branch_offset(int32_t d) {
    return bit_range(d, 12, 12, 31) | bit_range(d, 10, 5, 25) | bit_range(d, 4, 1, 8) |
           bit_range(d, 11, 11, 7);
}
constexpr uint32_t jump_offset(int32_t d) {
    return bit_range(d, 20, 20, 31) | bit_range(d, 10, 1, 21) | bit_range(d, 11, 11, 20) |
           bit_range(d, 19, 12, 12);
}
constexpr uint32_t compressed_branch_offset(int32_t d) {
    return bit_range(d, 8, 8, 12) | bit_range(d, 4, 3, 10) | bit_range(d, 7, 6, 5) | bit_range(d, 2, 1, 3) |
           bit_range(d, 5, 5, 2);
}
constexpr uint32_t compressed_jump_offset(int32_t d) {
    return bit_range(d, 11, 11, 12) | bit_range(d, 4, 4, 11) | bit_range(d, 9, 8, 9) |
           bit_range(d, 10, 10, 8) | bit_range(d, 6, 6, 7) | bit_range(d, 7, 7, 6) | bit_range(d, 3, 1, 3) |
           bit_range(d, 5, 5, 2);
}
constexpr uint32_t immediate_i(int32_t imm) { return bit_range(imm, 11, 0, 20); }

constexpr uint32_t kImmediateIBits = 0xfff00000;
constexpr uint32_t kBranchOffsetBits = branch_offset(-1);
constexpr uint32_t kJumpOffsetBits = jump_offset(-1);
constexpr uint32_t kCompressedBranchOffsetBits = compressed_branch_offset(-1);
constexpr uint32_t kCompressedJumpOffsetBits = compressed_jump_offset(-1);

constexpr uint32_t encode_i(uint32_t opcode, uint32_t funct3, uint32_t rd, uint32_t rs1, int32_t imm) {
    return immediate_i(imm) | rs1 << 15 | funct3 << 12 | rd << 7 | opcode;
}
constexpr uint32_t addi(uint32_t rd, uint32_t rs1, int32_t imm) { return encode_i(0x13, 0, rd, rs1, imm); }
constexpr uint32_t slli(uint32_t rd, uint32_t rs1, unsigned shift) {
    return encode_i(0x13, 1, rd, rs1, static_cast<int32_t>(shift));
}
constexpr uint32_t jalr(uint32_t rd, uint32_t rs1, int32_t imm) { return encode_i(0x67, 0, rd, rs1, imm); }
constexpr uint32_t auipc(uint32_t rd) { return rd << 7 | 0x17; }  // of 0: the address of the instruction
constexpr uint32_t jal(uint32_t rd) { return rd << 7 | 0x6f; }
constexpr uint32_t bne(uint32_t rs1, uint32_t rs2) { return rs2 << 20 | rs1 << 15 | 1 << 12 | 0x63; }
constexpr uint32_t sd(uint32_t rs2, uint32_t rs1, int32_t imm) {
    return bit_range(imm, 11, 5, 25) | rs2 << 20 | rs1 << 15 | 3 << 12 | bit_range(imm, 4, 0, 7) | 0x23;
}
constexpr uint32_t fmv_x_d(uint32_t rd, uint32_t rs1) { return 0xe2000053 | rs1 << 15 | rd << 7; }
constexpr uint32_t ld(uint32_t rd, uint32_t rs1, int32_t imm) { return encode_i(0x03, 3, rd, rs1, imm); }
constexpr uint32_t flh(uint32_t rd, uint32_t rs1, int32_t imm) { return encode_i(0x07, 1, rd, rs1, imm); }
constexpr uint32_t flw(uint32_t rd, uint32_t rs1, int32_t imm) { return encode_i(0x07, 2, rd, rs1, imm); }
constexpr uint32_t fld(uint32_t rd, uint32_t rs1, int32_t imm) { return encode_i(0x07, 3, rd, rs1, imm); }
constexpr uint32_t csrrwi(uint32_t rd, uint32_t csr, uint32_t value) {
    return csr << 20 | value << 15 | 5 << 12 | rd << 7 | 0x73;
}

inline constexpr uint32_t kCompressedEbreak = 0x9002;
inline constexpr uint32_t kCompressedNop = 0x0001;

}  // namespace weft::isa_test
