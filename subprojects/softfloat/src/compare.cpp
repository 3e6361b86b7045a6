// Relations, minimum and maximum, classes.

#include "format.h"

namespace softfloat {
namespace {

/// Whether a precedes b in the order of the encodings, where -0 precedes +0. Neither is a NaN.
template <Binary F>
constexpr bool precedes(F a, F b) {
    if (sign_of(a) != sign_of(b)) {
        return sign_of(a);
    }
    return sign_of(a) ? a.bits > b.bits : a.bits < b.bits;
}

template <Binary F>
constexpr bool both_zero(F a, F b) {
    return ((a.bits | b.bits) & ~Layout<F>::kSignBit) == 0;
}

/// min for `want_first`, else max: the operand that comes first, or second, in the order of precedes().
template <Binary F>
constexpr F select(Context& context, F a, F b, bool want_first) {
    if (is_nan(a) || is_nan(b)) {
        const F nan = nan_result<F>(context, a, b);
        return !is_nan(a) ? a : !is_nan(b) ? b : nan;
    }
    return precedes(a, b) == want_first ? a : b;
}

}  // namespace

template <Binary F>
F min(Context& context, F a, F b) {
    return select(context, a, b, true);
}

template <Binary F>
F max(Context& context, F a, F b) {
    return select(context, a, b, false);
}

template <Binary F>
bool eq(Context& context, F a, F b) {
    if (is_nan(a) || is_nan(b)) {
        nan_result<F>(context, a, b);
        return false;
    }
    return a == b || both_zero(a, b);
}

template <Binary F>
bool lt(Context& context, F a, F b) {
    if (is_nan(a) || is_nan(b)) {
        context.flags |= kInvalid;
        return false;
    }
    return precedes(a, b) && !both_zero(a, b);
}

template <Binary F>
bool le(Context& context, F a, F b) {
    if (is_nan(a) || is_nan(b)) {
        context.flags |= kInvalid;
        return false;
    }
    return !precedes(b, a) || both_zero(a, b);
}

template <Binary F>
ClassMask classify(F x) {
    using L = Layout<F>;
    const auto magnitude = static_cast<typename L::Bits>(x.bits & ~L::kSignBit);
    if (is_nan(x)) {
        return is_signaling(x) ? kSignalingNan : kQuietNan;
    }
    if (magnitude == L::kInfinity) {
        return sign_of(x) ? kNegativeInfinity : kPositiveInfinity;
    }
    if (magnitude >= L::kHiddenBit) {
        return sign_of(x) ? kNegativeNormal : kPositiveNormal;
    }
    if (magnitude != 0) {
        return sign_of(x) ? kNegativeSubnormal : kPositiveSubnormal;
    }
    return sign_of(x) ? kNegativeZero : kPositiveZero;
}

template F16 min(Context&, F16, F16);
template F16 max(Context&, F16, F16);
template bool eq(Context&, F16, F16);
template bool lt(Context&, F16, F16);
template bool le(Context&, F16, F16);
template ClassMask classify(F16);

template F32 min(Context&, F32, F32);
template F32 max(Context&, F32, F32);
template bool eq(Context&, F32, F32);
template bool lt(Context&, F32, F32);
template bool le(Context&, F32, F32);
template ClassMask classify(F32);

template F64 min(Context&, F64, F64);
template F64 max(Context&, F64, F64);
template bool eq(Context&, F64, F64);
template bool lt(Context&, F64, F64);
template bool le(Context&, F64, F64);
template ClassMask classify(F64);

}  // namespace softfloat
