// weft's x86-64 assembler: typed functions that each emit one instruction. It knows nothing of IR.
//
// Every function takes the shortest encoding. The destination comes first. Functions that return a uint32_t
// return the unit offset of a field, for relocations and patching. Which instructions the host has is the
// caller's to know (see host_features.h); the families and their features are declared in
// instruction_table.h.
#pragma once

#include <cstdint>

#include "tcg/x86_64/emitter.h"
#include "tcg/x86_64/encoder.h"
#include "tcg/x86_64/instruction_table.h"
#include "tcg/x86_64/label.h"
#include "tcg/x86_64/registers.h"

namespace weft::tcg::x86_64 {

class Assembler : public Emitter {
  public:
    using Emitter::Emitter;

    // --- Moves
    // ------------------------------------------------------------------------------------------------------

    void mov(Width width, Gpr dst, Gpr src);
    void mov(Width width, Gpr dst, const Mem& src);
    void mov(Width width, const Mem& dst, Gpr src);
    // `imm` as for alu().
    void mov(Width width, const Mem& dst, int64_t imm);
    // All 64 bits of `dst`, in 5, 6, 7 or 10 bytes. Keeps the flags (zero is not an xor).
    void mov_imm(Gpr dst, uint64_t imm);
    // Always `movabs`; returns the offset of the 8-byte field.
    uint32_t mov_imm64(Gpr dst, uint64_t imm);

    // Zero extension to 64 bits from b8, w16 or d32.
    void movzx(Width from, Gpr dst, Gpr src);
    void movzx(Width from, Gpr dst, const Mem& src);
    // Sign extension to `to` from a smaller width.
    void movsx(Width to, Width from, Gpr dst, Gpr src);
    void movsx(Width to, Width from, Gpr dst, const Mem& src);

    // Byte-swapping load and store, w16 to q64 (feature movbe).
    void movbe(Width width, Gpr dst, const Mem& src);
    void movbe(Width width, const Mem& dst, Gpr src);
    // d32, q64.
    void bswap(Width width, Gpr reg);

    // d32, q64.
    void lea(Width width, Gpr dst, const Mem& src);
    // d32, q64.
    void cmov(Cond cond, Width width, Gpr dst, Gpr src);
    void cmov(Cond cond, Width width, Gpr dst, const Mem& src);
    // Sets the low byte only.
    void set(Cond cond, Gpr dst);
    void set(Cond cond, const Mem& dst);

    void push(Gpr reg);
    void push(const Mem& src);
    void push(int32_t imm);
    void pop(Gpr reg);
    void pop(const Mem& dst);

    // --- Arithmetic and logic
    // ---------------------------------------------------------------------------------------

    // An immediate is a value of `width`, signed or unsigned; with q64 it is what fits into 32 bits signed.
    // Where the result and the flags are the same, a shorter relative is emitted: 32 bits for 64, `test r, r`
    // for `cmp r, 0`.
    void alu(Alu op, Width width, Gpr dst, Gpr src);
    void alu(Alu op, Width width, Gpr dst, const Mem& src);
    void alu(Alu op, Width width, const Mem& dst, Gpr src);
    void alu(Alu op, Width width, Gpr dst, int64_t imm);
    void alu(Alu op, Width width, const Mem& dst, int64_t imm);

    template <class Dst, class Src>
    void add(Width width, const Dst& dst, const Src& src) {
        alu(Alu::add, width, dst, src);
    }
    template <class Dst, class Src>
    void or_(Width width, const Dst& dst, const Src& src) {
        alu(Alu::or_, width, dst, src);
    }
    template <class Dst, class Src>
    void adc(Width width, const Dst& dst, const Src& src) {
        alu(Alu::adc, width, dst, src);
    }
    template <class Dst, class Src>
    void sbb(Width width, const Dst& dst, const Src& src) {
        alu(Alu::sbb, width, dst, src);
    }
    template <class Dst, class Src>
    void and_(Width width, const Dst& dst, const Src& src) {
        alu(Alu::and_, width, dst, src);
    }
    template <class Dst, class Src>
    void sub(Width width, const Dst& dst, const Src& src) {
        alu(Alu::sub, width, dst, src);
    }
    template <class Dst, class Src>
    void xor_(Width width, const Dst& dst, const Src& src) {
        alu(Alu::xor_, width, dst, src);
    }
    template <class Dst, class Src>
    void cmp(Width width, const Dst& dst, const Src& src) {
        alu(Alu::cmp, width, dst, src);
    }

    void test(Width width, Gpr a, Gpr b);
    void test(Width width, const Mem& a, Gpr b);
    void test(Width width, Gpr a, int64_t imm);
    void test(Width width, const Mem& a, int64_t imm);

    void unary(Unary op, Width width, Gpr reg);
    void unary(Unary op, Width width, const Mem& mem);
    void not_(Width width, Gpr reg) { unary(Unary::not_, width, reg); }
    void neg(Width width, Gpr reg) { unary(Unary::neg, width, reg); }

    // d32, q64.
    void reg_rm(RegRm op, Width width, Gpr dst, Gpr src);
    void reg_rm(RegRm op, Width width, Gpr dst, const Mem& src);
    void imul(Width width, Gpr dst, Gpr src) { reg_rm(RegRm::imul, width, dst, src); }
    void imul(Width width, Gpr dst, const Mem& src) { reg_rm(RegRm::imul, width, dst, src); }
    // dst = src * imm; d32, q64.
    void imul(Width width, Gpr dst, Gpr src, int64_t imm);
    void imul(Width width, Gpr dst, const Mem& src, int64_t imm);

    // By an immediate below the width; by cl. Also on memory.
    void shift(Shift op, Width width, Gpr reg, unsigned count);
    void shift(Shift op, Width width, const Mem& mem, unsigned count);
    void shift_cl(Shift op, Width width, Gpr reg);
    void shift_cl(Shift op, Width width, const Mem& mem);
    void shl(Width width, Gpr reg, unsigned count) { shift(Shift::shl, width, reg, count); }
    void shr(Width width, Gpr reg, unsigned count) { shift(Shift::shr, width, reg, count); }
    void sar(Width width, Gpr reg, unsigned count) { shift(Shift::sar, width, reg, count); }
    void rol(Width width, Gpr reg, unsigned count) { shift(Shift::rol, width, reg, count); }
    void ror(Width width, Gpr reg, unsigned count) { shift(Shift::ror, width, reg, count); }
    // Shifts `dst` and fills the gap from `src`; w16 to q64.
    void double_shift(DoubleShift op, Width width, Gpr dst, Gpr src, unsigned count);

    // `bit` is below the width; w16 to q64. With a register operand the bit number is taken modulo the width.
    void bit_test(BitTest op, Width width, Gpr reg, unsigned bit);
    void bit_test(BitTest op, Width width, const Mem& mem, unsigned bit);
    void bit_test(BitTest op, Width width, Gpr reg, Gpr bit);

    // BMI1 and BMI2; d32, q64. They keep the flags, except andn, bextr, bzhi and bmi(BmiUnary).
    void bmi(BmiNds op, Width width, Gpr dst, Gpr a, Gpr b);
    void bmi(BmiNds op, Width width, Gpr dst, Gpr a, const Mem& b);
    void bmi(BmiCount op, Width width, Gpr dst, Gpr src, Gpr count);
    void bmi(BmiCount op, Width width, Gpr dst, const Mem& src, Gpr count);
    void bmi(BmiUnary op, Width width, Gpr dst, Gpr src);
    void bmi(BmiUnary op, Width width, Gpr dst, const Mem& src);
    void rorx(Width width, Gpr dst, Gpr src, unsigned count);
    void rorx(Width width, Gpr dst, const Mem& src, unsigned count);

    // --- Atomics
    // ----------------------------------------------------------------------------------------------------

    // Atomic by itself when it has a memory operand; else of two different registers.
    void xchg(Width width, const Mem& mem, Gpr reg);
    void xchg(Width width, Gpr a, Gpr b);
    // With the lock prefix. cmpxchg compares with rax, cmpxchg16b with rdx:rax and stores rcx:rbx (feature
    // cx16).
    void lock_cmpxchg(Width width, const Mem& mem, Gpr replacement);
    void lock_cmpxchg16b(const Mem& mem);
    void lock_xadd(Width width, const Mem& mem, Gpr reg);
    // Not cmp.
    void lock_alu(Alu op, Width width, const Mem& dst, Gpr src);
    void lock_alu(Alu op, Width width, const Mem& dst, int64_t imm);

    // --- Control
    // ----------------------------------------------------------------------------------------------------

    // Here is `label`. Once only.
    void bind(Label& label);
    // How many references wait for a label to be bound. Zero in a finished unit.
    unsigned awaited_references() const { return awaited_references_; }

    // Backwards in the shortest encoding, forwards with 32 bits.
    void jmp(Label& label);
    void jcc(Cond cond, Label& label);
    void call(Label& label);
    // Two bytes; the caller knows that the label is, or will be bound, in reach of 8 bits.
    void jmp_short(Label& label);
    void jcc_short(Cond cond, Label& label);
    // Always with 32 bits, to an offset from the unit's start that may lie outside of it. Return the field's
    // offset.
    uint32_t jmp_rel32(int64_t target);
    uint32_t jcc_rel32(Cond cond, int64_t target);
    uint32_t call_rel32(int64_t target);
    // As jmp_rel32, with nops before it such that the field is 4-byte aligned if the unit is: one aligned
    // store by another thread retargets it while it executes.
    uint32_t jmp_patchable(int64_t target);
    uint32_t call_patchable(int64_t target);
    void jmp(Gpr target);
    void jmp(const Mem& target);
    void call(Gpr target);
    void call(const Mem& target);

    void plain(Plain op);
    void cdq() { plain(Plain::cdq); }
    void cqo() { plain(Plain::cqo); }
    void ret() { plain(Plain::ret); }
    void ud2() { plain(Plain::ud2); }
    void prefetch(Prefetch hint, const Mem& mem);
    // `count` bytes that do nothing, in as few instructions as the recommended forms of up to 9 bytes allow.
    void nop(unsigned count);
    // nops up to the next multiple of `alignment`, a power of two, from the unit's start.
    void align(uint32_t alignment);

    // --- SSE (two operands) and AVX (three operands, upper bits cleared)
    // -------------------------------------------- sse() with a 16-byte memory operand wants it aligned. Do
    // not mix the two within a unit: hosts charge for it.

    void sse(Simd op, Xmm dst, Xmm src);
    void sse(Simd op, Xmm dst, const Mem& src);
    void avx(Simd op, Xmm dst, Xmm a, Xmm b);
    void avx(Simd op, Xmm dst, Xmm a, const Mem& b);
    void sse(SimdImm op, Xmm dst, Xmm src, uint8_t imm);
    void sse(SimdImm op, Xmm dst, const Mem& src, uint8_t imm);
    void avx(SimdImm op, Xmm dst, Xmm a, Xmm b, uint8_t imm);
    void avx(SimdImm op, Xmm dst, Xmm a, const Mem& b, uint8_t imm);
    void sse(SimdCompare op, Xmm a, Xmm b);
    void sse(SimdCompare op, Xmm a, const Mem& b);
    void avx(SimdCompare op, Xmm a, Xmm b);
    void avx(SimdCompare op, Xmm a, const Mem& b);
    void sse(SimdShift op, Xmm reg, uint8_t count);
    void avx(SimdShift op, Xmm dst, Xmm src, uint8_t count);

    void sse(SimdMove op, Xmm dst, const Mem& src);
    void sse(SimdMove op, const Mem& dst, Xmm src);
    void avx(SimdMove op, Xmm dst, const Mem& src);
    void avx(SimdMove op, const Mem& dst, Xmm src);
    // Between registers; not movd. movss and movsd replace the low element of `dst` (movss, movsd of AVX: of
    // `a`).
    void sse(SimdMove op, Xmm dst, Xmm src);
    void avx(SimdMove op, Xmm dst, Xmm src);
    void avx(SimdMove op, Xmm dst, Xmm a, Xmm b);
    // movd, movq; d32, q64.
    void sse_move(Width width, Xmm dst, Gpr src);
    void sse_move(Width width, Gpr dst, Xmm src);
    void avx_move(Width width, Xmm dst, Gpr src);
    void avx_move(Width width, Gpr dst, Xmm src);
    // pinsrd, pinsrq, pextrd, pextrq (SSE4.1); d32, q64.
    void sse_insert(Width width, Xmm dst, Gpr src, uint8_t lane);
    void sse_insert(Width width, Xmm dst, const Mem& src, uint8_t lane);
    void avx_insert(Width width, Xmm dst, Xmm a, Gpr src, uint8_t lane);
    void avx_insert(Width width, Xmm dst, Xmm a, const Mem& src, uint8_t lane);
    void sse_extract(Width width, Gpr dst, Xmm src, uint8_t lane);
    void sse_extract(Width width, const Mem& dst, Xmm src, uint8_t lane);
    void avx_extract(Width width, Gpr dst, Xmm src, uint8_t lane);
    void avx_extract(Width width, const Mem& dst, Xmm src, uint8_t lane);

    // Conversions; d32, q64.
    void sse(ToInt op, Width width, Gpr dst, Xmm src);
    void sse(ToInt op, Width width, Gpr dst, const Mem& src);
    void avx(ToInt op, Width width, Gpr dst, Xmm src);
    void avx(ToInt op, Width width, Gpr dst, const Mem& src);
    void sse(FromInt op, Width width, Xmm dst, Gpr src);
    void sse(FromInt op, Width width, Xmm dst, const Mem& src);
    void avx(FromInt op, Width width, Xmm dst, Xmm a, Gpr src);
    void avx(FromInt op, Width width, Xmm dst, Xmm a, const Mem& src);

    void avx(Blend op, Xmm dst, Xmm a, Xmm b, Xmm mask);
    void avx(Blend op, Xmm dst, Xmm a, const Mem& b, Xmm mask);
    void fma(Fma op, FmaOrder order, Precision precision, Xmm dst, Xmm a, Xmm b);
    void fma(Fma op, FmaOrder order, Precision precision, Xmm dst, Xmm a, const Mem& b);

    void sse(Mxcsr op, const Mem& mem);
    void avx(Mxcsr op, const Mem& mem);

    // --- AVX-512F scalars: unsigned conversions, embedded rounding (which sets no exception flags)
    // -------------------

    void evex(ToUnsigned op, Width width, Gpr dst, Xmm src);
    void evex(FromUnsigned op, Width width, Xmm dst, Xmm a, Gpr src);

    // Rows with embedded_rounding only; from integers to double, q64 only (the others are exact).
    void evex(Simd op, Rounding rounding, Xmm dst, Xmm a, Xmm b);
    void evex(ToInt op, Rounding rounding, Width width, Gpr dst, Xmm src);
    void evex(ToUnsigned op, Rounding rounding, Width width, Gpr dst, Xmm src);
    void evex(FromInt op, Rounding rounding, Width width, Xmm dst, Xmm a, Gpr src);
    void evex(FromUnsigned op, Rounding rounding, Width width, Xmm dst, Xmm a, Gpr src);
    void evex(Fma op, FmaOrder order, Precision precision, Rounding rounding, Xmm dst, Xmm a, Xmm b);

  private:
    // Ends an instruction: resolves its rip-relative operand and takes the bytes.
    bool finish(Cursor& out) {
        if (out.rip_mem != nullptr) [[unlikely]]
            return finish_rip(out);
        return commit(out.begin, out.at);
    }
    bool finish_rip(Cursor& out);
    void jump(unsigned opcode8, Encoding encoding32, Label& label);
    void jump_short(unsigned opcode8, Label& label);
    void align_field();
    uint32_t jump_rel32(Encoding encoding32, int64_t target);

    unsigned awaited_references_ = 0;
};

}  // namespace weft::tcg::x86_64
