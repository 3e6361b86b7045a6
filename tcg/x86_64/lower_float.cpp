// Floating-point arithmetic by the host's SSE unit, and what differs from RISC-V's.
//
//   x86-64                                  | wanted                          | here
//   NaN results: operand's or negative      | canonical, positive             | ucomis result, fix out of line
//   fma(inf, 0, qNaN) raises nothing        | invalid                         | NaN results are computed again by softfloat
//   min/max: second operand on NaN or equal | minimumNumber, -0 < +0          | NaN or equal: softfloat out of line
//   ties away from zero: none               | rounding mode RMM               | softfloat
//   rounding other than the unit's          | static rounding modes           | softfloat
//   no FMA (before FMA3)                    | fused, rounded once             | softfloat
//   conversions out of range: 80..0         | saturated                       | that result: softfloat out of line
//   unsigned conversions (before AVX-512)   | there                           | softfloat
// Tininess is detected after rounding by both (SDM volume 1, 4.9.1.5).

#include <cstddef>

#include "tcg/exec_state.h"
#include "tcg/ir/outputs.h"
#include "tcg/x86_64/slow_path.h"
#include "tcg/x86_64/unit_compiler.h"
#include "weft/ir_info.h"

namespace weft::tcg::x86_64 {

using ir::Opcode;
using ir::TempIndex;
using ir::Type;

namespace {

// The scalar instruction for the op; ss and sd alternate in the table.
constexpr Simd scalar_of(Opcode code, bool f64) {
    const auto of = [f64](Simd ss, Simd sd) { return f64 ? sd : ss; };
    switch (code) {
        case Opcode::fadd:
            return of(Simd::addss, Simd::addsd);
        case Opcode::fsub:
            return of(Simd::subss, Simd::subsd);
        case Opcode::fmul:
            return of(Simd::mulss, Simd::mulsd);
        case Opcode::fdiv:
            return of(Simd::divss, Simd::divsd);
        case Opcode::fmin:
            return of(Simd::minss, Simd::minsd);
        case Opcode::fmax:
            return of(Simd::maxss, Simd::maxsd);
        default:
            return of(Simd::sqrtss, Simd::sqrtsd);
    }
}

constexpr Fma fma_of(Opcode code) {
    switch (code) {
        case Opcode::fmadd:
            return Fma::madd;
        case Opcode::fmsub:
            return Fma::msub;
        case Opcode::fnmadd:
            return Fma::nmsub;  // x86 calls -(a * b) - c "nmsub"
        default:
            return Fma::nmadd;
    }
}

constexpr int64_t kAllFpFlags = 31;
constexpr int32_t kGuestMxcsr = exec_offset(offsetof(ExecState, guest_mxcsr));
constexpr int32_t kFpFlags = exec_offset(offsetof(ExecState, header) + offsetof(StateHeader, fp_flags));

}  // namespace

bool UnitCompiler::lower_float(const ir::Op& op) {
    switch (op.code) {
        case Opcode::fadd:
        case Opcode::fsub:
        case Opcode::fmul:
        case Opcode::fdiv:
        case Opcode::fsqrt:
            fp_arithmetic(op);
            break;
        case Opcode::fmadd:
        case Opcode::fmsub:
        case Opcode::fnmadd:
        case Opcode::fnmsub:
            fp_fused(op);
            break;
        case Opcode::fmin:
        case Opcode::fmax:
            fp_min_max(op);
            break;
        case Opcode::feq:
        case Opcode::flt:
        case Opcode::fle:
            fp_compare(op);
            break;
        case Opcode::fsgnj:
        case Opcode::fsgnjn:
        case Opcode::fsgnjx:
            fp_sign(op);
            break;
        case Opcode::fpflags_get:
            target_.inline_fp_flags ? fp_flags_get(op) : soft_float(op);
            break;
        case Opcode::fpflags_set:
            target_.inline_fp_flags ? fp_flags_set(op) : soft_float(op);
            break;
        case Opcode::fclass:
            soft_float(op);
            break;
        default:
            return lower_convert(op);
    }
    return true;
}

void UnitCompiler::simd(Simd op, Xmm d, Xmm a, Xmm b) {
    if (target_.features.avx) {
        as_->avx(op, d, a, b);
        return;
    }
    if (d == b && d != a) {
        as_->sse(SimdMove::movaps, kXmmScratch, b);
        b = kXmmScratch;
    }
    if (d != a) {
        as_->sse(SimdMove::movaps, d, a);
    }
    as_->sse(op, d, b);
}

bool UnitCompiler::host_rounds(const ir::Op& op) const {
    const auto rounding = static_cast<ir::Rounding>(op.cond);
    return rounding == unit_->fp_rounding && rounding != ir::Rounding::nearest_away;
}

FloatRecord UnitCompiler::float_record(const ir::Op& op, HostReg result) const {
    FloatRecord record{};
    record.op = static_cast<uint8_t>(op.code);
    record.type = static_cast<uint8_t>(op.type);
    record.rounding = op.cond;
    record.aux = static_cast<uint8_t>(op.aux);
    record.result = result;
    const unsigned outputs = output_count(op, target_.helpers);
    HostReg* const inputs[] = {&record.a, &record.b, &record.c};
    for (unsigned i = outputs; i < op.arg_count; ++i) {
        *inputs[i - outputs] = values_.where(op.args[i]);
    }
    return record;
}

void UnitCompiler::soft_float(const ir::Op& op) {
    const unsigned outputs = output_count(op, target_.helpers);
    for (unsigned i = outputs; i < op.arg_count; ++i) {
        values_.use(op.args[i]);
    }
    FloatRecord record = float_record(op, 0);
    values_.release_dead(op_index_);
    if (outputs != 0) {
        record.result = values_.def(op.args[0]);
    }
    as_->call_rel32(runtime(target_.runtime.soft_float));
    write_record(record, as_->offset() + static_cast<uint32_t>(sizeof(FloatRecord)));
    values_.end_op(op_index_);
}

void UnitCompiler::canonicalize(Xmm reg, bool f64) {
    as_->sse(f64 ? SimdCompare::ucomisd : SimdCompare::ucomiss, reg, reg);
    Stub& fix = stub(Stub::Kind::canonical_nan);
    as_->jcc(Cond::p, fix.entry);
    fix.nan.reg = reg;
    fix.nan.f64 = f64;
    fix.resume = as_->offset();
}

void UnitCompiler::fp_arithmetic(const ir::Op& op) {
    if (!host_rounds(op)) {
        soft_float(op);
        return;
    }
    const bool f64 = op.type == Type::f64;
    const Xmm a = use_fp(op.args[1]);
    const Xmm b = op.code == Opcode::fsqrt ? a : use_fp(op.args[2]);
    values_.release_dead(op_index_);
    const Xmm target = xmm(values_.def(op.args[0], host(a)));
    simd(scalar_of(op.code, f64), target, a, b);
    canonicalize(target, f64);
    values_.end_op(op_index_);
}

void UnitCompiler::fp_fused(const ir::Op& op) {
    if (!host_rounds(op) || !target_.features.fma) {
        soft_float(op);
        return;
    }
    const bool f64 = op.type == Type::f64;
    const Xmm a = use_fp(op.args[1]);
    const Xmm b = use_fp(op.args[2]);
    const Xmm c = use_fp(op.args[3]);
    // The result is written last, so that NaNs can be computed again from the inputs, whose registers it may share.
    const FloatRecord record = float_record(op, 0);
    values_.release_dead(op_index_);
    const HostReg target = values_.def(op.args[0]);
    as_->sse(SimdMove::movaps, kXmmScratch, c);
    as_->fma(fma_of(op.code), FmaOrder::o231, f64 ? Precision::sd : Precision::ss, kXmmScratch, a, b);
    as_->sse(f64 ? SimdCompare::ucomisd : SimdCompare::ucomiss, kXmmScratch, kXmmScratch);
    Stub& again = stub(Stub::Kind::soft_float);
    as_->jcc(Cond::p, again.entry);
    again.soft = record;
    as_->sse(SimdMove::movaps, xmm(target), kXmmScratch);
    again.soft.result = target;
    again.resume = as_->offset();
    values_.end_op(op_index_);
}

void UnitCompiler::fp_min_max(const ir::Op& op) {
    const bool f64 = op.type == Type::f64;
    const Xmm a = use_fp(op.args[1]);
    const Xmm b = use_fp(op.args[2]);
    const FloatRecord record = float_record(op, 0);
    values_.release_dead(op_index_);
    const HostReg target = values_.def(op.args[0], host(a));
    as_->sse(f64 ? SimdCompare::ucomisd : SimdCompare::ucomiss, a, b);
    Stub& rare = stub(Stub::Kind::soft_float);
    as_->jcc(Cond::e, rare.entry);  // equal or unordered
    rare.soft = record;
    simd(scalar_of(op.code, f64), xmm(target), a, b);
    rare.soft.result = target;
    rare.resume = as_->offset();
    values_.end_op(op_index_);
}

void UnitCompiler::fp_compare(const ir::Op& op) {
    // cmps* predicates: 0 equal (quiet), 1 less, 2 less or equal (signalling); SDM volume 2, CMPSD.
    const uint8_t predicate = op.code == Opcode::feq ? 0 : op.code == Opcode::flt ? 1 : 2;
    const bool f64 = op.type == Type::f64;
    const Xmm a = use_fp(op.args[1]);
    const Xmm b = use_fp(op.args[2]);
    as_->sse(SimdMove::movaps, kXmmScratch, a);
    as_->sse(f64 ? SimdImm::cmpsd : SimdImm::cmpss, kXmmScratch, b, predicate);
    values_.release_dead(op_index_);
    const Gpr target = gpr(values_.def(op.args[0]));
    as_->sse_move(Width::d32, target, kXmmScratch);
    as_->and_(Width::d32, target, 1);
    values_.end_op(op_index_);
}

void UnitCompiler::fp_sign(const ir::Op& op) {
    const bool f64 = op.type == Type::f64;
    const Mem sign = runtime_constant(f64 ? target_.runtime.sign_f64 : target_.runtime.sign_f32);
    const Xmm a = use_fp(op.args[1]);
    if (op.args[1] == op.args[2]) {
        // mv, neg, abs
        values_.release_dead(op_index_);
        const Xmm target = xmm(values_.def(op.args[0], host(a)));
        if (op.code == Opcode::fsgnjx) {
            as_->sse(SimdMove::movaps, kXmmScratch, sign);
            as_->sse(Simd::andnps, kXmmScratch, a);
            as_->sse(SimdMove::movaps, target, kXmmScratch);
        } else {
            if (target != a) {
                as_->sse(SimdMove::movaps, target, a);
            }
            if (op.code == Opcode::fsgnjn) {
                as_->sse(Simd::xorps, target, sign);
            }
        }
        values_.end_op(op_index_);
        return;
    }
    const Xmm b = use_fp(op.args[2]);
    // The sign to apply, as a mask in the scratch register, and then the rest of a.
    const Xmm work = xmm(values_.scratch(kLocalXmms));
    as_->sse(SimdMove::movaps, kXmmScratch, sign);
    as_->sse(SimdMove::movaps, work, b);
    as_->sse(Simd::andps, work, kXmmScratch);
    if (op.code == Opcode::fsgnjx) {
        as_->sse(Simd::xorps, work, a);
    } else {
        if (op.code == Opcode::fsgnjn) {
            as_->sse(Simd::xorps, work, kXmmScratch);
        }
        as_->sse(Simd::andnps, kXmmScratch, a);
        as_->sse(Simd::orps, work, kXmmScratch);
    }
    values_.release_dead(op_index_);
    values_.unlock(host(work));
    const Xmm target = xmm(values_.def(op.args[0], host(work)));
    if (target != work) {
        as_->sse(SimdMove::movaps, target, work);
    }
    values_.end_op(op_index_);
}

// What softfloat raised is in the header, what the host raised in MXCSR.
void UnitCompiler::fp_flags_get(const ir::Op& op) {
    const Gpr table = scratch();
    const Gpr target = result(op);
    as_->sse(Mxcsr::stmxcsr, at_state(kGuestMxcsr));
    as_->mov(Width::d32, target, at_state(kGuestMxcsr));
    as_->lea(Width::q64, table, runtime_constant(target_.runtime.fp_flags));
    as_->and_(Width::d32, target, kMxcsrExceptions);
    as_->movzx(Width::b8, target, Mem(table, target, 1));
    as_->or_(Width::d32, target, at_state(kFpFlags));
    values_.end_op(op_index_);
}

// Everything goes to the header. What MXCSR is but for its exceptions is known, and not read: a second stmxcsr shortly after
// that of an fpflags_get costs as much as twenty additions.
void UnitCompiler::fp_flags_set(const ir::Op& op) {
    int64_t value = 0;
    if (immediate(op.args[0], Type::i64, &value)) {
        as_->mov(Width::d32, at_state(kFpFlags), value & kAllFpFlags);
    } else {
        const Gpr flags = use(op.args[0]);
        const Gpr work = scratch();
        as_->mov(Width::d32, work, flags);
        as_->and_(Width::d32, work, kAllFpFlags);
        as_->mov(Width::d32, at_state(kFpFlags), work);
    }
    as_->mov(Width::d32, at_state(kGuestMxcsr), int64_t{clear_mxcsr(unit_->fp_rounding)});
    as_->sse(Mxcsr::ldmxcsr, at_state(kGuestMxcsr));
    values_.end_op(op_index_);
}

}  // namespace weft::tcg::x86_64
