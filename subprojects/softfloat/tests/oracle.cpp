#include "oracle.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>

namespace oracle {
namespace {

using softfloat::kDivideByZero;
using softfloat::kInexact;
using softfloat::kInvalid;
using softfloat::kOverflow;
using softfloat::kUnderflow;

/// MPFR's exponents are of significands in [1/2, 1), one more than those of IEEE 754.
constexpr int kExponentShift = 1;

/// MPFR's arithmetic has no roundTiesToAway; that one is only for round_to_integer().
mpfr_rnd_t mpfr_rounding(Rounding rounding) {
    switch (rounding) {
        case Rounding::nearest_even:
            return MPFR_RNDN;
        case Rounding::toward_zero:
            return MPFR_RNDZ;
        case Rounding::down:
            return MPFR_RNDD;
        case Rounding::up:
            return MPFR_RNDU;
        case Rounding::nearest_away:
            break;
    }
    std::abort();
}

void round_to_integer(mpfr_ptr to, mpfr_ptr from, Rounding rounding) {
    if (rounding == Rounding::nearest_away) {
        mpfr_round(to, from);
    } else {
        mpfr_rint(to, from, mpfr_rounding(rounding));
    }
}

/// While it lives, MPFR works with a given range of exponents; else with the largest it has.
class ExponentRange {
  public:
    ExponentRange(mpfr_exp_t least, mpfr_exp_t greatest) {
        mpfr_set_emin(least);
        mpfr_set_emax(greatest);
    }
    ~ExponentRange() {
        mpfr_set_emin(mpfr_get_emin_min());
        mpfr_set_emax(mpfr_get_emax_max());
    }
    ExponentRange(const ExponentRange&) = delete;
    ExponentRange& operator=(const ExponentRange&) = delete;
};

// Not every host has halves of its own.
void load_half(mpfr_ptr to, const Format& format, uint64_t bits) {
    const bool negative = (bits & format.sign()) != 0;
    const auto field = static_cast<int>((bits & ~format.sign()) >> format.fraction_bits());
    const uint64_t fraction = bits & format.fraction_mask();
    if (field > 2 * format.emax) {
        fraction != 0 ? mpfr_set_nan(to) : mpfr_set_inf(to, negative ? -1 : 1);
        return;
    }
    const uint64_t hidden = field != 0 ? format.fraction_mask() + 1 : 0;
    mpfr_set_ui_2exp(to, fraction | hidden, std::max(field, 1) - format.emax - format.fraction_bits(),
                     MPFR_RNDN);
    mpfr_setsign(to, to, negative ? 1 : 0, MPFR_RNDN);
}

// `value` is one of the format's.
uint64_t encode_half(const Format& format, double value) {
    const uint64_t sign = std::signbit(value) ? format.sign() : 0;
    if (std::isinf(value)) {
        return sign | format.infinity();
    }
    const auto significand = static_cast<uint64_t>(
        std::ldexp(std::fabs(value), format.fraction_bits() - std::max(std::ilogb(value), format.emin)));
    const int above = value == 0 ? 0 : std::max(std::ilogb(value), format.emin) - format.emin;
    return sign | (significand + (static_cast<uint64_t>(above) << format.fraction_bits()));
}

}  // namespace

void Oracle::load(mpfr_ptr to, const Format& format, uint64_t bits) {
    // The host's own view of its formats; all fit 64 bits of precision.
    if (format.width == 16) {
        load_half(to, format, bits);
    } else if (format.width == 32) {
        mpfr_set_flt(to, std::bit_cast<float>(static_cast<uint32_t>(bits)), MPFR_RNDN);
    } else {
        mpfr_set_d(to, std::bit_cast<double>(bits), MPFR_RNDN);
    }
}

uint64_t Oracle::encode(mpfr_ptr value) const {
    if (mpfr_nan_p(value)) {
        return format_.canonical_nan();
    }
    if (format_.width == 16) {
        return encode_half(format_, mpfr_get_d(value, MPFR_RNDN));
    }
    if (format_.width == 32) {
        return std::bit_cast<uint32_t>(mpfr_get_flt(value, MPFR_RNDN));
    }
    return std::bit_cast<uint64_t>(mpfr_get_d(value, MPFR_RNDN));
}

bool Oracle::any_nan(std::initializer_list<uint64_t> operands) const {
    return std::any_of(operands.begin(), operands.end(), [&](uint64_t x) { return format_.is_nan(x); });
}

Outcome Oracle::nan_outcome(std::initializer_list<uint64_t> operands) const {
    const bool invalid =
        std::any_of(operands.begin(), operands.end(), [&](uint64_t x) { return format_.is_signaling(x); });
    return {format_.canonical_nan(), invalid ? kInvalid : Flags{0}};
}

Outcome Oracle::evaluate(Rounding rounding, const Operation& operation) {
    if (method_ == Method::integers || rounding == Rounding::nearest_away) {
        return evaluate_by_integers(rounding, operation);
    }
    return evaluate_native(rounding, operation);
}

Outcome Oracle::evaluate_native(Rounding rounding, const Operation& operation) {
    const mpfr_rnd_t mode = mpfr_rounding(rounding);
    mpfr_set_prec(result_, format_.precision);
    // Tininess after rounding is a property of the result with unbounded exponents.
    operation(result_, mode);
    const bool tiny = mpfr_regular_p(result_) && mpfr_get_exp(result_) < format_.emin + kExponentShift;

    Outcome outcome;
    {
        const ExponentRange range(format_.emin - format_.fraction_bits() + kExponentShift,
                                  format_.emax + kExponentShift);
        mpfr_clear_flags();
        int ternary = operation(result_, mode);
        // mpfr_set leaves an operand's exponent out of range alone.
        ternary = mpfr_check_range(result_, ternary, mode);
        if (mpfr_nan_p(result_)) {
            outcome.flags |= kInvalid;
        }
        if (mpfr_divby0_p()) {
            outcome.flags |= kDivideByZero;
        }
        if (mpfr_overflow_p()) {
            outcome.flags |= kOverflow;
        }
        ternary = mpfr_subnormalize(result_, ternary, mode);
        if (ternary != 0) {
            outcome.flags |= tiny ? kInexact | kUnderflow : kInexact;
        }
    }
    outcome.bits = encode(result_);
    return outcome;
}

Outcome Oracle::evaluate_by_integers(Rounding rounding, const Operation& operation) {
    const int precision = format_.precision;
    mpfr_set_prec(result_, precision + 3);
    mpfr_clear_flags();
    const int ternary = operation(result_, MPFR_RNDZ);
    if (!mpfr_regular_p(result_)) {  // NaN, infinity and zero are exact: the range of exponents is unbounded
        if (rounding != Rounding::nearest_away) {
            operation(result_, mpfr_rounding(rounding));  // for the sign of a zero
        }
        Outcome outcome{encode(result_), 0};
        if (mpfr_nan_p(result_)) {
            outcome.flags |= kInvalid;
        }
        if (mpfr_divby0_p()) {
            outcome.flags |= kDivideByZero;
        }
        return outcome;
    }
    // Any value strictly between the truncated one and the next rounds like the exact one.
    mpfr_set_prec(wide_, precision + 5);
    mpfr_set(wide_, result_, MPFR_RNDZ);
    if (ternary != 0) {
        mpfr_sgn(wide_) > 0 ? mpfr_nextabove(wide_) : mpfr_nextbelow(wide_);
    }
    const auto round_at = [&](long place) {
        mpfr_mul_2si(scaled_, wide_, -place, MPFR_RNDN);
        round_to_integer(rounded_, scaled_, rounding);
        mpfr_mul_2si(rounded_, rounded_, place, MPFR_RNDN);
    };
    const long exponent = static_cast<long>(mpfr_get_exp(wide_)) - kExponentShift;
    round_at(exponent - format_.fraction_bits());
    const bool tiny = mpfr_zero_p(rounded_) || mpfr_get_exp(rounded_) < format_.emin + kExponentShift;
    round_at(std::max<long>(exponent, format_.emin) - format_.fraction_bits());

    Outcome outcome;
    if (!mpfr_equal_p(rounded_, wide_)) {
        outcome.flags |= tiny ? kInexact | kUnderflow : kInexact;
    }
    if (mpfr_regular_p(rounded_) && mpfr_get_exp(rounded_) > format_.emax + kExponentShift) {
        outcome.flags |= kOverflow | kInexact;
        const bool negative = mpfr_sgn(rounded_) < 0;
        const bool to_finite = rounding == Rounding::toward_zero ||
                               (rounding == Rounding::down && !negative) ||
                               (rounding == Rounding::up && negative);
        const uint64_t magnitude = to_finite ? format_.infinity() - 1 : format_.infinity();
        outcome.bits = negative ? magnitude | format_.sign() : magnitude;
    } else {
        outcome.bits = encode(rounded_);
    }
    return outcome;
}

Outcome Oracle::add(Rounding rounding, uint64_t a, uint64_t b) {
    if (any_nan({a, b})) {
        return nan_outcome({a, b});
    }
    load(x_, format_, a);
    load(y_, format_, b);
    return evaluate(rounding, [&](mpfr_ptr r, mpfr_rnd_t mode) { return mpfr_add(r, x_, y_, mode); });
}

Outcome Oracle::sub(Rounding rounding, uint64_t a, uint64_t b) {
    if (any_nan({a, b})) {
        return nan_outcome({a, b});
    }
    load(x_, format_, a);
    load(y_, format_, b);
    return evaluate(rounding, [&](mpfr_ptr r, mpfr_rnd_t mode) { return mpfr_sub(r, x_, y_, mode); });
}

Outcome Oracle::mul(Rounding rounding, uint64_t a, uint64_t b) {
    if (any_nan({a, b})) {
        return nan_outcome({a, b});
    }
    load(x_, format_, a);
    load(y_, format_, b);
    return evaluate(rounding, [&](mpfr_ptr r, mpfr_rnd_t mode) { return mpfr_mul(r, x_, y_, mode); });
}

Outcome Oracle::div(Rounding rounding, uint64_t a, uint64_t b) {
    if (any_nan({a, b})) {
        return nan_outcome({a, b});
    }
    load(x_, format_, a);
    load(y_, format_, b);
    return evaluate(rounding, [&](mpfr_ptr r, mpfr_rnd_t mode) { return mpfr_div(r, x_, y_, mode); });
}

Outcome Oracle::sqrt(Rounding rounding, uint64_t a) {
    if (any_nan({a})) {
        return nan_outcome({a});
    }
    load(x_, format_, a);
    return evaluate(rounding, [&](mpfr_ptr r, mpfr_rnd_t mode) { return mpfr_sqrt(r, x_, mode); });
}

Outcome Oracle::fma(Rounding rounding, uint64_t a, uint64_t b, uint64_t c) {
    if (any_nan({a, b, c})) {
        Outcome outcome = nan_outcome({a, b, c});
        const auto magnitude = [&](uint64_t x) { return x & ~format_.sign(); };
        if ((magnitude(a) == 0 && magnitude(b) == format_.infinity()) ||
            (magnitude(b) == 0 && magnitude(a) == format_.infinity())) {
            outcome.flags |= kInvalid;
        }
        return outcome;
    }
    load(x_, format_, a);
    load(y_, format_, b);
    load(z_, format_, c);
    return evaluate(rounding, [&](mpfr_ptr r, mpfr_rnd_t mode) { return mpfr_fma(r, x_, y_, z_, mode); });
}

Outcome Oracle::select(uint64_t a, uint64_t b, bool want_less) {
    if (any_nan({a, b})) {
        Outcome outcome = nan_outcome({a, b});
        if (!format_.is_nan(a)) {
            outcome.bits = a;
        } else if (!format_.is_nan(b)) {
            outcome.bits = b;
        }
        return outcome;
    }
    load(x_, format_, a);
    load(y_, format_, b);
    if (mpfr_zero_p(x_) && mpfr_zero_p(y_)) {
        return {(mpfr_signbit(x_) != 0) == want_less ? a : b, 0};
    }
    return {(mpfr_less_p(x_, y_) != 0) == want_less ? a : b, 0};
}

Outcome Oracle::min(uint64_t a, uint64_t b) { return select(a, b, true); }

Outcome Oracle::max(uint64_t a, uint64_t b) { return select(a, b, false); }

Outcome Oracle::eq(uint64_t a, uint64_t b) {
    load(x_, format_, a);
    load(y_, format_, b);
    return {mpfr_equal_p(x_, y_) != 0, nan_outcome({a, b}).flags};
}

Outcome Oracle::lt(uint64_t a, uint64_t b) {
    load(x_, format_, a);
    load(y_, format_, b);
    return {mpfr_less_p(x_, y_) != 0, any_nan({a, b}) ? kInvalid : Flags{0}};
}

Outcome Oracle::le(uint64_t a, uint64_t b) {
    load(x_, format_, a);
    load(y_, format_, b);
    return {mpfr_lessequal_p(x_, y_) != 0, any_nan({a, b}) ? kInvalid : Flags{0}};
}

Outcome Oracle::convert(Rounding rounding, const Format& from, uint64_t a) {
    if (from.is_nan(a)) {
        return {format_.canonical_nan(), from.is_signaling(a) ? kInvalid : Flags{0}};
    }
    load(x_, from, a);
    return evaluate(rounding, [&](mpfr_ptr r, mpfr_rnd_t mode) { return mpfr_set(r, x_, mode); });
}

Outcome Oracle::to_int(Rounding rounding, uint64_t a, int width, bool is_signed) {
    const uint64_t mask = width == 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1;
    const uint64_t least = is_signed ? uint64_t{1} << (width - 1) : 0;
    const uint64_t greatest = is_signed ? least - 1 : mask;
    load(x_, format_, a);
    if (mpfr_nan_p(x_)) {
        return {greatest, kInvalid};
    }
    round_to_integer(rounded_, x_, rounding);
    mpfr_set_ui(scaled_, greatest, MPFR_RNDN);
    if (mpfr_greater_p(rounded_, scaled_)) {
        return {greatest, kInvalid};
    }
    mpfr_set_ui(scaled_, least, MPFR_RNDN);
    mpfr_neg(scaled_, scaled_, MPFR_RNDN);
    if (mpfr_less_p(rounded_, scaled_)) {
        return {least, kInvalid};
    }
    const Flags flags = mpfr_equal_p(rounded_, x_) ? Flags{0} : kInexact;
    const uint64_t value = is_signed ? static_cast<uint64_t>(mpfr_get_si(rounded_, MPFR_RNDN))
                                     : static_cast<uint64_t>(mpfr_get_ui(rounded_, MPFR_RNDN));
    return {value & mask, flags};
}

Outcome Oracle::from_int(Rounding rounding, int64_t value) {
    return evaluate(rounding, [&](mpfr_ptr r, mpfr_rnd_t mode) { return mpfr_set_si(r, value, mode); });
}

Outcome Oracle::from_int(Rounding rounding, uint64_t value) {
    return evaluate(rounding, [&](mpfr_ptr r, mpfr_rnd_t mode) { return mpfr_set_ui(r, value, mode); });
}

Outcome Oracle::round_to_integral(Rounding rounding, uint64_t a, bool report_inexact) {
    if (any_nan({a})) {
        return nan_outcome({a});
    }
    load(x_, format_, a);
    round_to_integer(rounded_, x_, rounding);
    const bool inexact = !mpfr_equal_p(rounded_, x_);
    return {encode(rounded_), inexact && report_inexact ? kInexact : Flags{0}};
}

}  // namespace oracle
