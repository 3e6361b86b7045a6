// Computations on bits that IR has no ops for: pure functions, which generated code calls and the interpreter runs.
#pragma once

#include <cstdint>

namespace weft::riscv {

// The lower half of the product without carries (unprivileged specification, "clmul").
constexpr uint64_t carryless_multiply(uint64_t a, uint64_t b) {
    uint64_t product = 0;
    for (; b != 0; b >>= 1, a <<= 1) {
        product ^= (b & 1) != 0 ? a : 0;
    }
    return product;
}

// The upper half ("clmulh").
constexpr uint64_t carryless_multiply_high(uint64_t a, uint64_t b) {
    uint64_t product = 0;
    for (unsigned i = 1; i < 64; ++i) {
        product ^= (b >> i & 1) != 0 ? a >> (64 - i) : 0;
    }
    return product;
}

// Each field of `width` bits of `indices` becomes the field of `table` that it counts to, zero where there is none ("xperm4",
// "xperm8").
template <unsigned kFieldBits>
constexpr uint64_t permute(uint64_t table, uint64_t indices) {
    constexpr uint64_t kField = (uint64_t{1} << kFieldBits) - 1;
    constexpr unsigned kFields = 64 / kFieldBits;
    uint64_t result = 0;
    for (unsigned i = 0; i < kFields; ++i) {
        const uint64_t index = indices >> (kFieldBits * i) & kField;
        result |= index < kFields ? (table >> (kFieldBits * index) & kField) << (kFieldBits * i) : 0;
    }
    return result;
}

}  // namespace weft::riscv
