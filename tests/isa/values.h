// Operands at which instructions go wrong.
#pragma once

#include <cstdint>
#include <span>

#include "emulator/guest/riscv/isa/insn_table.h"
#include "tests/support/random.h"

namespace weft::isa_test {

// Integers: limits of all widths, powers of two and their neighbours, bit patterns.
std::span<const uint64_t> integer_corners();
// The most telling of them, for the squares and cubes of ordinary runs.
std::span<const uint64_t> few_integer_corners();

// Values of half and of single precision, NaN-boxed, and some that are not boxed as they should be.
std::span<const uint64_t> single_corners();
std::span<const uint64_t> few_single_corners();
std::span<const uint64_t> half_corners();
std::span<const uint64_t> few_half_corners();
std::span<const uint64_t> double_corners();
std::span<const uint64_t> few_double_corners();

// Of the f registers that an instruction reads: 'h', 's' or 'd'.
char operand_precision(const riscv::InsnDesc& desc);

uint64_t random_integer(test::Random& random);
// A double, a boxed single or half, or something else: corners, numbers of ordinary size, any bits.
uint64_t random_fp(test::Random& random);
// In memory: a double of ordinary size, whose lower half is a single of ordinary size.
uint64_t random_ordinary_fp(test::Random& random);

}  // namespace weft::isa_test
