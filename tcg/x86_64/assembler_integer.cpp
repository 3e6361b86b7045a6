// Integer instructions.
#include <algorithm>
#include <limits>

#include "base/assert.h"
#include "tcg/x86_64/assembler.h"

namespace weft::tcg::x86_64 {
namespace {

constexpr unsigned kLockPrefix = 0xf0;

constexpr bool fits_int8(int64_t value) { return value >= -128 && value <= 127; }

constexpr bool is_32_or_64(Width width) { return width >= Width::d32; }

// Most integer opcodes come as an even one for bytes and the odd one after it for the rest.
constexpr Encoding sized(unsigned byte_opcode, Width width, Map map = Map::one_byte) {
    return {static_cast<uint8_t>(width == Width::b8 ? byte_opcode : byte_opcode | 1), map,
            width == Width::w16 ? Prefix::p66 : Prefix::none, width == Width::q64};
}

// The same opcode for 16 (by prefix), 32 and 64 bits (by W).
constexpr Encoding sized_by_prefix(unsigned opcode, Width width, Map map) {
    return {static_cast<uint8_t>(opcode), map, width == Width::w16 ? Prefix::p66 : Prefix::none,
            width == Width::q64};
}

constexpr bool byte_rex(Width width, Gpr reg) { return width == Width::b8 && needs_rex_as_byte(reg); }

constexpr bool byte_rex(Width width, Gpr a, Gpr b) { return byte_rex(width, a) || byte_rex(width, b); }

// The immediate as the instruction's sign extension sees it.
int32_t immediate(Width width, int64_t imm) {
    switch (width) {
        case Width::b8:
            WEFT_ASSERT(imm >= -0x80 && imm <= 0xff);
            return static_cast<int8_t>(imm);
        case Width::w16:
            WEFT_ASSERT(imm >= -0x8000 && imm <= 0xffff);
            return static_cast<int16_t>(imm);
        case Width::d32:
            WEFT_ASSERT(imm >= -0x8000'0000LL && imm <= 0xffff'ffffLL);
            break;
        case Width::q64:
            WEFT_ASSERT(imm >= -0x8000'0000LL && imm <= 0x7fff'ffffLL);
            break;
    }
    return static_cast<int32_t>(imm);
}

void put_immediate(Cursor& out, Width width, int32_t imm) {
    if (width == Width::b8)
        out.byte(static_cast<unsigned>(imm));
    else if (width == Width::w16)
        out.imm16(static_cast<uint32_t>(imm));
    else
        out.imm32(static_cast<uint32_t>(imm));
}

constexpr unsigned alu_opcode(Alu op) { return static_cast<unsigned>(op) << 3; }

// The lock prefix stands after those of segment and operand size, where assemblers put it.
void put_locked(Cursor& out, Encoding encoding, unsigned reg, const Mem& mem, bool force_rex = false) {
    if (encoding.prefix == Prefix::p66)
        out.byte(0x66);
    out.byte(kLockPrefix);
    encoding.prefix = Prefix::none;
    uint8_t* const segment = out.at;
    legacy_rm(out, encoding, reg, mem, force_rex);
    if (mem.gs()) [[unlikely]]
        std::rotate(out.begin, segment, segment + 1);
}

void put_alu_imm(Cursor& out, bool locked, Alu op, Width width, const Mem& dst, int64_t imm) {
    const int32_t value = immediate(width, imm);
    const auto digit = static_cast<unsigned>(op);
    const bool is_short = width != Width::b8 && fits_int8(value);
    const Encoding encoding = sized(is_short ? 0x82 : 0x80, width);
    if (locked)
        put_locked(out, encoding, digit, dst);
    else
        legacy_rm(out, encoding, digit, dst);
    put_immediate(out, is_short ? Width::b8 : width, value);
}

}  // namespace

// --- Moves
// ----------------------------------------------------------------------------------------------------------

void Assembler::mov(Width width, Gpr dst, Gpr src) {
    Cursor out(begin());
    legacy_rr(out, sized(0x88, width), number_of(src), number_of(dst), byte_rex(width, dst, src));
    finish(out);
}

void Assembler::mov(Width width, Gpr dst, const Mem& src) {
    Cursor out(begin());
    legacy_rm(out, sized(0x8a, width), number_of(dst), src, byte_rex(width, dst));
    finish(out);
}

void Assembler::mov(Width width, const Mem& dst, Gpr src) {
    Cursor out(begin());
    legacy_rm(out, sized(0x88, width), number_of(src), dst, byte_rex(width, src));
    finish(out);
}

void Assembler::mov(Width width, const Mem& dst, int64_t imm) {
    Cursor out(begin());
    legacy_rm(out, sized(0xc6, width), 0, dst);
    put_immediate(out, width, immediate(width, imm));
    finish(out);
}

void Assembler::mov_imm(Gpr dst, uint64_t imm) {
    if (imm > std::numeric_limits<uint32_t>::max() && imm < uint64_t{0} - 0x8000'0000U) {
        mov_imm64(dst, imm);
        return;
    }
    Cursor out(begin());
    if (imm <= std::numeric_limits<uint32_t>::max())
        legacy_opcode_reg(out, {0xb8}, number_of(dst));
    else
        legacy_rr(out, sized(0xc6, Width::q64), 0, number_of(dst));
    out.imm32(static_cast<uint32_t>(imm));
    finish(out);
}

uint32_t Assembler::mov_imm64(Gpr dst, uint64_t imm) {
    Cursor out(begin());
    legacy_opcode_reg(out, Encoding{0xb8}.with_wide(true), number_of(dst));
    const uint32_t field = offset() + static_cast<uint32_t>(out.at - out.begin);
    out.imm64(imm);
    finish(out);
    return field;
}

void Assembler::movzx(Width from, Gpr dst, Gpr src) {
    WEFT_ASSERT(from != Width::q64);
    if (from == Width::d32) {
        mov(Width::d32, dst, src);
        return;
    }
    Cursor out(begin());
    legacy_rr(out, {static_cast<uint8_t>(from == Width::b8 ? 0xb6 : 0xb7), Map::m0f}, number_of(dst),
              number_of(src), byte_rex(from, src));
    finish(out);
}

void Assembler::movzx(Width from, Gpr dst, const Mem& src) {
    WEFT_ASSERT(from != Width::q64);
    if (from == Width::d32) {
        mov(Width::d32, dst, src);
        return;
    }
    Cursor out(begin());
    legacy_rm(out, {static_cast<uint8_t>(from == Width::b8 ? 0xb6 : 0xb7), Map::m0f}, number_of(dst), src);
    finish(out);
}

namespace {

Encoding sign_extension(Width to, Width from) {
    WEFT_ASSERT(from < to);
    if (from == Width::d32)
        return sized_by_prefix(0x63, to, Map::one_byte);
    return sized_by_prefix(from == Width::b8 ? 0xbe : 0xbf, to, Map::m0f);
}

}  // namespace

void Assembler::movsx(Width to, Width from, Gpr dst, Gpr src) {
    Cursor out(begin());
    legacy_rr(out, sign_extension(to, from), number_of(dst), number_of(src), byte_rex(from, src));
    finish(out);
}

void Assembler::movsx(Width to, Width from, Gpr dst, const Mem& src) {
    Cursor out(begin());
    legacy_rm(out, sign_extension(to, from), number_of(dst), src);
    finish(out);
}

void Assembler::movbe(Width width, Gpr dst, const Mem& src) {
    WEFT_ASSERT(width != Width::b8);
    Cursor out(begin());
    legacy_rm(out, sized_by_prefix(0xf0, width, Map::m0f38), number_of(dst), src);
    finish(out);
}

void Assembler::movbe(Width width, const Mem& dst, Gpr src) {
    WEFT_ASSERT(width != Width::b8);
    Cursor out(begin());
    legacy_rm(out, sized_by_prefix(0xf1, width, Map::m0f38), number_of(src), dst);
    finish(out);
}

void Assembler::bswap(Width width, Gpr reg) {
    WEFT_ASSERT(is_32_or_64(width));
    Cursor out(begin());
    legacy_opcode_reg(out, sized_by_prefix(0xc8, width, Map::m0f), number_of(reg));
    finish(out);
}

void Assembler::lea(Width width, Gpr dst, const Mem& src) {
    WEFT_ASSERT(is_32_or_64(width));
    Cursor out(begin());
    legacy_rm(out, sized_by_prefix(0x8d, width, Map::one_byte), number_of(dst), src);
    finish(out);
}

void Assembler::cmov(Cond cond, Width width, Gpr dst, Gpr src) {
    WEFT_ASSERT(is_32_or_64(width));
    Cursor out(begin());
    legacy_rr(out, sized_by_prefix(0x40 | static_cast<unsigned>(cond), width, Map::m0f), number_of(dst),
              number_of(src));
    finish(out);
}

void Assembler::cmov(Cond cond, Width width, Gpr dst, const Mem& src) {
    WEFT_ASSERT(is_32_or_64(width));
    Cursor out(begin());
    legacy_rm(out, sized_by_prefix(0x40 | static_cast<unsigned>(cond), width, Map::m0f), number_of(dst), src);
    finish(out);
}

void Assembler::set(Cond cond, Gpr dst) {
    Cursor out(begin());
    legacy_rr(out, {static_cast<uint8_t>(0x90 | static_cast<unsigned>(cond)), Map::m0f}, 0, number_of(dst),
              needs_rex_as_byte(dst));
    finish(out);
}

void Assembler::set(Cond cond, const Mem& dst) {
    Cursor out(begin());
    legacy_rm(out, {static_cast<uint8_t>(0x90 | static_cast<unsigned>(cond)), Map::m0f}, 0, dst);
    finish(out);
}

void Assembler::push(Gpr reg) {
    Cursor out(begin());
    legacy_opcode_reg(out, {0x50}, number_of(reg));
    finish(out);
}

void Assembler::push(const Mem& src) {
    Cursor out(begin());
    legacy_rm(out, {0xff}, 6, src);
    finish(out);
}

void Assembler::push(int32_t imm) {
    Cursor out(begin());
    out.byte(fits_int8(imm) ? 0x6a : 0x68);
    put_immediate(out, fits_int8(imm) ? Width::b8 : Width::d32, imm);
    finish(out);
}

void Assembler::pop(Gpr reg) {
    Cursor out(begin());
    legacy_opcode_reg(out, {0x58}, number_of(reg));
    finish(out);
}

void Assembler::pop(const Mem& dst) {
    Cursor out(begin());
    legacy_rm(out, {0x8f}, 0, dst);
    finish(out);
}

// --- Arithmetic and logic
// -------------------------------------------------------------------------------------------

void Assembler::alu(Alu op, Width width, Gpr dst, Gpr src) {
    // A register minus or xor itself is zero, with the same flags, at any width.
    if (width == Width::q64 && dst == src && (op == Alu::xor_ || op == Alu::sub))
        width = Width::d32;
    Cursor out(begin());
    legacy_rr(out, sized(alu_opcode(op), width), number_of(src), number_of(dst), byte_rex(width, dst, src));
    finish(out);
}

void Assembler::alu(Alu op, Width width, Gpr dst, const Mem& src) {
    Cursor out(begin());
    legacy_rm(out, sized(alu_opcode(op) | 2, width), number_of(dst), src, byte_rex(width, dst));
    finish(out);
}

void Assembler::alu(Alu op, Width width, const Mem& dst, Gpr src) {
    Cursor out(begin());
    legacy_rm(out, sized(alu_opcode(op), width), number_of(src), dst, byte_rex(width, src));
    finish(out);
}

void Assembler::alu(Alu op, Width width, Gpr dst, int64_t imm) {
    const int32_t value = immediate(width, imm);
    if (op == Alu::cmp && value == 0) {
        test(width, dst, dst);
        return;
    }
    // A mask that is positive clears the upper half and the sign in both widths.
    if (op == Alu::and_ && width == Width::q64 && value >= 0)
        width = Width::d32;
    const auto digit = static_cast<unsigned>(op);
    Cursor out(begin());
    if (width != Width::b8 && fits_int8(value)) {
        legacy_rr(out, sized(0x82, width), digit, number_of(dst));
        out.byte(static_cast<unsigned>(value));
    } else if (dst == Gpr::rax) {
        // 04/05 + 8 * op: the accumulator without ModRM.
        if (width == Width::w16)
            out.byte(0x66);
        else if (width == Width::q64)
            out.byte(0x48);
        out.byte(alu_opcode(op) | (width == Width::b8 ? 4 : 5));
        put_immediate(out, width, value);
    } else {
        legacy_rr(out, sized(0x80, width), digit, number_of(dst), byte_rex(width, dst));
        put_immediate(out, width, value);
    }
    finish(out);
}

void Assembler::alu(Alu op, Width width, const Mem& dst, int64_t imm) {
    Cursor out(begin());
    put_alu_imm(out, false, op, width, dst, imm);
    finish(out);
}

void Assembler::test(Width width, Gpr a, Gpr b) {
    Cursor out(begin());
    legacy_rr(out, sized(0x84, width), number_of(b), number_of(a), byte_rex(width, a, b));
    finish(out);
}

void Assembler::test(Width width, const Mem& a, Gpr b) {
    Cursor out(begin());
    legacy_rm(out, sized(0x84, width), number_of(b), a, byte_rex(width, b));
    finish(out);
}

void Assembler::test(Width width, Gpr a, int64_t imm) {
    const int32_t value = immediate(width, imm);
    // The sign flag is clear and the parity comes from the low byte in every width that holds a positive
    // mask.
    if (value >= 0 && value <= std::numeric_limits<int8_t>::max())
        width = Width::b8;
    else if (value >= 0 && width == Width::q64)
        width = Width::d32;
    Cursor out(begin());
    if (a == Gpr::rax) {
        if (width == Width::w16)
            out.byte(0x66);
        else if (width == Width::q64)
            out.byte(0x48);
        out.byte(width == Width::b8 ? 0xa8 : 0xa9);
    } else {
        legacy_rr(out, sized(0xf6, width), 0, number_of(a), byte_rex(width, a));
    }
    put_immediate(out, width, value);
    finish(out);
}

void Assembler::test(Width width, const Mem& a, int64_t imm) {
    Cursor out(begin());
    legacy_rm(out, sized(0xf6, width), 0, a);
    put_immediate(out, width, immediate(width, imm));
    finish(out);
}

void Assembler::unary(Unary op, Width width, Gpr reg) {
    Cursor out(begin());
    legacy_rr(out, sized(0xf6, width), row_of(kUnary, op).digit, number_of(reg), byte_rex(width, reg));
    finish(out);
}

void Assembler::unary(Unary op, Width width, const Mem& mem) {
    Cursor out(begin());
    legacy_rm(out, sized(0xf6, width), row_of(kUnary, op).digit, mem);
    finish(out);
}

void Assembler::reg_rm(RegRm op, Width width, Gpr dst, Gpr src) {
    WEFT_ASSERT(is_32_or_64(width));
    Cursor out(begin());
    legacy_rr(out, row_of(kRegRm, op).encoding.with_wide(width == Width::q64), number_of(dst),
              number_of(src));
    finish(out);
}

void Assembler::reg_rm(RegRm op, Width width, Gpr dst, const Mem& src) {
    WEFT_ASSERT(is_32_or_64(width));
    Cursor out(begin());
    legacy_rm(out, row_of(kRegRm, op).encoding.with_wide(width == Width::q64), number_of(dst), src);
    finish(out);
}

void Assembler::imul(Width width, Gpr dst, Gpr src, int64_t imm) {
    WEFT_ASSERT(is_32_or_64(width));
    const int32_t value = immediate(width, imm);
    Cursor out(begin());
    legacy_rr(out, sized_by_prefix(fits_int8(value) ? 0x6b : 0x69, width, Map::one_byte), number_of(dst),
              number_of(src));
    put_immediate(out, fits_int8(value) ? Width::b8 : width, value);
    finish(out);
}

void Assembler::imul(Width width, Gpr dst, const Mem& src, int64_t imm) {
    WEFT_ASSERT(is_32_or_64(width));
    const int32_t value = immediate(width, imm);
    Cursor out(begin());
    legacy_rm(out, sized_by_prefix(fits_int8(value) ? 0x6b : 0x69, width, Map::one_byte), number_of(dst),
              src);
    put_immediate(out, fits_int8(value) ? Width::b8 : width, value);
    finish(out);
}

void Assembler::shift(Shift op, Width width, Gpr reg, unsigned count) {
    WEFT_ASSERT(count < bytes_of(width) * 8);
    Cursor out(begin());
    legacy_rr(out, sized(count == 1 ? 0xd0 : 0xc0, width), row_of(kShift, op).digit, number_of(reg),
              byte_rex(width, reg));
    if (count != 1)
        out.byte(count);
    finish(out);
}

void Assembler::shift(Shift op, Width width, const Mem& mem, unsigned count) {
    WEFT_ASSERT(count < bytes_of(width) * 8);
    Cursor out(begin());
    legacy_rm(out, sized(count == 1 ? 0xd0 : 0xc0, width), row_of(kShift, op).digit, mem);
    if (count != 1)
        out.byte(count);
    finish(out);
}

void Assembler::shift_cl(Shift op, Width width, Gpr reg) {
    Cursor out(begin());
    legacy_rr(out, sized(0xd2, width), row_of(kShift, op).digit, number_of(reg), byte_rex(width, reg));
    finish(out);
}

void Assembler::shift_cl(Shift op, Width width, const Mem& mem) {
    Cursor out(begin());
    legacy_rm(out, sized(0xd2, width), row_of(kShift, op).digit, mem);
    finish(out);
}

void Assembler::double_shift(DoubleShift op, Width width, Gpr dst, Gpr src, unsigned count) {
    WEFT_ASSERT(width != Width::b8 && count < bytes_of(width) * 8);
    Cursor out(begin());
    legacy_rr(out, sized_by_prefix(row_of(kDoubleShift, op).encoding.opcode, width, Map::m0f), number_of(src),
              number_of(dst));
    out.byte(count);
    finish(out);
}

void Assembler::bit_test(BitTest op, Width width, Gpr reg, unsigned bit) {
    WEFT_ASSERT(width != Width::b8 && bit < bytes_of(width) * 8);
    Cursor out(begin());
    legacy_rr(out, sized_by_prefix(0xba, width, Map::m0f), row_of(kBitTest, op).digit, number_of(reg));
    out.byte(bit);
    finish(out);
}

void Assembler::bit_test(BitTest op, Width width, const Mem& mem, unsigned bit) {
    WEFT_ASSERT(width != Width::b8 && bit < bytes_of(width) * 8);
    Cursor out(begin());
    legacy_rm(out, sized_by_prefix(0xba, width, Map::m0f), row_of(kBitTest, op).digit, mem);
    out.byte(bit);
    finish(out);
}

void Assembler::bit_test(BitTest op, Width width, Gpr reg, Gpr bit) {
    WEFT_ASSERT(width != Width::b8);
    constexpr unsigned kFirst = 0x83;  // 0f a3 is bt, whose digit is 4
    Cursor out(begin());
    legacy_rr(out, sized_by_prefix(kFirst + (row_of(kBitTest, op).digit << 3), width, Map::m0f),
              number_of(bit), number_of(reg));
    finish(out);
}

// --- BMI
// ------------------------------------------------------------------------------------------------------------

void Assembler::bmi(BmiNds op, Width width, Gpr dst, Gpr a, Gpr b) {
    WEFT_ASSERT(is_32_or_64(width));
    Cursor out(begin());
    vex_rr(out, row_of(kBmiNds, op).encoding.with_wide(width == Width::q64), number_of(dst), number_of(a),
           number_of(b));
    finish(out);
}

void Assembler::bmi(BmiNds op, Width width, Gpr dst, Gpr a, const Mem& b) {
    WEFT_ASSERT(is_32_or_64(width));
    Cursor out(begin());
    vex_rm(out, row_of(kBmiNds, op).encoding.with_wide(width == Width::q64), number_of(dst), number_of(a), b);
    finish(out);
}

void Assembler::bmi(BmiCount op, Width width, Gpr dst, Gpr src, Gpr count) {
    WEFT_ASSERT(is_32_or_64(width));
    Cursor out(begin());
    vex_rr(out, row_of(kBmiCount, op).encoding.with_wide(width == Width::q64), number_of(dst),
           number_of(count), number_of(src));
    finish(out);
}

void Assembler::bmi(BmiCount op, Width width, Gpr dst, const Mem& src, Gpr count) {
    WEFT_ASSERT(is_32_or_64(width));
    Cursor out(begin());
    vex_rm(out, row_of(kBmiCount, op).encoding.with_wide(width == Width::q64), number_of(dst),
           number_of(count), src);
    finish(out);
}

namespace {

constexpr Encoding bmi_unary(Width width) { return {0xf3, Map::m0f38, Prefix::none, width == Width::q64}; }

constexpr Encoding rorx_encoding(Width width) { return {0xf0, Map::m0f3a, Prefix::pf2, width == Width::q64}; }

}  // namespace

void Assembler::bmi(BmiUnary op, Width width, Gpr dst, Gpr src) {
    WEFT_ASSERT(is_32_or_64(width));
    Cursor out(begin());
    vex_rr(out, bmi_unary(width), row_of(kBmiUnary, op).digit, number_of(dst), number_of(src));
    finish(out);
}

void Assembler::bmi(BmiUnary op, Width width, Gpr dst, const Mem& src) {
    WEFT_ASSERT(is_32_or_64(width));
    Cursor out(begin());
    vex_rm(out, bmi_unary(width), row_of(kBmiUnary, op).digit, number_of(dst), src);
    finish(out);
}

void Assembler::rorx(Width width, Gpr dst, Gpr src, unsigned count) {
    WEFT_ASSERT(is_32_or_64(width) && count < bytes_of(width) * 8);
    Cursor out(begin());
    vex_rr(out, rorx_encoding(width), number_of(dst), 0, number_of(src));
    out.byte(count);
    finish(out);
}

void Assembler::rorx(Width width, Gpr dst, const Mem& src, unsigned count) {
    WEFT_ASSERT(is_32_or_64(width) && count < bytes_of(width) * 8);
    Cursor out(begin());
    vex_rm(out, rorx_encoding(width), number_of(dst), 0, src);
    out.byte(count);
    finish(out);
}

// --- Atomics
// --------------------------------------------------------------------------------------------------------

void Assembler::xchg(Width width, const Mem& mem, Gpr reg) {
    Cursor out(begin());
    legacy_rm(out, sized(0x86, width), number_of(reg), mem, byte_rex(width, reg));
    finish(out);
}

void Assembler::xchg(Width width, Gpr a, Gpr b) {
    WEFT_ASSERT(a != b);
    Cursor out(begin());
    // 90 + register exchanges with rax.
    if (width != Width::b8 && (a == Gpr::rax || b == Gpr::rax))
        legacy_opcode_reg(out, sized_by_prefix(0x90, width, Map::one_byte), number_of(a == Gpr::rax ? b : a));
    else
        legacy_rr(out, sized(0x86, width), number_of(a), number_of(b), byte_rex(width, a, b));
    finish(out);
}

void Assembler::lock_cmpxchg(Width width, const Mem& mem, Gpr replacement) {
    Cursor out(begin());
    put_locked(out, sized(0xb0, width, Map::m0f), number_of(replacement), mem, byte_rex(width, replacement));
    finish(out);
}

void Assembler::lock_cmpxchg16b(const Mem& mem) {
    Cursor out(begin());
    put_locked(out, {0xc7, Map::m0f, Prefix::none, true}, 1, mem);
    finish(out);
}

void Assembler::lock_xadd(Width width, const Mem& mem, Gpr reg) {
    Cursor out(begin());
    put_locked(out, sized(0xc0, width, Map::m0f), number_of(reg), mem, byte_rex(width, reg));
    finish(out);
}

void Assembler::lock_alu(Alu op, Width width, const Mem& dst, Gpr src) {
    WEFT_ASSERT(op != Alu::cmp);
    Cursor out(begin());
    put_locked(out, sized(alu_opcode(op), width), number_of(src), dst, byte_rex(width, src));
    finish(out);
}

void Assembler::lock_alu(Alu op, Width width, const Mem& dst, int64_t imm) {
    WEFT_ASSERT(op != Alu::cmp);
    Cursor out(begin());
    put_alu_imm(out, true, op, width, dst, imm);
    finish(out);
}

}  // namespace weft::tcg::x86_64
