// Floating-point ops against the host's own arithmetic, with its rounding modes and exceptions.
#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <bit>
#include <cfenv>
#include <cmath>
#include <functional>
#include <limits>

#include "backend_harness.h"
#include "tcg/ir/unit_storage.h"
#include "weft/ir_builder.h"

namespace weft::tcg::test {

namespace {

using ir::Builder;
using ir::F32;
using ir::F64;
using ir::I64;
using ir::Opcode;
using ir::Rounding;

constexpr Rounding kRoundings[] = {Rounding::nearest_even, Rounding::toward_zero, Rounding::down,
                                   Rounding::up};
constexpr int kHostRounding[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};

constexpr uint64_t kDoubles[] = {0,
                                 0x8000000000000000,
                                 0x3ff0000000000000,
                                 0xbff0000000000001,
                                 0x3ff8000000000000,
                                 0x4008000000000000,
                                 0x7ff0000000000000,
                                 0xfff0000000000000,
                                 0x7ff8000000000000,
                                 0xfff8000000abcdef,
                                 0x7ff0000000000001,
                                 0x0000000000000001,
                                 0x800fffffffffffff,
                                 0x0010000000000000,
                                 0x0010000000000001,
                                 0x7fefffffffffffff,
                                 0xffefffffffffffff,
                                 0x4340000000000000,
                                 0x43e0000000000000,
                                 0xc3e0000000000000,
                                 0x43f0000000000000,
                                 0x41dfffffffc00000,
                                 0x41dfffffffe00000,
                                 0xc1e0000000200000,
                                 0x41efffffffe00000,
                                 0x3fe0000000000000,
                                 0xbfe0000000000000,
                                 0x3ca0000000000000,
                                 0x47efffffe0000000,
                                 0x47effffff0000000,
                                 0x36a0000000000000,
                                 0x380fffffe0000000,
                                 0x3690000000000001,
                                 0x3fd5555555555555,
                                 0x2000000000000000};
constexpr uint64_t kSingles[] = {
    0,          0x80000000, 0x3f800000, 0xbf800001, 0x3fc00000, 0x40400000, 0x7f800000, 0xff800000,
    0x7fc00000, 0xffc12345, 0x7f800001, 0x00000001, 0x807fffff, 0x00800000, 0x00800001, 0x7f7fffff,
    0xff7fffff, 0x4b000000, 0x4b800000, 0x4f000000, 0xcf000000, 0x5f000000, 0xdf000000, 0x5f800000,
    0x3f000000, 0xbf000000, 0x3eaaaaab, 0x33800000, 0x1f800000, 0x4effffff, 0x4f7fffff};
constexpr uint64_t kIntegers[] = {0,
                                  1,
                                  0xffffffffffffffff,
                                  0x7fffffffffffffff,
                                  0x8000000000000000,
                                  0x7fffffff,
                                  0x80000000,
                                  0xffffffff,
                                  0x1000001,
                                  0x20000000000001,
                                  0x123456789abcdef0,
                                  0xfedcba9876543211,
                                  0x7fffffbfffffffff,
                                  0xfffffffffffffbff};

struct Expected {
    uint64_t bits;
    uint32_t flags;
};

template <class H>
struct Host;
template <>
struct Host<double> {
    using Bits = uint64_t;
    using V = F64;
    static constexpr Bits kNan = 0x7ff8000000000000, kQuiet = 0x0008000000000000;
};
template <>
struct Host<float> {
    using Bits = uint32_t;
    using V = F32;
    static constexpr Bits kNan = 0x7fc00000, kQuiet = 0x00400000;
};

template <class H>
H from_bits(uint64_t bits) {
    return std::bit_cast<H>(static_cast<typename Host<H>::Bits>(bits));
}
template <class H>
uint64_t canonical(H value) {
    return std::isnan(value) ? Host<H>::kNan : std::bit_cast<typename Host<H>::Bits>(value);
}
template <class H>
bool is_signaling(H value) {
    return std::isnan(value) && (std::bit_cast<typename Host<H>::Bits>(value) & Host<H>::kQuiet) == 0;
}

uint32_t host_flags() {
    const int raised = fetestexcept(FE_ALL_EXCEPT);
    return ((raised & FE_INEXACT) != 0 ? uint32_t{ir::kFpInexact} : 0) |
           ((raised & FE_UNDERFLOW) != 0 ? uint32_t{ir::kFpUnderflow} : 0) |
           ((raised & FE_OVERFLOW) != 0 ? uint32_t{ir::kFpOverflow} : 0) |
           ((raised & FE_DIVBYZERO) != 0 ? uint32_t{ir::kFpDivByZero} : 0) |
           ((raised & FE_INVALID) != 0 ? uint32_t{ir::kFpInvalid} : 0);
}

// Computes under the host's rounding and collects what it raised. `compute` must work on volatile copies.
template <class Compute>
Expected on_host(unsigned rounding, Compute compute) {
    fesetround(kHostRounding[rounding]);
    feclearexcept(FE_ALL_EXCEPT);
    const uint64_t bits = compute();
    const uint32_t flags = host_flags();
    fesetround(FE_TONEAREST);
    feclearexcept(FE_ALL_EXCEPT);
    return {bits, flags};
}

template <class H>
Expected arithmetic(Opcode code, unsigned rounding, uint64_t a_bits, uint64_t b_bits, uint64_t c_bits) {
    volatile H a = from_bits<H>(a_bits);
    volatile H b = from_bits<H>(b_bits);
    volatile H c = from_bits<H>(c_bits);
    Expected expected = on_host(rounding, [&] {
        volatile H result = 0;
        switch (code) {
            case Opcode::fadd:
                result = a + b;
                break;
            case Opcode::fsub:
                result = a - b;
                break;
            case Opcode::fmul:
                result = a * b;
                break;
            case Opcode::fdiv:
                result = a / b;
                break;
            case Opcode::fsqrt:
                result = std::sqrt(a);
                break;
            case Opcode::fmadd:
                result = std::fma(H{a}, H{b}, H{c});
                break;
            case Opcode::fmsub:
                result = std::fma(H{a}, H{b}, -H{c});
                break;
            case Opcode::fnmadd:
                result = std::fma(-H{a}, H{b}, -H{c});
                break;
            default:
                result = std::fma(-H{a}, H{b}, H{c});
                break;
        }
        return canonical<H>(result);
    });
    // RISC-V raises invalid for infinity times zero whatever is added; hosts differ where that is a quiet NaN.
    const bool fused =
        code == Opcode::fmadd || code == Opcode::fmsub || code == Opcode::fnmadd || code == Opcode::fnmsub;
    if (fused && ((std::isinf(a) && b == 0) || (a == 0 && std::isinf(b)))) {
        expected.flags |= ir::kFpInvalid;
    }
    return expected;
}

template <class H>
Expected compare_or_select(Opcode code, uint64_t a_bits, uint64_t b_bits) {
    const H a = from_bits<H>(a_bits);
    const H b = from_bits<H>(b_bits);
    const bool nan = std::isnan(a) || std::isnan(b);
    const uint32_t signaling = is_signaling(a) || is_signaling(b) ? uint32_t{ir::kFpInvalid} : 0;
    switch (code) {
        case Opcode::feq:
            return {!nan && a == b, signaling};
        case Opcode::flt:
            return {!nan && std::isless(a, b), nan ? uint32_t{ir::kFpInvalid} : 0};
        case Opcode::fle:
            return {!nan && std::islessequal(a, b), nan ? uint32_t{ir::kFpInvalid} : 0};
        default: {
            if (nan) {
                const H other = std::isnan(a) ? b : a;
                return {canonical(other), signaling};
            }
            const bool a_first = a != b ? std::isless(a, b) : std::signbit(a);
            return {canonical(a_first == (code == Opcode::fmin) ? a : b), 0};
        }
    }
}

template <class H>
Expected to_integer(unsigned rounding, uint64_t bits, bool is_unsigned, bool is_64) {
    const H value = from_bits<H>(bits);
    const unsigned width = is_64 ? 64 : 32;
    const long double top = std::ldexp(1.0L, static_cast<int>(is_unsigned ? width : width - 1));
    const long double bottom = is_unsigned ? 0 : -top;
    fesetround(kHostRounding[rounding]);
    const long double rounded = std::nearbyint(static_cast<long double>(value));
    fesetround(FE_TONEAREST);
    feclearexcept(FE_ALL_EXCEPT);
    auto sign_extended = [&](uint64_t x) {
        return is_64 ? x : static_cast<uint64_t>(int64_t{static_cast<int32_t>(static_cast<uint32_t>(x))});
    };
    const uint64_t largest = is_unsigned ? ~uint64_t{0} >> (64 - width) : ~uint64_t{0} >> (65 - width);
    const uint64_t smallest = is_unsigned ? 0 : largest + 1;
    if (std::isnan(value) || rounded >= top) {
        return {sign_extended(largest), ir::kFpInvalid};
    }
    if (rounded < bottom) {
        return {sign_extended(smallest), ir::kFpInvalid};
    }
    const uint64_t magnitude = static_cast<uint64_t>(std::fabs(rounded));
    return {sign_extended(rounded < 0 ? 0 - magnitude : magnitude),
            rounded != static_cast<long double>(value) ? uint32_t{ir::kFpInexact} : 0};
}

// Runs units that compute from r0, r1, r2 into r4.
class Bench {
  public:
    explicit Bench(Rounding rounding = Rounding::nearest_even)
        : harnesses_(all_harnesses({})),
          memory_({test_guest().globals, test_guest().global_count}),
          rounding_(rounding) {}

    void prepare(const std::function<void(Builder&)>& write) {
        ir::Unit& unit = memory_.begin_unit();
        unit.fp_rounding = rounding_;
        Builder b(unit);
        b.insn_start(0);
        write(b);
        b.exit_tb(ir::ExitReason::lookup, b.imm(0));
        placed_.clear();
        for (const auto& harness : harnesses_) {
            placed_.push_back(harness->compile(unit));
        }
    }
    void check(const std::string& what, uint64_t a, uint64_t b, uint64_t c, Expected expected) {
        Input input;
        input.state.regs[0] = a;
        input.state.regs[1] = b;
        input.state.regs[2] = c;
        for (size_t i = 0; i < harnesses_.size(); ++i) {
            const Outcome outcome = harnesses_[i]->execute(placed_[i], input);
            if (outcome.state.regs[4] != expected.bits || outcome.fp_flags != expected.flags) {
                FAIL(fmt::format(
                    "{} {} rounding {} of {:#x} {:#x} {:#x}: {:#x}, flags {:#x} instead of {:#x}, {:#x}",
                    harnesses_[i]->name(), what, static_cast<int>(rounding_), a, b, c, outcome.state.regs[4],
                    outcome.fp_flags, expected.bits, expected.flags));
            }
        }
    }

  private:
    std::vector<std::unique_ptr<Harness>> harnesses_;
    std::vector<Harness::Placed> placed_;
    UnitMemory memory_;
    Rounding rounding_;
};

template <class V>
V fp_operand(Builder& b, unsigned reg) {
    if constexpr (std::is_same_v<V, F64>) {
        return b.as_fp(b.global<I64>(reg));
    } else {
        return b.as_fp(b.extrl_i64_i32(b.global<I64>(reg)));
    }
}
void put(Builder& b, I64 value) { b.mov(b.global<I64>(4), value); }
void put(Builder& b, F64 value) { put(b, b.bits(value)); }
void put(Builder& b, F32 value) { put(b, b.extu_i32_i64(b.bits(value))); }

template <class H>
std::span<const uint64_t> operands() {
    if constexpr (sizeof(H) == 8) {
        return kDoubles;
    } else {
        return kSingles;
    }
}

template <class H>
void check_arithmetic() {
    using V = typename Host<H>::V;
    using enum Opcode;
    for (unsigned r = 0; r < std::size(kRoundings); ++r) {
        Bench bench(kRoundings[r]);
        for (const Opcode code : {fadd, fsub, fmul, fdiv, fsqrt, fmadd, fmsub, fnmadd, fnmsub}) {
            const bool fused = code == fmadd || code == fmsub || code == fnmadd || code == fnmsub;
            bench.prepare([&](Builder& b) {
                const V x = fp_operand<V>(b, 0), y = fp_operand<V>(b, 1), z = fp_operand<V>(b, 2);
                put(b, fused           ? b.fp_fused(code, x, y, z, kRoundings[r])
                       : code == fsqrt ? b.fp_unary(code, x, kRoundings[r])
                                       : b.fp_binary(code, x, y, kRoundings[r]));
            });
            const auto values = operands<H>();
            for (size_t i = 0; i < values.size(); ++i) {
                for (size_t j = 0; j < values.size(); ++j) {
                    for (const uint64_t c : fused ? std::span(values) : std::span(values.data(), 1)) {
                        bench.check(std::string(opcode_name(code)), values[i], values[j], c,
                                    arithmetic<H>(code, r, values[i], values[j], c));
                    }
                }
            }
        }
    }
}

template <class H>
void check_comparisons() {
    using V = typename Host<H>::V;
    using enum Opcode;
    Bench bench;
    for (const Opcode code : {feq, flt, fle, fmin, fmax}) {
        bench.prepare([&](Builder& b) {
            const V x = fp_operand<V>(b, 0), y = fp_operand<V>(b, 1);
            if (code == fmin || code == fmax) {
                put(b, b.op(code, x, y));
            } else {
                put(b, b.fp_compare(code, x, y));
            }
        });
        for (const uint64_t x : operands<H>()) {
            for (const uint64_t y : operands<H>()) {
                bench.check(std::string(opcode_name(code)), x, y, 0, compare_or_select<H>(code, x, y));
            }
        }
    }
}

template <class H>
void check_conversions() {
    using V = typename Host<H>::V;
    for (unsigned r = 0; r < std::size(kRoundings); ++r) {
        Bench bench(kRoundings[r]);
        for (unsigned form = 0; form < 4; ++form) {
            const bool is_unsigned = (form & 1) != 0;
            const bool is_64 = (form & 2) != 0;
            bench.prepare([&](Builder& b) {
                put(b, b.fcvt_to_int(fp_operand<V>(b, 0), kRoundings[r], is_unsigned, is_64));
            });
            for (const uint64_t x : operands<H>()) {
                bench.check(fmt::format("fcvt_to_int {}", form), x, 0, 0,
                            to_integer<H>(r, x, is_unsigned, is_64));
            }
            bench.prepare([&](Builder& b) {
                put(b, b.template fcvt_from_int<V>(b.global<I64>(0), kRoundings[r], is_unsigned, is_64));
            });
            for (const uint64_t x : kIntegers) {
                bench.check(fmt::format("fcvt_from_int {}", form), x, 0, 0, on_host(r, [&] {
                                volatile H result = 0;
                                if (is_64) {
                                    volatile uint64_t u = x;
                                    volatile auto s = static_cast<int64_t>(x);
                                    result = is_unsigned ? static_cast<H>(u) : static_cast<H>(s);
                                } else {
                                    volatile auto s = is_unsigned ? int64_t{static_cast<uint32_t>(x)}
                                                                  : int64_t{static_cast<int32_t>(x)};
                                    result = static_cast<H>(s);
                                }
                                return canonical<H>(result);
                            }));
            }
        }
    }
}

}  // namespace

TEST_CASE("arithmetic of f64") {
    check_arithmetic<double>();
    SUCCEED();
}

TEST_CASE("arithmetic of f32") {
    check_arithmetic<float>();
    SUCCEED();
}

TEST_CASE("comparisons, minimum and maximum") {
    check_comparisons<double>();
    check_comparisons<float>();
    SUCCEED();
}

TEST_CASE("conversions to and from integers") {
    check_conversions<double>();
    check_conversions<float>();
    SUCCEED();
}

TEST_CASE("conversions between formats") {
    for (unsigned r = 0; r < std::size(kRoundings); ++r) {
        Bench bench(kRoundings[r]);
        bench.prepare([&](Builder& b) { put(b, b.fcvt_f64_f32(fp_operand<F64>(b, 0), kRoundings[r])); });
        for (const uint64_t x : kDoubles) {
            bench.check("fcvt_f64_f32", x, 0, 0, on_host(r, [&] {
                            volatile double d = from_bits<double>(x);
                            volatile auto s = static_cast<float>(d);
                            return canonical<float>(s);
                        }));
        }
        bench.prepare([&](Builder& b) { put(b, b.fcvt_f32_f64(fp_operand<F32>(b, 0))); });
        for (const uint64_t x : kSingles) {
            bench.check("fcvt_f32_f64", x, 0, 0, on_host(r, [&] {
                            volatile float s = from_bits<float>(x);
                            volatile double d = s;
                            return canonical<double>(d);
                        }));
        }
    }
    SUCCEED();
}

TEST_CASE("signs, classes and boxes") {
    Bench bench;
    const uint64_t sign = uint64_t{1} << 63;
    for (const Opcode code : {Opcode::fsgnj, Opcode::fsgnjn, Opcode::fsgnjx}) {
        bench.prepare([&](Builder& b) { put(b, b.op(code, fp_operand<F64>(b, 0), fp_operand<F64>(b, 1))); });
        for (const uint64_t x : kDoubles) {
            for (const uint64_t y : kDoubles) {
                const bool from_y = (y & sign) != 0;
                const bool negative = code == Opcode::fsgnj    ? from_y
                                      : code == Opcode::fsgnjn ? !from_y
                                                               : from_y != ((x & sign) != 0);
                bench.check(std::string(opcode_name(code)), x, y, 0,
                            {(x & ~sign) | (negative ? sign : 0), 0});
            }
        }
    }
    bench.prepare([&](Builder& b) { put(b, b.fclass(fp_operand<F64>(b, 0))); });
    for (const uint64_t x : kDoubles) {
        const double d = from_bits<double>(x);
        const bool negative = std::signbit(d);
        unsigned bit = 0;
        switch (std::fpclassify(d)) {
            case FP_INFINITE:
                bit = negative ? 0 : 7;
                break;
            case FP_NORMAL:
                bit = negative ? 1 : 6;
                break;
            case FP_SUBNORMAL:
                bit = negative ? 2 : 5;
                break;
            case FP_ZERO:
                bit = negative ? 3 : 4;
                break;
            default:
                bit = is_signaling(d) ? 8 : 9;
                break;
        }
        bench.check("fclass", x, 0, 0, {uint64_t{1} << bit, 0});
    }
    bench.prepare([&](Builder& b) { put(b, b.fbox(fp_operand<F32>(b, 0))); });
    for (const uint64_t x : kSingles) {
        bench.check("fbox", x, 0, 0, {x | 0xffffffff00000000, 0});
    }
    bench.prepare([&](Builder& b) { put(b, b.funbox(fp_operand<F64>(b, 0))); });
    for (const uint64_t x : kSingles) {
        bench.check("funbox", x | 0xffffffff00000000, 0, 0, {x, 0});
        bench.check("funbox", x | 0xfffffffe00000000, 0, 0, {0x7fc00000, 0});
    }
    SUCCEED();
}

}  // namespace weft::tcg::test
