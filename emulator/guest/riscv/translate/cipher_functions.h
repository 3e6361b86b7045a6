// AES and SM4 on general registers: pure functions, which generated code calls and the interpreter runs. Unprivileged specification,
// "Scalar cryptography"; the ciphers are FIPS 197 and GB/T 32907-2016.
//
// The state of AES is four columns of four bytes, the lower two in the first operand. Nothing is promised about how long any of
// these takes (Zkt): the tables are looked up by data.
#pragma once

#include <cstdint>

namespace weft::riscv {

// The first two columns after ShiftRows and SubBytes, or their inverses ("aes64es", "aes64ds").
uint64_t aes_encrypt_last(uint64_t first, uint64_t second);
uint64_t aes_decrypt_last(uint64_t first, uint64_t second);
// And then MixColumns, or its inverse ("aes64esm", "aes64dsm").
uint64_t aes_encrypt_middle(uint64_t first, uint64_t second);
uint64_t aes_decrypt_middle(uint64_t first, uint64_t second);
// The inverse of MixColumns on two columns ("aes64im"); the other operand is not looked at.
uint64_t aes_inverse_mix(uint64_t columns, uint64_t);
// The nonlinear part of a step of the key schedule, twice ("aes64ks1i"): of the upper word of `key`. `round` is 0 to 10; 10 is the
// step without rotation and constant.
uint64_t aes_key_word(uint64_t key, uint64_t round);

// What a byte contributes to a round of SM4, or of its key schedule ("sm4ed", "sm4ks"), before it is added to a word: 32 bits, rotated
// to the left by `rotation`, which is 0, 8, 16 or 24.
uint64_t sm4_round(uint64_t byte, uint64_t rotation);
uint64_t sm4_key_round(uint64_t byte, uint64_t rotation);

}  // namespace weft::riscv
