// SSE, AVX and FMA instructions.
#include <utility>

#include "base/assert.h"
#include "tcg/x86_64/assembler.h"

namespace weft::tcg::x86_64 {
namespace {

constexpr bool is_32_or_64(Width width) { return width >= Width::d32; }

constexpr bool is_high(Xmm reg) { return number_of(reg) >= 8; }

// The two-byte VEX prefix reaches registers 8 to 15 as ModRM.reg and vvvv but not as ModRM.rm.
constexpr bool better_swapped(Xmm low_place, Xmm rm) { return is_high(rm) && !is_high(low_place); }

constexpr Encoding kGprToXmm{0x6e, Map::m0f, Prefix::p66};
constexpr Encoding kXmmToGpr{0x7e, Map::m0f, Prefix::p66};
constexpr Encoding kInsert{0x22, Map::m0f3a, Prefix::p66};
constexpr Encoding kExtract{0x16, Map::m0f3a, Prefix::p66};
constexpr uint8_t kMxcsrOpcode = 0xae;

Encoding by_width(Encoding encoding, Width width) {
    WEFT_ASSERT(is_32_or_64(width));
    return encoding.with_wide(width == Width::q64);
}

Encoding fma_encoding(Fma op, FmaOrder order, Precision precision) {
    constexpr unsigned kPacked132 = 0x98;
    const unsigned opcode = kPacked132 + 0x10 * static_cast<unsigned>(order) + row_of(kFma, op).digit;
    return {static_cast<uint8_t>(opcode), Map::m0f38, Prefix::p66, precision == Precision::sd};
}

}  // namespace

// --- Arithmetic, logic, comparison
// ----------------------------------------------------------------------------------

void Assembler::sse(Simd op, Xmm dst, Xmm src) {
    Cursor out(begin());
    legacy_rr(out, row_of(kSimd, op).encoding, number_of(dst), number_of(src));
    finish(out);
}

void Assembler::sse(Simd op, Xmm dst, const Mem& src) {
    Cursor out(begin());
    legacy_rm(out, row_of(kSimd, op).encoding, number_of(dst), src);
    finish(out);
}

void Assembler::avx(Simd op, Xmm dst, Xmm a, Xmm b) {
    const SimdRow& row = row_of(kSimd, op);
    // Outside of map 0f the prefix has three bytes anyway.
    if (row.commutative && row.encoding.map == Map::m0f && better_swapped(a, b))
        std::swap(a, b);
    Cursor out(begin());
    vex_rr(out, row.encoding, number_of(dst), number_of(a), number_of(b));
    finish(out);
}

void Assembler::avx(Simd op, Xmm dst, Xmm a, const Mem& b) {
    Cursor out(begin());
    vex_rm(out, row_of(kSimd, op).encoding, number_of(dst), number_of(a), b);
    finish(out);
}

void Assembler::sse(SimdImm op, Xmm dst, Xmm src, uint8_t imm) {
    Cursor out(begin());
    legacy_rr(out, row_of(kSimdImm, op).encoding, number_of(dst), number_of(src));
    out.byte(imm);
    finish(out);
}

void Assembler::sse(SimdImm op, Xmm dst, const Mem& src, uint8_t imm) {
    Cursor out(begin());
    legacy_rm(out, row_of(kSimdImm, op).encoding, number_of(dst), src);
    out.byte(imm);
    finish(out);
}

void Assembler::avx(SimdImm op, Xmm dst, Xmm a, Xmm b, uint8_t imm) {
    Cursor out(begin());
    vex_rr(out, row_of(kSimdImm, op).encoding, number_of(dst), number_of(a), number_of(b));
    out.byte(imm);
    finish(out);
}

void Assembler::avx(SimdImm op, Xmm dst, Xmm a, const Mem& b, uint8_t imm) {
    Cursor out(begin());
    vex_rm(out, row_of(kSimdImm, op).encoding, number_of(dst), number_of(a), b);
    out.byte(imm);
    finish(out);
}

void Assembler::sse(SimdCompare op, Xmm a, Xmm b) {
    Cursor out(begin());
    legacy_rr(out, row_of(kSimdCompare, op).encoding, number_of(a), number_of(b));
    finish(out);
}

void Assembler::sse(SimdCompare op, Xmm a, const Mem& b) {
    Cursor out(begin());
    legacy_rm(out, row_of(kSimdCompare, op).encoding, number_of(a), b);
    finish(out);
}

void Assembler::avx(SimdCompare op, Xmm a, Xmm b) {
    Cursor out(begin());
    vex_rr(out, row_of(kSimdCompare, op).encoding, number_of(a), 0, number_of(b));
    finish(out);
}

void Assembler::avx(SimdCompare op, Xmm a, const Mem& b) {
    Cursor out(begin());
    vex_rm(out, row_of(kSimdCompare, op).encoding, number_of(a), 0, b);
    finish(out);
}

void Assembler::sse(SimdShift op, Xmm reg, uint8_t count) {
    const SimdShiftRow& row = row_of(kSimdShift, op);
    Cursor out(begin());
    legacy_rr(out, row.encoding, row.digit, number_of(reg));
    out.byte(count);
    finish(out);
}

void Assembler::avx(SimdShift op, Xmm dst, Xmm src, uint8_t count) {
    const SimdShiftRow& row = row_of(kSimdShift, op);
    Cursor out(begin());
    vex_rr(out, row.encoding, row.digit, number_of(dst), number_of(src));
    out.byte(count);
    finish(out);
}

void Assembler::avx(Blend op, Xmm dst, Xmm a, Xmm b, Xmm mask) {
    Cursor out(begin());
    vex_rr(out, row_of(kBlend, op).encoding, number_of(dst), number_of(a), number_of(b));
    out.byte(number_of(mask) << 4);
    finish(out);
}

void Assembler::avx(Blend op, Xmm dst, Xmm a, const Mem& b, Xmm mask) {
    Cursor out(begin());
    vex_rm(out, row_of(kBlend, op).encoding, number_of(dst), number_of(a), b);
    out.byte(number_of(mask) << 4);
    finish(out);
}

void Assembler::fma(Fma op, FmaOrder order, Precision precision, Xmm dst, Xmm a, Xmm b) {
    Cursor out(begin());
    vex_rr(out, fma_encoding(op, order, precision), number_of(dst), number_of(a), number_of(b));
    finish(out);
}

void Assembler::fma(Fma op, FmaOrder order, Precision precision, Xmm dst, Xmm a, const Mem& b) {
    Cursor out(begin());
    vex_rm(out, fma_encoding(op, order, precision), number_of(dst), number_of(a), b);
    finish(out);
}

// --- Moves
// ----------------------------------------------------------------------------------------------------------

void Assembler::sse(SimdMove op, Xmm dst, const Mem& src) {
    Cursor out(begin());
    legacy_rm(out, row_of(kSimdMove, op).load, number_of(dst), src);
    finish(out);
}

void Assembler::sse(SimdMove op, const Mem& dst, Xmm src) {
    Cursor out(begin());
    legacy_rm(out, row_of(kSimdMove, op).store, number_of(src), dst);
    finish(out);
}

void Assembler::avx(SimdMove op, Xmm dst, const Mem& src) {
    Cursor out(begin());
    vex_rm(out, row_of(kSimdMove, op).load, number_of(dst), 0, src);
    finish(out);
}

void Assembler::avx(SimdMove op, const Mem& dst, Xmm src) {
    Cursor out(begin());
    vex_rm(out, row_of(kSimdMove, op).store, number_of(src), 0, dst);
    finish(out);
}

void Assembler::sse(SimdMove op, Xmm dst, Xmm src) {
    WEFT_ASSERT(op != SimdMove::movd);
    Cursor out(begin());
    legacy_rr(out, row_of(kSimdMove, op).load, number_of(dst), number_of(src));
    finish(out);
}

void Assembler::avx(SimdMove op, Xmm dst, Xmm src) {
    WEFT_ASSERT(op != SimdMove::movd && op != SimdMove::movss && op != SimdMove::movsd);
    const SimdMoveRow& row = row_of(kSimdMove, op);
    Cursor out(begin());
    // The store's opcode has the operands the other way round.
    if (better_swapped(dst, src))
        vex_rr(out, row.store, number_of(src), 0, number_of(dst));
    else
        vex_rr(out, row.load, number_of(dst), 0, number_of(src));
    finish(out);
}

void Assembler::avx(SimdMove op, Xmm dst, Xmm a, Xmm b) {
    WEFT_ASSERT(op == SimdMove::movss || op == SimdMove::movsd);
    const SimdMoveRow& row = row_of(kSimdMove, op);
    Cursor out(begin());
    if (better_swapped(dst, b))
        vex_rr(out, row.store, number_of(b), number_of(a), number_of(dst));
    else
        vex_rr(out, row.load, number_of(dst), number_of(a), number_of(b));
    finish(out);
}

void Assembler::sse_move(Width width, Xmm dst, Gpr src) {
    Cursor out(begin());
    legacy_rr(out, by_width(kGprToXmm, width), number_of(dst), number_of(src));
    finish(out);
}

void Assembler::sse_move(Width width, Gpr dst, Xmm src) {
    Cursor out(begin());
    legacy_rr(out, by_width(kXmmToGpr, width), number_of(src), number_of(dst));
    finish(out);
}

void Assembler::avx_move(Width width, Xmm dst, Gpr src) {
    Cursor out(begin());
    vex_rr(out, by_width(kGprToXmm, width), number_of(dst), 0, number_of(src));
    finish(out);
}

void Assembler::avx_move(Width width, Gpr dst, Xmm src) {
    Cursor out(begin());
    vex_rr(out, by_width(kXmmToGpr, width), number_of(src), 0, number_of(dst));
    finish(out);
}

void Assembler::sse_insert(Width width, Xmm dst, Gpr src, uint8_t lane) {
    Cursor out(begin());
    legacy_rr(out, by_width(kInsert, width), number_of(dst), number_of(src));
    out.byte(lane);
    finish(out);
}

void Assembler::sse_insert(Width width, Xmm dst, const Mem& src, uint8_t lane) {
    Cursor out(begin());
    legacy_rm(out, by_width(kInsert, width), number_of(dst), src);
    out.byte(lane);
    finish(out);
}

void Assembler::avx_insert(Width width, Xmm dst, Xmm a, Gpr src, uint8_t lane) {
    Cursor out(begin());
    vex_rr(out, by_width(kInsert, width), number_of(dst), number_of(a), number_of(src));
    out.byte(lane);
    finish(out);
}

void Assembler::avx_insert(Width width, Xmm dst, Xmm a, const Mem& src, uint8_t lane) {
    Cursor out(begin());
    vex_rm(out, by_width(kInsert, width), number_of(dst), number_of(a), src);
    out.byte(lane);
    finish(out);
}

void Assembler::sse_extract(Width width, Gpr dst, Xmm src, uint8_t lane) {
    Cursor out(begin());
    legacy_rr(out, by_width(kExtract, width), number_of(src), number_of(dst));
    out.byte(lane);
    finish(out);
}

void Assembler::sse_extract(Width width, const Mem& dst, Xmm src, uint8_t lane) {
    Cursor out(begin());
    legacy_rm(out, by_width(kExtract, width), number_of(src), dst);
    out.byte(lane);
    finish(out);
}

void Assembler::avx_extract(Width width, Gpr dst, Xmm src, uint8_t lane) {
    Cursor out(begin());
    vex_rr(out, by_width(kExtract, width), number_of(src), 0, number_of(dst));
    out.byte(lane);
    finish(out);
}

void Assembler::avx_extract(Width width, const Mem& dst, Xmm src, uint8_t lane) {
    Cursor out(begin());
    vex_rm(out, by_width(kExtract, width), number_of(src), 0, dst);
    out.byte(lane);
    finish(out);
}

// --- Conversions
// ----------------------------------------------------------------------------------------------------

void Assembler::sse(ToInt op, Width width, Gpr dst, Xmm src) {
    Cursor out(begin());
    legacy_rr(out, by_width(row_of(kToInt, op).encoding, width), number_of(dst), number_of(src));
    finish(out);
}

void Assembler::sse(ToInt op, Width width, Gpr dst, const Mem& src) {
    Cursor out(begin());
    legacy_rm(out, by_width(row_of(kToInt, op).encoding, width), number_of(dst), src);
    finish(out);
}

void Assembler::avx(ToInt op, Width width, Gpr dst, Xmm src) {
    Cursor out(begin());
    vex_rr(out, by_width(row_of(kToInt, op).encoding, width), number_of(dst), 0, number_of(src));
    finish(out);
}

void Assembler::avx(ToInt op, Width width, Gpr dst, const Mem& src) {
    Cursor out(begin());
    vex_rm(out, by_width(row_of(kToInt, op).encoding, width), number_of(dst), 0, src);
    finish(out);
}

void Assembler::sse(FromInt op, Width width, Xmm dst, Gpr src) {
    Cursor out(begin());
    legacy_rr(out, by_width(row_of(kFromInt, op).encoding, width), number_of(dst), number_of(src));
    finish(out);
}

void Assembler::sse(FromInt op, Width width, Xmm dst, const Mem& src) {
    Cursor out(begin());
    legacy_rm(out, by_width(row_of(kFromInt, op).encoding, width), number_of(dst), src);
    finish(out);
}

void Assembler::avx(FromInt op, Width width, Xmm dst, Xmm a, Gpr src) {
    Cursor out(begin());
    vex_rr(out, by_width(row_of(kFromInt, op).encoding, width), number_of(dst), number_of(a), number_of(src));
    finish(out);
}

void Assembler::avx(FromInt op, Width width, Xmm dst, Xmm a, const Mem& src) {
    Cursor out(begin());
    vex_rm(out, by_width(row_of(kFromInt, op).encoding, width), number_of(dst), number_of(a), src);
    finish(out);
}

void Assembler::sse(Mxcsr op, const Mem& mem) {
    Cursor out(begin());
    legacy_rm(out, {kMxcsrOpcode, Map::m0f}, row_of(kMxcsr, op).digit, mem);
    finish(out);
}

void Assembler::avx(Mxcsr op, const Mem& mem) {
    Cursor out(begin());
    vex_rm(out, {kMxcsrOpcode, Map::m0f}, row_of(kMxcsr, op).digit, 0, mem);
    finish(out);
}

// --- AVX-512 scalars
// ------------------------------------------------------------------------------------------------

void Assembler::evex(ToUnsigned op, Width width, Gpr dst, Xmm src) {
    Cursor out(begin());
    evex_rr(out, by_width(row_of(kToUnsigned, op).encoding, width), number_of(dst), 0, number_of(src));
    finish(out);
}

void Assembler::evex(FromUnsigned op, Width width, Xmm dst, Xmm a, Gpr src) {
    Cursor out(begin());
    evex_rr(out, by_width(row_of(kFromUnsigned, op).encoding, width), number_of(dst), number_of(a),
            number_of(src));
    finish(out);
}

void Assembler::evex(Simd op, Rounding rounding, Xmm dst, Xmm a, Xmm b) {
    const SimdRow& row = row_of(kSimd, op);
    WEFT_ASSERT(row.embedded_rounding);
    Cursor out(begin());
    // Unlike VEX, EVEX wants W to agree with the precision of the source.
    evex_rr_rounding(out, row.encoding.with_wide(row.memory_bytes == 8), number_of(dst), number_of(a),
                     number_of(b), rounding);
    finish(out);
}

void Assembler::evex(ToInt op, Rounding rounding, Width width, Gpr dst, Xmm src) {
    const SimdRow& row = row_of(kToInt, op);
    WEFT_ASSERT(row.embedded_rounding);
    Cursor out(begin());
    evex_rr_rounding(out, by_width(row.encoding, width), number_of(dst), 0, number_of(src), rounding);
    finish(out);
}

void Assembler::evex(ToUnsigned op, Rounding rounding, Width width, Gpr dst, Xmm src) {
    const SimdRow& row = row_of(kToUnsigned, op);
    WEFT_ASSERT(row.embedded_rounding);
    Cursor out(begin());
    evex_rr_rounding(out, by_width(row.encoding, width), number_of(dst), 0, number_of(src), rounding);
    finish(out);
}

void Assembler::evex(FromInt op, Rounding rounding, Width width, Xmm dst, Xmm a, Gpr src) {
    WEFT_ASSERT(op == FromInt::cvtsi2ss || width == Width::q64);
    Cursor out(begin());
    evex_rr_rounding(out, by_width(row_of(kFromInt, op).encoding, width), number_of(dst), number_of(a),
                     number_of(src), rounding);
    finish(out);
}

void Assembler::evex(FromUnsigned op, Rounding rounding, Width width, Xmm dst, Xmm a, Gpr src) {
    WEFT_ASSERT(op == FromUnsigned::cvtusi2ss || width == Width::q64);
    Cursor out(begin());
    evex_rr_rounding(out, by_width(row_of(kFromUnsigned, op).encoding, width), number_of(dst), number_of(a),
                     number_of(src), rounding);
    finish(out);
}

void Assembler::evex(Fma op, FmaOrder order, Precision precision, Rounding rounding, Xmm dst, Xmm a, Xmm b) {
    Cursor out(begin());
    evex_rr_rounding(out, fma_encoding(op, order, precision), number_of(dst), number_of(a), number_of(b),
                     rounding);
    finish(out);
}

}  // namespace weft::tcg::x86_64
