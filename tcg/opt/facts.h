// What is known of an integer's bits.
#pragma once

#include <cstdint>
#include <span>

#include "weft/ir_info.h"

namespace weft::tcg {

struct Facts {
    // Bits that are surely zero. Those above the type's width count as zero.
    uint64_t zeros;
    // How many of the type's topmost bits are surely equal to each other; at least 1.
    uint8_t signs;

    static Facts unknown(ir::Type type) { return {ir::width(type) == 64 ? 0 : ~uint64_t{0} << 32, 1}; }
    static Facts of_constant(ir::Type type, uint64_t value);
    // Brings the two in line: leading zeros are equal bits.
    static Facts make(ir::Type type, uint64_t zeros, unsigned signs);
};

// An operand, as far as it is known.
struct KnownValue {
    Facts facts;
    bool constant;
    uint64_t value;  // of a constant
};

// What follows for the (only) result of `op`. `type` is the result's.
Facts result_facts(const ir::Op& op, ir::Type type, std::span<const KnownValue> inputs);

}  // namespace weft::tcg
