// The operands of x86-64 instructions: registers, widths, condition codes, memory operands.
#pragma once

#include <cstdint>
#include <limits>

#include "base/assert.h"

namespace weft::tcg::x86_64 {

class Label;

// The enumerators are the numbers of the registers in ModRM, SIB, REX, VEX and EVEX.
enum class Gpr : uint8_t { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 };
enum class Xmm : uint8_t {
    xmm0,
    xmm1,
    xmm2,
    xmm3,
    xmm4,
    xmm5,
    xmm6,
    xmm7,
    xmm8,
    xmm9,
    xmm10,
    xmm11,
    xmm12,
    xmm13,
    xmm14,
    xmm15
};

inline constexpr unsigned kGprCount = 16;
inline constexpr unsigned kXmmCount = 16;

constexpr unsigned number_of(Gpr reg) { return static_cast<unsigned>(reg); }
constexpr unsigned number_of(Xmm reg) { return static_cast<unsigned>(reg); }

// Operand size. An instruction of width d32 clears the upper half of the register it writes; b8 and w16 keep
// the rest of it.
enum class Width : uint8_t { b8, w16, d32, q64 };

constexpr unsigned bytes_of(Width width) { return 1U << static_cast<unsigned>(width); }

// Scalar floating point precision, by the suffix of its instructions.
enum class Precision : uint8_t { ss, sd };

// The enumerators are the condition numbers in the opcodes of jcc, setcc and cmovcc. Signed: l ge le g;
// unsigned: b ae be a. After ucomis*: p means unordered.
enum class Cond : uint8_t { o, no, b, ae, e, ne, be, a, s, ns, p, np, l, ge, le, g };

// The condition that holds exactly when `cond` does not.
constexpr Cond invert(Cond cond) { return static_cast<Cond>(static_cast<unsigned>(cond) ^ 1U); }

// The condition that holds for `cmp b, a` exactly when `cond` holds for `cmp a, b`. Not for o, no, s, ns, p,
// np.
constexpr Cond swap_operands(Cond cond) {
    switch (cond) {
        case Cond::b:
            return Cond::a;
        case Cond::a:
            return Cond::b;
        case Cond::ae:
            return Cond::be;
        case Cond::be:
            return Cond::ae;
        case Cond::l:
            return Cond::g;
        case Cond::g:
            return Cond::l;
        case Cond::ge:
            return Cond::le;
        case Cond::le:
            return Cond::ge;
        case Cond::e:
        case Cond::ne:
            return cond;
        default:
            break;
    }
    WEFT_ASSERT(!"a condition that compares");
    return cond;
}

// A memory operand. Plain data, passed by reference into one instruction and forgotten. The encoder takes the
// shortest displacement (none, 8 or 32 bits).
class Mem {
  public:
    enum class Kind : uint8_t {
        base,        // [base + disp]
        base_index,  // [base + index * scale + disp]
        index_only,  // [index * scale + disp]
        rip,         // [end of the instruction + disp]
        rip_unit,    // [start of the unit + disp], addressed relative to rip
        rip_label,   // [label], addressed relative to rip
    };

    explicit constexpr Mem(Gpr base, int32_t disp = 0) : disp_(disp), base_(base) {}

    // `scale` is 1, 2, 4 or 8; `index` is not rsp, which the architecture cannot index with.
    constexpr Mem(Gpr base, Gpr index, unsigned scale, int32_t disp = 0)
        : disp_(disp), kind_(Kind::base_index), base_(base), index_(index), scale_(log2_of(scale)) {
        WEFT_ASSERT(index != Gpr::rsp);
    }

    // [index * scale + disp] without a base; a scale of 1 becomes [index + disp], which is shorter.
    static constexpr Mem scaled(Gpr index, unsigned scale, int32_t disp = 0) {
        if (scale == 1)
            return Mem(index, disp);
        Mem mem(Gpr::rbp, index, scale, disp);
        mem.kind_ = Kind::index_only;
        return mem;
    }

    // Relative to the end of the instruction, whatever its length: for displacements a relocation will fill.
    static constexpr Mem rip(int32_t disp) { return Mem(Kind::rip, disp, nullptr); }

    // The byte at `offset` from the start of the unit; may lie outside of it (a shared pool of constants).
    static constexpr Mem rip_unit(int32_t offset) { return Mem(Kind::rip_unit, offset, nullptr); }

    // The place where `label` is or will be bound.
    static constexpr Mem rip_label(Label& label) { return Mem(Kind::rip_label, 0, &label); }

    // The same operand in the segment gs: its base is added (SDM volume 1, 3.3.4).
    constexpr Mem in_gs() const {
        Mem mem = *this;
        mem.scale_ |= kGs;
        return mem;
    }

    // The same place `bytes` further on. Not for labels.
    constexpr Mem plus(int32_t bytes) const {
        const int64_t sum = int64_t{disp_} + bytes;
        WEFT_ASSERT(kind_ != Kind::rip_label && sum >= std::numeric_limits<int32_t>::min() &&
                    sum <= std::numeric_limits<int32_t>::max());
        Mem moved = *this;
        moved.disp_ = static_cast<int32_t>(sum);
        return moved;
    }

    constexpr Kind kind() const { return kind_; }
    constexpr Gpr base() const { return base_; }
    constexpr Gpr index() const { return index_; }
    constexpr unsigned scale_log2() const { return scale_ & 3U; }
    constexpr bool gs() const { return (scale_ & kGs) != 0; }
    constexpr int32_t disp() const { return disp_; }
    constexpr Label* label() const { return label_; }

  private:
    static constexpr uint8_t kGs = 0x80;

    constexpr Mem(Kind kind, int32_t disp, Label* label) : label_(label), disp_(disp), kind_(kind) {}

    static constexpr uint8_t log2_of(unsigned scale) {
        WEFT_ASSERT(scale == 1 || scale == 2 || scale == 4 || scale == 8);
        return static_cast<uint8_t>(scale == 8 ? 3 : scale / 2);
    }

    Label* label_ = nullptr;
    int32_t disp_ = 0;
    Kind kind_ = Kind::base;
    Gpr base_ = Gpr::rax;
    Gpr index_ = Gpr::rax;
    uint8_t scale_ = 0;  // its log2, perhaps with kGs
};

}  // namespace weft::tcg::x86_64
