#include "emulator/guest/riscv/translate/cipher_functions.h"

#include <array>
#include <bit>

namespace weft::riscv {

namespace {

using Bytes = std::array<uint8_t, 256>;

// Product in the field of AES: FIPS 197, 4.2.
constexpr uint8_t multiply(uint8_t a, uint8_t b) {
    constexpr unsigned kReduction = 0x11b;
    unsigned product = 0;
    unsigned power = a;
    for (unsigned bits = b; bits != 0; bits >>= 1) {
        product ^= (bits & 1) != 0 ? power : 0;
        power <<= 1;
        power ^= (power & 0x100) != 0 ? kReduction : 0;
    }
    return static_cast<uint8_t>(product);
}

// FIPS 197, 5.1.1: the inverse in the field, then an affine map. 3 generates the field's 255 elements but zero; 0xf6 is its
// inverse, so that both powers go through all pairs.
constexpr Bytes kAesBox = [] {
    Bytes box{};
    uint8_t element = 1;
    uint8_t inverse = 1;
    do {
        uint8_t image = 0x63;
        for (int shift = 0; shift < 5; ++shift) {
            image ^= std::rotl(inverse, shift);
        }
        box[element] = image;
        element = multiply(element, 3);
        inverse = multiply(inverse, 0xf6);
    } while (element != 1);
    box[0] = 0x63;
    return box;
}();
static_assert(kAesBox[0x53] == 0xed, "the example of FIPS 197, 5.1.1");

constexpr Bytes kAesInverseBox = [] {
    Bytes box{};
    for (unsigned i = 0; i < box.size(); ++i) {
        box[kAesBox[i]] = static_cast<uint8_t>(i);
    }
    return box;
}();

// What a column's first byte contributes to its product with MixColumns' matrix (FIPS 197, 5.1.3 and 5.3.3); the other bytes contribute
// the same, rotated.
constexpr std::array<uint32_t, 256> mix_table(std::array<uint8_t, 4> matrix_column) {
    std::array<uint32_t, 256> table{};
    for (unsigned i = 0; i < table.size(); ++i) {
        for (unsigned row = 0; row < 4; ++row) {
            table[i] |= uint32_t{multiply(static_cast<uint8_t>(i), matrix_column[row])} << 8 * row;
        }
    }
    return table;
}
constexpr auto kMix = mix_table({2, 1, 1, 3});
constexpr auto kInverseMix = mix_table({14, 9, 13, 11});

constexpr uint8_t byte_of(uint64_t value, unsigned n) { return static_cast<uint8_t>(value >> 8 * n); }

uint64_t substitute(const Bytes& box, uint64_t value) {
    uint64_t result = 0;
    for (unsigned i = 0; i < 8; ++i) {
        result |= uint64_t{box[byte_of(value, i)]} << 8 * i;
    }
    return result;
}

uint64_t mix(const std::array<uint32_t, 256>& table, uint64_t columns) {
    uint64_t result = 0;
    for (unsigned column = 0; column < 2; ++column) {
        uint32_t mixed = 0;
        for (unsigned row = 0; row < 4; ++row) {
            mixed ^= std::rotl(table[byte_of(columns, 4 * column + row)], static_cast<int>(8 * row));
        }
        result |= uint64_t{mixed} << 32 * column;
    }
    return result;
}

// The first two columns of what ShiftRows makes of the state: row n comes from the column n further on, or with kInverse, back.
template <bool kInverse>
uint64_t shift_rows(uint64_t first, uint64_t second) {
    const std::array<uint64_t, 2> state = {first, second};
    uint64_t result = 0;
    for (unsigned column = 0; column < 2; ++column) {
        for (unsigned row = 0; row < 4; ++row) {
            const unsigned from = (kInverse ? column + 4 - row : column + row) % 4;
            const uint64_t byte = byte_of(state[from / 2], from % 2 * 4 + row);
            result |= byte << 8 * (4 * column + row);
        }
    }
    return result;
}

// GB/T 32907-2016, 6.2.
constexpr Bytes kSm4Box = {
    0xd6, 0x90, 0xe9, 0xfe, 0xcc, 0xe1, 0x3d, 0xb7, 0x16, 0xb6, 0x14, 0xc2, 0x28, 0xfb, 0x2c, 0x05,
    0x2b, 0x67, 0x9a, 0x76, 0x2a, 0xbe, 0x04, 0xc3, 0xaa, 0x44, 0x13, 0x26, 0x49, 0x86, 0x06, 0x99,
    0x9c, 0x42, 0x50, 0xf4, 0x91, 0xef, 0x98, 0x7a, 0x33, 0x54, 0x0b, 0x43, 0xed, 0xcf, 0xac, 0x62,
    0xe4, 0xb3, 0x1c, 0xa9, 0xc9, 0x08, 0xe8, 0x95, 0x80, 0xdf, 0x94, 0xfa, 0x75, 0x8f, 0x3f, 0xa6,
    0x47, 0x07, 0xa7, 0xfc, 0xf3, 0x73, 0x17, 0xba, 0x83, 0x59, 0x3c, 0x19, 0xe6, 0x85, 0x4f, 0xa8,
    0x68, 0x6b, 0x81, 0xb2, 0x71, 0x64, 0xda, 0x8b, 0xf8, 0xeb, 0x0f, 0x4b, 0x70, 0x56, 0x9d, 0x35,
    0x1e, 0x24, 0x0e, 0x5e, 0x63, 0x58, 0xd1, 0xa2, 0x25, 0x22, 0x7c, 0x3b, 0x01, 0x21, 0x78, 0x87,
    0xd4, 0x00, 0x46, 0x57, 0x9f, 0xd3, 0x27, 0x52, 0x4c, 0x36, 0x02, 0xe7, 0xa0, 0xc4, 0xc8, 0x9e,
    0xea, 0xbf, 0x8a, 0xd2, 0x40, 0xc7, 0x38, 0xb5, 0xa3, 0xf7, 0xf2, 0xce, 0xf9, 0x61, 0x15, 0xa1,
    0xe0, 0xae, 0x5d, 0xa4, 0x9b, 0x34, 0x1a, 0x55, 0xad, 0x93, 0x32, 0x30, 0xf5, 0x8c, 0xb1, 0xe3,
    0x1d, 0xf6, 0xe2, 0x2e, 0x82, 0x66, 0xca, 0x60, 0xc0, 0x29, 0x23, 0xab, 0x0d, 0x53, 0x4e, 0x6f,
    0xd5, 0xdb, 0x37, 0x45, 0xde, 0xfd, 0x8e, 0x2f, 0x03, 0xff, 0x6a, 0x72, 0x6d, 0x6c, 0x5b, 0x51,
    0x8d, 0x1b, 0xaf, 0x92, 0xbb, 0xdd, 0xbc, 0x7f, 0x11, 0xd9, 0x5c, 0x41, 0x1f, 0x10, 0x5a, 0xd8,
    0x0a, 0xc1, 0x31, 0x88, 0xa5, 0xcd, 0x7b, 0xbd, 0x2d, 0x74, 0xd0, 0x12, 0xb8, 0xe5, 0xb4, 0xb0,
    0x89, 0x69, 0x97, 0x4a, 0x0c, 0x96, 0x77, 0x7e, 0x65, 0xb9, 0xf1, 0x09, 0xc5, 0x6e, 0xc6, 0x84,
    0x18, 0xf0, 0x7d, 0xec, 0x3a, 0xdc, 0x4d, 0x20, 0x79, 0xee, 0x5f, 0x3e, 0xd7, 0xcb, 0x39, 0x48};

}  // namespace

uint64_t aes_encrypt_last(uint64_t first, uint64_t second) {
    return substitute(kAesBox, shift_rows<false>(first, second));
}

uint64_t aes_decrypt_last(uint64_t first, uint64_t second) {
    return substitute(kAesInverseBox, shift_rows<true>(first, second));
}

uint64_t aes_encrypt_middle(uint64_t first, uint64_t second) {
    return mix(kMix, aes_encrypt_last(first, second));
}

uint64_t aes_decrypt_middle(uint64_t first, uint64_t second) {
    return mix(kInverseMix, aes_decrypt_last(first, second));
}

uint64_t aes_inverse_mix(uint64_t columns, uint64_t) { return mix(kInverseMix, columns); }

uint64_t aes_key_word(uint64_t key, uint64_t round) {
    constexpr uint64_t kLastRound = 10;
    constexpr std::array<uint8_t, kLastRound + 1> kConstants = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20,
                                                                0x40, 0x80, 0x1b, 0x36, 0};
    const auto word = static_cast<uint32_t>(key >> 32);
    const uint32_t rotated = round == kLastRound ? word : std::rotr(word, 8);
    const uint64_t result = static_cast<uint32_t>(substitute(kAesBox, rotated)) ^ kConstants[round];
    return result << 32 | result;
}

// Both are the cipher's linear maps L and L' (GB/T 32907-2016, 6.2 and 7.3) of one byte. The cipher's words begin with their most
// significant byte, registers with the least.
uint64_t sm4_round(uint64_t byte, uint64_t rotation) {
    const uint32_t x = uint32_t{kSm4Box[byte]} << 24;
    const uint32_t y = x ^ std::rotl(x, 2) ^ std::rotl(x, 10) ^ std::rotl(x, 18) ^ std::rotl(x, 24);
    return std::rotl(std::byteswap(y), static_cast<int>(rotation));
}

uint64_t sm4_key_round(uint64_t byte, uint64_t rotation) {
    const uint32_t x = uint32_t{kSm4Box[byte]} << 24;
    const uint32_t y = x ^ std::rotl(x, 13) ^ std::rotl(x, 23);
    return std::rotl(std::byteswap(y), static_cast<int>(rotation));
}

}  // namespace weft::riscv
