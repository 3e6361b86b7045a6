// What tests of translated units have in common: units that are translated and keep IR's rules, and some instructions.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>

#include "emulator/guest/riscv/isa/decode.h"
#include "emulator/guest/riscv/translate/globals.h"
#include "emulator/guest/riscv/translate/helpers.h"
#include "tests/riscv/test_unit.h"

namespace weft::riscv {

inline constexpr uint32_t kAddi = 0x00150513;  // addi a0, a0, 1

// jal ra, distance
inline uint32_t jal(int32_t distance) {
    const uint32_t d = static_cast<uint32_t>(distance);
    return 0x000000ef | (d >> 20 & 1) << 31 | (d >> 1 & 1023) << 21 | (d >> 11 & 1) << 20 |
           (d >> 12 & 255) << 12;
}

inline int32_t goto_target(const ir::Op& op) { return ir::goto_tb_offset(op); }

// Translates into `unit`, which must succeed and keep IR's rules; the rest is translate_code's.
#define REQUIRE_GOOD(unit, ...)                                             \
    do {                                                                    \
        REQUIRE(translate_code(&unit, __VA_ARGS__) == TranslateStatus::ok); \
        REQUIRE(unit.faults() == "");                                       \
    } while (false)

}  // namespace weft::riscv
