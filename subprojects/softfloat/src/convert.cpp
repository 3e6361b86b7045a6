// Conversions between formats, to and from integers, and rounding to integral values.

#include <limits>

#include "round.h"

namespace softfloat {
namespace {

/// The result of a conversion that cannot deliver the value: the bound on the side of `sign`.
template <Integer I>
constexpr I saturate(Context& context, bool sign) {
    context.flags |= kInvalid;
    return sign ? std::numeric_limits<I>::min() : std::numeric_limits<I>::max();
}

template <Integer I, Binary F>
constexpr I to_int_impl(Context& context, F a) {
    const auto x = unpack(a);
    switch (x.kind) {
        case Kind::nan:
            return saturate<I>(context, false);
        case Kind::infinity:
            return saturate<I>(context, x.sign);
        case Kind::zero:
            return 0;
        case Kind::finite:
            break;
    }
    if (x.exponent + Layout<F>::kPrecision > 64) {
        return saturate<I>(context, x.sign);  // at least 2^64, out of every range
    }
    uint64_t magnitude = x.significand;
    bool exact = true;
    if (x.exponent >= 0) {
        magnitude <<= x.exponent;
    } else {
        const auto rounded = round_off(context.rounding, x.sign, magnitude, -x.exponent);
        magnitude = rounded.kept;
        exact = rounded.tail == Tail::none;
    }
    // Subtracting in the unsigned type gives the magnitude of the lower bound, also of the signed types'.
    const uint64_t limit = x.sign ? 0 - static_cast<uint64_t>(std::numeric_limits<I>::min())
                                  : static_cast<uint64_t>(std::numeric_limits<I>::max());
    if (magnitude > limit) {
        return saturate<I>(context, x.sign);
    }
    if (!exact) {
        context.flags |= kInexact;
    }
    return static_cast<I>(x.sign ? 0 - magnitude : magnitude);
}

template <Binary To, Binary From>
constexpr To convert_impl(Context& context, From a) {
    const auto x = unpack(a);
    switch (x.kind) {
        case Kind::nan:
            return nan_result<To>(context, a);
        case Kind::infinity:
            return infinity<To>(x.sign);
        case Kind::zero:
            return zero<To>(x.sign);
        case Kind::finite:
            break;
    }
    return round_to<To>(context, x.template as<typename Layout<From>::Bits>());
}

template <Binary F>
constexpr F round_to_integral_impl(Context& context, F a, Exactness exactness) {
    using Bits = typename Layout<F>::Bits;
    const auto x = unpack(a);
    if (x.is(Kind::nan)) {
        return nan_result<F>(context, a);
    }
    if (!x.is(Kind::finite) || x.exponent >= 0) {
        return a;
    }
    const auto rounded = round_off(context.rounding, x.sign, x.significand, -x.exponent);
    if (rounded.tail == Tail::none) {
        return a;
    }
    if (exactness == Exactness::report) {
        context.flags |= kInexact;
    }
    // An integer of at most kPrecision bits, or 2^kPrecision: exact in F.
    return rounded.kept == 0 ? zero<F>(x.sign) : round_to<F>(context, Number<Bits>{x.sign, 0, rounded.kept});
}

}  // namespace

template <Binary To, Binary From>
To convert(Context& context, From x) {
    return convert_impl<To>(context, x);
}

template <Integer I, Binary F>
I to_int(Context& context, F x) {
    return to_int_impl<I>(context, x);
}

template <Binary F, Integer I>
F from_int(Context& context, I value) {
    if (value == 0) {
        return zero<F>(false);
    }
    const bool sign = value < 0;
    const auto bits = static_cast<uint64_t>(value);
    return round_to<F>(context, Number<uint64_t>{sign, 0, sign ? 0 - bits : bits});
}

template <Binary F>
F round_to_integral(Context& context, F x, Exactness exactness) {
    return round_to_integral_impl(context, x, exactness);
}

template F32 convert(Context&, F16);
template F64 convert(Context&, F16);
template F16 convert(Context&, F32);
template F16 convert(Context&, F64);
template F64 convert(Context&, F32);
template F32 convert(Context&, F64);

template int32_t to_int(Context&, F16);
template uint32_t to_int(Context&, F16);
template int64_t to_int(Context&, F16);
template uint64_t to_int(Context&, F16);
template int32_t to_int(Context&, F32);
template uint32_t to_int(Context&, F32);
template int64_t to_int(Context&, F32);
template uint64_t to_int(Context&, F32);
template int32_t to_int(Context&, F64);
template uint32_t to_int(Context&, F64);
template int64_t to_int(Context&, F64);
template uint64_t to_int(Context&, F64);

template F16 from_int(Context&, int32_t);
template F16 from_int(Context&, uint32_t);
template F16 from_int(Context&, int64_t);
template F16 from_int(Context&, uint64_t);
template F32 from_int(Context&, int32_t);
template F32 from_int(Context&, uint32_t);
template F32 from_int(Context&, int64_t);
template F32 from_int(Context&, uint64_t);
template F64 from_int(Context&, int32_t);
template F64 from_int(Context&, uint32_t);
template F64 from_int(Context&, int64_t);
template F64 from_int(Context&, uint64_t);

template F16 round_to_integral(Context&, F16, Exactness);
template F32 round_to_integral(Context&, F32, Exactness);
template F64 round_to_integral(Context&, F64, Exactness);

}  // namespace softfloat
