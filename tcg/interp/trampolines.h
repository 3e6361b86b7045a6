// Calls helpers whose types are known only at run time.
#pragma once

#include <cstdint>

#include "weft/helper.h"

namespace weft::tcg::interp {

// Calls `function` with the state, if it takes one, and `args`; gives its result, zero-extended.
using Trampoline = uint64_t (*)(void (*function)(), void* state, const uint64_t* args);

// Describes a signature in few bits.
struct CallShape {
    uint32_t bits;

    static CallShape of(const HelperSignature& signature);
    unsigned arg_count() const { return bits >> 5 & 7; }
    bool arg_is_wide(unsigned index) const { return (bits >> index & 1) != 0; }
    bool result_is_wide() const { return bits >> 9 == 2; }
};

// The trampoline of a shape that CallShape::of() gave.
Trampoline trampoline(CallShape shape);

}  // namespace weft::tcg::interp
