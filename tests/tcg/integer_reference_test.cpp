// Every integer op against plain arithmetic written down here: on registers, and folded from constants.
#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <functional>
#include <optional>

#include "backend_harness.h"
#include "tcg/ir/unit_storage.h"
#include "tcg/ir/verify.h"
#include "tcg/opt/optimizer.h"
#include "weft/ir_builder.h"

namespace weft::tcg::test {

namespace {

using ir::Builder;
using ir::Cond;
using ir::I32;
using ir::I64;
using ir::Opcode;
using ir::Type;

__extension__ typedef __int128 Wide;

constexpr uint64_t kEdges[] = {0,
                               1,
                               2,
                               3,
                               7,
                               8,
                               0x7f,
                               0x80,
                               0xff,
                               0x8000,
                               0xffff,
                               0x7fffffff,
                               0x80000000,
                               0x80000001,
                               0xfffffffe,
                               0xffffffff,
                               0x100000000,
                               0x0123456789abcdef,
                               0xfedcba9876543210,
                               0x5555555555555555,
                               0x7fffffffffffffff,
                               0x8000000000000000,
                               0x8000000000000001,
                               0xffffffff7fffffff,
                               0xffffffff80000000,
                               0xfffffffffffffffe,
                               0xffffffffffffffff};

struct Word {
    unsigned width;
    Wide modulus() const { return Wide{1} << width; }
    uint64_t wrap(Wide value) const { return static_cast<uint64_t>(value & (modulus() - 1)); }
    Wide as_signed(uint64_t value) const {
        const Wide number = wrap(value);
        return number >= modulus() / 2 ? number - modulus() : number;
    }
    bool bit(uint64_t value, unsigned index) const { return (value >> index & 1) != 0; }
};

// Results by the book; nullopt where the op is not defined for the operands.
std::optional<uint64_t> reference(Opcode code, Word w, uint64_t a, uint64_t b) {
    const Wide ua = w.wrap(a);
    const Wide ub = w.wrap(b);
    const Wide sa = w.as_signed(a);
    const Wide sb = w.as_signed(b);
    auto floor_shift = [&](Wide value, unsigned n) {
        const Wide step = Wide{1} << n;
        return value / step - (value % step < 0 ? 1 : 0);
    };
    const bool is_shift = code == Opcode::shl || code == Opcode::shr || code == Opcode::sar ||
                          code == Opcode::rotl || code == Opcode::rotr;
    if (is_shift && ub >= w.width) {
        return std::nullopt;
    }
    const auto n = static_cast<unsigned>(ub);
    switch (code) {
        case Opcode::add:
            return w.wrap(ua + ub);
        case Opcode::sub:
            return w.wrap(ua - ub);
        case Opcode::mul:
            return w.wrap(sa * sb);
        case Opcode::mulsh:
            return w.wrap(floor_shift(sa * sb, w.width));
        case Opcode::muluh: {
            // By 32-bit digits: the full product of two 64-bit numbers does not fit a signed Wide.
            const Wide low_a = ua % (Wide{1} << 32), high_a = ua / (Wide{1} << 32);
            const Wide low_b = ub % (Wide{1} << 32), high_b = ub / (Wide{1} << 32);
            if (w.width == 32) {
                return w.wrap(ua * ub / w.modulus());
            }
            const Wide middle = low_a * low_b / (Wide{1} << 32) + high_a * low_b;
            const Wide carry = middle % (Wide{1} << 32) + low_a * high_b;
            return w.wrap(high_a * high_b + middle / (Wide{1} << 32) + carry / (Wide{1} << 32));
        }
        case Opcode::mulsuh:
            return w.wrap(floor_shift(sa * ub, w.width));
        case Opcode::divs:
        case Opcode::rems:
            if (sb == 0 || (sb == -1 && sa == -(w.modulus() / 2))) {
                return std::nullopt;
            }
            return w.wrap(code == Opcode::divs ? sa / sb : sa % sb);
        case Opcode::divu:
        case Opcode::remu:
            if (ub == 0) {
                return std::nullopt;
            }
            return w.wrap(code == Opcode::divu ? ua / ub : ua % ub);
        case Opcode::smin:
            return w.wrap(std::min(sa, sb));
        case Opcode::smax:
            return w.wrap(std::max(sa, sb));
        case Opcode::umin:
            return w.wrap(std::min(ua, ub));
        case Opcode::umax:
            return w.wrap(std::max(ua, ub));
        case Opcode::shl:
            return w.wrap(ua << n);
        case Opcode::shr:
            return w.wrap(ua >> n);
        case Opcode::sar:
            return w.wrap(floor_shift(sa, n));
        default:
            break;
    }
    // Bit by bit.
    uint64_t result = 0;
    unsigned counted = 0;
    switch (code) {
        case Opcode::clz:
            while (counted < w.width && !w.bit(a, w.width - 1 - counted)) {
                ++counted;
            }
            return counted;
        case Opcode::ctz:
            while (counted < w.width && !w.bit(a, counted)) {
                ++counted;
            }
            return counted;
        case Opcode::ctpop:
            for (unsigned i = 0; i < w.width; ++i) {
                counted += w.bit(a, i);
            }
            return counted;
        case Opcode::neg:
            return w.wrap(-sa);
        default:
            break;
    }
    for (unsigned i = 0; i < w.width; ++i) {
        const bool x = w.bit(a, i);
        const bool y = w.bit(b, i);
        bool bit = false;
        switch (code) {
            case Opcode::and_:
                bit = x && y;
                break;
            case Opcode::or_:
                bit = x || y;
                break;
            case Opcode::xor_:
                bit = x != y;
                break;
            case Opcode::andc:
                bit = x && !y;
                break;
            case Opcode::orc:
                bit = x || !y;
                break;
            case Opcode::eqv:
                bit = x == y;
                break;
            case Opcode::not_:
                bit = !x;
                break;
            case Opcode::rotl:
                bit = w.bit(a, (i + w.width - n) % w.width);
                break;
            case Opcode::rotr:
                bit = w.bit(a, (i + n) % w.width);
                break;
            case Opcode::bswap:
                bit = w.bit(a, (w.width / 8 - 1 - i / 8) * 8 + i % 8);
                break;
            default:
                FAIL("no reference for op " << static_cast<int>(code));
        }
        result |= uint64_t{bit} << i;
    }
    return result;
}

bool holds(Cond cond, Word w, uint64_t a, uint64_t b) {
    const Wide ua = w.wrap(a), ub = w.wrap(b), sa = w.as_signed(a), sb = w.as_signed(b);
    const bool results[] = {
        ua == ub,   ua != ub,      sa<sb, sa >= sb, sa <= sb, sa> sb, ua<ub, ua >= ub, ua <= ub, ua> ub,
        !(ua & ub), (ua & ub) != 0};
    return results[static_cast<unsigned>(cond)];
}

// Runs what `write` computes from operands into r4: on registers, then with constants, optimized.
class Bench {
  public:
    Bench() : harnesses_(all_harnesses({})), memory_({test_guest().globals, test_guest().global_count}) {}

    template <class V>
    using Write = std::function<V(Builder&, V, V)>;

    template <class V>
    void prepare(const Write<V>& write) {
        placed_.clear();
        build<V>(write, 0, 0, 0);
        for (const auto& harness : harnesses_) {
            placed_.push_back(harness->compile(memory_.unit()));
        }
    }
    // Registers.
    void check(const std::string& what, uint64_t a, uint64_t b, uint64_t expected) {
        Input input;
        input.state.regs[0] = a;
        input.state.regs[1] = b;
        for (size_t i = 0; i < harnesses_.size(); ++i) {
            expect(what, harnesses_[i]->execute(placed_[i], input).state.regs[4], expected, a, b,
                   harnesses_[i]->name());
        }
    }
    // One or both operands constant: bit 0 of `which` for a, bit 1 for b.
    template <class V>
    void check_constants(const Write<V>& write, const std::string& what, uint64_t a, uint64_t b,
                         uint64_t expected, unsigned which) {
        build<V>(write, a, b, which);
        optimizer_.optimize(memory_.unit(), {test_guest().helpers, test_guest().helper_count});
        Input input;
        input.state.regs[0] = a;
        input.state.regs[1] = b;
        for (const auto& harness : harnesses_) {
            expect(what + fmt::format(" constants {}", which),
                   harness->run(memory_.unit(), input).state.regs[4], expected, a, b, harness->name());
        }
    }

  private:
    template <class V>
    static V operand(Builder& b, unsigned reg, bool constant, uint64_t value) {
        if constexpr (std::is_same_v<V, I64>) {
            return constant ? b.imm(value) : b.global<I64>(reg);
        } else {
            return constant ? b.imm32(static_cast<uint32_t>(value)) : b.extrl_i64_i32(b.global<I64>(reg));
        }
    }
    template <class V>
    void build(const Write<V>& write, uint64_t a, uint64_t b, unsigned which) {
        Builder builder(memory_.begin_unit());
        builder.insn_start(0);
        const V x = operand<V>(builder, 0, (which & 1) != 0, a);
        const V y = operand<V>(builder, 1, (which & 2) != 0, b);
        const V d = write(builder, x, y);
        if constexpr (std::is_same_v<V, I64>) {
            builder.mov(builder.global<I64>(4), d);
        } else {
            builder.mov(builder.global<I64>(4), builder.extu_i32_i64(d));
        }
        builder.exit_tb(ir::ExitReason::lookup, builder.imm(0));
        const Result<> valid = verify(memory_.unit(), {test_guest().helpers, test_guest().helper_count});
        if (!valid) {
            FAIL(valid.error().message());
        }
    }
    static void expect(const std::string& what, uint64_t got, uint64_t expected, uint64_t a, uint64_t b,
                       const char* name) {
        if (got != expected) {
            FAIL(fmt::format("{} {} of {:#x} and {:#x}: {:#x} instead of {:#x}", name, what, a, b, got,
                             expected));
        }
    }

    std::vector<std::unique_ptr<Harness>> harnesses_;
    std::vector<Harness::Placed> placed_;
    UnitMemory memory_;
    Optimizer optimizer_;
};

template <class V>
void check_everywhere(Bench& bench, const std::string& what, const Bench::Write<V>& write,
                      const std::function<std::optional<uint64_t>(Word, uint64_t, uint64_t)>& expected) {
    const Word word{ir::width(V::type)};
    bench.prepare<V>(write);
    for (const uint64_t a : kEdges) {
        for (uint64_t b : kEdges) {
            for (const uint64_t reduced : {b, b % word.width}) {
                if (const std::optional<uint64_t> result = expected(word, a, reduced)) {
                    bench.check(what, a, reduced, *result);
                    for (const unsigned which : {1u, 2u, 3u}) {
                        bench.check_constants<V>(write, what, a, reduced, *result, which);
                    }
                }
            }
        }
    }
}

template <class V>
void check_ops(Bench& bench) {
    using enum Opcode;
    for (const Opcode code : {add,  sub,  mul, mulsh, muluh, mulsuh, divs, divu, rems, remu, smin, smax, umin,
                              umax, and_, or_, xor_,  andc,  orc,    eqv,  shl,  shr,  sar,  rotl, rotr}) {
        check_everywhere<V>(
            bench, std::string(opcode_name(code)), [=](Builder& b, V x, V y) { return b.op(code, x, y); },
            [=](Word w, uint64_t a, uint64_t b) { return reference(code, w, a, b); });
        // Both operands the same.
        check_everywhere<V>(
            bench, std::string(opcode_name(code)) + " x,x",
            [=](Builder& b, V x, V) { return b.op(code, x, x); },
            [=](Word w, uint64_t a, uint64_t) { return reference(code, w, a, a); });
    }
    for (const Opcode code : {neg, not_, clz, ctz, ctpop, bswap}) {
        check_everywhere<V>(
            bench, std::string(opcode_name(code)), [=](Builder& b, V x, V) { return b.op(code, x); },
            [=](Word w, uint64_t a, uint64_t b) { return reference(code, w, a, b); });
    }
}

template <class V>
void check_conditions(Bench& bench) {
    for (unsigned i = 0; i < 12; ++i) {
        const auto cond = static_cast<Cond>(i);
        check_everywhere<V>(
            bench, fmt::format("setcond {}", i), [=](Builder& b, V x, V y) { return b.setcond(cond, x, y); },
            [=](Word w, uint64_t a, uint64_t b) { return uint64_t{holds(cond, w, a, b)}; });
        check_everywhere<V>(
            bench, fmt::format("negsetcond {}", i),
            [=](Builder& b, V x, V y) { return b.negsetcond(cond, x, y); },
            [=](Word w, uint64_t a, uint64_t b) { return holds(cond, w, a, b) ? w.wrap(-1) : 0; });
        check_everywhere<V>(
            bench, fmt::format("movcond {}", i),
            [=](Builder& b, V x, V y) { return b.movcond(cond, x, y, y, x); },
            [=](Word w, uint64_t a, uint64_t b) { return w.wrap(holds(cond, w, a, b) ? b : a); });
        check_everywhere<V>(
            bench, fmt::format("brcond {}", i),
            [=](Builder& b, V x, V y) {
                const V d = b.local<V>();
                const ir::Label skip = b.new_label();
                b.mov(d, x);
                b.brcond(cond, x, y, skip);
                b.emit(Opcode::not_, V::type, 0, 0, d.index, d.index);
                b.set_label(skip);
                return d;
            },
            [=](Word w, uint64_t a, uint64_t b) { return holds(cond, w, a, b) ? w.wrap(a) : w.wrap(~a); });
    }
}

template <class V>
void check_fields(Bench& bench) {
    const unsigned width = ir::width(V::type);
    for (unsigned position = 0; position < width; position += position < 8 ? 1 : 7) {
        for (unsigned length = 1; position + length <= width; length += length < 9 ? 1 : 5) {
            const std::string where = fmt::format(" {},{}", position, length);
            auto field = [=](uint64_t a) {
                uint64_t bits = 0;
                for (unsigned i = 0; i < length; ++i) {
                    bits |= (a >> (position + i) & 1) << i;
                }
                return bits;
            };
            bench.prepare<V>([=](Builder& b, V x, V) { return b.extract(x, position, length); });
            for (const uint64_t a : kEdges) {
                bench.check("extract" + where, a, 0, field(a));
            }
            bench.prepare<V>([=](Builder& b, V x, V) { return b.sextract(x, position, length); });
            for (const uint64_t a : kEdges) {
                const Wide value = field(a);
                const bool negative = (field(a) >> (length - 1) & 1) != 0;
                bench.check("sextract" + where, a, 0,
                            Word{width}.wrap(negative ? value - (Wide{1} << length) : value));
            }
            bench.prepare<V>([=](Builder& b, V x, V y) { return b.deposit(x, y, position, length); });
            for (const uint64_t a : kEdges) {
                for (const uint64_t f : {uint64_t{0}, ~uint64_t{0}, uint64_t{0x0123456789abcdef}}) {
                    uint64_t expected = a;
                    for (unsigned i = 0; i < length; ++i) {
                        const uint64_t bit = uint64_t{1} << (position + i);
                        expected = (f >> i & 1) != 0 ? expected | bit : expected & ~bit;
                    }
                    bench.check("deposit" + where, a, f, Word{width}.wrap(expected));
                }
            }
        }
    }
}

}  // namespace

TEST_CASE("integer ops of 64 bits") {
    Bench bench;
    check_ops<I64>(bench);
    SUCCEED();
}

TEST_CASE("integer ops of 32 bits") {
    Bench bench;
    check_ops<I32>(bench);
    SUCCEED();
}

TEST_CASE("conditions") {
    Bench bench;
    check_conditions<I64>(bench);
    check_conditions<I32>(bench);
    SUCCEED();
}

TEST_CASE("bit fields") {
    Bench bench;
    check_fields<I64>(bench);
    check_fields<I32>(bench);
    SUCCEED();
}

TEST_CASE("conversions between widths") {
    Bench bench;
    check_everywhere<I64>(
        bench, "ext_i32_i64", [](Builder& b, I64 x, I64) { return b.ext_i32_i64(b.extrl_i64_i32(x)); },
        [](Word w, uint64_t a, uint64_t) { return w.wrap(Word{32}.as_signed(a)); });
    check_everywhere<I64>(
        bench, "extu_i32_i64", [](Builder& b, I64 x, I64) { return b.extu_i32_i64(b.extrl_i64_i32(x)); },
        [](Word, uint64_t a, uint64_t) { return a % (uint64_t{1} << 32); });
    check_everywhere<I64>(
        bench, "bitcasts of f64", [](Builder& b, I64 x, I64) { return b.bits(b.as_fp(x)); },
        [](Word, uint64_t a, uint64_t) { return a; });
    check_everywhere<I32>(
        bench, "bitcasts of f32", [](Builder& b, I32 x, I32) { return b.bits(b.as_fp(x)); },
        [](Word w, uint64_t a, uint64_t) { return w.wrap(a); });
    SUCCEED();
}

}  // namespace weft::tcg::test
