// Integer arithmetic, moves, selections and the guest state.

#include "tcg/x86_64/unit_compiler.h"
#include "weft/ir_info.h"

namespace weft::tcg::x86_64 {

using ir::Opcode;
using ir::TempIndex;
using ir::Type;

bool UnitCompiler::lower_integer(const ir::Op& op) {
    switch (op.code) {
        case Opcode::mov:
        case Opcode::extrl_i64_i32:
        case Opcode::ext_i32_i64:
        case Opcode::extu_i32_i64:
            mov(op);
            break;
        case Opcode::pc_add:
            pc_add(op);
            break;
        case Opcode::add:
            add(op);
            break;
        case Opcode::sub:
            sub(op);
            break;
        case Opcode::and_:
            alu(op, Alu::and_);
            break;
        case Opcode::or_:
            alu(op, Alu::or_);
            break;
        case Opcode::xor_:
            alu(op, Alu::xor_);
            break;
        case Opcode::neg:
            unary(op, Unary::neg);
            break;
        case Opcode::not_:
            unary(op, Unary::not_);
            break;
        case Opcode::andc:
        case Opcode::orc:
        case Opcode::eqv:
            with_complement(op);
            break;
        case Opcode::mul:
            multiply(op);
            break;
        case Opcode::mulsh:
        case Opcode::muluh:
        case Opcode::mulsuh:
            multiply_high(op);
            break;
        case Opcode::divs:
        case Opcode::divu:
        case Opcode::rems:
        case Opcode::remu:
            divide(op);
            break;
        case Opcode::smin:
            min_max(op, Cond::l);
            break;
        case Opcode::smax:
            min_max(op, Cond::g);
            break;
        case Opcode::umin:
            min_max(op, Cond::b);
            break;
        case Opcode::umax:
            min_max(op, Cond::a);
            break;
        case Opcode::setcond:
        case Opcode::negsetcond:
            setcond(op);
            break;
        case Opcode::movcond:
            movcond(op);
            break;
        default:
            return lower_bits(op) || lower_state(op);
    }
    return true;
}

void UnitCompiler::mov(const ir::Op& op) {
    // extrl only forgets the upper half, and nothing is said of an i32's: it is a mov of 32 bits.
    const TempIndex to = op.args[0];
    const TempIndex from = op.args[1];
    if (op.code == Opcode::mov && ir::is_fp(op.type)) {
        const Xmm source = use_fp(from);
        values_.release_dead(op_index_);
        const Xmm target = xmm(values_.def(to, host(source)));
        if (target != source) {
            as_->sse(SimdMove::movaps, target, source);
        }
        values_.end_op(op_index_);
        return;
    }
    if (op.code == Opcode::mov && values_.is_constant(from)) {
        const uint64_t value = values_.temp(from).value;
        const Gpr target = gpr(values_.def(to));
        constant(op.type, host(target), value);
        values_.end_op(op_index_);
        return;
    }
    const Gpr source = use(from);
    values_.release_dead(op_index_);
    const Gpr target = gpr(values_.def(to, host(source)));
    if (op.code == Opcode::ext_i32_i64) {
        as_->movsx(Width::q64, Width::d32, target, source);
    } else if (op.code == Opcode::extu_i32_i64) {
        as_->mov(Width::d32, target, source);
    } else if (target != source) {
        as_->mov(op.code == Opcode::mov ? width_of(op.type) : Width::d32, target, source);
    }
    values_.end_op(op_index_);
}

void UnitCompiler::alu(const ir::Op& op, Alu code) {
    // add, and, or, xor: the operands may be exchanged.
    const Width width = width_of(op.type);
    TempIndex a = op.args[1];
    TempIndex b = op.args[2];
    int64_t value = 0;
    if (values_.is_constant(a) && !values_.is_constant(b)) {
        std::swap(a, b);
    }
    if (in_home(a) && !in_home(b)) {
        std::swap(a, b);
    }
    const Gpr left = use(a);
    if (immediate(b, op.type, &value)) {
        const Gpr target = result_of(op, width, left);
        as_->alu(code, width, target, value);
    } else if (in_home(b)) {
        const Mem right = home(b);
        const Gpr target = result_of(op, width, left);
        as_->alu(code, width, target, right);
    } else {
        const Gpr right = use(b);
        const Gpr target = result(op, left);
        if (target == right) {
            as_->alu(code, width, target, left);
        } else {
            copy(width, target, left);
            as_->alu(code, width, target, right);
        }
    }
    values_.end_op(op_index_);
}

void UnitCompiler::add(const ir::Op& op) {
    const Width width = width_of(op.type);
    TempIndex a = op.args[1];
    TempIndex b = op.args[2];
    int64_t value = 0;
    if (values_.is_constant(a) && !values_.is_constant(b)) {
        std::swap(a, b);
    }
    const bool by_immediate = immediate(b, op.type, &value);
    if (!by_immediate && (in_home(a) || in_home(b))) {
        alu(op, Alu::add);
        return;
    }
    const Gpr left = use(a);
    const Gpr right = by_immediate ? left : use(b);
    const Gpr target = result(op, left);
    if (by_immediate) {
        if (target == left) {
            as_->add(width, target, value);
        } else {
            as_->lea(width, target, Mem(left, static_cast<int32_t>(value)));
        }
    } else if (target == left) {
        as_->add(width, target, right);
    } else if (target == right) {
        as_->add(width, target, left);
    } else {
        as_->lea(width, target, Mem(left, right, 1));
    }
    values_.end_op(op_index_);
}

void UnitCompiler::sub(const ir::Op& op) {
    const Width width = width_of(op.type);
    int64_t value = 0;
    if (immediate(op.args[1], op.type, &value) && value == 0) {
        const Gpr right = use(op.args[2]);
        const Gpr target = result_of(op, width, right);
        as_->neg(width, target);
        values_.end_op(op_index_);
        return;
    }
    const Gpr left = use(op.args[1]);
    const bool by_immediate = immediate(op.args[2], op.type, &value);
    if (!by_immediate && in_home(op.args[2])) {
        const Mem right = home(op.args[2]);
        as_->sub(width, result_of(op, width, left), right);
        values_.end_op(op_index_);
        return;
    }
    const Gpr right = by_immediate ? left : use(op.args[2]);
    const Gpr target = result(op, left);
    if (by_immediate) {
        copy(width, target, left);
        as_->sub(width, target, value);
    } else if (target == left) {
        as_->sub(width, target, right);
    } else if (target == right) {
        as_->neg(width, target);
        as_->add(width, target, left);
    } else {
        as_->mov(width, target, left);
        as_->sub(width, target, right);
    }
    values_.end_op(op_index_);
}

void UnitCompiler::unary(const ir::Op& op, Unary code) {
    const Width width = width_of(op.type);
    const Gpr source = use(op.args[1]);
    const Gpr target = result_of(op, width, source);
    as_->unary(code, width, target);
    values_.end_op(op_index_);
}

// andc: a & ~b, orc: a | ~b, eqv: ~(a ^ b).
void UnitCompiler::with_complement(const ir::Op& op) {
    const Width width = width_of(op.type);
    const Gpr a = use(op.args[1]);
    const Gpr b = use(op.args[2]);
    if (op.code == Opcode::andc && target_.features.bmi1) {
        as_->bmi(BmiNds::andn, width, result(op), b, a);
        values_.end_op(op_index_);
        return;
    }
    const Gpr work = scratch();
    as_->mov(width, work, b);
    if (op.code == Opcode::eqv) {
        as_->xor_(width, work, a);
        as_->not_(width, work);
    } else {
        as_->not_(width, work);
        as_->alu(op.code == Opcode::andc ? Alu::and_ : Alu::or_, width, work, a);
    }
    as_->mov(width, result(op), work);
    values_.end_op(op_index_);
}

void UnitCompiler::multiply(const ir::Op& op) {
    const Width width = width_of(op.type);
    TempIndex a = op.args[1];
    TempIndex b = op.args[2];
    int64_t value = 0;
    if (values_.is_constant(a) && !values_.is_constant(b)) {
        std::swap(a, b);
    }
    const Gpr left = use(a);
    if (immediate(b, op.type, &value)) {
        as_->imul(width, result(op, left), left, value);
        values_.end_op(op_index_);
        return;
    }
    if (in_home(b)) {
        const Mem right = home(b);
        as_->imul(width, result_of(op, width, left), right);
        values_.end_op(op_index_);
        return;
    }
    const Gpr right = use(b);
    const Gpr target = result(op, left);
    if (target == right) {
        as_->imul(width, target, left);
    } else {
        copy(width, target, left);
        as_->imul(width, target, right);
    }
    values_.end_op(op_index_);
}

// rdx:rax = rax * b (SDM volume 2, MUL and IMUL); the high half is the result.
void UnitCompiler::multiply_high(const ir::Op& op) {
    const Width width = width_of(op.type);
    const bool is_unsigned = op.code == Opcode::muluh;
    values_.copy_to(op.args[1], host(Gpr::rax));
    values_.evict(mask(Gpr::rdx));
    const Gpr right =
        gpr(values_.use(op.args[2], values_.class_of(op.type) & ~mask(Gpr::rdx) & ~mask(Gpr::rax)));
    values_.evict(mask(Gpr::rdx));
    values_.lock(host(Gpr::rdx));
    if (op.code == Opcode::mulsuh) {
        // high(signed a * unsigned b) = high(unsigned a * unsigned b) - (a < 0 ? b : 0)
        const Gpr correction = scratch();
        as_->mov(width, correction, Gpr::rax);
        as_->sar(width, correction, ir::width(op.type) - 1);
        as_->and_(width, correction, right);
        as_->unary(Unary::mul, width, right);
        as_->sub(width, Gpr::rdx, correction);
    } else {
        as_->unary(is_unsigned ? Unary::mul : Unary::imul, width, right);
    }
    finish_in(op, Gpr::rdx);
}

// The result lies in `from`, which is locked and owned by nobody.
void UnitCompiler::finish_in(const ir::Op& op, Gpr from) {
    values_.release_dead(op_index_);
    values_.unlock(host(from));
    const Gpr target = gpr(values_.def(op.args[0], host(from)));
    copy(width_of(op.type), target, from);
    values_.end_op(op_index_);
}

void UnitCompiler::divide(const ir::Op& op) {
    const Width width = width_of(op.type);
    values_.copy_to(op.args[1], host(Gpr::rax));
    values_.evict(mask(Gpr::rdx));
    const Gpr divisor =
        gpr(values_.use(op.args[2], values_.class_of(op.type) & ~mask(Gpr::rdx) & ~mask(Gpr::rax)));
    values_.evict(mask(Gpr::rdx));
    values_.lock(host(Gpr::rdx));
    if (op.code == Opcode::divs || op.code == Opcode::rems) {
        if (width == Width::q64) {
            as_->cqo();
        } else {
            as_->cdq();
        }
        as_->unary(Unary::idiv, width, divisor);
    } else {
        as_->mov_imm(Gpr::rdx, 0);
        as_->unary(Unary::div, width, divisor);
    }
    finish_in(op, op.code == Opcode::divs || op.code == Opcode::divu ? Gpr::rax : Gpr::rdx);
}

void UnitCompiler::min_max(const ir::Op& op, Cond keep_first) {
    const Width width = width_of(op.type);
    const Gpr a = use(op.args[1]);
    const Gpr b = use(op.args[2]);
    const Gpr target = result(op, a);
    as_->cmp(width, a, b);
    if (target == b) {
        as_->cmov(keep_first, width, target, a);
    } else {
        copy(width, target, a);
        as_->cmov(invert(keep_first), width, target, b);
    }
    values_.end_op(op_index_);
}

void UnitCompiler::setcond(const ir::Op& op) {
    const Cond cond = compare(static_cast<ir::Cond>(op.cond), op.type, op.args[1], op.args[2]);
    const Gpr target = result(op);
    as_->set(cond, target);
    as_->movzx(Width::b8, target, target);
    if (op.code == Opcode::negsetcond) {
        as_->neg(width_of(op.type), target);
    }
    values_.end_op(op_index_);
}

void UnitCompiler::movcond(const ir::Op& op) {
    const Width width = width_of(op.type);
    // The arms are fetched first: materialising a constant keeps the flags, but eviction order must not matter.
    const Gpr x = use(op.args[3]);
    const Gpr y = use(op.args[4]);
    const RegMask arms = values_.locked();
    const Cond cond = compare(static_cast<ir::Cond>(op.cond), op.type, op.args[1], op.args[2]);
    values_.unlock_but(arms);  // the flags have what was compared
    const Gpr target = result(op, y);
    if (target == x) {
        as_->cmov(invert(cond), width, target, y);
    } else {
        copy(width, target, y);
        as_->cmov(cond, width, target, x);
    }
    values_.end_op(op_index_);
}

}  // namespace weft::tcg::x86_64
