#pragma once

// Rounding: every operation computes an exact value, or one that is exact but for a sticky last bit, and ends
// here.

#include <algorithm>
#include <utility>

#include "format.h"

namespace softfloat {

/// What lies below the last place that is kept, in units of that place.
enum class Tail : uint8_t { none, below_half, half, above_half };

template <class Significand>
struct Split {
    Significand kept;
    Tail tail;
};

/// Splits off the lowest `drop` bits (>= 0, any number) of x, which is not zero.
template <class Significand>
constexpr Split<Significand> split(Significand x, int drop) {
    if (drop == 0) {
        return {x, Tail::none};
    }
    if (drop > kDigits<Significand>) {
        return {0, Tail::below_half};
    }
    const Significand half = Significand{1} << (drop - 1);
    const Significand rest = x & (half | (half - 1));
    const Significand kept = drop == kDigits<Significand> ? Significand{0} : x >> drop;
    if (rest == 0) {
        return {kept, Tail::none};
    }
    if (rest == half) {
        return {kept, Tail::half};
    }
    return {kept, rest < half ? Tail::below_half : Tail::above_half};
}

/// Whether the magnitude goes up to the next one (IEEE 754-2019 section 4.3).
constexpr bool rounds_up(Rounding rounding, bool sign, bool odd, Tail tail) {
    switch (rounding) {
        case Rounding::nearest_even:
            return tail == Tail::above_half || (tail == Tail::half && odd);
        case Rounding::nearest_away:
            return tail >= Tail::half;
        case Rounding::toward_zero:
            return false;
        case Rounding::down:
            return sign && tail != Tail::none;
        case Rounding::up:
            return !sign && tail != Tail::none;
    }
    return false;
}

/// x without its lowest `drop` bits, rounded; `tail` tells whether and how it was inexact.
template <class Significand>
constexpr Split<Significand> round_off(Rounding rounding, bool sign, Significand x, int drop) {
    auto [kept, tail] = split(x, drop);
    if (rounds_up(rounding, sign, (kept & 1) != 0, tail)) {
        kept += 1;
    }
    return {kept, tail};
}

/// The result of an overflow (IEEE 754-2019 section 7.4).
template <Binary F>
constexpr F overflow(Context& context, bool sign) {
    context.flags |= kOverflow | kInexact;
    // Any excess over the largest finite value counts as more than half a unit.
    const bool to_infinity = rounds_up(context.rounding, sign, true, Tail::above_half);
    return with_sign<F>(to_infinity ? Layout<F>::kInfinity : Layout<F>::kMaxFinite, sign);
}

/// x rounded to F. Its last bit may be sticky if the significand has at least kPrecision + 2 bits: then the
/// sticky bit stays below the half of the last place, whether rounding is for the result or for its tininess.
template <Binary F, class Significand>
constexpr F round_to(Context& context, Number<Significand> x) {
    using L = Layout<F>;
    using Bits = typename L::Bits;
    const int exponent = x.exponent + bit_width(x.significand) - 1;  // of the leading bit
    if (exponent > L::kMaxExponent) {
        return overflow<F>(context, x.sign);
    }
    const int place = std::max(exponent, L::kMinExponent);
    const int drop = place - L::kFractionBits - x.exponent;
    // The exponent field of the smallest normal number is 1, of subnormal ones 0: the hidden bit makes the
    // difference, and a carry out of the significand goes into the exponent in the same way.
    const Bits base = static_cast<Bits>(place - L::kMinExponent) << L::kFractionBits;
    if (drop <= 0) {
        return with_sign<F>(base + (static_cast<Bits>(x.significand) << -drop), x.sign);
    }
    const auto [kept, tail] = round_off(context.rounding, x.sign, x.significand, drop);
    const Bits magnitude = base + static_cast<Bits>(kept);
    if (magnitude >= L::kInfinity) {
        return overflow<F>(context, x.sign);
    }
    if (tail != Tail::none) {
        context.flags |= kInexact;
        // Tiny after rounding: the result would be below 2^emin had the exponent no lower bound. Right below
        // 2^emin that takes a rounding of its own, to full precision (IEEE 754-2019 section 7.5 a).
        if (exponent < L::kMinExponent) {
            bool tiny = true;
            if (exponent == L::kMinExponent - 1) {
                const auto full = round_off(context.rounding, x.sign, x.significand, drop - 1);
                tiny = bit_width(full.kept) <= L::kPrecision;
            }
            if (tiny) {
                context.flags |= kUnderflow;
            }
        }
    }
    return with_sign<F>(magnitude, x.sign);
}

/// x + y rounded to F. The significands are exact, and after moving their leading bits to the last but one of
/// the type at least one bit below them is free.
template <Binary F, class Significand>
constexpr F round_sum(Context& context, Number<Significand> x, Number<Significand> y) {
    constexpr int kAligned = kDigits<Significand> - 1;
    for (Number<Significand>* n : {&x, &y}) {
        const int shift = kAligned - bit_width(n->significand);
        n->significand <<= shift;
        n->exponent -= shift;
    }
    if (x.exponent < y.exponent) {
        std::swap(x, y);
    }
    // A difference of one place loses nothing. From two on, subtraction cancels at most one leading bit, and
    // so the sticky bit stays far enough below.
    const Significand smaller = shift_right_sticky(y.significand, x.exponent - y.exponent);
    if (x.sign == y.sign) {
        x.significand += smaller;
    } else if (x.significand > smaller) {
        x.significand -= smaller;
    } else if (x.significand < smaller) {
        x = {y.sign, x.exponent, smaller - x.significand};
    } else {
        return zero<F>(context.rounding == Rounding::down);  // IEEE 754-2019 section 6.3
    }
    return round_to<F>(context, x);
}

}  // namespace softfloat
