// Addition, multiplication, division, square root and the fused operation.

#include "round.h"

namespace softfloat {
namespace {

/// The sum of two zeros (IEEE 754-2019 section 6.3).
template <Binary F>
constexpr F sum_of_zeros(const Context& context, bool x, bool y) {
    return zero<F>(x == y ? x : context.rounding == Rounding::down);
}

template <Binary F>
constexpr F add_impl(Context& context, F a, F b) {
    using Sum = typename Layout<F>::Sum;
    const auto x = unpack(a);
    const auto y = unpack(b);
    if (x.is(Kind::nan) || y.is(Kind::nan)) {
        return nan_result<F>(context, a, b);
    }
    if (x.is(Kind::infinity)) {
        return y.is(Kind::infinity) && x.sign != y.sign ? invalid<F>(context) : a;
    }
    if (y.is(Kind::infinity)) {
        return b;
    }
    if (x.is(Kind::zero)) {
        return y.is(Kind::zero) ? sum_of_zeros<F>(context, x.sign, y.sign) : b;
    }
    if (y.is(Kind::zero)) {
        return a;
    }
    return round_sum<F>(context, x.template as<Sum>(), y.template as<Sum>());
}

template <Binary F>
constexpr F mul_impl(Context& context, F a, F b) {
    using Product = typename Layout<F>::Product;
    const auto x = unpack(a);
    const auto y = unpack(b);
    const bool sign = x.sign != y.sign;
    if (x.is(Kind::nan) || y.is(Kind::nan)) {
        return nan_result<F>(context, a, b);
    }
    if (x.is(Kind::infinity) || y.is(Kind::infinity)) {
        return x.is(Kind::zero) || y.is(Kind::zero) ? invalid<F>(context) : infinity<F>(sign);
    }
    if (x.is(Kind::zero) || y.is(Kind::zero)) {
        return zero<F>(sign);
    }
    return round_to<F>(
        context, Number<Product>{sign, x.exponent + y.exponent, Product{x.significand} * y.significand});
}

template <Binary F>
constexpr F div_impl(Context& context, F a, F b) {
    using Product = typename Layout<F>::Product;
    const auto x = unpack(a);
    const auto y = unpack(b);
    const bool sign = x.sign != y.sign;
    if (x.is(Kind::nan) || y.is(Kind::nan)) {
        return nan_result<F>(context, a, b);
    }
    if (x.is(Kind::infinity)) {
        return y.is(Kind::infinity) ? invalid<F>(context) : infinity<F>(sign);
    }
    if (y.is(Kind::infinity)) {
        return zero<F>(sign);
    }
    if (y.is(Kind::zero)) {
        if (x.is(Kind::zero)) {
            return invalid<F>(context);
        }
        context.flags |= kDivideByZero;
        return infinity<F>(sign);
    }
    if (x.is(Kind::zero)) {
        return zero<F>(sign);
    }
    // The quotient of two significands lies above 1/2, so that this shift leaves the kPrecision + 2 bits that
    // a sticky one asks for.
    constexpr int kShift = Layout<F>::kPrecision + 2;
    const Product dividend = Product{x.significand} << kShift;
    const Product quotient = dividend / y.significand;
    const Product sticky = quotient * y.significand != dividend ? 1 : 0;
    return round_to<F>(context, Number<Product>{sign, x.exponent - y.exponent - kShift, quotient | sticky});
}

template <Binary F>
constexpr F sqrt_impl(Context& context, F a) {
    using Sum = typename Layout<F>::Sum;
    using Product = typename Layout<F>::Product;
    const auto x = unpack(a);
    if (x.is(Kind::nan)) {
        return nan_result<F>(context, a);
    }
    if (x.is(Kind::zero)) {
        return a;
    }
    if (x.sign) {
        return invalid<F>(context);
    }
    if (x.is(Kind::infinity)) {
        return a;
    }
    // A root of kPrecision + 2 bits, digit by digit, from a radicand of twice as many (or one less: the
    // exponent that is left must be even).
    constexpr int kRootBits = Layout<F>::kPrecision + 2;
    constexpr int kMaxShift = 2 * kRootBits - Layout<F>::kPrecision;
    const int shift = kMaxShift - ((x.exponent - kMaxShift) & 1);
    const Product radicand = Product{x.significand} << shift;
    Sum root = 0;
    Sum remainder = 0;
    for (int digit = kRootBits - 1; digit >= 0; --digit) {
        remainder = (remainder << 2) | static_cast<Sum>((radicand >> (2 * digit)) & 3);
        const Sum trial = (root << 2) | 1;
        root <<= 1;
        if (remainder >= trial) {
            remainder -= trial;
            root |= 1;
        }
    }
    const Sum sticky = remainder != 0 ? 1 : 0;
    return round_to<F>(context, Number<Sum>{false, (x.exponent - shift) / 2, root | sticky});
}

template <Binary F>
constexpr F fma_impl(Context& context, F a, F b, F c) {
    using Product = typename Layout<F>::Product;
    const auto x = unpack(a);
    const auto y = unpack(b);
    const auto z = unpack(c);
    const bool sign = x.sign != y.sign;
    if ((x.is(Kind::infinity) && y.is(Kind::zero)) || (x.is(Kind::zero) && y.is(Kind::infinity))) {
        return invalid<F>(context);
    }
    if (x.is(Kind::nan) || y.is(Kind::nan) || z.is(Kind::nan)) {
        return nan_result<F>(context, a, b, c);
    }
    if (x.is(Kind::infinity) || y.is(Kind::infinity)) {
        return z.is(Kind::infinity) && z.sign != sign ? invalid<F>(context) : infinity<F>(sign);
    }
    if (z.is(Kind::infinity)) {
        return c;
    }
    if (x.is(Kind::zero) || y.is(Kind::zero)) {
        return z.is(Kind::zero) ? sum_of_zeros<F>(context, sign, z.sign) : c;
    }
    const Number<Product> product{sign, x.exponent + y.exponent, Product{x.significand} * y.significand};
    if (z.is(Kind::zero)) {
        return round_to<F>(context, product);
    }
    return round_sum<F>(context, product, z.template as<Product>());
}

}  // namespace

template <Binary F>
F add(Context& context, F a, F b) {
    return add_impl(context, a, b);
}

template <Binary F>
F sub(Context& context, F a, F b) {
    // The sign of a NaN does not matter, since none propagates.
    return add_impl(context, a, F{static_cast<decltype(b.bits)>(b.bits ^ Layout<F>::kSignBit)});
}

template <Binary F>
F mul(Context& context, F a, F b) {
    return mul_impl(context, a, b);
}

template <Binary F>
F div(Context& context, F a, F b) {
    return div_impl(context, a, b);
}

template <Binary F>
F sqrt(Context& context, F a) {
    return sqrt_impl(context, a);
}

template <Binary F>
F fma(Context& context, F a, F b, F c) {
    return fma_impl(context, a, b, c);
}

template F16 add(Context&, F16, F16);
template F16 sub(Context&, F16, F16);
template F16 mul(Context&, F16, F16);
template F16 div(Context&, F16, F16);
template F16 sqrt(Context&, F16);
template F16 fma(Context&, F16, F16, F16);

template F32 add(Context&, F32, F32);
template F32 sub(Context&, F32, F32);
template F32 mul(Context&, F32, F32);
template F32 div(Context&, F32, F32);
template F32 sqrt(Context&, F32);
template F32 fma(Context&, F32, F32, F32);

template F64 add(Context&, F64, F64);
template F64 sub(Context&, F64, F64);
template F64 mul(Context&, F64, F64);
template F64 div(Context&, F64, F64);
template F64 sqrt(Context&, F64);
template F64 fma(Context&, F64, F64, F64);

}  // namespace softfloat
