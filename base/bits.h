// Bit fields, alignment and sign extension; <bit> has the rest (std::has_single_bit, std::countr_zero,
// std::rotl...).
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "base/assert.h"

namespace weft {

template <std::unsigned_integral T>
constexpr bool is_power_of_two(T value) {
    return std::has_single_bit(value);
}

// `alignment` is a power of two in all three.
template <std::unsigned_integral T>
constexpr T align_down(T value, std::type_identity_t<T> alignment) {
    return static_cast<T>(value & static_cast<T>(~static_cast<T>(alignment - 1)));
}

// Wraps to 0 where the next multiple does not fit T; would_align_overflow() asks.
template <std::unsigned_integral T>
constexpr T align_up(T value, std::type_identity_t<T> alignment) {
    return align_down(static_cast<T>(value + static_cast<T>(alignment - 1)), alignment);
}

template <std::unsigned_integral T>
constexpr bool is_aligned(T value, std::type_identity_t<T> alignment) {
    return (value & static_cast<T>(alignment - 1)) == 0;
}

template <std::unsigned_integral T>
constexpr bool would_align_overflow(T value, std::type_identity_t<T> alignment) {
    return value > static_cast<T>(std::numeric_limits<T>::max() - static_cast<T>(alignment - 1));
}

// value / divisor, rounded up, without overflow on the way.
template <std::unsigned_integral T>
constexpr T div_round_up(T value, std::type_identity_t<T> divisor) {
    return static_cast<T>(value / divisor + (value % divisor != 0 ? 1 : 0));
}

// The lowest `length` bits set; length is 0 to the width of T.
template <std::unsigned_integral T>
constexpr T low_mask(unsigned length) {
    constexpr unsigned kWidth = std::numeric_limits<T>::digits;
    return length == 0 ? T{0} : static_cast<T>(static_cast<T>(~T{0}) >> (kWidth - length));
}

// Bits start to start + length - 1 of `value`, at the bottom of the result. length >= 1, start + length <=
// width.
template <std::unsigned_integral T>
constexpr T extract(T value, unsigned start, unsigned length) {
    WEFT_DEBUG_ASSERT(length >= 1 && start + length <= std::numeric_limits<T>::digits);
    return static_cast<T>(static_cast<T>(value >> start) & low_mask<T>(length));
}

// The lowest `length` bits of `value` as a two's complement number. length >= 1, length <= width.
template <std::unsigned_integral T>
constexpr std::make_signed_t<T> sign_extend(T value, unsigned length) {
    WEFT_DEBUG_ASSERT(length >= 1 && length <= std::numeric_limits<T>::digits);
    const T sign = static_cast<T>(T{1} << (length - 1));
    const T field = static_cast<T>(value & low_mask<T>(length));
    return static_cast<std::make_signed_t<T>>(static_cast<T>(static_cast<T>(field ^ sign) - sign));
}

// extract() followed by sign_extend().
template <std::unsigned_integral T>
constexpr std::make_signed_t<T> sign_extract(T value, unsigned start, unsigned length) {
    return sign_extend(extract(value, start, length), length);
}

// `value` with bits start to start + length - 1 replaced by the lowest bits of `field`.
template <std::unsigned_integral T>
constexpr T deposit(T value, unsigned start, unsigned length, std::type_identity_t<T> field) {
    WEFT_DEBUG_ASSERT(length >= 1 && start + length <= std::numeric_limits<T>::digits);
    const T mask = static_cast<T>(low_mask<T>(length) << start);
    return static_cast<T>((value & static_cast<T>(~mask)) | (static_cast<T>(field << start) & mask));
}

}  // namespace weft
