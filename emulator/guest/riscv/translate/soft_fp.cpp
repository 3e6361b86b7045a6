#include "emulator/guest/riscv/translate/soft_fp.h"

#include "base/assert.h"
#include "softfloat/softfloat.h"

namespace weft::riscv {

namespace {

using softfloat::Context;
using softfloat::Exactness;
using softfloat::F16;
using softfloat::F32;
using softfloat::F64;

template <class F>
using BitsOf = decltype(F::bits);

template <class F>
inline constexpr unsigned kWidth = 8 * sizeof(BitsOf<F>);
template <class F>
inline constexpr uint64_t kBox = kWidth<F> == 64 ? 0 : ~uint64_t{0} << (kWidth<F> % 64);
template <class F>
inline constexpr BitsOf<F> kSign = static_cast<BitsOf<F>>(uint64_t{1} << (kWidth<F> - 1));
inline constexpr uint16_t kHalfNan = 0x7e00;
inline constexpr uint32_t kSingleNan = 0x7fc00000;
inline constexpr uint64_t kDoubleNan = 0x7ff8000000000000;

template <class F>
constexpr F canonical_nan() {
    if constexpr (kWidth<F> == 16) {
        return {kHalfNan};
    } else if constexpr (kWidth<F> == 32) {
        return {kSingleNan};
    } else {
        return {kDoubleNan};
    }
}

template <class F>
F unbox(uint64_t value) {
    return (value & kBox<F>) == kBox<F> ? F{static_cast<BitsOf<F>>(value)} : canonical_nan<F>();
}

template <class F>
uint64_t box(F value) {
    return kBox<F> | value.bits;
}

template <class F>
F negated(F value) {
    return {static_cast<BitsOf<F>>(value.bits ^ kSign<F>)};
}

F16 with_sign_of(F16 magnitude, int bits) {
    return {static_cast<uint16_t>((magnitude.bits & ~kSign<F16>) | (bits & kSign<F16>))};
}

uint64_t sign_extended(int32_t value) { return static_cast<uint64_t>(int64_t{value}); }

template <class F>
bool is_nan(F value) {
    return (softfloat::classify(value) & (softfloat::kSignalingNan | softfloat::kQuietNan)) != 0;
}

template <class F>
bool any_nan(F a, F b) {
    return is_nan(a) || is_nan(b);
}

template <class F>
void note_signaling(Context& context, F a, F b) {
    if (((softfloat::classify(a) | softfloat::classify(b)) & softfloat::kSignalingNan) != 0) {
        context.flags |= softfloat::kInvalid;
    }
}

// FMINM, FMAXM: a NaN goes before a number.
template <class F>
uint64_t select(Context& context, uint64_t a, uint64_t b, F (*better)(Context&, F, F)) {
    const F x = unbox<F>(a);
    const F y = unbox<F>(b);
    if (any_nan(x, y)) {
        note_signaling(context, x, y);
        return box(canonical_nan<F>());
    }
    return box(better(context, x, y));
}

// FLEQ, FLTQ: a quiet NaN raises nothing.
template <class F>
uint64_t compare_quietly(Context& context, uint64_t a, uint64_t b, bool (*holds)(Context&, F, F)) {
    const F x = unbox<F>(a);
    const F y = unbox<F>(b);
    if (any_nan(x, y)) {
        note_signaling(context, x, y);
        return 0;
    }
    return holds(context, x, y) ? 1 : 0;
}

// FCVTMOD.W.D: the integer modulo 2^32, with the flags of FCVT.W.D.
uint64_t to_word_modulo(Context& context, F64 value) {
    constexpr unsigned kFractionBits = 52;
    constexpr int kBias = 1023;
    softfloat::to_int<int32_t>(context, value);
    const int exponent = static_cast<int>(value.bits >> kFractionBits & 0x7ff) - kBias;
    // Below one; infinities and NaNs, and multiples of 2^32, are zero as well.
    if (exponent < 0 || exponent >= static_cast<int>(kFractionBits) + 32) {
        return 0;
    }
    constexpr uint64_t kHidden = uint64_t{1} << kFractionBits;
    const uint64_t significand = kHidden | (value.bits & (kHidden - 1));
    const int shift = exponent - static_cast<int>(kFractionBits);
    const uint64_t magnitude = shift >= 0 ? significand << shift : significand >> -shift;
    return sign_extended(static_cast<int32_t>((value.bits & kSign<F64>) != 0 ? 0 - magnitude : magnitude));
}

uint64_t compute(Context& context, InsnId id, uint64_t a, uint64_t b, [[maybe_unused]] uint64_t c) {
    switch (id) {
        case InsnId::fadd_h:
            return box(softfloat::add(context, unbox<F16>(a), unbox<F16>(b)));
        case InsnId::fsub_h:
            return box(softfloat::sub(context, unbox<F16>(a), unbox<F16>(b)));
        case InsnId::fmul_h:
            return box(softfloat::mul(context, unbox<F16>(a), unbox<F16>(b)));
        case InsnId::fdiv_h:
            return box(softfloat::div(context, unbox<F16>(a), unbox<F16>(b)));
        case InsnId::fmin_h:
            return box(softfloat::min(context, unbox<F16>(a), unbox<F16>(b)));
        case InsnId::fmax_h:
            return box(softfloat::max(context, unbox<F16>(a), unbox<F16>(b)));
        case InsnId::fmadd_h:
            return box(softfloat::fma(context, unbox<F16>(a), unbox<F16>(b), unbox<F16>(c)));
        case InsnId::fmsub_h:
            return box(softfloat::fma(context, unbox<F16>(a), unbox<F16>(b), negated(unbox<F16>(c))));
        case InsnId::fnmsub_h:
            return box(softfloat::fma(context, negated(unbox<F16>(a)), unbox<F16>(b), unbox<F16>(c)));
        case InsnId::fnmadd_h:
            return box(
                softfloat::fma(context, negated(unbox<F16>(a)), unbox<F16>(b), negated(unbox<F16>(c))));
        case InsnId::fsqrt_h:
            return box(softfloat::sqrt(context, unbox<F16>(a)));
        case InsnId::fsgnj_h:
            return box(with_sign_of(unbox<F16>(a), unbox<F16>(b).bits));
        case InsnId::fsgnjn_h:
            return box(with_sign_of(unbox<F16>(a), ~unbox<F16>(b).bits));
        case InsnId::fsgnjx_h:
            return box(with_sign_of(unbox<F16>(a), unbox<F16>(a).bits ^ unbox<F16>(b).bits));
        case InsnId::feq_h:
            return softfloat::eq(context, unbox<F16>(a), unbox<F16>(b));
        case InsnId::flt_h:
            return softfloat::lt(context, unbox<F16>(a), unbox<F16>(b));
        case InsnId::fle_h:
            return softfloat::le(context, unbox<F16>(a), unbox<F16>(b));
        case InsnId::fclass_h:
            return softfloat::classify(unbox<F16>(a));
        case InsnId::fcvt_w_h:
            return sign_extended(softfloat::to_int<int32_t>(context, unbox<F16>(a)));
        case InsnId::fcvt_wu_h:
            return sign_extended(static_cast<int32_t>(softfloat::to_int<uint32_t>(context, unbox<F16>(a))));
        case InsnId::fcvt_l_h:
            return static_cast<uint64_t>(softfloat::to_int<int64_t>(context, unbox<F16>(a)));
        case InsnId::fcvt_lu_h:
            return softfloat::to_int<uint64_t>(context, unbox<F16>(a));
        case InsnId::fcvt_h_w:
            return box(softfloat::from_int<F16>(context, static_cast<int32_t>(a)));
        case InsnId::fcvt_h_wu:
            return box(softfloat::from_int<F16>(context, static_cast<uint32_t>(a)));
        case InsnId::fcvt_h_l:
            return box(softfloat::from_int<F16>(context, static_cast<int64_t>(a)));
        case InsnId::fcvt_h_lu:
            return box(softfloat::from_int<F16>(context, a));
        case InsnId::fcvt_s_h:
            return box(softfloat::convert<F32>(context, unbox<F16>(a)));
        case InsnId::fcvt_h_s:
            return box(softfloat::convert<F16>(context, unbox<F32>(a)));
        case InsnId::fcvt_d_h:
            return box(softfloat::convert<F64>(context, unbox<F16>(a)));
        case InsnId::fcvt_h_d:
            return box(softfloat::convert<F16>(context, unbox<F64>(a)));
        case InsnId::fminm_s:
            return select<F32>(context, a, b, softfloat::min<F32>);
        case InsnId::fmaxm_s:
            return select<F32>(context, a, b, softfloat::max<F32>);
        case InsnId::fround_s:
            return box(softfloat::round_to_integral(context, unbox<F32>(a), Exactness::ignore));
        case InsnId::froundnx_s:
            return box(softfloat::round_to_integral(context, unbox<F32>(a), Exactness::report));
        case InsnId::fleq_s:
            return compare_quietly<F32>(context, a, b, softfloat::le<F32>);
        case InsnId::fltq_s:
            return compare_quietly<F32>(context, a, b, softfloat::lt<F32>);
        case InsnId::fminm_d:
            return select<F64>(context, a, b, softfloat::min<F64>);
        case InsnId::fmaxm_d:
            return select<F64>(context, a, b, softfloat::max<F64>);
        case InsnId::fround_d:
            return box(softfloat::round_to_integral(context, unbox<F64>(a), Exactness::ignore));
        case InsnId::froundnx_d:
            return box(softfloat::round_to_integral(context, unbox<F64>(a), Exactness::report));
        case InsnId::fleq_d:
            return compare_quietly<F64>(context, a, b, softfloat::le<F64>);
        case InsnId::fltq_d:
            return compare_quietly<F64>(context, a, b, softfloat::lt<F64>);
        case InsnId::fminm_h:
            return select<F16>(context, a, b, softfloat::min<F16>);
        case InsnId::fmaxm_h:
            return select<F16>(context, a, b, softfloat::max<F16>);
        case InsnId::fround_h:
            return box(softfloat::round_to_integral(context, unbox<F16>(a), Exactness::ignore));
        case InsnId::froundnx_h:
            return box(softfloat::round_to_integral(context, unbox<F16>(a), Exactness::report));
        case InsnId::fleq_h:
            return compare_quietly<F16>(context, a, b, softfloat::le<F16>);
        case InsnId::fltq_h:
            return compare_quietly<F16>(context, a, b, softfloat::lt<F16>);
        case InsnId::fcvtmod_w_d:
            return to_word_modulo(context, unbox<F64>(a));
        default:
            break;
    }
    assertion_failed(__FILE__, __LINE__, "an instruction of Zfh or Zfa");
}

}  // namespace

uint64_t soft_fp(State* state, uint64_t a, uint64_t b, uint64_t c, uint32_t operation) {
    Context context{static_cast<softfloat::Rounding>(operation & 7), 0};
    const uint64_t result = compute(context, static_cast<InsnId>(operation >> 3), a, b, c);
    state_header(state).fp_flags |= context.flags;
    return result;
}

}  // namespace weft::riscv
