// Conversions between formats and with integers, and rounding to integral values.

#include <limits>
#include <type_traits>

#include "harness.h"

namespace {

using namespace harness;
using inputs::Generator;
using oracle::Oracle;
using softfloat::F16;
using softfloat::F32;
using softfloat::F64;

/// Calls check(rounding, encoding) for the corners, and random encodings often around integers of any width.
template <class F, class Check>
void for_values(Check check) {
    const auto& format = kFormatOf<F>;
    Generator generator(format);
    for (const Rounding rounding : kRoundings) {
        for (const uint64_t a : inputs::corners(format)) {
            check(rounding, a);
        }
        for (int i = inputs::cases(30000); i > 0; --i) {
            check(rounding, generator.any());
            check(rounding, generator.finite(generator.between(-2, 66)));
            Context context{rounding};
            check(rounding,
                  generator.nearby(
                      softfloat::from_int<F>(context, static_cast<int64_t>(generator.integer())).bits));
        }
    }
}

template <class To, class From>
void check_convert() {
    Report report("convert");
    Oracle reference(kFormatOf<To>);
    const auto compare = [&](Rounding rounding, uint64_t a) {
        report.compare(
            rounding, {a}, reference.convert(rounding, kFormatOf<From>, a),
            observe(rounding, [&](Context& c) { return softfloat::convert<To>(c, make<From>(a)).bits; }));
    };
    for_values<From>(compare);
    // Around the bounds of the other format, and halfway between its numbers.
    Generator generator(kFormatOf<From>);
    const auto& to = kFormatOf<To>;
    for (const Rounding rounding : kRoundings) {
        for (int i = inputs::cases(30000); i > 0; --i) {
            compare(rounding, generator.finite(to.emin + generator.between(-to.precision - 2, 2)));
            compare(rounding, generator.finite(to.emax + generator.between(-2, 2)));
        }
    }
}

template <class I, class F>
void check_to_int() {
    Report report("to_int");
    Oracle reference(kFormatOf<F>);
    for_values<F>([&](Rounding rounding, uint64_t a) {
        const Outcome expected = reference.to_int(
            rounding, a, std::numeric_limits<std::make_unsigned_t<I>>::digits, std::is_signed_v<I>);
        const Outcome got = observe(rounding, [&](Context& c) -> uint64_t {
            return static_cast<std::make_unsigned_t<I>>(softfloat::to_int<I>(c, make<F>(a)));
        });
        report.compare(rounding, {a}, expected, got);
    });
}

template <class I, class F>
void check_from_int() {
    using Widest = std::conditional_t<std::is_signed_v<I>, int64_t, uint64_t>;
    Report report("from_int");
    Oracle reference(kFormatOf<F>);
    Generator generator(kFormatOf<F>);
    const auto compare = [&](Rounding rounding, I value) {
        report.compare(rounding, {static_cast<uint64_t>(value)}, reference.from_int(rounding, Widest{value}),
                       observe(rounding, [&](Context& c) { return softfloat::from_int<F>(c, value).bits; }));
    };
    for (const Rounding rounding : kRoundings) {
        for (const I value : {std::numeric_limits<I>::min(), std::numeric_limits<I>::max(), I{0}, I{1}}) {
            compare(rounding, value);
        }
        for (int i = inputs::cases(30000); i > 0; --i) {
            compare(rounding, static_cast<I>(generator.integer()));
        }
    }
}

}  // namespace

TEST_CASE("conversions between formats agree with MPFR", "[convert]") {
    check_convert<F32, F64>();
    check_convert<F64, F32>();
    check_convert<F16, F32>();
    check_convert<F32, F16>();
    check_convert<F16, F64>();
    check_convert<F64, F16>();
}

TEMPLATE_TEST_CASE("conversions to integers agree with MPFR", "[convert]", F16, F32, F64) {
    check_to_int<int32_t, TestType>();
    check_to_int<uint32_t, TestType>();
    check_to_int<int64_t, TestType>();
    check_to_int<uint64_t, TestType>();
}

TEMPLATE_TEST_CASE("conversions from integers agree with MPFR", "[convert]", F16, F32, F64) {
    check_from_int<int32_t, TestType>();
    check_from_int<uint32_t, TestType>();
    check_from_int<int64_t, TestType>();
    check_from_int<uint64_t, TestType>();
}

TEMPLATE_TEST_CASE("rounding to integral values agrees with MPFR", "[convert]", F16, F32, F64) {
    using F = TestType;
    using softfloat::Exactness;
    Report report("round_to_integral");
    Oracle reference(kFormatOf<F>);
    for_values<F>([&](Rounding rounding, uint64_t a) {
        for (const auto exactness : {Exactness::ignore, Exactness::report}) {
            const Outcome expected = reference.round_to_integral(rounding, a, exactness == Exactness::report);
            report.compare(rounding, {a}, expected, observe(rounding, [&](Context& c) {
                               return softfloat::round_to_integral(c, make<F>(a), exactness).bits;
                           }));
        }
    });
}
