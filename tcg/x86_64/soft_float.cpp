// Floating-point ops that the host's unit does not do, or not for these operands: computed by softfloat.

#include "softfloat/softfloat.h"
#include "tcg/exec_state.h"
#include "tcg/x86_64/slow_path.h"
#include "weft/ir_info.h"

namespace weft::tcg::x86_64 {

using ir::Opcode;

namespace {

using softfloat::Context;
using softfloat::F32;
using softfloat::F64;

template <class F>
uint64_t to_int(Context& context, F a, unsigned aux) {
    switch (aux & 3) {
        case 0:
            return static_cast<uint64_t>(int64_t{softfloat::to_int<int32_t>(context, a)});
        case 1:
            return static_cast<uint64_t>(
                int64_t{static_cast<int32_t>(softfloat::to_int<uint32_t>(context, a))});
        case 2:
            return static_cast<uint64_t>(softfloat::to_int<int64_t>(context, a));
        default:
            return softfloat::to_int<uint64_t>(context, a);
    }
}

template <class F>
F from_int(Context& context, uint64_t a, unsigned aux) {
    switch (aux & 3) {
        case 0:
            return softfloat::from_int<F>(context, static_cast<int32_t>(static_cast<uint32_t>(a)));
        case 1:
            return softfloat::from_int<F>(context, static_cast<uint32_t>(a));
        case 2:
            return softfloat::from_int<F>(context, static_cast<int64_t>(a));
        default:
            return softfloat::from_int<F>(context, a);
    }
}

template <class F>
uint64_t compute(Context& context, const FloatRecord& record, const uint64_t* regs) {
    using Bits = decltype(F::bits);
    const auto in = [regs](uint8_t reg) { return F{static_cast<Bits>(regs[reg])}; };
    const auto negated = [](F x) { return F{x.bits ^ static_cast<Bits>(Bits{1} << (8 * sizeof(Bits) - 1))}; };
    const F a = in(record.a);
    const F b = in(record.b);
    const F c = in(record.c);
    switch (static_cast<Opcode>(record.op)) {
        case Opcode::fadd:
            return softfloat::add(context, a, b).bits;
        case Opcode::fsub:
            return softfloat::sub(context, a, b).bits;
        case Opcode::fmul:
            return softfloat::mul(context, a, b).bits;
        case Opcode::fdiv:
            return softfloat::div(context, a, b).bits;
        case Opcode::fsqrt:
            return softfloat::sqrt(context, a).bits;
        case Opcode::fmadd:
            return softfloat::fma(context, a, b, c).bits;
        case Opcode::fmsub:
            return softfloat::fma(context, a, b, negated(c)).bits;
        case Opcode::fnmadd:
            return softfloat::fma(context, negated(a), b, negated(c)).bits;
        case Opcode::fnmsub:
            return softfloat::fma(context, negated(a), b, c).bits;
        case Opcode::fmin:
            return softfloat::min(context, a, b).bits;
        case Opcode::fmax:
            return softfloat::max(context, a, b).bits;
        case Opcode::fclass:
            return softfloat::classify(a);
        case Opcode::fcvt_to_int:
            return to_int(context, a, record.aux);
        case Opcode::fcvt_from_int:
            return from_int<F>(context, regs[record.a], record.aux).bits;
        default:
            return 0;
    }
}

}  // namespace

uintptr_t slow_float(const RuntimeContext*, void* state, const FloatRecord* record, uint64_t* regs) {
    ExecState& exec = exec_state(state);
    StateHeader& header = exec.header;
    Context context{static_cast<softfloat::Rounding>(record->rounding), 0};
    switch (static_cast<Opcode>(record->op)) {
        case Opcode::fpflags_get:
            regs[record->result] = header.fp_flags | fp_flags_of_mxcsr(exec.guest_mxcsr);
            break;
        case Opcode::fpflags_set:
            header.fp_flags = static_cast<uint32_t>(regs[record->a]) & 31;
            exec.guest_mxcsr &= ~kMxcsrExceptions;
            break;
        case Opcode::fcvt_f64_f32:
            regs[record->result] = softfloat::convert<F32>(context, F64{regs[record->a]}).bits;
            break;
        default:
            regs[record->result] = static_cast<ir::Type>(record->type) == ir::Type::f64
                                       ? compute<F64>(context, *record, regs)
                                       : compute<F32>(context, *record, regs);
            break;
    }
    header.fp_flags |= context.flags;
    return resume_address(record);
}

}  // namespace weft::tcg::x86_64
