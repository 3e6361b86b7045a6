#pragma once

// The expected results, from MPFR. Values are encodings in the low bits of a uint64_t.

#include <mpfr.h>

#include <cstdint>
#include <functional>

#include "softfloat/softfloat.h"

namespace oracle {

using softfloat::Flags;
using softfloat::Rounding;

/// What the tests need to know of a format, written down apart from the library.
struct Format {
    int width;
    int precision;
    int emin;
    int emax;

    int fraction_bits() const { return precision - 1; }
    uint64_t sign() const { return uint64_t{1} << (width - 1); }
    uint64_t infinity() const { return (sign() - 1) & ~fraction_mask(); }
    uint64_t fraction_mask() const { return (uint64_t{1} << fraction_bits()) - 1; }
    uint64_t quiet_bit() const { return uint64_t{1} << (precision - 2); }
    uint64_t canonical_nan() const { return infinity() | quiet_bit(); }
    bool is_nan(uint64_t bits) const { return (bits & ~sign()) > infinity(); }
    bool is_signaling(uint64_t bits) const { return is_nan(bits) && (bits & quiet_bit()) == 0; }
};

inline constexpr Format kBinary16{16, 11, -14, 15};
inline constexpr Format kBinary32{32, 24, -126, 127};
inline constexpr Format kBinary64{64, 53, -1022, 1023};

struct Outcome {
    uint64_t bits = 0;
    Flags flags = 0;
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

/// How a result is brought to its format.
enum class Method {
    /// MPFR's own rounding with the format's exponent range and mpfr_subnormalize. roundTiesToAway, which
    /// MPFR's
    /// arithmetic lacks, goes through `integers`.
    native,
    /// The value truncated to a few more bits with the rest made visible, then scaled and rounded to an
    /// integer.
    integers,
};

/// A variable of MPFR.
class Real {
  public:
    explicit Real(mpfr_prec_t precision) { mpfr_init2(value_, precision); }
    ~Real() { mpfr_clear(value_); }
    Real(const Real&) = delete;
    Real& operator=(const Real&) = delete;
    operator mpfr_ptr() { return value_; }
    mpfr_ptr operator->() { return value_; }  // for those functions of MPFR that are macros

  private:
    mpfr_t value_;
};

/// Computes one operation at a time, in the format and rounding given.
class Oracle {
  public:
    explicit Oracle(const Format& format, Method method = Method::native)
        : format_(format), method_(method) {}

    Outcome add(Rounding rounding, uint64_t a, uint64_t b);
    Outcome sub(Rounding rounding, uint64_t a, uint64_t b);
    Outcome mul(Rounding rounding, uint64_t a, uint64_t b);
    Outcome div(Rounding rounding, uint64_t a, uint64_t b);
    Outcome sqrt(Rounding rounding, uint64_t a);
    Outcome fma(Rounding rounding, uint64_t a, uint64_t b, uint64_t c);

    Outcome min(uint64_t a, uint64_t b);
    Outcome max(uint64_t a, uint64_t b);
    Outcome eq(uint64_t a, uint64_t b);
    Outcome lt(uint64_t a, uint64_t b);
    Outcome le(uint64_t a, uint64_t b);

    /// `a`, of format `from`, in this oracle's format.
    Outcome convert(Rounding rounding, const Format& from, uint64_t a);
    /// The result is the integer modulo 2^width.
    Outcome to_int(Rounding rounding, uint64_t a, int width, bool is_signed);
    Outcome from_int(Rounding rounding, int64_t value);
    Outcome from_int(Rounding rounding, uint64_t value);
    Outcome round_to_integral(Rounding rounding, uint64_t a, bool report_inexact);

  private:
    /// An operation of MPFR on x_, y_ and z_; returns the ternary value.
    using Operation = std::function<int(mpfr_ptr result, mpfr_rnd_t rounding)>;

    Outcome evaluate(Rounding rounding, const Operation& operation);
    Outcome evaluate_native(Rounding rounding, const Operation& operation);
    Outcome evaluate_by_integers(Rounding rounding, const Operation& operation);
    Outcome nan_outcome(std::initializer_list<uint64_t> operands) const;
    bool any_nan(std::initializer_list<uint64_t> operands) const;
    Outcome select(uint64_t a, uint64_t b, bool want_less);
    static void load(mpfr_ptr to, const Format& format, uint64_t bits);
    uint64_t encode(mpfr_ptr value) const;

    const Format& format_;
    Method method_;
    Real x_{64}, y_{64}, z_{64};
    Real result_{64}, wide_{128}, scaled_{128}, rounded_{128};
};

}  // namespace oracle
