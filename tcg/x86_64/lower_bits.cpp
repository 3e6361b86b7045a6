// Shifts, bit fields, bit counts; loads and stores of the guest state.

#include <bit>
#include <cstddef>

#include "tcg/x86_64/unit_compiler.h"
#include "weft/ir_info.h"

namespace weft::tcg::x86_64 {

using ir::Opcode;
using ir::TempIndex;
using ir::Type;

namespace {

constexpr int32_t kPagePc =
    static_cast<int32_t>(offsetof(StateHeader, page_pc)) - static_cast<int32_t>(sizeof(StateHeader));

constexpr Shift shift_of(Opcode code) {
    switch (code) {
        case Opcode::shl:
            return Shift::shl;
        case Opcode::shr:
            return Shift::shr;
        case Opcode::sar:
            return Shift::sar;
        case Opcode::rotl:
            return Shift::rol;
        default:
            return Shift::ror;
    }
}

}  // namespace

bool UnitCompiler::lower_bits(const ir::Op& op) {
    switch (op.code) {
        case Opcode::shl:
        case Opcode::shr:
        case Opcode::sar:
        case Opcode::rotl:
        case Opcode::rotr:
            shift(op);
            break;
        case Opcode::extract:
            extract(op);
            break;
        case Opcode::sextract:
            sextract(op);
            break;
        case Opcode::deposit:
            deposit(op);
            break;
        case Opcode::clz:
        case Opcode::ctz:
            count_zeros(op);
            break;
        case Opcode::ctpop: {
            const Gpr source = use(op.args[1]);
            as_->reg_rm(RegRm::popcnt, width_of(op.type), result(op), source);
            values_.end_op(op_index_);
            break;
        }
        case Opcode::bswap: {
            const Gpr source = use(op.args[1]);
            const Gpr target = result_of(op, width_of(op.type), source);
            as_->bswap(width_of(op.type), target);
            values_.end_op(op_index_);
            break;
        }
        default:
            return false;
    }
    return true;
}

void UnitCompiler::shift_by_constant(const ir::Op& op, unsigned count) {
    const Width width = width_of(op.type);
    const Gpr source = use(op.args[1]);
    const Gpr target = result_of(op, width, source);
    if (count != 0) {
        as_->shift(shift_of(op.code), width, target, count);
    }
    values_.end_op(op_index_);
}

void UnitCompiler::shift(const ir::Op& op) {
    if (values_.is_constant(op.args[2])) {
        shift_by_constant(op,
                          static_cast<unsigned>(values_.temp(op.args[2]).value) & (ir::width(op.type) - 1));
        return;
    }
    const Width width = width_of(op.type);
    const bool rotates = op.code == Opcode::rotl || op.code == Opcode::rotr;
    if (target_.features.bmi2 && !rotates) {
        const Gpr source = use(op.args[1]);
        const Gpr count = use(op.args[2]);
        values_.release_dead(op_index_);
        const BmiCount code = op.code == Opcode::shl   ? BmiCount::shlx
                              : op.code == Opcode::shr ? BmiCount::shrx
                                                       : BmiCount::sarx;
        as_->bmi(code, width, gpr(values_.def(op.args[0])), source, count);
        values_.end_op(op_index_);
        return;
    }
    values_.copy_to(op.args[2], host(Gpr::rcx));
    const Gpr source = use(op.args[1]);
    const Gpr work = scratch();
    as_->mov(width, work, source);
    as_->shift_cl(shift_of(op.code), width, work);
    finish_in(op, work);
}

void UnitCompiler::extract(const ir::Op& op) {
    const Width width = width_of(op.type);
    const unsigned position = op.aux & 0xff;
    const unsigned length = op.aux >> 8;
    const Gpr source = use(op.args[1]);
    const Gpr target = result(op, source);
    if (position == 0 && (length == 8 || length == 16 || length == 32)) {
        if (length == 32 && width == Width::d32) {
            copy(width, target, source);
        } else {
            as_->movzx(length == 8 ? Width::b8 : length == 16 ? Width::w16 : Width::d32, target, source);
        }
    } else {
        const unsigned bits = ir::width(op.type);
        const Width narrow = position + length <= 32 ? Width::d32 : width;
        if (position == 0 && length > 31) {
            copy(width, target, source);
            if (length < bits) {
                as_->shl(width, target, bits - length);
                as_->shr(width, target, bits - length);
            }
        } else {
            copy(narrow, target, source);
            if (position != 0) {
                as_->shr(narrow, target, position);
            }
            if (length == 8 || length == 16) {
                as_->movzx(length == 8 ? Width::b8 : Width::w16, target, target);
            } else if (position + length < ir::width(narrow == Width::d32 ? Type::i32 : Type::i64)) {
                if (length <= 31) {
                    as_->and_(Width::d32, target, static_cast<int64_t>((uint64_t{1} << length) - 1));
                } else if (length == 32) {
                    as_->mov(Width::d32, target, target);
                } else {
                    as_->shl(width, target, bits - length);
                    as_->shr(width, target, bits - length);
                }
            } else if (target == source && position == 0) {
                as_->mov(narrow, target, target);
            }
        }
    }
    values_.end_op(op_index_);
}

void UnitCompiler::sextract(const ir::Op& op) {
    const Width width = width_of(op.type);
    const unsigned bits = ir::width(op.type);
    const unsigned position = op.aux & 0xff;
    const unsigned length = op.aux >> 8;
    const Gpr source = use(op.args[1]);
    const Gpr target = result(op, source);
    if (position == 0 && length < bits && (length == 8 || length == 16 || length == 32)) {
        as_->movsx(width, length == 8 ? Width::b8 : length == 16 ? Width::w16 : Width::d32, target, source);
    } else {
        copy(width, target, source);
        if (position + length < bits) {
            as_->shl(width, target, bits - length - position);
        }
        if (length < bits) {
            as_->sar(width, target, bits - length);
        }
    }
    values_.end_op(op_index_);
}

void UnitCompiler::deposit(const ir::Op& op) {
    const Width width = width_of(op.type);
    const unsigned bits = ir::width(op.type);
    const unsigned position = op.aux & 0xff;
    const unsigned length = op.aux >> 8;
    const Gpr base = use(op.args[1]);
    const Gpr field = use(op.args[2]);
    if (length == bits) {
        result_of(op, width, field);
        values_.end_op(op_index_);
        return;
    }
    const Gpr work = scratch();
    as_->mov(width, work, base);
    if (position == 0 && (length == 8 || length == 16)) {
        as_->mov(length == 8 ? Width::b8 : Width::w16, work, field);
    } else {
        // The field's bits are turned to the bottom, shifted out while the new ones come in at the top, and turned back.
        if (position != 0) {
            as_->ror(width, work, position);
        }
        as_->double_shift(DoubleShift::shrd, width, work, field, length);
        as_->rol(width, work, (length + position) & (bits - 1));
    }
    finish_in(op, work);
}

void UnitCompiler::count_zeros(const ir::Op& op) {
    const Width width = width_of(op.type);
    const unsigned bits = ir::width(op.type);
    const bool leading = op.code == Opcode::clz;
    const Gpr source = use(op.args[1]);
    if (leading ? target_.features.lzcnt : target_.features.bmi1) {
        as_->reg_rm(leading ? RegRm::lzcnt : RegRm::tzcnt, width, result(op), source);
        values_.end_op(op_index_);
        return;
    }
    // bsr and bsf leave their destination alone, or undefined, for zero, and set ZF.
    const Gpr work = scratch();
    const Gpr of_zero = scratch();
    as_->mov_imm(of_zero, leading ? 2 * bits - 1 : bits);
    as_->reg_rm(leading ? RegRm::bsr : RegRm::bsf, width, work, source);
    as_->cmov(Cond::e, width, work, of_zero);
    if (leading) {
        as_->xor_(Width::d32, work, static_cast<int64_t>(bits - 1));
    }
    finish_in(op, work);
}

bool UnitCompiler::lower_state(const ir::Op& op) {
    switch (op.code) {
        case Opcode::ld8u:
        case Opcode::ld8s:
        case Opcode::ld16u:
        case Opcode::ld16s:
        case Opcode::ld32u:
        case Opcode::ld32s:
        case Opcode::ld:
            state_load(op);
            break;
        case Opcode::st8:
        case Opcode::st16:
        case Opcode::st32:
        case Opcode::st:
            state_store(op);
            break;
        default:
            return false;
    }
    return true;
}

void UnitCompiler::pc_add(const ir::Op& op) {
    const Gpr target = gpr(values_.def(op.args[0]));
    const auto offset = static_cast<int32_t>(op.aux);
    as_->mov(Width::q64, target, at_state(kPagePc));
    if (offset != 0) {
        as_->add(Width::q64, target, offset);
    }
    page_pc_add_ = &op;
    values_.end_op(op_index_);
}

void UnitCompiler::state_load(const ir::Op& op) {
    const Mem place = at_state(static_cast<int32_t>(op.aux));
    const HostReg target = values_.def(op.args[0]);
    const Width width = width_of(op.type);
    switch (op.code) {
        case Opcode::ld8u:
            as_->movzx(Width::b8, gpr(target), place);
            break;
        case Opcode::ld16u:
            as_->movzx(Width::w16, gpr(target), place);
            break;
        case Opcode::ld32u:
            as_->mov(Width::d32, gpr(target), place);
            break;
        case Opcode::ld8s:
            as_->movsx(width, Width::b8, gpr(target), place);
            break;
        case Opcode::ld16s:
            as_->movsx(width, Width::w16, gpr(target), place);
            break;
        case Opcode::ld32s:
            if (width == Width::d32) {
                as_->mov(Width::d32, gpr(target), place);
            } else {
                as_->movsx(width, Width::d32, gpr(target), place);
            }
            break;
        default:
            load(op.type, target, Place{true, static_cast<int32_t>(op.aux)});
            break;
    }
    values_.end_op(op_index_);
}

void UnitCompiler::state_store(const ir::Op& op) {
    const auto offset = static_cast<int32_t>(op.aux);
    const Width width = op.code == Opcode::st8    ? Width::b8
                        : op.code == Opcode::st16 ? Width::w16
                        : op.code == Opcode::st32 ? Width::d32
                                                  : width_of(op.type);
    int64_t value = 0;
    if (ir::is_fp(op.type)) {
        store(op.type, Place{true, offset}, values_.use(op.args[0]));
    } else if (immediate(op.args[0], op.type, &value)) {
        const int64_t narrow = width == Width::b8    ? static_cast<int8_t>(value)
                               : width == Width::w16 ? static_cast<int16_t>(value)
                               : width == Width::d32 ? static_cast<int32_t>(value)
                                                     : value;
        as_->mov(width, at_state(offset), narrow);
    } else {
        as_->mov(width, at_state(offset), use(op.args[0]));
    }
    values_.end_op(op_index_);
}

}  // namespace weft::tcg::x86_64
