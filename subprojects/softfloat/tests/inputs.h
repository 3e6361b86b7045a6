#pragma once

// Operands worth trying: a fixed list of corners, and random ones biased towards what is hard.

#include <cstdint>
#include <random>
#include <vector>

#include "oracle.h"

namespace inputs {

using oracle::Format;

/// Zeros, the bounds of subnormal and normal numbers, neighbours of powers of two, halfway cases, NaNs; both
/// signs.
std::vector<uint64_t> corners(const Format& format);

/// The seed of all random inputs: WEFT_TEST_SEED, or a fixed one.
uint64_t seed();

/// Random inputs for each operation, format and rounding: SOFTFLOAT_TEST_CASES, or `usual`.
int cases(int usual);

class Generator {
  public:
    explicit Generator(const Format& format) : format_(format), random_(seed()) {}

    /// Any encoding; exponents near the middle, the bounds and the corners are more frequent.
    uint64_t any();
    /// A finite number with the exponent given, or the nearest there is (subnormals below emin).
    uint64_t finite(int exponent);
    /// The exponent of x: emin - 1 for subnormals and zero, emax + 1 for infinities and NaNs.
    int exponent(uint64_t x) const;

    /// Operands whose sum cancels, or needs all of the guard bits.
    uint64_t addend(uint64_t a);
    /// A factor that often brings a product to the bounds of the format.
    uint64_t factor(uint64_t a);
    /// A divisor that often brings a quotient there.
    uint64_t divisor(uint64_t a);
    /// A third operand that often cancels a * b, or lies where it matters for the rounding.
    uint64_t fma_addend(uint64_t a, uint64_t b);
    /// x or a neighbour of it.
    uint64_t nearby(uint64_t x);
    /// An integer of random magnitude, often next to a power of two.
    uint64_t integer();

    /// A number from `low` to `high`.
    int between(int low, int high);

  private:
    uint64_t fraction(int bits);

    const Format& format_;
    std::mt19937_64 random_;
};

}  // namespace inputs
