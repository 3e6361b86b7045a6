// add, sub, mul, div, sqrt and fma against MPFR.

#include "harness.h"

namespace {

using namespace harness;
using inputs::Generator;
using oracle::Oracle;
using softfloat::F16;
using softfloat::F32;
using softfloat::F64;

using OracleUnary = Outcome (Oracle::*)(Rounding, uint64_t);
using OracleBinary = Outcome (Oracle::*)(Rounding, uint64_t, uint64_t);

template <class F>
struct Subject {
    F (*binary)(Context&, F, F);
    OracleBinary expected;
    uint64_t (Generator::*partner)(uint64_t);
};

template <class F>
void check_binary(const char* name, const Subject<F>& subject) {
    Report report(name);
    Oracle reference(kFormatOf<F>);
    const auto compare = [&](Rounding rounding, uint64_t a, uint64_t b) {
        const Outcome got =
            observe(rounding, [&](Context& c) { return subject.binary(c, make<F>(a), make<F>(b)).bits; });
        report.compare(rounding, {a, b}, (reference.*subject.expected)(rounding, a, b), got);
    };
    const auto corners = inputs::corners(kFormatOf<F>);
    Generator generator(kFormatOf<F>);
    for (const Rounding rounding : kRoundings) {
        for (const uint64_t a : corners) {
            for (const uint64_t b : corners) {
                compare(rounding, a, b);
            }
        }
        for (int i = inputs::cases(50000); i > 0; --i) {
            const uint64_t a = generator.any();
            const uint64_t b = (generator.*subject.partner)(a);
            compare(rounding, a, b);
        }
    }
}

}  // namespace

TEMPLATE_TEST_CASE("addition and subtraction agree with MPFR", "[sums]", F16, F32, F64) {
    check_binary<TestType>("add", {&softfloat::add, &Oracle::add, &Generator::addend});
    check_binary<TestType>("sub", {&softfloat::sub, &Oracle::sub, &Generator::addend});
}

TEMPLATE_TEST_CASE("multiplication agrees with MPFR", "[products]", F16, F32, F64) {
    check_binary<TestType>("mul", {&softfloat::mul, &Oracle::mul, &Generator::factor});
}

TEMPLATE_TEST_CASE("division agrees with MPFR", "[quotients]", F16, F32, F64) {
    using F = TestType;
    check_binary<F>("div", {&softfloat::div, &Oracle::div, &Generator::divisor});

    // Dividends next to a product: quotients that are representable, or just not.
    Report report("div of a product");
    Oracle reference(kFormatOf<F>);
    Generator generator(kFormatOf<F>);
    for (const Rounding rounding : kRoundings) {
        for (int i = inputs::cases(20000); i > 0; --i) {
            const uint64_t b = generator.any();
            const uint64_t quotient = generator.factor(b);
            Context context{rounding};
            const uint64_t a = generator.nearby(mul(context, make<F>(quotient), make<F>(b)).bits);
            const Outcome got =
                observe(rounding, [&](Context& c) { return div(c, make<F>(a), make<F>(b)).bits; });
            report.compare(rounding, {a, b}, reference.div(rounding, a, b), got);
        }
    }
}

TEMPLATE_TEST_CASE("square roots agree with MPFR", "[quotients]", F16, F32, F64) {
    using F = TestType;
    Report report("sqrt");
    Oracle reference(kFormatOf<F>);
    Generator generator(kFormatOf<F>);
    const auto compare = [&](Rounding rounding, uint64_t a) {
        const Outcome got = observe(rounding, [&](Context& c) { return sqrt(c, make<F>(a)).bits; });
        report.compare(rounding, {a}, reference.sqrt(rounding, a), got);
    };
    for (const Rounding rounding : kRoundings) {
        for (const uint64_t a : inputs::corners(kFormatOf<F>)) {
            compare(rounding, a);
        }
        for (int i = inputs::cases(50000); i > 0; --i) {
            const uint64_t a = generator.any();
            compare(rounding, a & ~kFormatOf<F>.sign());
            // Next to a square.
            Context context{rounding};
            compare(rounding, generator.nearby(mul(context, make<F>(a), make<F>(a)).bits));
        }
        compare(rounding, generator.any() | kFormatOf<F>.sign());
    }
}

TEMPLATE_TEST_CASE("fused multiplication and addition agrees with MPFR", "[fma]", F16, F32, F64) {
    using F = TestType;
    Report report("fma");
    Oracle reference(kFormatOf<F>);
    Generator generator(kFormatOf<F>);
    const auto compare = [&](Rounding rounding, uint64_t a, uint64_t b, uint64_t c) {
        const Outcome got = observe(rounding, [&](Context& context) {
            return fma(context, make<F>(a), make<F>(b), make<F>(c)).bits;
        });
        report.compare(rounding, {a, b, c}, reference.fma(rounding, a, b, c), got);
    };
    const auto corners = inputs::corners(kFormatOf<F>);
    // All pairs with a third that goes round: its stride has no factor in common with the length of the list.
    size_t third = 0;
    for (const Rounding rounding : kRoundings) {
        for (const uint64_t a : corners) {
            for (const uint64_t b : corners) {
                for (int i = 0; i < 6; ++i) {
                    compare(rounding, a, b, corners[third % corners.size()]);
                    third += 17;
                }
            }
        }
        for (int i = inputs::cases(70000); i > 0; --i) {
            const uint64_t a = generator.any();
            const uint64_t b = generator.between(0, 1) != 0 ? generator.any() : generator.factor(a);
            compare(rounding, a, b, generator.fma_addend(a, b));
            // What the rounding of the product left: the fused operation delivers it exactly, if it is a
            // number.
            Context context{rounding};
            const F product = mul(context, make<F>(a), make<F>(b));
            compare(rounding, a, b, generator.nearby(product.bits ^ kFormatOf<F>.sign()));
        }
    }
}

TEMPLATE_TEST_CASE("infinity times zero is invalid also with a quiet NaN to add", "[fma]", F16, F32, F64) {
    const auto& format = kFormatOf<TestType>;
    for (const uint64_t nan : {format.canonical_nan(), format.canonical_nan() + 1}) {
        Context context;
        const auto result =
            fma(context, make<TestType>(format.infinity()), make<TestType>(0), make<TestType>(nan));
        CHECK(result.bits == format.canonical_nan());
        CHECK(context.flags == softfloat::kInvalid);
    }
}

TEST_CASE("flags accumulate and are never cleared", "[sums]") {
    Context context{Rounding::nearest_even, softfloat::kDivideByZero};
    const F32 one{0x3f800000};
    CHECK(add(context, one, one) == F32{0x40000000});
    CHECK(context.flags == softfloat::kDivideByZero);
    add(context, one, F32{0x00000001});
    CHECK(context.flags == (softfloat::kDivideByZero | softfloat::kInexact));
    sqrt(context, F32{0xbf800000});
    CHECK(context.flags == (softfloat::kDivideByZero | softfloat::kInexact | softfloat::kInvalid));
}

TEST_CASE("tininess is detected after rounding", "[products]") {
    // (1 - 2^-24) * 2^-126 needs 24 bits below 2^-126: exact as a normal number, so tiny, and rounded up to
    // 2^-126.
    Context context;
    CHECK(mul(context, F32{0x00ffffff}, F32{0x3f000000}) == F32{0x00800000});
    CHECK(context.flags == (softfloat::kUnderflow | softfloat::kInexact));
    // (1 - 2^-46) * 2^-126 rounds to 2^-126 with any range of exponents: inexact, but not tiny.
    context = {};
    CHECK(mul(context, F32{0x00800001}, F32{0x3f7ffffe}) == F32{0x00800000});
    CHECK(context.flags == softfloat::kInexact);
}

TEMPLATE_TEST_CASE("both ways to the expected result agree", "[oracle]", F16, F32, F64) {
    Report report("oracle");
    const auto& format = kFormatOf<TestType>;
    Oracle native(format);
    Oracle integers(format, oracle::Method::integers);
    Generator generator(format);
    for (const Rounding rounding : kRoundings) {
        if (rounding == Rounding::nearest_away) {
            continue;  // there is but one
        }
        for (int i = inputs::cases(20000); i > 0; --i) {
            const uint64_t a = generator.any();
            const uint64_t b = generator.factor(a);
            const uint64_t c = generator.fma_addend(a, b);
            const uint64_t d = generator.divisor(a);
            report.compare(rounding, {a, b, c}, native.fma(rounding, a, b, c),
                           integers.fma(rounding, a, b, c));
            report.compare(rounding, {a, d}, native.div(rounding, a, d), integers.div(rounding, a, d));
        }
    }
}
