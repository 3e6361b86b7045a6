// Zfhmin, Zfh and Zfa: loads, stores, moves and constants in IR, the rest by a helper (soft_fp.h).
#include <array>

#include "emulator/guest/riscv/isa/disassemble.h"
#include "emulator/guest/riscv/translate/soft_fp.h"
#include "emulator/guest/riscv/translate/translator.h"

namespace weft::riscv::semantics {

using ir::I64;
using ir::Opcode;
using ir::Rounding;
using ir::Type;

namespace {

constexpr uint64_t kHalfBox = ~uint64_t{0xffff};
constexpr uint64_t kSingleBox = ~uint64_t{0xffffffff};

// FLI's constants (unprivileged specification, "Zfa"). 65536 is too large for a half: infinity.
constexpr std::array<uint16_t, 32> kHalves = {0xbc00, 0x0400, 0x0100, 0x0200, 0x1c00, 0x2000, 0x2c00, 0x3000,
                                              0x3400, 0x3500, 0x3600, 0x3700, 0x3800, 0x3900, 0x3a00, 0x3b00,
                                              0x3c00, 0x3d00, 0x3e00, 0x3f00, 0x4000, 0x4100, 0x4200, 0x4400,
                                              0x4800, 0x4c00, 0x5800, 0x5c00, 0x7800, 0x7c00, 0x7c00, 0x7e00};
constexpr std::array<uint32_t, 32> kSingles = {
    0xbf800000, 0x00800000, 0x37800000, 0x38000000, 0x3b800000, 0x3c000000, 0x3d800000, 0x3e000000,
    0x3e800000, 0x3ea00000, 0x3ec00000, 0x3ee00000, 0x3f000000, 0x3f200000, 0x3f400000, 0x3f600000,
    0x3f800000, 0x3fa00000, 0x3fc00000, 0x3fe00000, 0x40000000, 0x40200000, 0x40400000, 0x40800000,
    0x41000000, 0x41800000, 0x43000000, 0x43800000, 0x47000000, 0x47800000, 0x7f800000, 0x7fc00000};
constexpr std::array<uint64_t, 32> kDoubles = {
    0xbff0000000000000, 0x0010000000000000, 0x3ef0000000000000, 0x3f00000000000000, 0x3f70000000000000,
    0x3f80000000000000, 0x3fb0000000000000, 0x3fc0000000000000, 0x3fd0000000000000, 0x3fd4000000000000,
    0x3fd8000000000000, 0x3fdc000000000000, 0x3fe0000000000000, 0x3fe4000000000000, 0x3fe8000000000000,
    0x3fec000000000000, 0x3ff0000000000000, 0x3ff4000000000000, 0x3ff8000000000000, 0x3ffc000000000000,
    0x4000000000000000, 0x4004000000000000, 0x4008000000000000, 0x4010000000000000, 0x4020000000000000,
    0x4030000000000000, 0x4060000000000000, 0x4070000000000000, 0x40e0000000000000, 0x40f0000000000000,
    0x7ff0000000000000, 0x7ff8000000000000};

bool has_operand(const Insn& insn, char letter) {
    return format_syntax(insn.desc->format).find(letter) != std::string_view::npos;
}

// Writes a whole f register.
void set_f(Translator& t, unsigned n, I64 bits) {
    t.b().emit(Opcode::bitcast_fp, Type::f64, 0, 0, t.f_out(n).index, bits.index);
}

void set_constant(Translator& t, const Insn& insn, uint64_t bits) {
    if (t.needs_fp(insn)) {
        set_f(t, insn.rd, t.b().imm(bits));
    }
}

I64 boxed_half(Translator& t, I64 bits) { return t.b().or_(t.b().extract(bits, 0, 16), t.b().imm(kHalfBox)); }

I64 operand(Translator& t, const Insn& insn, char letter, unsigned n) {
    return has_operand(insn, letter) ? t.b().bits(t.f(n)) : t.b().imm(0);
}

void soft(Translator& t, const Insn& insn) {
    if (!t.needs_fp(insn)) {
        return;
    }
    Rounding rounding = Rounding::toward_zero;
    if ((has_operand(insn, 'm') || has_operand(insn, 'n')) && !t.rounding(insn, &rounding)) {
        return;
    }
    const I64 a = has_operand(insn, 's') ? t.x(insn.rs1) : operand(t, insn, 'S', insn.rs1);
    const I64 result = t.b().call_value<I64>(kHelperSoftFp, a, operand(t, insn, 'T', insn.rs2),
                                             operand(t, insn, 'R', insn.rs3),
                                             t.b().imm32(soft_fp_operation(insn.desc->id, rounding)));
    if (has_operand(insn, 'D')) {
        set_f(t, insn.rd, result);
        return;
    }
    if (insn.rd != 0) {
        t.set_x(insn.rd, result);
    }
    if (insn.desc->id != InsnId::fclass_h) {  // which has no flags
        t.writes_fp_state();
    }
}

}  // namespace

void flh(Translator& t, const Insn& insn) {
    if (t.needs_fp(insn)) {
        const auto [address, memop] = t.place(t.x(insn.rs1), t.memop(detail::kHalf).at(insn.imm));
        const I64 half = t.b().guest_ld<I64>(address, memop);
        set_f(t, insn.rd, boxed_half(t, half));
    }
}

// The register's low bits as they are, NaN-boxed or not; so do the moves.
void fsh(Translator& t, const Insn& insn) {
    if (t.needs_fp(insn)) {
        const auto [address, memop] = t.place(t.x(insn.rs1), t.memop(detail::kHalf).at(insn.imm));
        t.b().guest_st(t.b().bits(t.f(insn.rs2)), address, memop);
    }
}

void fmv_x_h(Translator& t, const Insn& insn) {
    if (t.needs_fp(insn) && insn.rd != 0) {
        t.set_x_field(insn.rd, Opcode::sextract, t.b().bits(t.f(insn.rs1)), 0, 16);
    }
}

void fmv_h_x(Translator& t, const Insn& insn) {
    if (t.needs_fp(insn)) {
        set_f(t, insn.rd, boxed_half(t, t.x(insn.rs1)));
    }
}

void fli_h(Translator& t, const Insn& insn) { set_constant(t, insn, kHalfBox | kHalves[insn.rs1]); }
void fli_s(Translator& t, const Insn& insn) { set_constant(t, insn, kSingleBox | kSingles[insn.rs1]); }
void fli_d(Translator& t, const Insn& insn) { set_constant(t, insn, kDoubles[insn.rs1]); }

#define WEFT_RISCV_SOFT(id, ...) \
    void id(Translator& t, const Insn& insn) { soft(t, insn); }
WEFT_RISCV_INSNS_ZFH(WEFT_RISCV_SOFT)
WEFT_RISCV_INSNS_ZFA(WEFT_RISCV_SOFT)
#undef WEFT_RISCV_SOFT

}  // namespace weft::riscv::semantics
