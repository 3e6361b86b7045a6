// Shifts, bit fields and extensions: RISC-V programs extend and cut by pairs of shifts.
#include <algorithm>

#include "tcg/opt/optimizer.h"
#include "weft/int_ops.h"
#include "weft/ir_info.h"

namespace weft::tcg {

using ir::Op;
using ir::Opcode;
using ir::TempIndex;
using ir::Type;

namespace {

uint64_t low_ones(unsigned length) { return int_ops::low_ones<uint64_t>(length); }

}  // namespace

Optimizer::Step Optimizer::shift_rules(Op& op) {
    using enum Opcode;
    const TempIndex a = op.args[1];
    const unsigned width = ir::width(op.type);
    uint64_t c = 0;
    if (options_.simplify && is_constant(a, &c)) {
        if (c == 0 || (c == low_ones(width) && op.code != shl && op.code != shr)) {
            return to_mov(op, a);
        }
    }
    if (!is_constant(op.args[2], &c) || c >= width) {
        return Step::keep;
    }
    if (c == 0) {
        return options_.simplify ? to_mov(op, a) : Step::keep;
    }
    if (op.code == rotl || op.code == rotr) {
        return Step::keep;
    }
    if (op.code == shr && possible(a) >> c == 0) {
        return to_constant(op, 0);
    }
    if (op.code == sar && facts(a).signs == width) {
        return to_mov(op, a);  // 0 or -1
    }
    return shift_of_shift(op, static_cast<unsigned>(c));
}

Optimizer::Step Optimizer::shift_of_shift(Op& op, unsigned n) {
    using enum Opcode;
    const TempIndex a = op.args[1];
    const unsigned width = ir::width(op.type);
    const Op* maker = made_by(a, op.type);
    if (maker == nullptr) {
        return Step::keep;
    }
    uint64_t value = 0;
    const bool by_constant = (maker->code == shl || maker->code == shr || maker->code == sar) &&
                             is_constant_temp(maker->args[2], &value) && value < width;
    const auto m = static_cast<unsigned>(value);
    // A copy: undoing the shift below overwrites the op.
    const Op inner = *maker;
    if (by_constant && inner.code == shl && op.code != shl && n >= m &&
        (still(a, 1) || undo_shift_in_place(op))) {
        return to_field(op, op.code == shr ? extract : sextract, inner.args[1], n - m, width - n);
    }
    if (!still(a, 1)) {
        return Step::keep;
    }
    if (by_constant && inner.code == op.code) {
        if (m + n < width) {
            return to_binary(op, op.code, inner.args[1], m + n);
        }
        return op.code == sar ? to_binary(op, sar, inner.args[1], width - 1) : to_constant(op, 0);
    }
    const unsigned position = inner.aux & 0xff;
    const unsigned length = inner.aux >> 8;
    if ((inner.code == extract || inner.code == sextract) && op.code == shl && position == 0 &&
        length >= width - n) {
        op.args[1] = inner.args[1];  // what the field leaves out is shifted out
        return Step::changed;
    }
    if (inner.code == extract && op.code == shr && n < length) {
        return to_field(op, extract, inner.args[1], position + n, length - n);
    }
    if (inner.code == sextract && op.code == sar && n < length) {
        return to_field(op, sextract, inner.args[1], position + n, length - n);
    }
    return Step::keep;
}

Optimizer::Step Optimizer::extract_rules(Op& op) {
    using enum Opcode;
    const TempIndex a = op.args[1];
    const unsigned width = ir::width(op.type);
    const unsigned position = op.aux & 0xff;
    const unsigned length = op.aux >> 8;
    if (options_.simplify && position + length == width) {
        return position == 0 ? to_mov(op, a) : to_binary(op, shr, a, position);
    }
    const uint64_t bits = possible(a);
    if ((bits >> position & low_ones(length)) == 0) {
        return to_constant(op, 0);
    }
    if (bits >> position >> length == 0) {
        return position == 0 ? to_mov(op, a) : to_binary(op, shr, a, position);
    }
    return field_of_made(op);
}

Optimizer::Step Optimizer::sextract_rules(Op& op) {
    using enum Opcode;
    const TempIndex a = op.args[1];
    const unsigned width = ir::width(op.type);
    const unsigned position = op.aux & 0xff;
    const unsigned length = op.aux >> 8;
    if (options_.simplify && position + length == width) {
        return position == 0 ? to_mov(op, a) : to_binary(op, sar, a, position);
    }
    const Facts known = facts(a);
    if (position == 0 && known.signs >= width - length + 1) {
        return to_mov(op, a);
    }
    if ((known.zeros >> (position + length - 1) & 1) != 0) {
        return to_field(op, extract, a, position, length);
    }
    return field_of_made(op);
}

// A field of what a shift, an AND, a field or a widening made is a field of its operand.
Optimizer::Step Optimizer::field_of_made(Op& op) {
    using enum Opcode;
    const TempIndex a = op.args[1];
    const unsigned width = ir::width(op.type);
    const unsigned position = op.aux & 0xff;
    const unsigned length = op.aux >> 8;
    const Op* maker = made_by(a, op.type);
    if (maker == nullptr || !still(a, 1)) {
        return Step::keep;
    }
    const TempIndex x = maker->args[1];
    uint64_t c = 0;
    switch (maker->code) {
        case extract:
        case sextract: {
            const unsigned inner_position = maker->aux & 0xff;
            const unsigned inner_length = maker->aux >> 8;
            if (position + length <= inner_length) {
                return to_field(op, op.code, x, inner_position + position, length);
            }
            return maker->code == op.code && position < inner_length
                       ? to_field(op, op.code, x, inner_position + position, inner_length - position)
                       : Step::keep;
        }
        case shl:
            return is_constant_temp(maker->args[2], &c) && c <= position
                       ? to_field(op, op.code, x, position - static_cast<unsigned>(c), length)
                       : Step::keep;
        case shr:
        case sar:
            return is_constant_temp(maker->args[2], &c) && c + position + length <= width
                       ? to_field(op, op.code, x, position + static_cast<unsigned>(c), length)
                       : Step::keep;
        case and_:
            return is_constant_temp(maker->args[2], &c) &&
                           (c >> position & low_ones(length)) == low_ones(length)
                       ? to_field(op, op.code, x, position, length)
                       : Step::keep;
        // What is widened one way and cut off again to be widened the other way.
        case ext_i32_i64:
            return op.code == extract && position == 0 && length == 32 ? to_unary(op, extu_i32_i64, x)
                                                                       : Step::keep;
        case extu_i32_i64:
            return op.code == sextract && position == 0 && length == 32 ? to_unary(op, ext_i32_i64, x)
                                                                        : Step::keep;
        default:
            return Step::keep;
    }
}

Optimizer::Step Optimizer::deposit_rules(Op& op) {
    using enum Opcode;
    if (!options_.simplify) {
        return Step::keep;
    }
    const unsigned width = ir::width(op.type);
    const unsigned position = op.aux & 0xff;
    const unsigned length = op.aux >> 8;
    const TempIndex field = op.args[2];
    if (length == width) {
        return to_mov(op, field);
    }
    uint64_t c = 0;
    if (is_constant(op.args[1], &c) && c == 0) {
        if (position == 0) {
            return to_field(op, extract, field, 0, length);
        }
        if (position + length == width) {
            return to_binary(op, shl, field, position);
        }
    }
    if (is_constant(field, &c)) {
        const uint64_t mask = low_ones(length) << position;
        const uint64_t bits = c << position & mask;
        if (bits == 0) {
            return to_binary(op, and_, op.args[1], ~mask & low_ones(width));
        }
        if (bits == mask) {
            return to_binary(op, or_, op.args[1], mask);
        }
    }
    return Step::keep;
}

// Conversions that take back another one.
Optimizer::Step Optimizer::conversion_rules(Op& op) {
    using enum Opcode;
    const TempIndex a = op.args[1];
    const Op* maker = made_by(a, op.type);
    if (maker == nullptr || !still(a, 1)) {
        return Step::keep;
    }
    const TempIndex x = maker->args[1];
    switch (op.code) {
        case ext_i32_i64:
        case extu_i32_i64:
            if (maker->code == extrl_i64_i32) {
                op.type = Type::i64;
                return to_field(op, op.code == ext_i32_i64 ? sextract : extract, x, 0, 32);
            }
            return Step::keep;
        case extrl_i64_i32:
            if (maker->code == ext_i32_i64 || maker->code == extu_i32_i64) {
                op.type = Type::i32;
                return to_mov(op, x);
            }
            return Step::keep;
        case bitcast_int:
            if (maker->code == bitcast_fp) {
                op.type = values_.temp(op.args[0]).type;
                return to_mov(op, x);
            }
            return Step::keep;
        default:
            return maker->code == bitcast_int ? to_mov(op, x) : Step::keep;
    }
}

}  // namespace weft::tcg
