#pragma once

// IEEE 754-2019 binary arithmetic computed with integers only.
//
// The choices that the standard leaves open are those of the RISC-V F and D extensions:
//  - every NaN result is the canonical quiet NaN (positive, only the quiet bit set); payloads never
//  propagate;
//  - tininess is detected after rounding;
//  - conversions to integers saturate.
//
// All functions are pure apart from the Context they are given: no global state, any thread may call them
// with a context of its own. They read `rounding` where the operation rounds, and add to `flags` without ever
// clearing it.

#include <concepts>
#include <cstdint>

namespace softfloat {

/// binary16, as its encoding.
struct F16 {
    uint16_t bits = 0;
    friend constexpr bool operator==(F16,
                                     F16) = default;  // compares encodings; see eq() for the IEEE relation
};

/// binary32, as its encoding.
struct F32 {
    uint32_t bits = 0;
    friend constexpr bool operator==(F32,
                                     F32) = default;  // compares encodings; see eq() for the IEEE relation
};

/// binary64, as its encoding.
struct F64 {
    uint64_t bits = 0;
    friend constexpr bool operator==(F64,
                                     F64) = default;  // compares encodings; see eq() for the IEEE relation
};

/// The rounding directions, with the numbers of RISC-V's frm field.
enum class Rounding : uint8_t {
    nearest_even = 0,  ///< roundTiesToEven (RNE)
    toward_zero = 1,   ///< roundTowardZero (RTZ)
    down = 2,          ///< roundTowardNegative (RDN)
    up = 3,            ///< roundTowardPositive (RUP)
    nearest_away = 4,  ///< roundTiesToAway (RMM)
};

/// A set of exceptions, with the layout of RISC-V's fflags.
using Flags = uint8_t;
inline constexpr Flags kInexact = 1;       ///< NX
inline constexpr Flags kUnderflow = 2;     ///< UF
inline constexpr Flags kOverflow = 4;      ///< OF
inline constexpr Flags kDivideByZero = 8;  ///< DZ
inline constexpr Flags kInvalid = 16;      ///< NV

/// What an operation reads and writes besides its operands.
struct Context {
    Rounding rounding = Rounding::nearest_even;  ///< must be one of the enumerators
    Flags flags = 0;                             ///< accumulates
};

template <class F>
concept Binary = std::same_as<F, F16> || std::same_as<F, F32> || std::same_as<F, F64>;

template <class I>
concept Integer = std::same_as<I, int32_t> || std::same_as<I, uint32_t> || std::same_as<I, int64_t> ||
                  std::same_as<I, uint64_t>;

/// a + b, rounded once (IEEE 754 section 5.4.1). inf - inf raises NV.
template <Binary F>
F add(Context& context, F a, F b);

/// a - b, rounded once.
template <Binary F>
F sub(Context& context, F a, F b);

/// a * b, rounded once. 0 * inf raises NV.
template <Binary F>
F mul(Context& context, F a, F b);

/// a / b, rounded once. 0 / 0 and inf / inf raise NV; a finite nonzero a divided by zero raises DZ.
template <Binary F>
F div(Context& context, F a, F b);

/// The square root of a, rounded once. sqrt(-0) is -0; any other negative operand raises NV.
template <Binary F>
F sqrt(Context& context, F a);

/// a * b + c, rounded once. 0 * inf raises NV even when c is a quiet NaN (RISC-V F, section "Single-Precision
/// Floating-Point Computational Instructions").
template <Binary F>
F fma(Context& context, F a, F b, F c);

/// minimumNumber of IEEE 754-2019 section 9.6, RISC-V's FMIN: -0 is less than +0, a signaling NaN raises NV,
/// one NaN gives the other operand and two give the canonical NaN.
template <Binary F>
F min(Context& context, F a, F b);

/// maximumNumber, RISC-V's FMAX; otherwise as min().
template <Binary F>
F max(Context& context, F a, F b);

/// a == b (compareQuietEqual): false with a NaN; only a signaling NaN raises NV.
template <Binary F>
bool eq(Context& context, F a, F b);

/// a < b (compareSignalingLess): false with a NaN, and any NaN raises NV.
template <Binary F>
bool lt(Context& context, F a, F b);

/// a <= b (compareSignalingLessEqual): false with a NaN, and any NaN raises NV.
template <Binary F>
bool le(Context& context, F a, F b);

/// The result of RISC-V's FCLASS: exactly one of the ten bits below.
using ClassMask = uint16_t;
inline constexpr ClassMask kNegativeInfinity = 1 << 0;
inline constexpr ClassMask kNegativeNormal = 1 << 1;
inline constexpr ClassMask kNegativeSubnormal = 1 << 2;
inline constexpr ClassMask kNegativeZero = 1 << 3;
inline constexpr ClassMask kPositiveZero = 1 << 4;
inline constexpr ClassMask kPositiveSubnormal = 1 << 5;
inline constexpr ClassMask kPositiveNormal = 1 << 6;
inline constexpr ClassMask kPositiveInfinity = 1 << 7;
inline constexpr ClassMask kSignalingNan = 1 << 8;
inline constexpr ClassMask kQuietNan = 1 << 9;

/// The class of x. Raises nothing.
template <Binary F>
ClassMask classify(F x);

/// x in another format: convert<F64>(context, x). Rounds when it narrows.
template <Binary To, Binary From>
To convert(Context& context, From x);

/// x rounded to an integer: to_int<int32_t>(context, x). NaN gives the largest value; a rounded value out of
/// range gives the nearest representable one; both raise NV alone. Otherwise a change of value raises NX
/// (RISC-V FCVT).
template <Integer I, Binary F>
I to_int(Context& context, F x);

/// The integer value, rounded where the format is too narrow: from_int<F32>(context, value).
template <Binary F, Integer I>
F from_int(Context& context, I value);

/// Whether round_to_integral() reports a change of value.
enum class Exactness : uint8_t {
    ignore,  ///< never raises NX (RISC-V FROUND, IEEE roundToIntegral<direction>)
    report,  ///< raises NX when the result differs from x (RISC-V FROUNDNX, IEEE roundToIntegralExact)
};

/// x rounded to an integral value of the same format. Keeps the sign of x, of zero results too.
template <Binary F>
F round_to_integral(Context& context, F x, Exactness exactness);

}  // namespace softfloat
