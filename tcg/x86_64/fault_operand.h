// Where the instruction at which the host's processor faulted was to access memory: for addresses that are not canonical,
// with which the host gives none (a general-protection fault), and to tell the guest's accesses from weft's own.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "tcg/x86_64/registers.h"

namespace weft::tcg::x86_64 {

struct FaultOperand {
    uint64_t address;         // base + index * scale + displacement, without the segment's base
    std::optional<Gpr> base;  // the base register, where there is one
    bool gs;                  // the base of gs is to be added
    bool store;               // the instruction writes the operand; it may read it too
};

// Decodes the instruction that `code` begins with, as far as is needed; more bytes may follow it. `regs` are the general
// registers before it, by their number. nullopt for whatever is not among the forms by which generated code accesses guest
// memory (kForms), for operands relative to rip, and where the bytes end too early. Async-signal-safe.
// Intel SDM volume 2, chapter 2 (prefixes, ModRM, SIB).
std::optional<FaultOperand> fault_operand(std::span<const uint8_t> code,
                                          const std::array<uint64_t, kGprCount>& regs);

}  // namespace weft::tcg::x86_64
