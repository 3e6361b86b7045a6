// Floating point, in integers by softfloat: nothing here depends on the host's floating-point unit.
#include "softfloat/softfloat.h"
#include "tcg/interp/machine.h"

namespace weft::tcg::interp {

using ir::Opcode;
using ir::Type;

namespace {

using softfloat::Context;
using softfloat::F32;
using softfloat::F64;

template <class F>
using Bits = decltype(F::bits);
template <class F>
inline constexpr Bits<F> kSignBit = Bits<F>{1} << (8 * sizeof(F) - 1);

constexpr uint64_t kBoxUpper = 0xffffffff00000000;
constexpr F32 kCanonicalNan{0x7fc00000};
constexpr uint32_t kAllFlags = 31;

template <class F>
F get(const Machine& m, const Insn& insn, unsigned index) {
    return F{m.get<Bits<F>>(insn, index)};
}

template <class F>
void set(Machine& m, const Insn& insn, F value) {
    m.set<Bits<F>>(insn, 0, value.bits);
}

template <class F>
F negate(F a) {
    return F{a.bits ^ kSignBit<F>};
}

// Runs one operation with the op's rounding and accumulates what it raises.
template <class Operation>
auto with_flags(Machine& m, const Insn& insn, Operation operation) {
    Context context{static_cast<softfloat::Rounding>(insn.cond), 0};
    const auto result = operation(context);
    m.header().fp_flags |= context.flags;
    return result;
}

template <Opcode kCode, class F>
const Insn* arithmetic(Machine& m, const Insn& insn) {
    const F a = get<F>(m, insn, 1);
    const F b = get<F>(m, insn, 2);
    set(m, insn, with_flags(m, insn, [&](Context& context) {
            using enum Opcode;
            if constexpr (kCode == fadd) {
                return softfloat::add(context, a, b);
            } else if constexpr (kCode == fsub) {
                return softfloat::sub(context, a, b);
            } else if constexpr (kCode == fmul) {
                return softfloat::mul(context, a, b);
            } else if constexpr (kCode == fdiv) {
                return softfloat::div(context, a, b);
            } else if constexpr (kCode == fmin) {
                return softfloat::min(context, a, b);
            } else {
                static_assert(kCode == fmax);
                return softfloat::max(context, a, b);
            }
        }));
    return next<3>(insn);
}

template <class F>
const Insn* square_root(Machine& m, const Insn& insn) {
    const F a = get<F>(m, insn, 1);
    set(m, insn, with_flags(m, insn, [&](Context& context) { return softfloat::sqrt(context, a); }));
    return next<2>(insn);
}

template <Opcode kCode, class F>
const Insn* fused(Machine& m, const Insn& insn) {
    constexpr bool kNegateProduct = kCode == Opcode::fnmadd || kCode == Opcode::fnmsub;
    constexpr bool kNegateAddend = kCode == Opcode::fmsub || kCode == Opcode::fnmadd;
    F a = get<F>(m, insn, 1);
    const F b = get<F>(m, insn, 2);
    F c = get<F>(m, insn, 3);
    a = kNegateProduct ? negate(a) : a;
    c = kNegateAddend ? negate(c) : c;
    set(m, insn, with_flags(m, insn, [&](Context& context) { return softfloat::fma(context, a, b, c); }));
    return next<4>(insn);
}

template <Opcode kCode, class F>
const Insn* compare(Machine& m, const Insn& insn) {
    const F a = get<F>(m, insn, 1);
    const F b = get<F>(m, insn, 2);
    const bool holds = with_flags(m, insn, [&](Context& context) {
        if constexpr (kCode == Opcode::feq) {
            return softfloat::eq(context, a, b);
        } else if constexpr (kCode == Opcode::flt) {
            return softfloat::lt(context, a, b);
        } else {
            static_assert(kCode == Opcode::fle);
            return softfloat::le(context, a, b);
        }
    });
    m.set<uint64_t>(insn, 0, holds ? 1 : 0);
    return next<3>(insn);
}

template <Opcode kCode, class F>
const Insn* sign_injection(Machine& m, const Insn& insn) {
    const F a = get<F>(m, insn, 1);
    const F b = get<F>(m, insn, 2);
    Bits<F> sign = b.bits & kSignBit<F>;
    if constexpr (kCode == Opcode::fsgnjn) {
        sign ^= kSignBit<F>;
    } else if constexpr (kCode == Opcode::fsgnjx) {
        sign ^= a.bits & kSignBit<F>;
    }
    set(m, insn, F{(a.bits & ~kSignBit<F>) | sign});
    return next<3>(insn);
}

template <class F>
const Insn* fclass(Machine& m, const Insn& insn) {
    m.set<uint64_t>(insn, 0, softfloat::classify(get<F>(m, insn, 1)));
    return next<2>(insn);
}

template <class To, class From>
const Insn* convert(Machine& m, const Insn& insn) {
    const From a = get<From>(m, insn, 1);
    set(m, insn, with_flags(m, insn, [&](Context& context) { return softfloat::convert<To>(context, a); }));
    return next<2>(insn);
}

template <class F>
const Insn* fcvt_to_int(Machine& m, const Insn& insn) {
    const F a = get<F>(m, insn, 1);
    m.set<uint64_t>(insn, 0, with_flags(m, insn, [&](Context& context) -> uint64_t {
                        switch (insn.aux & 3) {
                            case 0:
                                return static_cast<uint64_t>(int64_t{softfloat::to_int<int32_t>(context, a)});
                            case 1:  // unsigned, and sign-extended all the same
                                return static_cast<uint64_t>(
                                    int64_t{static_cast<int32_t>(softfloat::to_int<uint32_t>(context, a))});
                            case 2:
                                return static_cast<uint64_t>(softfloat::to_int<int64_t>(context, a));
                            default:
                                return softfloat::to_int<uint64_t>(context, a);
                        }
                    }));
    return next<2>(insn);
}

template <class F>
const Insn* fcvt_from_int(Machine& m, const Insn& insn) {
    const auto a = m.get<uint64_t>(insn, 1);
    set(m, insn, with_flags(m, insn, [&](Context& context) {
            switch (insn.aux & 3) {
                case 0:
                    return softfloat::from_int<F>(context, static_cast<int32_t>(a));
                case 1:
                    return softfloat::from_int<F>(context, static_cast<uint32_t>(a));
                case 2:
                    return softfloat::from_int<F>(context, static_cast<int64_t>(a));
                default:
                    return softfloat::from_int<F>(context, a);
            }
        }));
    return next<2>(insn);
}

const Insn* fbox(Machine& m, const Insn& insn) {
    set(m, insn, F64{kBoxUpper | get<F32>(m, insn, 1).bits});
    return next<2>(insn);
}

const Insn* funbox(Machine& m, const Insn& insn) {
    const uint64_t boxed = get<F64>(m, insn, 1).bits;
    set(m, insn, (boxed & kBoxUpper) == kBoxUpper ? F32{static_cast<uint32_t>(boxed)} : kCanonicalNan);
    return next<2>(insn);
}

const Insn* fpflags_get(Machine& m, const Insn& insn) {
    m.set<uint64_t>(insn, 0, m.header().fp_flags);
    return next<1>(insn);
}

const Insn* fpflags_set(Machine& m, const Insn& insn) {
    m.header().fp_flags = static_cast<uint32_t>(m.get<uint64_t>(insn, 0)) & kAllFlags;
    return next<1>(insn);
}

template <class F>
void add_format(HandlerTable& table, Type type) {
    table[key_of(Opcode::fadd, type)] = &arithmetic<Opcode::fadd, F>;
    table[key_of(Opcode::fsub, type)] = &arithmetic<Opcode::fsub, F>;
    table[key_of(Opcode::fmul, type)] = &arithmetic<Opcode::fmul, F>;
    table[key_of(Opcode::fdiv, type)] = &arithmetic<Opcode::fdiv, F>;
    table[key_of(Opcode::fmin, type)] = &arithmetic<Opcode::fmin, F>;
    table[key_of(Opcode::fmax, type)] = &arithmetic<Opcode::fmax, F>;
    table[key_of(Opcode::fsqrt, type)] = &square_root<F>;
    table[key_of(Opcode::fmadd, type)] = &fused<Opcode::fmadd, F>;
    table[key_of(Opcode::fmsub, type)] = &fused<Opcode::fmsub, F>;
    table[key_of(Opcode::fnmadd, type)] = &fused<Opcode::fnmadd, F>;
    table[key_of(Opcode::fnmsub, type)] = &fused<Opcode::fnmsub, F>;
    table[key_of(Opcode::feq, type)] = &compare<Opcode::feq, F>;
    table[key_of(Opcode::flt, type)] = &compare<Opcode::flt, F>;
    table[key_of(Opcode::fle, type)] = &compare<Opcode::fle, F>;
    table[key_of(Opcode::fsgnj, type)] = &sign_injection<Opcode::fsgnj, F>;
    table[key_of(Opcode::fsgnjn, type)] = &sign_injection<Opcode::fsgnjn, F>;
    table[key_of(Opcode::fsgnjx, type)] = &sign_injection<Opcode::fsgnjx, F>;
    table[key_of(Opcode::fclass, type)] = &interp::fclass<F>;
    table[key_of(Opcode::fcvt_to_int, type)] = &interp::fcvt_to_int<F>;
    table[key_of(Opcode::fcvt_from_int, type)] = &interp::fcvt_from_int<F>;
}

}  // namespace

void add_fp_handlers(HandlerTable& table) {
    add_format<F32>(table, Type::f32);
    add_format<F64>(table, Type::f64);
    table[key_of(Opcode::fcvt_f32_f64, Type::none)] = &convert<F64, F32>;
    table[key_of(Opcode::fcvt_f64_f32, Type::none)] = &convert<F32, F64>;
    table[key_of(Opcode::fbox, Type::none)] = &fbox;
    table[key_of(Opcode::funbox, Type::none)] = &funbox;
    table[key_of(Opcode::fpflags_get, Type::none)] = &fpflags_get;
    table[key_of(Opcode::fpflags_set, Type::none)] = &fpflags_set;
}

}  // namespace weft::tcg::interp
