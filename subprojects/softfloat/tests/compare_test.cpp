// Relations, minimum, maximum and classes.

#include <bit>
#include <cmath>

#include "harness.h"

namespace {

using namespace harness;
using inputs::Generator;
using oracle::Oracle;
using softfloat::F16;
using softfloat::F32;
using softfloat::F64;

auto host_value(F32 x) { return std::bit_cast<float>(x.bits); }
auto host_value(F64 x) { return std::bit_cast<double>(x.bits); }

template <class F>
softfloat::ClassMask expected_class(F x) {
    const auto value = host_value(x);
    const bool negative = std::signbit(value);
    switch (std::fpclassify(value)) {
        case FP_INFINITE:
            return negative ? 0x001 : 0x080;
        case FP_NORMAL:
            return negative ? 0x002 : 0x040;
        case FP_SUBNORMAL:
            return negative ? 0x004 : 0x020;
        case FP_ZERO:
            return negative ? 0x008 : 0x010;
        default:
            return kFormatOf<F>.is_signaling(x.bits) ? 0x100 : 0x200;
    }
}

/// All pairs of corners, and random pairs that are often close to each other.
template <class F, class Check>
void for_pairs(Check check) {
    const auto& format = kFormatOf<F>;
    const auto corners = inputs::corners(format);
    for (const uint64_t a : corners) {
        for (const uint64_t b : corners) {
            check(a, b);
        }
    }
    Generator generator(format);
    for (int i = inputs::cases(100000); i > 0; --i) {
        const uint64_t a = generator.any();
        const uint64_t b = generator.addend(a);
        check(a, b);
        check(a, generator.nearby(a));
    }
}

}  // namespace

TEMPLATE_TEST_CASE("relations agree with MPFR", "[compare]", F16, F32, F64) {
    using F = TestType;
    Report eq_report("eq");
    Report lt_report("lt");
    Report le_report("le");
    Oracle reference(kFormatOf<F>);
    const Rounding any = Rounding::nearest_even;
    for_pairs<F>([&](uint64_t a, uint64_t b) {
        const F x = make<F>(a);
        const F y = make<F>(b);
        eq_report.compare(any, {a, b}, reference.eq(a, b),
                          observe(any, [&](Context& c) { return uint64_t{eq(c, x, y)}; }));
        lt_report.compare(any, {a, b}, reference.lt(a, b),
                          observe(any, [&](Context& c) { return uint64_t{lt(c, x, y)}; }));
        le_report.compare(any, {a, b}, reference.le(a, b),
                          observe(any, [&](Context& c) { return uint64_t{le(c, x, y)}; }));
    });
}

TEMPLATE_TEST_CASE("minimum and maximum agree with MPFR", "[compare]", F16, F32, F64) {
    using F = TestType;
    Report min_report("min");
    Report max_report("max");
    Oracle reference(kFormatOf<F>);
    const Rounding any = Rounding::nearest_even;
    for_pairs<F>([&](uint64_t a, uint64_t b) {
        const F x = make<F>(a);
        const F y = make<F>(b);
        min_report.compare(any, {a, b}, reference.min(a, b),
                           observe(any, [&](Context& c) { return min(c, x, y).bits; }));
        max_report.compare(any, {a, b}, reference.max(a, b),
                           observe(any, [&](Context& c) { return max(c, x, y).bits; }));
    });
}

// IEEE 754-2019 section 3.4: exponent 0 is zero or subnormal, all ones infinity or a NaN, whose leading fraction bit says whether
// it is quiet.
TEST_CASE("classes of all halves", "[compare]") {
    for (unsigned bits = 0; bits < 0x10000; ++bits) {
        const bool negative = bits >= 0x8000;
        const unsigned exponent = bits >> 10 & 31;
        const unsigned fraction = bits & 0x3ff;
        const int place = exponent == 31  ? (fraction == 0 ? 0 : 8)
                          : exponent != 0 ? 1
                          : fraction != 0 ? 2
                                          : 3;
        const int expected = place == 8 ? (fraction >= 0x200 ? 9 : 8) : negative ? place : 7 - place;
        REQUIRE(softfloat::classify(F16{static_cast<uint16_t>(bits)}) == 1 << expected);
    }
}

TEMPLATE_TEST_CASE("classes agree with the host's", "[compare]", F32, F64) {
    using F = TestType;
    Report report("classify");
    const Rounding any = Rounding::nearest_even;
    for_pairs<F>([&](uint64_t a, uint64_t) {
        const F x = make<F>(a);
        report.compare(any, {a}, {expected_class(x), 0}, {classify(x), 0});
    });
}
