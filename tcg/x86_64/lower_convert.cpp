// Conversions between integers and floating point, between its widths, and NaN boxing.

#include "tcg/x86_64/unit_compiler.h"
#include "weft/ir_info.h"

namespace weft::tcg::x86_64 {

using ir::Opcode;
using ir::Type;

namespace {

constexpr uint32_t kUnsigned = 1;  // bits of Op::aux of the conversions
constexpr uint32_t kSixtyFour = 2;

}  // namespace

bool UnitCompiler::lower_convert(const ir::Op& op) {
    switch (op.code) {
        case Opcode::fcvt_to_int:
            fp_to_int(op);
            break;
        case Opcode::fcvt_from_int:
            fp_from_int(op);
            break;
        case Opcode::fcvt_f32_f64:
        case Opcode::fcvt_f64_f32:
            fp_convert(op);
            break;
        case Opcode::fbox:
            fp_box(op);
            break;
        case Opcode::funbox:
            fp_unbox(op);
            break;
        case Opcode::bitcast_int: {
            const Xmm source = use_fp(op.args[1]);
            values_.release_dead(op_index_);
            as_->sse_move(width_of(op.type), gpr(values_.def(op.args[0])), source);
            values_.end_op(op_index_);
            break;
        }
        case Opcode::bitcast_fp: {
            const Gpr source = use(op.args[1]);
            values_.release_dead(op_index_);
            as_->sse_move(width_of(op.type), xmm(values_.def(op.args[0])), source);
            values_.end_op(op_index_);
            break;
        }
        default:
            return false;
    }
    return true;
}

void UnitCompiler::fp_to_int(const ir::Op& op) {
    const bool f64 = op.type == Type::f64;
    const bool is_unsigned = (op.aux & kUnsigned) != 0;
    const Width width = (op.aux & kSixtyFour) != 0 ? Width::q64 : Width::d32;
    const bool truncates = static_cast<ir::Rounding>(op.cond) == ir::Rounding::toward_zero;
    if ((!truncates && !host_rounds(op)) || (is_unsigned && !target_.features.avx512f)) {
        soft_float(op);
        return;
    }
    const Xmm source = use_fp(op.args[1]);
    const FloatRecord record = float_record(op, 0);
    // The source must outlive the result, because softfloat may have to look at it again; so they share no register.
    const Gpr target = gpr(values_.def(op.args[0]));
    if (is_unsigned) {
        const ToUnsigned code = f64 ? (truncates ? ToUnsigned::cvttsd2usi : ToUnsigned::cvtsd2usi)
                                    : (truncates ? ToUnsigned::cvttss2usi : ToUnsigned::cvtss2usi);
        as_->evex(code, width, target, source);
        as_->cmp(width, target, -1);
    } else {
        const ToInt code = f64 ? (truncates ? ToInt::cvttsd2si : ToInt::cvtsd2si)
                               : (truncates ? ToInt::cvttss2si : ToInt::cvtss2si);
        as_->sse(code, width, target, source);
        as_->cmp(width, target, 1);  // overflows for 80..0 alone
    }
    Stub& rare = stub(Stub::Kind::soft_float);
    as_->jcc(is_unsigned ? Cond::e : Cond::o, rare.entry);
    if (width == Width::d32) {
        as_->movsx(Width::q64, Width::d32, target, target);
    }
    rare.soft = record;
    rare.soft.result = host(target);
    rare.resume = as_->offset();
    values_.end_op(op_index_);
}

void UnitCompiler::fp_from_int(const ir::Op& op) {
    const bool f64 = op.type == Type::f64;
    const bool is_unsigned = (op.aux & kUnsigned) != 0;
    const bool wide = (op.aux & kSixtyFour) != 0;
    const bool exact = f64 && !wide;
    if ((!exact && !host_rounds(op)) || (is_unsigned && wide && !target_.features.avx512f)) {
        soft_float(op);
        return;
    }
    Gpr source = use(op.args[1]);
    if (!wide && is_unsigned) {
        // As a signed 64-bit integer.
        const Gpr extended = scratch();
        as_->mov(Width::d32, extended, source);
        source = extended;
    }
    values_.release_dead(op_index_);
    const Xmm target = xmm(values_.def(op.args[0]));
    const Width width = wide || is_unsigned ? Width::q64 : Width::d32;
    if (wide && is_unsigned) {
        as_->sse(Simd::xorps, target, target);
        as_->evex(f64 ? FromUnsigned::cvtusi2sd : FromUnsigned::cvtusi2ss, width, target, target, source);
    } else {
        as_->sse(Simd::xorps, target,
                 target);  // the instruction keeps the upper part: no wait for its old value
        as_->sse(f64 ? FromInt::cvtsi2sd : FromInt::cvtsi2ss, width, target, source);
    }
    values_.end_op(op_index_);
}

void UnitCompiler::fp_convert(const ir::Op& op) {
    const bool widens = op.code == Opcode::fcvt_f32_f64;
    if (!widens && !host_rounds(op)) {
        soft_float(op);
        return;
    }
    const Xmm source = use_fp(op.args[1]);
    values_.release_dead(op_index_);
    const Xmm target = xmm(values_.def(op.args[0], host(source)));
    as_->sse(widens ? Simd::cvtss2sd : Simd::cvtsd2ss, target, source);
    canonicalize(target, widens);
    values_.end_op(op_index_);
}

void UnitCompiler::fp_box(const ir::Op& op) {
    const Xmm source = use_fp(op.args[1]);
    values_.release_dead(op_index_);
    const Xmm target = xmm(values_.def(op.args[0], host(source)));
    if (target != source) {
        as_->sse(SimdMove::movaps, target, source);
    }
    as_->sse(Simd::orps, target, runtime_constant(target_.runtime.box_mask));
    values_.end_op(op_index_);
}

void UnitCompiler::fp_unbox(const ir::Op& op) {
    Place source_place{};
    HostReg target;
    if (values_.in_memory_only(op.args[1], &source_place)) {
        const Mem mem = place(source_place);
        target = values_.def(op.args[0]);
        as_->sse(SimdMove::movss, xmm(target), mem);
        as_->cmp(Width::d32, mem.plus(4), -1);
    } else {
        const Xmm source = use_fp(op.args[1]);
        const Gpr upper = scratch();
        if (target_.features.sse41) {
            as_->sse_extract(Width::d32, upper, source, 1);
        } else {
            as_->sse_move(Width::q64, upper, source);
            as_->shr(Width::q64, upper, 32);
        }
        values_.release_dead(op_index_);
        target = values_.def(op.args[0], host(source));
        if (xmm(target) != source) {
            as_->sse(SimdMove::movaps, xmm(target), source);
        }
        as_->cmp(Width::d32, upper, -1);
    }
    Stub& fix = stub(Stub::Kind::canonical_nan);
    as_->jcc(Cond::ne, fix.entry);
    fix.nan.reg = xmm(target);
    fix.nan.f64 = false;
    fix.resume = as_->offset();
    values_.end_op(op_index_);
}

}  // namespace weft::tcg::x86_64
