// Conditions: decided, brought into the form that backends test cheapest, seen through.
#include <bit>

#include "tcg/opt/optimizer.h"
#include "weft/int_ops.h"
#include "weft/ir_info.h"

namespace weft::tcg {

using ir::Cond;
using ir::Op;
using ir::Opcode;
using ir::TempIndex;
using ir::Type;

namespace {

uint64_t ones(Type type) { return int_ops::low_ones<uint64_t>(ir::width(type)); }

bool compare(Type type, Cond cond, uint64_t a, uint64_t b) {
    return type == Type::i64 ? int_ops::compare(cond, a, b)
                             : int_ops::compare(cond, static_cast<uint32_t>(a), static_cast<uint32_t>(b));
}

// x cond x; for tsteq and tstne it depends on x.
int decide_equal(Cond cond) {
    switch (cond) {
        case Cond::eq:
        case Cond::ge:
        case Cond::le:
        case Cond::geu:
        case Cond::leu:
            return 1;
        case Cond::tsteq:
        case Cond::tstne:
            return -1;
        default:
            return 0;
    }
}

}  // namespace

// The condition (a cond c) for a constant c: decided, or in a cheaper form with the constant *new_c.
int Optimizer::decide_against_constant(Type type, Cond* cond, TempIndex a, uint64_t c,
                                       uint64_t* new_c) const {
    const uint64_t all = ones(type);
    const uint64_t sign = all ^ all >> 1;
    const uint64_t largest = possible(a);  // as unsigned; as signed, too, where the sign is known to be 0
    const bool never_negative = (largest & sign) == 0;
    const bool c_negative = (c & sign) != 0;
    *new_c = c;
    if (options_.known_bits) {
        switch (*cond) {
            case Cond::eq:
            case Cond::ne:
                if ((c & ~largest) != 0) {
                    return *cond == Cond::ne;
                }
                break;
            case Cond::tsteq:
            case Cond::tstne:
                if ((c & largest) == 0) {
                    return *cond == Cond::tsteq;
                }
                break;
            case Cond::ltu:
            case Cond::geu:
                if (largest < c) {
                    return *cond == Cond::ltu;
                }
                break;
            case Cond::leu:
            case Cond::gtu:
                if (largest <= c) {
                    return *cond == Cond::leu;
                }
                break;
            case Cond::lt:
            case Cond::ge:
                if (never_negative && (c_negative || c == 0)) {
                    return *cond == Cond::ge;
                }
                if (never_negative && largest < c) {
                    return *cond == Cond::lt;
                }
                break;
            case Cond::le:
            case Cond::gt:
                if (never_negative && c_negative) {
                    return *cond == Cond::gt;
                }
                if (never_negative && largest <= c) {
                    return *cond == Cond::le;
                }
                break;
        }
    }
    if (!options_.simplify) {
        return -1;
    }
    auto becomes = [&](Cond new_cond, uint64_t constant) {
        *cond = new_cond;
        *new_c = constant;
        return -1;
    };
    switch (*cond) {
        case Cond::ltu:
            return c == 0 ? 0 : c == 1 ? becomes(Cond::eq, 0) : -1;
        case Cond::geu:
            return c == 0 ? 1 : c == 1 ? becomes(Cond::ne, 0) : -1;
        case Cond::leu:
            return c == all ? 1 : c == 0 ? becomes(Cond::eq, 0) : -1;
        case Cond::gtu:
            return c == all ? 0 : c == 0 ? becomes(Cond::ne, 0) : -1;
        case Cond::lt:
            return c == sign ? 0 : c == 1 ? becomes(Cond::le, 0) : -1;
        case Cond::ge:
            return c == sign ? 1 : c == 1 ? becomes(Cond::gt, 0) : -1;
        case Cond::le:
            return c == (sign ^ all) ? 1 : c == all ? becomes(Cond::lt, 0) : -1;
        case Cond::gt:
            return c == (sign ^ all) ? 0 : c == all ? becomes(Cond::ge, 0) : -1;
        case Cond::tsteq:
            return c == all ? becomes(Cond::eq, 0) : c == sign ? becomes(Cond::ge, 0) : c == 0 ? 1 : -1;
        case Cond::tstne:
            return c == all ? becomes(Cond::ne, 0) : c == sign ? becomes(Cond::lt, 0) : c == 0 ? 0 : -1;
        default:
            return -1;
    }
}

// (a == 0) and (a != 0) where a was made by something that can be tested itself.
bool Optimizer::look_through_condition(Type type, Cond* cond, uint16_t* a, uint16_t* b) {
    uint64_t c = 0;
    if ((*cond != Cond::eq && *cond != Cond::ne) || !is_constant(*b, &c) || c != 0) {
        return false;
    }
    const Op* maker = made_by(*a, type);
    if (maker == nullptr || !still(*a, 1)) {
        return false;
    }
    const bool equal = *cond == Cond::eq;
    switch (maker->code) {
        case Opcode::setcond:
        case Opcode::negsetcond:
            if (!still(*a, 2)) {
                return false;
            }
            *cond = static_cast<Cond>(maker->cond);
            *cond = equal ? ir::invert(*cond) : *cond;
            break;
        case Opcode::sub:
        case Opcode::xor_:
            if (!still(*a, 2)) {
                return false;
            }
            break;
        case Opcode::and_:
            if (!still(*a, 2)) {
                return false;
            }
            *cond = equal ? Cond::tsteq : Cond::tstne;
            break;
        case Opcode::extract: {
            const uint64_t mask = int_ops::low_ones<uint64_t>(maker->aux >> 8) << (maker->aux & 0xff);
            const TempIndex constant = mask <= 0x7fffffff ? values_.constant(type, mask) : kNoTemp;
            if (constant == kNoTemp) {
                return false;
            }
            *cond = equal ? Cond::tsteq : Cond::tstne;
            *a = maker->args[1];
            *b = constant;
            return true;
        }
        default:
            return false;
    }
    const TempIndex x = maker->args[1];
    *b = maker->args[2];
    *a = x;
    return true;
}

int Optimizer::decide(Type type, uint8_t* cond_code, uint16_t* a, uint16_t* b, bool* changed) {
    auto cond = static_cast<Cond>(*cond_code);
    uint64_t ca = 0;
    uint64_t cb = 0;
    const bool a_is_constant = is_constant(*a, &ca);
    const bool b_is_constant = is_constant(*b, &cb);
    if (a_is_constant && b_is_constant) {
        return options_.fold_constants ? compare(type, cond, ca, cb) : -1;
    }
    if (options_.simplify && a_is_constant) {
        std::swap(*a, *b);
        cond = ir::swap_operands(cond);
        cb = ca;
        *changed = true;
    }
    int decided = -1;
    if (a_is_constant || b_is_constant) {
        uint64_t new_c = cb;
        const Cond before = cond;
        if (options_.simplify || b_is_constant) {
            decided = decide_against_constant(type, &cond, *a, cb, &new_c);
        }
        if (decided < 0 && cond != before) {
            const TempIndex constant = values_.constant(type, new_c);
            if (constant == kNoTemp) {
                cond = before;
            } else {
                *b = constant;
                *changed = true;
            }
        }
        if (decided < 0 && look_through_condition(type, &cond, a, b)) {
            *changed = true;
        }
    } else if (same(*a, *b) && options_.simplify) {
        decided = decide_equal(cond);
        if (const TempIndex zero = decided < 0 ? values_.constant(type, 0) : kNoTemp; zero != kNoTemp) {
            cond = cond == Cond::tsteq ? Cond::eq : Cond::ne;
            *b = zero;
            *changed = true;
        }
    }
    *cond_code = static_cast<uint8_t>(cond);
    return decided;
}

Optimizer::Step Optimizer::condition_rules(Op& op) {
    const unsigned first = op.code == Opcode::brcond ? 0 : 1;
    bool changed = false;
    const int decided = decide(op.type, &op.cond, &op.args[first], &op.args[first + 1], &changed);
    if (decided >= 0) {
        switch (op.code) {
            case Opcode::brcond:
                if (decided == 0) {
                    return Step::drop;
                }
                if (!options_.unreachable) {
                    return Step::keep;  // what follows would have to go
                }
                op = Op{Opcode::br, Type::none, 0, 0, op.args[ir::kBrcondLabelArg], {}};
                return Step::changed;
            case Opcode::setcond:
                return to_constant(op, static_cast<uint64_t>(decided));
            case Opcode::negsetcond:
                return to_constant(op, decided != 0 ? ones(op.type) : 0);
            default:
                return to_mov(op, op.args[decided != 0 ? 3 : 4]);
        }
    }
    Step step = Step::keep;
    if (op.code == Opcode::movcond) {
        step = movcond_rules(op);
    } else if (op.code != Opcode::brcond) {
        step = boolean_rules(op);
    }
    return changed ? Step::changed : step;
}

// setcond and negsetcond of a value that is 0 or 1 already.
Optimizer::Step Optimizer::boolean_rules(Op& op) {
    uint64_t c = 0;
    const auto cond = static_cast<Cond>(op.cond);
    if (!is_constant(op.args[2], &c) || possible(op.args[1]) > 1 || (cond != Cond::eq && cond != Cond::ne) ||
        c > 1) {
        return Step::keep;
    }
    const bool plain = (cond == Cond::ne) == (c == 0);  // the value itself, not its opposite
    if (op.code == Opcode::setcond) {
        return plain ? to_mov(op, op.args[1]) : to_binary(op, Opcode::xor_, op.args[1], 1);
    }
    return plain ? to_unary(op, Opcode::neg, op.args[1])
                 : to_binary(op, Opcode::add, op.args[1], ones(op.type));
}

Optimizer::Step Optimizer::movcond_rules(Op& op) {
    if (!options_.simplify) {
        return Step::keep;
    }
    if (same(op.args[3], op.args[4])) {
        return to_mov(op, op.args[3]);
    }
    uint64_t x = 0;
    uint64_t y = 0;
    if (!is_constant(op.args[3], &x) || !is_constant(op.args[4], &y) || (x != 0 && y != 0)) {
        return Step::keep;
    }
    const uint64_t other = x | y;
    if (other != 1 && other != ones(op.type)) {
        return Step::keep;
    }
    const auto cond = static_cast<Cond>(op.cond);
    op.code = other == 1 ? Opcode::setcond : Opcode::negsetcond;
    op.cond = static_cast<uint8_t>(y == 0 ? cond : ir::invert(cond));
    op.arg_count = 3;
    return Step::changed;
}

}  // namespace weft::tcg
