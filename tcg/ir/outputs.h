// How many of an op's arguments it writes.
#pragma once

#include <span>

#include "weft/helper.h"
#include "weft/ir_info.h"

namespace weft::tcg {

// Number of outputs of an op: calls have theirs in the helper's signature.
inline unsigned output_count(const ir::Op& op, std::span<const HelperDesc> helpers) {
    if (op.code == ir::Opcode::call) [[unlikely]] {
        return helpers[op.aux].signature.result == ir::Type::none ? 0 : 1;
    }
    return ir::shape(op.code).outputs;
}

}  // namespace weft::tcg
