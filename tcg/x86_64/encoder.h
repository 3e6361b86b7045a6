// Prefixes, opcodes, ModRM, SIB, displacements and immediates: the pieces instructions are made of.
#pragma once

#include <cstdint>
#include <cstring>

#include "tcg/x86_64/instruction_table.h"
#include "tcg/x86_64/registers.h"

namespace weft::tcg::x86_64 {

// The instruction that is being written; there is room for kMaxInstructionBytes at `begin`.
struct Cursor {
    uint8_t* const begin;
    uint8_t* at = begin;
    uint8_t* rip_field = nullptr;  // the displacement of a rip-relative operand
    const Mem* rip_mem = nullptr;  // and that operand

    explicit Cursor(uint8_t* start) : begin(start) {}

    void byte(unsigned value) { *at++ = static_cast<uint8_t>(value); }
    void imm16(uint32_t value) { put(static_cast<uint16_t>(value)); }
    void imm32(uint32_t value) { put(value); }
    void imm64(uint64_t value) { put(value); }

  private:
    template <class Int>
    void put(Int value) {
        std::memcpy(at, &value, sizeof(value));
        at += sizeof(value);
    }
};

// A byte operand in spl, bpl, sil, dil is told from ah, ch, dh, bh by the presence of a REX prefix.
constexpr bool needs_rex_as_byte(Gpr reg) { return number_of(reg) >= 4 && number_of(reg) < 8; }

// Legacy encodings. `reg` is ModRM.reg (a register's number or a /digit), `rm` is ModRM.rm. Immediates are
// appended by the caller.
void legacy_rr(Cursor& out, Encoding encoding, unsigned reg, unsigned rm, bool force_rex = false);
void legacy_rm(Cursor& out, Encoding encoding, unsigned reg, const Mem& rm, bool force_rex = false);

// A register in the low three bits of the opcode.
void legacy_opcode_reg(Cursor& out, Encoding encoding, unsigned reg);

// VEX.128 encodings; `vvvv` is 0 where the instruction does not use it.
void vex_rr(Cursor& out, Encoding encoding, unsigned reg, unsigned vvvv, unsigned rm);
void vex_rm(Cursor& out, Encoding encoding, unsigned reg, unsigned vvvv, const Mem& rm);

// EVEX encodings of scalar instructions on registers 0 to 15, unmasked: plain, and with embedded rounding.
void evex_rr(Cursor& out, Encoding encoding, unsigned reg, unsigned vvvv, unsigned rm);
void evex_rr_rounding(Cursor& out, Encoding encoding, unsigned reg, unsigned vvvv, unsigned rm,
                      Rounding rounding);

}  // namespace weft::tcg::x86_64
