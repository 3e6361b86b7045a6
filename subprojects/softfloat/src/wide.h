#pragma once

// Unsigned integers as significands: helpers that treat the 128-bit one like the others, which <bit> does
// not.

#include <bit>
#include <climits>
#include <cstdint>

namespace softfloat {

__extension__ typedef unsigned __int128 uint128;

template <class U>
inline constexpr int kDigits = static_cast<int>(sizeof(U) * CHAR_BIT);

/// The number of bits up to the leading one; 0 for 0.
constexpr int bit_width(uint64_t x) { return 64 - std::countl_zero(x); }
constexpr int bit_width(uint32_t x) { return 32 - std::countl_zero(x); }
constexpr int bit_width(uint16_t x) { return 16 - std::countl_zero(x); }
constexpr int bit_width(uint128 x) {
    const auto high = static_cast<uint64_t>(x >> 64);
    return high != 0 ? 64 + bit_width(high) : bit_width(static_cast<uint64_t>(x));
}

/// x shifted right by any count >= 0. The last bit of the result is also set when a one was shifted out
/// ("sticky"), so that it still compares as it should with anything at least two bits coarser.
template <class U>
constexpr U shift_right_sticky(U x, int count) {
    if (count == 0) {
        return x;
    }
    if (count >= kDigits<U>) {
        return x != 0 ? 1 : 0;
    }
    const U lost = x & ((U{1} << count) - 1);
    return (x >> count) | (lost != 0 ? 1 : 0);
}

}  // namespace softfloat
