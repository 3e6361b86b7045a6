// Builds IR into a unit: what a guest's translator writes with.
//
// Values have types of their own (I32, I64, F32, F64), so that an op of the wrong width does not compile. When the unit's
// storage cannot grow, Unit::error is set and the builder goes on harmlessly; the caller checks ok() at the end of each
// guest instruction. One builder a unit; one thread at a time.
#pragma once

#include <cstdint>

#include "weft/ir.h"
#include "weft/ir_info.h"

namespace weft::ir {

template <Type kType>
struct Value {
    static constexpr Type type = kType;
    TempIndex index = 0;
};

using I32 = Value<Type::i32>;
using I64 = Value<Type::i64>;
using F32 = Value<Type::f32>;
using F64 = Value<Type::f64>;

struct Label {
    uint16_t index = 0;
};

class Builder {
  public:
    // `unit` has its globals as its first temps and nothing else.
    explicit Builder(Unit& unit) : unit_(unit) {}
    Builder(const Builder&) = delete;
    Builder& operator=(const Builder&) = delete;

    Unit& unit() { return unit_; }
    bool ok() const { return unit_.error == UnitError::none; }

    // ---- temps ----
    // The global `number` of the guest's table, which must be of the type asked for.
    template <class V>
    V global(unsigned number) const {
        return V{static_cast<TempIndex>(number)};
    }
    // A fresh temp that lives to the end of its extended basic block.
    template <class V>
    V temp() {
        return V{new_temp(V::type, TempKind::ebb, 0)};
    }
    // A fresh temp that lives through the unit (across labels).
    template <class V>
    V local() {
        return V{new_temp(V::type, TempKind::unit, 0)};
    }
    I64 imm(uint64_t value) { return I64{constant(Type::i64, value)}; }
    I32 imm32(uint32_t value) { return I32{constant(Type::i32, value)}; }

    // ---- labels and control ----
    Label new_label() {
        if (unit_.label_count >= 0xffff) {
            unit_.error = UnitError::too_big;
            return Label{0};
        }
        return Label{static_cast<uint16_t>(unit_.label_count++)};
    }
    void set_label(Label label) { emit(Opcode::set_label, Type::none, 0, label.index); }
    void br(Label label) { emit(Opcode::br, Type::none, 0, label.index); }
    template <class V>
    void brcond(Cond cond, V a, V b, Label label) {
        Op& op = emit(Opcode::brcond, V::type, static_cast<uint8_t>(cond), 0, a.index, b.index);
        op.args[kBrcondLabelArg] = label.index;
    }
    // `offset`: of the instruction, from page_pc.
    void insn_start(int32_t offset) {
        emit(Opcode::insn_start, Type::none, 0, static_cast<uint32_t>(offset));
    }
    // Before every transfer out of the unit. `insns`: guest instructions completed on this path since the unit's start or the last
    // exit_check. `closes_cycle`: the transfer may lead to code that runs before this point again.
    void exit_check(uint32_t insns, bool closes_cycle) {
        emit(Opcode::exit_check, Type::none, closes_cycle ? 1 : 0, insns);
    }
    // To page_pc + `offset`, which is 0..4095 or, with fixed_pages, any, by the next free slot. False, with nothing emitted, if none
    // is left.
    bool goto_tb(int32_t offset) {
        if (unit_.goto_tb_count == kMaxGotoTb) {
            return false;
        }
        emit(Opcode::goto_tb, Type::none, unit_.goto_tb_count, static_cast<uint32_t>(offset));
        ++unit_.goto_tb_count;
        return true;
    }
    // Directly before the exit_check of a call that returns to `pc`, which is page_pc + `offset`; takes a slot, as goto_tb. False, with
    // nothing emitted, if none is left.
    bool return_point(I64 pc, int32_t offset) {
        if (unit_.goto_tb_count == kMaxGotoTb) {
            return false;
        }
        emit(Opcode::return_point, Type::none, unit_.goto_tb_count, static_cast<uint32_t>(offset), pc.index);
        ++unit_.goto_tb_count;
        return true;
    }
    // `returns`: to the last return_point, most likely.
    void lookup_and_goto_ptr(I64 pc, bool returns = false) {
        emit(Opcode::lookup_and_goto_ptr, Type::none, returns ? 1 : 0, 0, pc.index);
    }
    void exit_tb(ExitReason reason, I64 pc) {
        emit(Opcode::exit_tb, Type::none, 0, static_cast<uint32_t>(reason), pc.index);
    }
    void mb(uint32_t kinds) { emit(Opcode::mb, Type::none, 0, kinds); }
    I64 pc_add(int32_t offset) {
        const I64 d = temp<I64>();
        emit(Opcode::pc_add, Type::none, 0, static_cast<uint32_t>(offset), d.index);
        return d;
    }

    // Calls helper `id` of the guest's table. Types are those of its signature (checked by the verifier).
    template <class... Args>
    void call(uint32_t id, Args... args) {
        static_assert(sizeof...(Args) <= 5);
        emit(Opcode::call, Type::none, 0, id, args.index...);
    }
    template <class R, class... Args>
    R call_value(uint32_t id, Args... args) {
        const R d = temp<R>();
        emit(Opcode::call, Type::none, 0, id, d.index, args.index...);
        return d;
    }

    // ---- moves and conversions ----
    template <class V>
    void mov(V d, V s) {
        emit(Opcode::mov, V::type, 0, 0, d.index, s.index);
    }
    I64 ext_i32_i64(I32 s) { return unary<I64>(Opcode::ext_i32_i64, Type::none, s); }
    I64 extu_i32_i64(I32 s) { return unary<I64>(Opcode::extu_i32_i64, Type::none, s); }
    I32 extrl_i64_i32(I64 s) { return unary<I32>(Opcode::extrl_i64_i32, Type::none, s); }
    I32 bits(F32 s) { return unary<I32>(Opcode::bitcast_int, Type::f32, s); }
    I64 bits(F64 s) { return unary<I64>(Opcode::bitcast_int, Type::f64, s); }
    F32 as_fp(I32 s) { return unary<F32>(Opcode::bitcast_fp, Type::f32, s); }
    F64 as_fp(I64 s) { return unary<F64>(Opcode::bitcast_fp, Type::f64, s); }

    // ---- ops whose operands and result share one type: op(Opcode::add, a, b) ----
    template <class V>
    V op(Opcode code, V a) {
        return unary<V>(code, V::type, a);
    }
    template <class V>
    V op(Opcode code, V a, V b) {
        const V d = temp<V>();
        emit(code, V::type, 0, 0, d.index, a.index, b.index);
        return d;
    }
    template <class V>
    void op_into(Opcode code, V d, V a, V b) {
        emit(code, V::type, 0, 0, d.index, a.index, b.index);
    }
    template <class V>
    V add(V a, V b) {
        return op(Opcode::add, a, b);
    }
    template <class V>
    V sub(V a, V b) {
        return op(Opcode::sub, a, b);
    }
    template <class V>
    V and_(V a, V b) {
        return op(Opcode::and_, a, b);
    }
    template <class V>
    V or_(V a, V b) {
        return op(Opcode::or_, a, b);
    }
    template <class V>
    V xor_(V a, V b) {
        return op(Opcode::xor_, a, b);
    }
    template <class V>
    V shl(V a, V b) {
        return op(Opcode::shl, a, b);
    }
    template <class V>
    V shr(V a, V b) {
        return op(Opcode::shr, a, b);
    }
    template <class V>
    V sar(V a, V b) {
        return op(Opcode::sar, a, b);
    }
    template <class V>
    V extract(V a, unsigned position, unsigned length) {
        const V d = temp<V>();
        emit(Opcode::extract, V::type, 0, position | length << 8, d.index, a.index);
        return d;
    }
    template <class V>
    V sextract(V a, unsigned position, unsigned length) {
        const V d = temp<V>();
        emit(Opcode::sextract, V::type, 0, position | length << 8, d.index, a.index);
        return d;
    }
    // `field` put over bits [position, position + length) of `base`.
    template <class V>
    V deposit(V base, V field, unsigned position, unsigned length) {
        const V d = temp<V>();
        emit(Opcode::deposit, V::type, 0, position | length << 8, d.index, base.index, field.index);
        return d;
    }
    template <class V>
    V setcond(Cond cond, V a, V b) {
        const V d = temp<V>();
        emit(Opcode::setcond, V::type, static_cast<uint8_t>(cond), 0, d.index, a.index, b.index);
        return d;
    }
    template <class V>
    V negsetcond(Cond cond, V a, V b) {
        const V d = temp<V>();
        emit(Opcode::negsetcond, V::type, static_cast<uint8_t>(cond), 0, d.index, a.index, b.index);
        return d;
    }
    // (a cond b) ? x : y
    template <class V>
    V movcond(Cond cond, V a, V b, V x, V y) {
        const V d = temp<V>();
        emit(Opcode::movcond, V::type, static_cast<uint8_t>(cond), 0, d.index, a.index, b.index, x.index,
             y.index);
        return d;
    }

    // ---- guest state ----
    // `code` is one of ld8u .. ld; `offset` from the state pointer.
    template <class V>
    V load_state(Opcode code, int32_t offset) {
        const V d = temp<V>();
        emit(code, V::type, 0, static_cast<uint32_t>(offset), d.index);
        return d;
    }
    template <class V>
    void store_state(Opcode code, V value, int32_t offset) {
        emit(code, V::type, 0, static_cast<uint32_t>(offset), value.index);
    }

    // ---- guest memory ----
    template <class V>
    V guest_ld(I64 address, MemOp memop) {
        const V d = temp<V>();
        emit(Opcode::guest_ld, V::type, 0, memop.bits(), d.index, address.index);
        return d;
    }
    template <class V>
    void guest_st(V value, I64 address, MemOp memop) {
        emit(Opcode::guest_st, V::type, 0, memop.bits(), value.index, address.index);
    }
    // `code` is atomic_xchg, atomic_add ...; the value before is the result.
    template <class V>
    V atomic(Opcode code, I64 address, V operand, MemOp memop) {
        const V d = temp<V>();
        emit(code, V::type, 0, memop.bits(), d.index, address.index, operand.index);
        return d;
    }
    template <class V>
    V atomic_cmpxchg(I64 address, V expected, V desired, MemOp memop) {
        const V d = temp<V>();
        emit(Opcode::atomic_cmpxchg, V::type, 0, memop.bits(), d.index, address.index, expected.index,
             desired.index);
        return d;
    }

    // ---- floating point ----
    template <class F>
    F fp_unary(Opcode code, F a, Rounding rounding) {
        const F d = temp<F>();
        emit(code, F::type, static_cast<uint8_t>(rounding), 0, d.index, a.index);
        return d;
    }
    template <class F>
    F fp_binary(Opcode code, F a, F b, Rounding rounding) {
        const F d = temp<F>();
        emit(code, F::type, static_cast<uint8_t>(rounding), 0, d.index, a.index, b.index);
        return d;
    }
    // fmadd, fmsub, fnmadd, fnmsub
    template <class F>
    F fp_fused(Opcode code, F a, F b, F c, Rounding rounding) {
        const F d = temp<F>();
        emit(code, F::type, static_cast<uint8_t>(rounding), 0, d.index, a.index, b.index, c.index);
        return d;
    }
    // feq, flt, fle
    template <class F>
    I64 fp_compare(Opcode code, F a, F b) {
        const I64 d = temp<I64>();
        emit(code, F::type, 0, 0, d.index, a.index, b.index);
        return d;
    }
    template <class F>
    I64 fclass(F a) {
        return unary<I64>(Opcode::fclass, F::type, a);
    }
    F64 fcvt_f32_f64(F32 a) { return unary<F64>(Opcode::fcvt_f32_f64, Type::none, a); }
    F32 fcvt_f64_f32(F64 a, Rounding rounding) {
        const F32 d = temp<F32>();
        emit(Opcode::fcvt_f64_f32, Type::none, static_cast<uint8_t>(rounding), 0, d.index, a.index);
        return d;
    }
    template <class F>
    I64 fcvt_to_int(F a, Rounding rounding, bool is_unsigned, bool is_64) {
        const I64 d = temp<I64>();
        emit(Opcode::fcvt_to_int, F::type, static_cast<uint8_t>(rounding), convert_aux(is_unsigned, is_64),
             d.index, a.index);
        return d;
    }
    template <class F>
    F fcvt_from_int(I64 a, Rounding rounding, bool is_unsigned, bool is_64) {
        const F d = temp<F>();
        emit(Opcode::fcvt_from_int, F::type, static_cast<uint8_t>(rounding), convert_aux(is_unsigned, is_64),
             d.index, a.index);
        return d;
    }
    F64 fbox(F32 a) { return unary<F64>(Opcode::fbox, Type::none, a); }
    F32 funbox(F64 a) { return unary<F32>(Opcode::funbox, Type::none, a); }
    I64 fpflags_get() {
        const I64 d = temp<I64>();
        emit(Opcode::fpflags_get, Type::none, 0, 0, d.index);
        return d;
    }
    void fpflags_set(I64 flags) { emit(Opcode::fpflags_set, Type::none, 0, 0, flags.index); }

    // ---- the general form: arguments are temps, outputs first ----
    template <class... Args>
    Op& emit(Opcode code, Type type, uint8_t cond, uint32_t aux, Args... args) {
        static_assert(sizeof...(Args) <= kMaxArgs);
        Op& op = new_op();
        op = Op{
            code, type, cond, static_cast<uint8_t>(sizeof...(Args)), aux, {static_cast<uint16_t>(args)...}};
        if (has_flag(code, flag_fp) || code == Opcode::fpflags_get || code == Opcode::fpflags_set) {
            unit_.uses_fp = true;
        }
        return op;
    }

  private:
    static constexpr uint32_t convert_aux(bool is_unsigned, bool is_64) {
        return (is_unsigned ? 1u : 0u) | (is_64 ? 2u : 0u);
    }

    template <class D, class S>
    D unary(Opcode code, Type type, S s) {
        const D d = temp<D>();
        emit(code, type, 0, 0, d.index, s.index);
        return d;
    }

    Op& new_op() {
        if (unit_.op_count == unit_.op_capacity && !unit_.storage->grow_ops(&unit_)) {
            return scratch_;
        }
        return unit_.ops[unit_.op_count++];
    }

    TempIndex new_temp(Type type, TempKind kind, uint64_t value) {
        if (unit_.temp_count == kMaxTemps) {
            unit_.error = UnitError::too_big;
            return 0;
        }
        if (unit_.temp_count == unit_.temp_capacity && !unit_.storage->grow_temps(&unit_)) {
            return 0;
        }
        unit_.temps[unit_.temp_count] = Temp{type, kind, 0, 0, value};
        return static_cast<TempIndex>(unit_.temp_count++);
    }

    // One temp a constant: looked up in a small direct-mapped cache, which forgets but never lies.
    TempIndex constant(Type type, uint64_t value) {
        CachedConstant& entry =
            constants_[(value ^ value >> 7 ^ static_cast<unsigned>(type)) % kConstantCache];
        if (entry.index != 0 && entry.type == type && entry.value == value) {
            return static_cast<TempIndex>(entry.index - 1);
        }
        const TempIndex index = new_temp(type, TempKind::constant, value);
        entry = CachedConstant{value, type, static_cast<uint32_t>(index) + 1};
        return index;
    }

    struct CachedConstant {
        uint64_t value = 0;
        Type type = Type::none;
        uint32_t index = 0;  // plus one; 0 is empty
    };
    static constexpr unsigned kConstantCache = 64;

    Unit& unit_;
    Op scratch_{};  // takes ops that no longer fit
    CachedConstant constants_[kConstantCache];
};

}  // namespace weft::ir
