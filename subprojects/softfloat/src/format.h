#pragma once

// The binary interchange formats and their encodings (IEEE 754-2019 section 3.4).

#include "softfloat/softfloat.h"
#include "wide.h"

namespace softfloat {

/// What differs between formats. `Sum` holds a significand with room for guard bits (and a carry), `Product`
/// the product of two; neither needs to be wider than the arithmetic asks for, see the assertions in Layout.
template <class F>
struct Traits;

template <>
struct Traits<F16> {
    using Bits = uint16_t;
    using Sum = uint32_t;
    using Product = uint32_t;
    static constexpr int kPrecision = 11;
};

template <>
struct Traits<F32> {
    using Bits = uint32_t;
    using Sum = uint64_t;
    using Product = uint64_t;
    static constexpr int kPrecision = 24;
};

template <>
struct Traits<F64> {
    using Bits = uint64_t;
    using Sum = uint64_t;
    using Product = uint128;
    static constexpr int kPrecision = 53;
};

/// The constants that follow from width and precision.
template <class F>
struct Layout : Traits<F> {
    using Bits = typename Traits<F>::Bits;
    using Traits<F>::kPrecision;

    static constexpr int kWidth = kDigits<Bits>;
    static constexpr int kFractionBits = kPrecision - 1;
    static constexpr int kExponentBits = kWidth - kPrecision;
    static constexpr int kMaxExponent = (1 << (kExponentBits - 1)) - 1;  // emax, and the bias
    static constexpr int kMinExponent = 1 - kMaxExponent;                // emin
    static constexpr int kExponentField = (1 << kExponentBits) - 1;

    static constexpr Bits kHiddenBit = Bits{1} << kFractionBits;
    static constexpr Bits kFractionMask = kHiddenBit - 1;
    static constexpr Bits kQuietBit = kHiddenBit >> 1;
    static constexpr Bits kSignBit = Bits{1} << (kWidth - 1);
    static constexpr Bits kInfinity = static_cast<Bits>(kExponentField) << kFractionBits;
    static constexpr Bits kMaxFinite = kInfinity - 1;
    static constexpr Bits kCanonicalNan = kInfinity | kQuietBit;

    // Sums are aligned below one carry bit and must survive a shift by one exactly. Square roots take the
    // widest product: twice the precision of a quotient, which itself has a guard and a sticky bit.
    static_assert(kDigits<typename Traits<F>::Sum> >= kPrecision + 4);
    static_assert(kDigits<typename Traits<F>::Product> >= 2 * (kPrecision + 2));
};

template <Binary F>
constexpr bool sign_of(F x) {
    return (x.bits & Layout<F>::kSignBit) != 0;
}

template <Binary F>
constexpr bool is_nan(F x) {
    return static_cast<typename Layout<F>::Bits>(x.bits & ~Layout<F>::kSignBit) > Layout<F>::kInfinity;
}

template <Binary F>
constexpr bool is_signaling(F x) {
    return is_nan(x) && (x.bits & Layout<F>::kQuietBit) == 0;
}

template <Binary F>
constexpr F with_sign(typename Layout<F>::Bits magnitude, bool sign) {
    using Bits = typename Layout<F>::Bits;
    return F{static_cast<Bits>(sign ? magnitude | Layout<F>::kSignBit : magnitude)};
}

template <Binary F>
constexpr F zero(bool sign) {
    return with_sign<F>(0, sign);
}

template <Binary F>
constexpr F infinity(bool sign) {
    return with_sign<F>(Layout<F>::kInfinity, sign);
}

template <Binary F>
constexpr F canonical_nan() {
    return F{Layout<F>::kCanonicalNan};
}

/// The result of an invalid operation.
template <Binary F>
constexpr F invalid(Context& context) {
    context.flags |= kInvalid;
    return canonical_nan<F>();
}

/// The result of an operation on a NaN: raises NV for a signaling one (IEEE 754-2019 section 6.2).
template <Binary F, Binary... Operands>
constexpr F nan_result(Context& context, Operands... operands) {
    if ((is_signaling(operands) || ...)) {
        context.flags |= kInvalid;
    }
    return canonical_nan<F>();
}

/// significand * 2^exponent with a sign; the significand is never zero.
template <class Significand>
struct Number {
    bool sign;
    int exponent;
    Significand significand;
};

enum class Kind : uint8_t { zero, finite, infinity, nan };

/// A decoded operand. The significand of a finite one has exactly kPrecision bits, of a subnormal one too.
template <Binary F>
struct Operand {
    Kind kind;
    bool sign;
    int exponent;
    typename Layout<F>::Bits significand;

    constexpr bool is(Kind k) const { return kind == k; }

    template <class Significand>
    constexpr Number<Significand> as() const {
        return {sign, exponent, significand};
    }
};

template <Binary F>
constexpr Operand<F> unpack(F x) {
    using L = Layout<F>;
    const bool sign = sign_of(x);
    const int field =
        static_cast<int>(static_cast<typename L::Bits>(x.bits & ~L::kSignBit) >> L::kFractionBits);
    const typename L::Bits fraction = x.bits & L::kFractionMask;
    constexpr int kLeastExponent = L::kMinExponent - L::kFractionBits;  // of the last place of a subnormal
    if (field == L::kExponentField) {
        return {fraction != 0 ? Kind::nan : Kind::infinity, sign, 0, 0};
    }
    if (field != 0) {
        return {Kind::finite, sign, kLeastExponent + field - 1,
                static_cast<typename L::Bits>(fraction | L::kHiddenBit)};
    }
    if (fraction == 0) {
        return {Kind::zero, sign, 0, 0};
    }
    const int shift = L::kPrecision - bit_width(fraction);
    return {Kind::finite, sign, kLeastExponent - shift, static_cast<typename L::Bits>(fraction << shift)};
}

}  // namespace softfloat
