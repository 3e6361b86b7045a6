// What the integer ops of the IR compute: shared by the interpreter, constant folding, and guests that run instructions
// without translating them. i32 ops work on uint32_t, i64 on uint64_t.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "weft/ir.h"

namespace weft::int_ops {

template <class T>
concept Word = std::same_as<T, uint32_t> || std::same_as<T, uint64_t>;

template <Word T>
using SignedWord = std::make_signed_t<T>;

template <Word T>
inline constexpr unsigned kWidth = std::numeric_limits<T>::digits;

namespace detail {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 UInt128;

// The upper half of the product of two numbers, each read as signed or unsigned.
template <bool kSignedA, bool kSignedB, Word T>
constexpr T multiply_high(T a, T b) {
    const Int128 wide_a = kSignedA ? Int128{static_cast<SignedWord<T>>(a)} : Int128{a};
    const Int128 wide_b = kSignedB ? Int128{static_cast<SignedWord<T>>(b)} : Int128{b};
    // Multiplied as unsigned: the product of two unsigned 64-bit numbers needs all 128 bits.
    return static_cast<T>(static_cast<UInt128>(wide_a) * static_cast<UInt128>(wide_b) >> kWidth<T>);
}

}  // namespace detail

// Ops of two operands. Shift counts must be below the width; divisors are not zero, and not -1 where the dividend is the
// least number (ir.h).
template <ir::Opcode kCode, Word T>
constexpr T binary(T a, T b) {
    using enum ir::Opcode;
    using S = SignedWord<T>;
    [[maybe_unused]] const auto sa = static_cast<S>(a);
    [[maybe_unused]] const auto sb = static_cast<S>(b);
    [[maybe_unused]] const unsigned count = static_cast<unsigned>(b) & (kWidth<T> - 1);
    if constexpr (kCode == add) {
        return a + b;
    } else if constexpr (kCode == sub) {
        return a - b;
    } else if constexpr (kCode == mul) {
        return a * b;
    } else if constexpr (kCode == mulsh) {
        return detail::multiply_high<true, true>(a, b);
    } else if constexpr (kCode == muluh) {
        return detail::multiply_high<false, false>(a, b);
    } else if constexpr (kCode == mulsuh) {
        return detail::multiply_high<true, false>(a, b);
    } else if constexpr (kCode == divs || kCode == rems) {
        return static_cast<T>(kCode == divs ? sa / sb : sa % sb);
    } else if constexpr (kCode == divu || kCode == remu) {
        return kCode == divu ? a / b : a % b;
    } else if constexpr (kCode == smin) {
        return sa < sb ? a : b;
    } else if constexpr (kCode == smax) {
        return sa < sb ? b : a;
    } else if constexpr (kCode == umin) {
        return a < b ? a : b;
    } else if constexpr (kCode == umax) {
        return a < b ? b : a;
    } else if constexpr (kCode == and_) {
        return a & b;
    } else if constexpr (kCode == or_) {
        return a | b;
    } else if constexpr (kCode == xor_) {
        return a ^ b;
    } else if constexpr (kCode == andc) {
        return a & ~b;
    } else if constexpr (kCode == orc) {
        return a | ~b;
    } else if constexpr (kCode == eqv) {
        return ~(a ^ b);
    } else if constexpr (kCode == shl) {
        return a << count;
    } else if constexpr (kCode == shr) {
        return a >> count;
    } else if constexpr (kCode == sar) {
        return static_cast<T>(sa >> count);
    } else if constexpr (kCode == rotl) {
        return std::rotl(a, static_cast<int>(count));
    } else {
        static_assert(kCode == rotr);
        return std::rotr(a, static_cast<int>(count));
    }
}

// Ops of one operand.
template <ir::Opcode kCode, Word T>
constexpr T unary(T a) {
    using enum ir::Opcode;
    if constexpr (kCode == neg) {
        return T{0} - a;
    } else if constexpr (kCode == not_) {
        return ~a;
    } else if constexpr (kCode == clz) {
        return static_cast<T>(std::countl_zero(a));
    } else if constexpr (kCode == ctz) {
        return static_cast<T>(std::countr_zero(a));
    } else if constexpr (kCode == ctpop) {
        return static_cast<T>(std::popcount(a));
    } else {
        static_assert(kCode == bswap);
        if constexpr (sizeof(T) == 4) {
            return __builtin_bswap32(a);
        } else {
            return __builtin_bswap64(a);
        }
    }
}

template <Word T>
constexpr bool compare(ir::Cond cond, T a, T b) {
    const auto sa = static_cast<SignedWord<T>>(a);
    const auto sb = static_cast<SignedWord<T>>(b);
    switch (cond) {
        case ir::Cond::eq:
            return a == b;
        case ir::Cond::ne:
            return a != b;
        case ir::Cond::lt:
            return sa < sb;
        case ir::Cond::ge:
            return sa >= sb;
        case ir::Cond::le:
            return sa <= sb;
        case ir::Cond::gt:
            return sa > sb;
        case ir::Cond::ltu:
            return a < b;
        case ir::Cond::geu:
            return a >= b;
        case ir::Cond::leu:
            return a <= b;
        case ir::Cond::gtu:
            return a > b;
        case ir::Cond::tsteq:
            return (a & b) == 0;
        case ir::Cond::tstne:
            return (a & b) != 0;
    }
    return false;
}

// `length` ones from bit 0 on; 1 <= length <= width.
template <Word T>
constexpr T low_ones(unsigned length) {
    return static_cast<T>(~T{0}) >> (kWidth<T> - length);
}

// Bit fields: 1 <= length, position + length <= width.
template <Word T>
constexpr T extract(T a, unsigned position, unsigned length) {
    return a >> position & low_ones<T>(length);
}
template <Word T>
constexpr T sextract(T a, unsigned position, unsigned length) {
    const T at_top = a << (kWidth<T> - position - length);
    return static_cast<T>(static_cast<SignedWord<T>>(at_top) >> (kWidth<T> - length));
}
template <Word T>
constexpr T deposit(T base, T field, unsigned position, unsigned length) {
    const T mask = low_ones<T>(length) << position;
    return (base & ~mask) | (field << position & mask);
}

}  // namespace weft::int_ops
