// What the optimizer concludes of bits holds for every value that its operands may have.
#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <array>
#include <bit>
#include <random>

#include "backend_harness.h"
#include "tcg/opt/facts.h"
#include "weft/int_ops.h"

namespace weft::tcg::test {

namespace {

using ir::Opcode;
using ir::Type;

constexpr unsigned kFactsPerOp = 400;
constexpr unsigned kValuesPerFact = 40;

template <class T>
struct Family {
    KnownValue known;
    uint64_t free;   // bits that vary
    unsigned signs;  // 0: values are any combination of the free bits; else they are sign extensions
    uint64_t value;  // of a constant
};

template <class T>
class Values {
  public:
    static constexpr unsigned kWidth = int_ops::kWidth<T>;
    static constexpr Type kType = kWidth == 32 ? Type::i32 : Type::i64;

    explicit Values(uint64_t seed) : random_(seed) {}

    unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }

    Family<T> family(bool constant) {
        Family<T> f{};
        const T ones = ~T{0};
        switch (constant ? 0 : 1 + below(3)) {
            case 0:
                f.value = below(2) == 0 ? below(kWidth) : static_cast<T>(random_() >> below(64));
                f.known = {Facts::of_constant(kType, f.value), true, f.value};
                break;
            case 1: {
                // A run of bits that may be set: extensions, masks, multiples.
                const unsigned length = 1 + below(kWidth);
                f.free = (ones >> (kWidth - length)) << below(kWidth - length + 1);
                f.known = {Facts::make(kType, ~f.free, 1), false, 0};
                break;
            }
            case 2:
                f.signs = 1 + below(kWidth);
                f.known = {Facts::make(kType, 0, f.signs), false, 0};
                break;
            default:
                f.free = static_cast<T>(random_() & random_());
                f.known = {Facts::make(kType, ~f.free, 1), false, 0};
                break;
        }
        return f;
    }

    // A member of the family; its extremes often.
    T member(const Family<T>& f) {
        if (f.known.constant) {
            return static_cast<T>(f.value);
        }
        T bits = static_cast<T>(random_());
        switch (below(4)) {
            case 0:
                bits = ~T{0};
                break;
            case 1:
                bits = f.signs != 0 ? T{1} << (kWidth - f.signs) : T{0};  // the least number
                break;
            case 2:
                bits = f.signs != 0 ? (T{1} << (kWidth - f.signs)) - 1 : bits;  // the greatest
                break;
            default:
                break;
        }
        return f.signs != 0 ? int_ops::sextract(bits, 0, kWidth - f.signs + 1)
                            : bits & static_cast<T>(f.free);
    }

  private:
    std::mt19937_64 random_;
};

template <class T>
void require_holds(const Facts& facts, T result, const std::string& what) {
    const T other_end = static_cast<int_ops::SignedWord<T>>(result) < 0 ? ~result : result;
    const auto signs = static_cast<unsigned>(std::countl_zero(other_end));
    if ((result & facts.zeros) != 0 || signs < facts.signs) {
        FAIL(fmt::format("{}: {:#x} contradicts zeros {:#x} and {} equal bits", what, result, facts.zeros,
                         facts.signs));
    }
}

// `compute` gets the op's two operands.
template <class T, class Compute>
void check(ir::Op op, Compute compute, bool second_is_constant, uint64_t seed,
           bool (*defined)(T, T) = nullptr) {
    Values<T> values(seed);
    for (unsigned i = 0; i < kFactsPerOp; ++i) {
        std::array<Family<T>, 2> families = {values.family(values.below(8) == 0),
                                             values.family(second_is_constant)};
        if (second_is_constant) {
            families[1].value %= Values<T>::kWidth;
            families[1].known = {Facts::of_constant(Values<T>::kType, families[1].value), true,
                                 families[1].value};
        }
        const std::array<KnownValue, 2> known = {families[0].known, families[1].known};
        const Facts facts = result_facts(op, Values<T>::kType, known);
        for (unsigned j = 0; j < kValuesPerFact; ++j) {
            const T a = values.member(families[0]);
            const T b = values.member(families[1]);
            if (defined == nullptr || defined(a, b)) {
                require_holds<T>(facts, compute(a, b),
                                 fmt::format("op {} of {} bits, aux {:#x}, of {:#x} and {:#x}",
                                             static_cast<int>(op.code), Values<T>::kWidth, op.aux, a, b));
            }
        }
    }
}

template <class T>
bool divides(T a, T b) {
    using S = int_ops::SignedWord<T>;
    return b != 0 && !(static_cast<S>(a) == std::numeric_limits<S>::min() && b == ~T{0});
}

template <class T, Opcode... kCodes>
void check_binary(uint64_t seed, bool shifts, bool (*defined)(T, T) = nullptr) {
    constexpr Type kType = Values<T>::kType;
    (check<T>(
         ir::Op{kCodes, kType, 0, 3, 0, {}}, [](T a, T b) { return int_ops::binary<kCodes>(a, b); }, shifts,
         seed, defined),
     ...);
}

template <class T, Opcode... kCodes>
void check_unary(uint64_t seed) {
    constexpr Type kType = Values<T>::kType;
    (check<T>(
         ir::Op{kCodes, kType, 0, 2, 0, {}}, [](T a, T) { return int_ops::unary<kCodes>(a); }, false, seed),
     ...);
}

template <class T>
void check_all(uint64_t seed) {
    using enum Opcode;
    constexpr Type kType = Values<T>::kType;
    check_binary<T, add, sub, mul, mulsh, muluh, mulsuh, smin, smax, umin, umax>(seed, false);
    check_binary<T, and_, or_, xor_, andc, orc, eqv>(seed, false);
    check_binary<T, divs, divu, rems, remu>(seed, false, &divides<T>);
    check_binary<T, shl, shr, sar, rotl, rotr>(seed, true);
    check_unary<T, neg, not_, clz, ctz, ctpop, bswap>(seed);
    Values<T> values(seed);
    for (unsigned i = 0; i < 60; ++i) {
        const unsigned position = values.below(Values<T>::kWidth);
        const unsigned length = 1 + values.below(Values<T>::kWidth - position);
        const uint32_t aux = position | length << 8;
        check<T>(
            ir::Op{extract, kType, 0, 2, aux, {}},
            [=](T a, T) { return int_ops::extract(a, position, length); }, false, seed + i);
        check<T>(
            ir::Op{sextract, kType, 0, 2, aux, {}},
            [=](T a, T) { return int_ops::sextract(a, position, length); }, false, seed + i);
        check<T>(
            ir::Op{deposit, kType, 0, 3, aux, {}},
            [=](T a, T b) { return int_ops::deposit(a, b, position, length); }, false, seed + i);
    }
}

}  // namespace

TEST_CASE("facts of 64-bit ops hold") {
    const uint64_t seed = test_seed(42);
    INFO("WEFT_TEST_SEED=" << seed);
    check_all<uint64_t>(seed);
    SUCCEED();
}

TEST_CASE("facts of 32-bit ops hold") {
    const uint64_t seed = test_seed(43);
    INFO("WEFT_TEST_SEED=" << seed);
    check_all<uint32_t>(seed);
    SUCCEED();
}

TEST_CASE("facts of conversions hold") {
    const uint64_t seed = test_seed(44);
    INFO("WEFT_TEST_SEED=" << seed);
    Values<uint32_t> narrow(seed);
    Values<uint64_t> wide(seed);
    for (unsigned i = 0; i < 4000; ++i) {
        const auto from = narrow.family(false);
        const auto from_wide = wide.family(false);
        const std::array<KnownValue, 1> known = {from.known};
        const std::array<KnownValue, 1> known_wide = {from_wide.known};
        const Facts ext = result_facts({Opcode::ext_i32_i64, Type::none, 0, 2, 0, {}}, Type::i64, known);
        const Facts extu = result_facts({Opcode::extu_i32_i64, Type::none, 0, 2, 0, {}}, Type::i64, known);
        const Facts extrl =
            result_facts({Opcode::extrl_i64_i32, Type::none, 0, 2, 0, {}}, Type::i32, known_wide);
        for (unsigned j = 0; j < kValuesPerFact; ++j) {
            const uint32_t value = narrow.member(from);
            require_holds<uint64_t>(ext, static_cast<uint64_t>(int64_t{static_cast<int32_t>(value)}),
                                    "ext_i32_i64");
            require_holds<uint64_t>(extu, value, "extu_i32_i64");
            require_holds<uint32_t>(extrl, static_cast<uint32_t>(wide.member(from_wide)), "extrl_i64_i32");
        }
    }
}

TEST_CASE("facts of constants are exact") {
    CHECK(Facts::of_constant(Type::i64, 0x80000000).signs == 32);
    CHECK(Facts::of_constant(Type::i64, ~uint64_t{0x7fffffff}).signs == 33);
    CHECK(Facts::of_constant(Type::i32, 0x80000000).signs == 1);
    CHECK(Facts::of_constant(Type::i32, 0xffffffff).signs == 32);
    CHECK(Facts::of_constant(Type::i64, 0).signs == 64);
    CHECK(Facts::of_constant(Type::i64, 0xf0).zeros == ~uint64_t{0xf0});
}

}  // namespace weft::tcg::test
