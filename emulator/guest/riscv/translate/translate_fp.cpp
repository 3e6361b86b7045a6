// The F and D extensions.
//
// Registers are 64 bits wide. A single-precision value is NaN-boxed: what reads one goes through f32(), what
// writes one through set_f32() (unprivileged specification, "NaN Boxing of Narrower Values").
#include <cstddef>

#include "emulator/guest/riscv/translate/translator.h"

namespace weft::riscv {

using ir::Opcode;
using ir::Type;

namespace {

constexpr uint64_t kMstatusFsDirty = uint64_t{3} << 13;
constexpr uint64_t kMstatusSd = uint64_t{1} << 63;

}  // namespace

bool Translator::needs_fp(const Insn& insn) {
    if (flags_.fp() == FpState::off) {
        illegal(insn);
        return false;
    }
    return true;
}

bool Translator::rounding(const Insn& insn, ir::Rounding* result) {
    const unsigned mode = insn.rm == kRoundingDynamic ? flags_.frm() : insn.rm;
    if (mode > static_cast<unsigned>(ir::Rounding::nearest_away)) {
        illegal(insn);
        return false;
    }
    *result = static_cast<ir::Rounding>(mode);
    return true;
}

void Translator::finish_fp_write() {
    constexpr int32_t kMstatus = static_cast<int32_t>(offsetof(State, mstatus));
    const ir::I64 mstatus = b_.load_state<ir::I64>(Opcode::ld, kMstatus);
    b_.store_state(Opcode::st, b_.or_(mstatus, b_.imm(kMstatusFsDirty | kMstatusSd)), kMstatus);
}

namespace semantics {

using ir::F32;
using ir::F64;
using ir::I32;
using ir::I64;
using ir::Rounding;

namespace {

// A register as an operand of type V, and a result of that type into one.
template <class V>
V operand(Translator& t, unsigned n) {
    if constexpr (V::type == Type::f32) {
        return t.f32(n);
    } else {
        return t.f(n);
    }
}

// Emits an op whose one result goes into f[rd]; `args` are temps of any type.
template <class V, class... Args>
void emit_f(Translator& t, unsigned rd, Opcode code, Type type, uint8_t cond, uint32_t aux, Args... args) {
    if constexpr (V::type == Type::f32) {
        const F32 result = t.b().temp<F32>();
        t.b().emit(code, type, cond, aux, result.index, args.index...);
        t.set_f32(rd, result);
    } else {
        t.b().emit(code, type, cond, aux, t.f_out(rd).index, args.index...);
    }
}

bool begins(Translator& t, const Insn& insn, Rounding* rounding) {
    return t.needs_fp(insn) && t.rounding(insn, rounding);
}

template <class V>
void arithmetic(Translator& t, const Insn& insn, Opcode code) {
    Rounding rounding;
    if (begins(t, insn, &rounding)) {
        emit_f<V>(t, insn.rd, code, V::type, static_cast<uint8_t>(rounding), 0, operand<V>(t, insn.rs1),
                  operand<V>(t, insn.rs2));
    }
}

template <class V>
void square_root(Translator& t, const Insn& insn) {
    Rounding rounding;
    if (begins(t, insn, &rounding)) {
        emit_f<V>(t, insn.rd, Opcode::fsqrt, V::type, static_cast<uint8_t>(rounding), 0,
                  operand<V>(t, insn.rs1));
    }
}

template <class V>
void fused(Translator& t, const Insn& insn, Opcode code) {
    Rounding rounding;
    if (begins(t, insn, &rounding)) {
        emit_f<V>(t, insn.rd, code, V::type, static_cast<uint8_t>(rounding), 0, operand<V>(t, insn.rs1),
                  operand<V>(t, insn.rs2), operand<V>(t, insn.rs3));
    }
}

// Minimum, maximum and sign injection: no rounding.
template <class V>
void selection(Translator& t, const Insn& insn, Opcode code) {
    if (t.needs_fp(insn)) {
        emit_f<V>(t, insn.rd, code, V::type, 0, 0, operand<V>(t, insn.rs1), operand<V>(t, insn.rs2));
    }
}

template <class V>
void compare(Translator& t, const Insn& insn, Opcode code) {
    if (t.needs_fp(insn)) {
        t.emit_x(insn.rd, code, V::type, 0, 0, operand<V>(t, insn.rs1), operand<V>(t, insn.rs2));
        t.writes_fp_state();
    }
}

template <class V>
void classify(Translator& t, const Insn& insn) {
    if (t.needs_fp(insn) && insn.rd != 0) {
        t.emit_x(insn.rd, Opcode::fclass, V::type, 0, 0, operand<V>(t, insn.rs1));
    }
}

// The auxiliary word of fcvt_to_int and fcvt_from_int.
enum IntKind : uint32_t { kSigned32 = 0, kUnsigned32 = 1, kSigned64 = 2, kUnsigned64 = 3 };

template <class V>
void to_int(Translator& t, const Insn& insn, IntKind kind) {
    Rounding rounding;
    if (begins(t, insn, &rounding)) {
        t.emit_x(insn.rd, Opcode::fcvt_to_int, V::type, static_cast<uint8_t>(rounding), kind,
                 operand<V>(t, insn.rs1));
        t.writes_fp_state();
    }
}

template <class V>
void from_int(Translator& t, const Insn& insn, IntKind kind) {
    Rounding rounding;
    if (begins(t, insn, &rounding)) {
        emit_f<V>(t, insn.rd, Opcode::fcvt_from_int, V::type, static_cast<uint8_t>(rounding), kind,
                  t.x(insn.rs1));
    }
}

}  // namespace

void fmadd_s(Translator& t, const Insn& insn) { fused<F32>(t, insn, Opcode::fmadd); }
void fmsub_s(Translator& t, const Insn& insn) { fused<F32>(t, insn, Opcode::fmsub); }
void fnmadd_s(Translator& t, const Insn& insn) { fused<F32>(t, insn, Opcode::fnmadd); }
void fnmsub_s(Translator& t, const Insn& insn) { fused<F32>(t, insn, Opcode::fnmsub); }
void fadd_s(Translator& t, const Insn& insn) { arithmetic<F32>(t, insn, Opcode::fadd); }
void fsub_s(Translator& t, const Insn& insn) { arithmetic<F32>(t, insn, Opcode::fsub); }
void fmul_s(Translator& t, const Insn& insn) { arithmetic<F32>(t, insn, Opcode::fmul); }
void fdiv_s(Translator& t, const Insn& insn) { arithmetic<F32>(t, insn, Opcode::fdiv); }
void fsqrt_s(Translator& t, const Insn& insn) { square_root<F32>(t, insn); }
void fsgnj_s(Translator& t, const Insn& insn) { selection<F32>(t, insn, Opcode::fsgnj); }
void fsgnjn_s(Translator& t, const Insn& insn) { selection<F32>(t, insn, Opcode::fsgnjn); }
void fsgnjx_s(Translator& t, const Insn& insn) { selection<F32>(t, insn, Opcode::fsgnjx); }
void fmin_s(Translator& t, const Insn& insn) { selection<F32>(t, insn, Opcode::fmin); }
void fmax_s(Translator& t, const Insn& insn) { selection<F32>(t, insn, Opcode::fmax); }
void feq_s(Translator& t, const Insn& insn) { compare<F32>(t, insn, Opcode::feq); }
void flt_s(Translator& t, const Insn& insn) { compare<F32>(t, insn, Opcode::flt); }
void fle_s(Translator& t, const Insn& insn) { compare<F32>(t, insn, Opcode::fle); }
void fclass_s(Translator& t, const Insn& insn) { classify<F32>(t, insn); }
void fcvt_w_s(Translator& t, const Insn& insn) { to_int<F32>(t, insn, kSigned32); }
void fcvt_wu_s(Translator& t, const Insn& insn) { to_int<F32>(t, insn, kUnsigned32); }
void fcvt_l_s(Translator& t, const Insn& insn) { to_int<F32>(t, insn, kSigned64); }
void fcvt_lu_s(Translator& t, const Insn& insn) { to_int<F32>(t, insn, kUnsigned64); }
void fcvt_s_w(Translator& t, const Insn& insn) { from_int<F32>(t, insn, kSigned32); }
void fcvt_s_wu(Translator& t, const Insn& insn) { from_int<F32>(t, insn, kUnsigned32); }
void fcvt_s_l(Translator& t, const Insn& insn) { from_int<F32>(t, insn, kSigned64); }
void fcvt_s_lu(Translator& t, const Insn& insn) { from_int<F32>(t, insn, kUnsigned64); }

// Moves of bits do not look at NaN boxes.
void fmv_x_w(Translator& t, const Insn& insn) {
    if (t.needs_fp(insn) && insn.rd != 0) {
        t.set_x_word(insn.rd, t.b().bits(t.f(insn.rs1)));
    }
}

void fmv_w_x(Translator& t, const Insn& insn) {
    if (t.needs_fp(insn)) {
        t.set_f32(insn.rd, t.b().as_fp(t.b().extrl_i64_i32(t.x(insn.rs1))));
    }
}

void fmadd_d(Translator& t, const Insn& insn) { fused<F64>(t, insn, Opcode::fmadd); }
void fmsub_d(Translator& t, const Insn& insn) { fused<F64>(t, insn, Opcode::fmsub); }
void fnmadd_d(Translator& t, const Insn& insn) { fused<F64>(t, insn, Opcode::fnmadd); }
void fnmsub_d(Translator& t, const Insn& insn) { fused<F64>(t, insn, Opcode::fnmsub); }
void fadd_d(Translator& t, const Insn& insn) { arithmetic<F64>(t, insn, Opcode::fadd); }
void fsub_d(Translator& t, const Insn& insn) { arithmetic<F64>(t, insn, Opcode::fsub); }
void fmul_d(Translator& t, const Insn& insn) { arithmetic<F64>(t, insn, Opcode::fmul); }
void fdiv_d(Translator& t, const Insn& insn) { arithmetic<F64>(t, insn, Opcode::fdiv); }
void fsqrt_d(Translator& t, const Insn& insn) { square_root<F64>(t, insn); }
void fsgnjn_d(Translator& t, const Insn& insn) { selection<F64>(t, insn, Opcode::fsgnjn); }
void fsgnjx_d(Translator& t, const Insn& insn) { selection<F64>(t, insn, Opcode::fsgnjx); }
void fmin_d(Translator& t, const Insn& insn) { selection<F64>(t, insn, Opcode::fmin); }
void fmax_d(Translator& t, const Insn& insn) { selection<F64>(t, insn, Opcode::fmax); }
void feq_d(Translator& t, const Insn& insn) { compare<F64>(t, insn, Opcode::feq); }
void flt_d(Translator& t, const Insn& insn) { compare<F64>(t, insn, Opcode::flt); }
void fle_d(Translator& t, const Insn& insn) { compare<F64>(t, insn, Opcode::fle); }
void fclass_d(Translator& t, const Insn& insn) { classify<F64>(t, insn); }
void fcvt_w_d(Translator& t, const Insn& insn) { to_int<F64>(t, insn, kSigned32); }
void fcvt_wu_d(Translator& t, const Insn& insn) { to_int<F64>(t, insn, kUnsigned32); }
void fcvt_l_d(Translator& t, const Insn& insn) { to_int<F64>(t, insn, kSigned64); }
void fcvt_lu_d(Translator& t, const Insn& insn) { to_int<F64>(t, insn, kUnsigned64); }
void fcvt_d_w(Translator& t, const Insn& insn) { from_int<F64>(t, insn, kSigned32); }
void fcvt_d_wu(Translator& t, const Insn& insn) { from_int<F64>(t, insn, kUnsigned32); }
void fcvt_d_l(Translator& t, const Insn& insn) { from_int<F64>(t, insn, kSigned64); }
void fcvt_d_lu(Translator& t, const Insn& insn) { from_int<F64>(t, insn, kUnsigned64); }

// With equal operands this is fmv.d.
void fsgnj_d(Translator& t, const Insn& insn) {
    if (insn.rs1 != insn.rs2) {
        selection<F64>(t, insn, Opcode::fsgnj);
    } else if (t.needs_fp(insn)) {
        t.b().mov(t.f_out(insn.rd), t.f(insn.rs1));
    }
}

void fmv_x_d(Translator& t, const Insn& insn) {
    if (t.needs_fp(insn) && insn.rd != 0) {
        t.emit_x(insn.rd, Opcode::bitcast_int, Type::f64, 0, 0, t.f(insn.rs1));
    }
}

void fmv_d_x(Translator& t, const Insn& insn) {
    if (t.needs_fp(insn)) {
        emit_f<F64>(t, insn.rd, Opcode::bitcast_fp, Type::f64, 0, 0, t.x(insn.rs1));
    }
}

void fcvt_s_d(Translator& t, const Insn& insn) {
    Rounding rounding;
    if (begins(t, insn, &rounding)) {
        t.set_f32(insn.rd, t.b().fcvt_f64_f32(t.f(insn.rs1), rounding));
    }
}

// Exact, but its rounding mode must be a legal one.
void fcvt_d_s(Translator& t, const Insn& insn) {
    Rounding rounding;
    if (begins(t, insn, &rounding)) {
        emit_f<F64>(t, insn.rd, Opcode::fcvt_f32_f64, Type::none, 0, 0, t.f32(insn.rs1));
    }
}

void flw(Translator& t, const Insn& insn) {
    if (t.needs_fp(insn)) {
        const auto [address, memop] = t.place(t.x(insn.rs1), t.memop(detail::kWord).at(insn.imm));
        t.set_f32(insn.rd, t.b().guest_ld<F32>(address, memop));
    }
}

void fld(Translator& t, const Insn& insn) {
    if (t.needs_fp(insn)) {
        const auto [address, memop] = t.place(t.x(insn.rs1), t.memop(detail::kDouble).at(insn.imm));
        t.b().emit(Opcode::guest_ld, Type::f64, 0, memop.bits(), t.f_out(insn.rd).index, address.index);
    }
}

// The register's low half as it is, NaN-boxed or not.
void fsw(Translator& t, const Insn& insn) {
    if (t.needs_fp(insn)) {
        const auto [address, memop] = t.place(t.x(insn.rs1), t.memop(detail::kWord).at(insn.imm));
        t.b().guest_st(t.b().bits(t.f(insn.rs2)), address, memop);
    }
}

void fsd(Translator& t, const Insn& insn) {
    if (t.needs_fp(insn)) {
        const auto [address, memop] = t.place(t.x(insn.rs1), t.memop(detail::kDouble).at(insn.imm));
        t.b().guest_st(t.f(insn.rs2), address, memop);
    }
}

}  // namespace semantics

}  // namespace weft::riscv
