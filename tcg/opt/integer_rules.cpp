// Folding, and identities of arithmetic and logic.
#include <array>
#include <bit>

#include "tcg/opt/optimizer.h"
#include "weft/int_ops.h"
#include "weft/ir_info.h"

namespace weft::tcg {

using ir::Op;
using ir::Opcode;
using ir::TempIndex;
using ir::Type;

namespace {

uint64_t ones(Type type) { return int_ops::low_ones<uint64_t>(ir::width(type)); }

// The result of an op of two constants; false where the op is undefined for them, or no such op.
template <class T>
bool fold_binary(Opcode code, T a, T b, uint64_t* result) {
    using enum Opcode;
    using S = int_ops::SignedWord<T>;
    switch (code) {
        case shl:
        case shr:
        case sar:
        case rotl:
        case rotr:
            if (b >= int_ops::kWidth<T>) {
                return false;
            }
            break;
        case divs:
        case rems:
            if (b == 0 || (static_cast<S>(a) == std::numeric_limits<S>::min() && b == static_cast<T>(-1))) {
                return false;
            }
            break;
        case divu:
        case remu:
            if (b == 0) {
                return false;
            }
            break;
        default:
            break;
    }
    auto compute = [&]<Opcode... kCodes>() {
        return ((code == kCodes && (*result = int_ops::binary<kCodes>(a, b), true)) || ...);
    };
    return compute
        .template operator()<add, sub, mul, mulsh, muluh, mulsuh, divs, divu, rems, remu, smin, smax, umin,
                             umax, and_, or_, xor_, andc, orc, eqv, shl, shr, sar, rotl, rotr>();
}

template <class T>
bool fold_unary(Opcode code, T a, uint32_t field, uint64_t* result) {
    using enum Opcode;
    if (code == extract || code == sextract) {
        const unsigned position = field & 0xff;
        const unsigned length = field >> 8;
        *result =
            code == extract ? int_ops::extract(a, position, length) : int_ops::sextract(a, position, length);
        return true;
    }
    auto compute = [&]<Opcode... kCodes>() {
        return ((code == kCodes && (*result = int_ops::unary<kCodes>(a), true)) || ...);
    };
    return compute.template operator()<neg, not_, clz, ctz, ctpop, bswap>();
}

// Ops that may be computed ahead: of integers or bits alone, without effects.
constexpr bool folds(const ir::OpInfo& info) {
    return info.outputs.size() == 1 && !info.inputs.empty() &&
           (info.flags & ~uint32_t{ir::flag_commutes}) == 0 && info.name != "mov";
}

constexpr bool has_rules(const ir::OpInfo& info) {
    return folds(info) || info.name == "brcond" || info.name == "funbox";
}

template <bool (*kHas)(const ir::OpInfo&)>
consteval std::array<bool, ir::kOpcodeCount> table_of() {
    std::array<bool, ir::kOpcodeCount> table{};
    for (size_t i = 0; i < ir::kOpcodeCount; ++i) {
        table[i] = kHas(ir::kOpInfo[i]);
    }
    return table;
}
constexpr std::array<bool, ir::kOpcodeCount> kFolds = table_of<folds>();
constexpr std::array<bool, ir::kOpcodeCount> kRuled = table_of<has_rules>();

bool folds(Opcode code) { return kFolds[static_cast<unsigned>(code)]; }

}  // namespace

bool Optimizer::has_rules(Opcode code) { return kRuled[static_cast<unsigned>(code)]; }

Optimizer::Step Optimizer::simplify(Op& op) {
    uint64_t value = 0;
    if (options_.simplify && ir::has_flag(op.code, ir::flag_commutes) && is_constant(op.args[1], &value) &&
        !is_constant(op.args[2], &value)) {
        std::swap(op.args[1], op.args[2]);
    }
    if (options_.fold_constants && folds(op.code)) {
        if (const Step step = fold(op); step != Step::keep) {
            return step;
        }
    }
    switch (op.code) {
        using enum Opcode;
        case brcond:
        case setcond:
        case negsetcond:
        case movcond:
            return condition_rules(op);
        case funbox:
            if (const TempIndex single =
                    options_.unbox ? values_.single_of(values_.resolve(op.args[1])) : kNoTemp;
                single != kNoTemp) {
                op.type = Type::f32;
                return to_mov(op, single);
            }
            return Step::keep;
        case ext_i32_i64:
        case extu_i32_i64:
        case extrl_i64_i32:
        case bitcast_int:
        case bitcast_fp:
            return conversion_rules(op);
        case extract:
            return extract_rules(op);
        case sextract:
            return sextract_rules(op);
        case deposit:
            return deposit_rules(op);
        case shl:
        case shr:
        case sar:
        case rotl:
        case rotr:
            return shift_rules(op);
        case and_:
        case or_:
        case xor_:
        case andc:
        case orc:
        case eqv:
        case not_:
        case bswap:
            return logic_rules(op);
        case fsgnj:
            return options_.simplify && same(op.args[1], op.args[2]) ? to_mov(op, op.args[1]) : Step::keep;
        case add:
        case sub:
        case neg:
        case mul:
        case mulsh:
        case muluh:
        case mulsuh:
        case divs:
        case divu:
        case rems:
        case remu:
        case smin:
        case smax:
        case umin:
        case umax:
            return arithmetic_rules(op);
        default:
            return Step::keep;
    }
}

// Ops of constants alone. Conditions are decided by condition_rules().
Optimizer::Step Optimizer::fold(Op& op) {
    uint64_t a = 0;
    uint64_t b = 0;
    uint64_t result = 0;
    if (!is_constant(op.args[1], &a)) {
        return Step::keep;
    }
    const bool wide = op.type == Type::i64;
    switch (op.code) {
        case Opcode::ext_i32_i64:
            return to_constant(op, static_cast<uint64_t>(int64_t{static_cast<int32_t>(a)}));
        case Opcode::extu_i32_i64:
        case Opcode::extrl_i64_i32:
            return to_constant(op, static_cast<uint32_t>(a));
        case Opcode::bitcast_int:
        case Opcode::bitcast_fp:
            return to_constant(op, a);
        default:
            break;
    }
    if (!ir::is_int(op.type)) {
        return Step::keep;
    }
    if (op.arg_count == 2) {
        const bool folded = wide ? fold_unary<uint64_t>(op.code, a, op.aux, &result)
                                 : fold_unary<uint32_t>(op.code, static_cast<uint32_t>(a), op.aux, &result);
        return folded ? to_constant(op, result) : Step::keep;
    }
    if (op.arg_count != 3 || !is_constant(op.args[2], &b)) {
        return Step::keep;
    }
    if (op.code == Opcode::deposit) {
        return to_constant(op, int_ops::deposit(a, b, op.aux & 0xff, op.aux >> 8));
    }
    const bool folded =
        wide ? fold_binary<uint64_t>(op.code, a, b, &result)
             : fold_binary<uint32_t>(op.code, static_cast<uint32_t>(a), static_cast<uint32_t>(b), &result);
    return folded ? to_constant(op, result) : Step::keep;
}

Optimizer::Step Optimizer::arithmetic_rules(Op& op) {
    using enum Opcode;
    const TempIndex a = op.args[1];
    const TempIndex b = op.args[2];
    const uint64_t all = ones(op.type);
    const uint64_t sign = all ^ all >> 1;
    uint64_t c = 0;
    uint64_t inner = 0;
    const Op* maker = made_by(a, op.type);
    if (op.code == neg) {
        return maker != nullptr && maker->code == neg && still(a, 1) ? to_mov(op, maker->args[1])
                                                                     : Step::keep;
    }
    if (!options_.simplify) {
        return Step::keep;
    }
    if (!is_constant(b, &c)) {
        if (op.code == sub && is_constant(a, &c) && c == 0) {
            return to_unary(op, neg, b);
        }
        if (!same(a, b)) {
            return Step::keep;
        }
        switch (op.code) {
            case sub:
                return to_constant(op, 0);
            case smin:
            case smax:
            case umin:
            case umax:
                return to_mov(op, a);
            default:
                return Step::keep;
        }
    }
    const bool power = std::has_single_bit(c);
    const auto log2 = static_cast<uint64_t>(std::countr_zero(c));
    const bool never_negative = (facts(a).zeros & sign) != 0;
    switch (op.code) {
        case add:
            if (c == 0) {
                return to_mov(op, a);
            }
            if (maker != nullptr && maker->code == add && is_constant_temp(maker->args[2], &inner) &&
                still(a, 1)) {
                return to_binary(op, add, maker->args[1], (c + inner) & all);
            }
            if (maker != nullptr && maker->code == pc_add) {
                const auto offset = static_cast<int64_t>(
                    c + static_cast<uint64_t>(int64_t{static_cast<int32_t>(maker->aux)}));
                if (offset == static_cast<int32_t>(offset)) {
                    op = Op{pc_add, Type::none, 0, 1, static_cast<uint32_t>(offset), {op.args[0]}};
                    return Step::changed;
                }
            }
            return Step::keep;
        case sub:
            return to_binary(op, add, a, (0 - c) & all);
        case mul:
            if (c == 0) {
                return to_constant(op, 0);
            }
            if (c == 1) {
                return to_mov(op, a);
            }
            if (c == all) {
                return to_unary(op, neg, a);
            }
            return power ? to_binary(op, shl, a, log2) : Step::keep;
        case muluh:
            if (c <= 1) {
                return to_constant(op, 0);
            }
            return power ? to_binary(op, shr, a, ir::width(op.type) - log2) : Step::keep;
        case mulsh:
        case mulsuh:
            if (c == 0) {
                return to_constant(op, 0);
            }
            return c == 1 ? to_binary(op, sar, a, ir::width(op.type) - 1) : Step::keep;
        case divu:
            if (c == 1) {
                return to_mov(op, a);
            }
            return power ? to_binary(op, shr, a, log2) : Step::keep;
        case remu:
            if (c == 1) {
                return to_constant(op, 0);
            }
            return power ? to_binary(op, and_, a, c - 1) : Step::keep;
        case divs:
            if (c == 1) {
                return to_mov(op, a);
            }
            return power && c != sign && never_negative ? to_binary(op, shr, a, log2) : Step::keep;
        case rems:
            if (c == 1) {
                return to_constant(op, 0);
            }
            return power && c != sign && never_negative ? to_binary(op, and_, a, c - 1) : Step::keep;
        case umin:
            return c == 0 ? to_constant(op, 0) : c == all ? to_mov(op, a) : Step::keep;
        case umax:
            return c == 0 ? to_mov(op, a) : c == all ? to_constant(op, all) : Step::keep;
        case smin:
            return c == sign ? to_constant(op, c) : c == (sign ^ all) ? to_mov(op, a) : Step::keep;
        case smax:
            return c == sign ? to_mov(op, a) : c == (sign ^ all) ? to_constant(op, c) : Step::keep;
        default:
            return Step::keep;
    }
}

Optimizer::Step Optimizer::logic_rules(Op& op) {
    using enum Opcode;
    const TempIndex a = op.args[1];
    const uint64_t all = ones(op.type);
    const Op* maker = made_by(a, op.type);
    if (op.code == not_ || op.code == bswap) {
        return maker != nullptr && maker->code == op.code && still(a, 1) ? to_mov(op, maker->args[1])
                                                                         : Step::keep;
    }
    const TempIndex b = op.args[2];
    uint64_t c = 0;
    if (!is_constant(b, &c)) {
        const bool a_is_constant = is_constant(a, &c);  // only where the op does not commute
        if (op.code == and_ && (possible(a) & possible(b)) == 0) {
            return to_constant(op, 0);
        }
        if (!options_.simplify) {
            return Step::keep;
        }
        if (a_is_constant && op.code == andc && c == 0) {
            return to_constant(op, 0);
        }
        if (a_is_constant && op.code == orc && c == all) {
            return to_constant(op, all);
        }
        if (!same(a, b)) {
            return Step::keep;
        }
        switch (op.code) {
            case and_:
            case or_:
                return to_mov(op, a);
            case xor_:
            case andc:
                return to_constant(op, 0);
            default:  // orc, eqv
                return to_constant(op, all);
        }
    }
    switch (op.code) {
        case and_:
            return and_rules(op, c);
        case or_:
            if (options_.simplify && c == 0) {
                return to_mov(op, a);
            }
            return options_.simplify && c == all ? to_constant(op, all) : Step::keep;
        case xor_:
            if (options_.simplify && c == 0) {
                return to_mov(op, a);
            }
            if (options_.simplify && c == all) {
                return to_unary(op, not_, a);
            }
            if (c == 1 && maker != nullptr && maker->code == setcond && still(a, 1) && still(a, 2)) {
                const TempIndex x = maker->args[1];
                const TempIndex y = maker->args[2];
                const ir::Cond cond = ir::invert(static_cast<ir::Cond>(maker->cond));
                op = Op{setcond, op.type, static_cast<uint8_t>(cond), 3, 0, {op.args[0], x, y}};
                return Step::changed;
            }
            return Step::keep;
        case andc:
            return options_.simplify ? to_binary(op, and_, a, ~c & all) : Step::keep;
        case orc:
            return options_.simplify ? to_binary(op, or_, a, ~c & all) : Step::keep;
        default:  // eqv
            return options_.simplify ? to_binary(op, xor_, a, ~c & all) : Step::keep;
    }
}

Optimizer::Step Optimizer::and_rules(Op& op, uint64_t c) {
    using enum Opcode;
    const TempIndex a = op.args[1];
    const unsigned width = ir::width(op.type);
    if (options_.simplify && (c == 0 || c == ones(op.type))) {
        return c == 0 ? to_constant(op, 0) : to_mov(op, a);
    }
    if ((possible(a) & ~c) == 0) {
        return to_mov(op, a);
    }
    if ((possible(a) & c) == 0) {
        return to_constant(op, 0);
    }
    const bool low_mask = (c & (c + 1)) == 0;
    const auto length = static_cast<unsigned>(std::popcount(c));
    if (const Op* maker = made_by(a, op.type); maker != nullptr && still(a, 1)) {
        uint64_t inner = 0;
        if (maker->code == and_ && is_constant_temp(maker->args[2], &inner)) {
            return to_binary(op, and_, maker->args[1], c & inner);
        }
        if (maker->code == shr && is_constant_temp(maker->args[2], &inner) && low_mask &&
            inner + length <= width) {
            return to_field(op, extract, maker->args[1], static_cast<unsigned>(inner), length);
        }
        // What an extension adds is masked off again.
        if ((maker->code == extract || maker->code == sextract) && (maker->aux & 0xff) == 0 &&
            (c & ~int_ops::low_ones<uint64_t>(maker->aux >> 8)) == 0) {
            op.args[1] = maker->args[1];
            return Step::changed;
        }
    }
    if (options_.simplify && low_mask && (length == 8 || length == 16 || length == 32)) {
        return to_field(op, extract, a, 0, length);
    }
    return Step::keep;
}

}  // namespace weft::tcg
