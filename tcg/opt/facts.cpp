#include "tcg/opt/facts.h"

#include <algorithm>
#include <bit>

#include "weft/int_ops.h"
#include "weft/ir_info.h"

namespace weft::tcg {

using ir::Opcode;
using ir::Type;

namespace {

uint64_t mask_of_width(unsigned bits) { return int_ops::low_ones<uint64_t>(bits); }

// Numbers below 2^bits.
Facts below_power(Type type, unsigned bits) {
    return Facts::make(type, bits == 0 ? ~uint64_t{0} : ~mask_of_width(bits), 1);
}

unsigned leading_zeros(const Facts& facts, unsigned width) {
    return static_cast<unsigned>(std::countl_one(facts.zeros << (64 - width)));
}
unsigned trailing_zeros(const Facts& facts, unsigned width) {
    return std::min(width, static_cast<unsigned>(std::countr_one(facts.zeros)));
}

Facts leading_and_trailing(Type type, unsigned leading, unsigned trailing, unsigned signs) {
    const unsigned width = ir::width(type);
    uint64_t zeros = trailing >= width ? ~uint64_t{0} : (uint64_t{1} << trailing) - 1;
    if (leading >= width) {
        zeros = ~uint64_t{0};
    } else {
        zeros |= ~mask_of_width(width - leading);
    }
    return Facts::make(type, zeros, signs);
}

// Of a value narrower than the type, extended.
Facts extended(Type type, unsigned bits, bool sign) {
    const unsigned width = ir::width(type);
    if (bits >= width) {
        return Facts::unknown(type);
    }
    return sign ? Facts::make(type, 0, width - bits + 1) : below_power(type, bits);
}

Facts shifted(const ir::Op& op, Type type, const Facts& a, const KnownValue& count) {
    const unsigned width = ir::width(type);
    if (!count.constant || count.value >= width) {
        return Facts::unknown(type);
    }
    const auto n = static_cast<unsigned>(count.value);
    switch (op.code) {
        case Opcode::shl:
            return Facts::make(type, a.zeros << n | ((uint64_t{1} << n) - 1), a.signs > n ? a.signs - n : 1);
        case Opcode::shr:
            return n == 0 ? a
                          : Facts::make(type,
                                        (a.zeros & mask_of_width(width)) >> n | ~mask_of_width(width - n), 1);
        case Opcode::sar: {
            const uint64_t zeros = int_ops::sextract(a.zeros, 0, width);
            return Facts::make(type, static_cast<uint64_t>(static_cast<int64_t>(zeros) >> n), a.signs + n);
        }
        default:
            return Facts::unknown(type);
    }
}

Facts field(const ir::Op& op, Type type, std::span<const KnownValue> inputs) {
    const unsigned width = ir::width(type);
    const unsigned position = op.aux & 0xff;
    const unsigned length = op.aux >> 8;
    const Facts& a = inputs[0].facts;
    switch (op.code) {
        case Opcode::extract:
            return Facts::make(type, a.zeros >> position | ~mask_of_width(length), 1);
        case Opcode::sextract: {
            // The sign bit's zero is repeated with it.
            const uint64_t zeros = int_ops::sextract(a.zeros >> position, 0, length);
            const unsigned own = width - length + 1;
            return Facts::make(type, zeros, position == 0 ? std::max<unsigned>(own, a.signs) : own);
        }
        default: {
            const uint64_t mask = mask_of_width(length) << position;
            return Facts::make(type, (a.zeros & ~mask) | (inputs[1].facts.zeros << position & mask), 1);
        }
    }
}

Facts divided(const ir::Op& op, Type type, const Facts& a, const Facts& b) {
    const unsigned width = ir::width(type);
    switch (op.code) {
        case Opcode::divu:
            return leading_and_trailing(type, leading_zeros(a, width), 0, 1);
        case Opcode::remu:
            return leading_and_trailing(type, std::max(leading_zeros(a, width), leading_zeros(b, width)), 0,
                                        1);
        case Opcode::divs:  // dividing by -1 may need one bit more
            return Facts::make(type, 0, a.signs > 1 ? a.signs - 1u : 1u);
        default:
            return Facts::make(type, 0, a.signs);
    }
}

Facts of_memory(const ir::Op& op, Type type) {
    const ir::MemOp memop(op.aux);
    return extended(type, 8 * memop.size(), memop.sign());
}

}  // namespace

Facts Facts::make(Type type, uint64_t zeros, unsigned signs) {
    const unsigned width = std::max(32u, ir::width(type));
    zeros |= ~mask_of_width(width);
    const auto leading = static_cast<unsigned>(std::countl_one(zeros << (64 - width)));
    return Facts{zeros, static_cast<uint8_t>(std::clamp(std::max(signs, leading), 1u, width))};
}

Facts Facts::of_constant(Type type, uint64_t value) {
    const unsigned width = std::max(32u, ir::width(type));
    const uint64_t extended_value = int_ops::sextract(value, 0, width);
    const auto negative = static_cast<int64_t>(extended_value) < 0;
    const auto equal = static_cast<unsigned>(std::countl_zero(negative ? ~extended_value : extended_value));
    return make(type, ~value, equal - (64 - width));
}

Facts result_facts(const ir::Op& op, Type type, std::span<const KnownValue> inputs) {
    const unsigned width = ir::width(type);
    auto in = [&](unsigned index) -> const Facts& { return inputs[index].facts; };
    auto fewest_signs = [&](unsigned i, unsigned j) -> unsigned {
        return std::min(in(i).signs, in(j).signs);
    };
    switch (op.code) {
        case Opcode::mov:
            return in(0);
        case Opcode::ext_i32_i64:
            return Facts::make(type, int_ops::sextract(in(0).zeros, 0, 32), in(0).signs + 32u);
        case Opcode::extu_i32_i64:
            return Facts::make(type, in(0).zeros, 32);
        case Opcode::extrl_i64_i32:
            return Facts::make(type, in(0).zeros, in(0).signs > 32 ? in(0).signs - 32u : 1u);
        case Opcode::add:
        case Opcode::sub: {
            const unsigned trailing = std::min(trailing_zeros(in(0), width), trailing_zeros(in(1), width));
            const unsigned leading = std::min(leading_zeros(in(0), width), leading_zeros(in(1), width));
            const unsigned signs = fewest_signs(0, 1);
            return leading_and_trailing(type, op.code == Opcode::add && leading > 0 ? leading - 1 : 0,
                                        trailing, signs > 1 ? signs - 1 : 1);
        }
        case Opcode::neg:
            return leading_and_trailing(type, 0, trailing_zeros(in(0), width),
                                        in(0).signs > 1 ? in(0).signs - 1u : 1u);
        case Opcode::mul: {
            const unsigned leading = leading_zeros(in(0), width) + leading_zeros(in(1), width);
            const unsigned trailing = trailing_zeros(in(0), width) + trailing_zeros(in(1), width);
            const unsigned signs = in(0).signs + in(1).signs;
            return leading_and_trailing(type, leading > width ? leading - width : 0,
                                        std::min(trailing, width), signs > width + 1 ? signs - width - 1 : 1);
        }
        case Opcode::divs:
        case Opcode::divu:
        case Opcode::rems:
        case Opcode::remu:
            return divided(op, type, in(0), in(1));
        case Opcode::and_:
            return Facts::make(type, in(0).zeros | in(1).zeros, fewest_signs(0, 1));
        case Opcode::or_:
        case Opcode::xor_:
        case Opcode::smin:
        case Opcode::smax:
        case Opcode::umax:
            return Facts::make(type, in(0).zeros & in(1).zeros, fewest_signs(0, 1));
        case Opcode::umin: {
            const unsigned leading = std::max(leading_zeros(in(0), width), leading_zeros(in(1), width));
            const uint64_t zeros = leading >= width ? ~uint64_t{0} : ~mask_of_width(width - leading);
            return Facts::make(type, (in(0).zeros & in(1).zeros) | zeros, fewest_signs(0, 1));
        }
        case Opcode::andc:
            return Facts::make(type, in(0).zeros | (inputs[1].constant ? inputs[1].value : 0),
                               fewest_signs(0, 1));
        case Opcode::not_:
            return Facts::make(type, 0, in(0).signs);
        case Opcode::orc:
        case Opcode::eqv:
            return Facts::make(type, 0, fewest_signs(0, 1));
        case Opcode::shl:
        case Opcode::shr:
        case Opcode::sar:
            return shifted(op, type, in(0), inputs[1]);
        case Opcode::extract:
        case Opcode::sextract:
        case Opcode::deposit:
            return field(op, type, inputs);
        case Opcode::clz:
        case Opcode::ctz:
        case Opcode::ctpop:
            return below_power(type, 7);
        case Opcode::setcond:
        case Opcode::feq:
        case Opcode::flt:
        case Opcode::fle:
            return below_power(type, 1);
        case Opcode::negsetcond:
            return Facts::make(type, 0, width);
        case Opcode::movcond:
            return Facts::make(type, in(2).zeros & in(3).zeros, fewest_signs(2, 3));
        case Opcode::ld8u:
        case Opcode::ld8s:
            return extended(type, 8, op.code == Opcode::ld8s);
        case Opcode::ld16u:
        case Opcode::ld16s:
            return extended(type, 16, op.code == Opcode::ld16s);
        case Opcode::ld32u:
        case Opcode::ld32s:
            return extended(type, 32, op.code == Opcode::ld32s);
        case Opcode::fclass:
            return below_power(type, 10);
        case Opcode::fpflags_get:
            return below_power(type, 5);
        case Opcode::fcvt_to_int:
            return (op.aux & 2) != 0 ? Facts::unknown(type) : extended(type, 32, true);
        default:
            return ir::info(op.code).aux == ir::Aux::memop && ir::is_int(type) ? of_memory(op, type)
                                                                               : Facts::unknown(type);
    }
}

}  // namespace weft::tcg
