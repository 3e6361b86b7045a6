// What the op table says of an op, for everything that is driven by it.
#pragma once

#include <array>
#include <string_view>

#include "weft/ir.h"

namespace weft::ir {

enum class Aux : uint8_t {
    none,
    label,
    cond,
    cond_label,
    field,
    offset,
    memop,
    helper,
    slot,
    reason,
    pc_offset,
    barrier,
    insns,
    returns,
    rounding,
    convert,
};

enum class TypeSet : uint8_t { none, ints, fps, any };

enum OpFlag : uint16_t {
    flag_none = 0,
    flag_block_start = 1 << 0,  // a basic block begins here
    flag_block_end = 1 << 1,    // control does not fall through
    flag_cond_branch = 1 << 2,  // control may leave for a label
    flag_exit = 1 << 3,         // leaves the unit
    flag_side_effect = 1 << 4,  // must stay even where its results are unused
    flag_may_fault =
        1 << 5,  // may leave with a guest exception: globals are in their homes or pinned before it
    flag_reads_state = 1 << 6,
    flag_call = 1 << 7,
    flag_commutes = 1 << 8,  // the first two inputs may be exchanged
    flag_fp = 1 << 9,        // may accumulate floating-point exceptions (which keeps it alive)
};

struct OpInfo {
    std::string_view name;
    std::string_view outputs;
    std::string_view inputs;
    Aux aux;
    TypeSet types;
    uint16_t flags;
};

// What passes ask of every op, of OpInfo: small, so that the table of it stays in the cache.
struct OpShape {
    uint16_t flags;
    uint8_t outputs;  // how many; of calls the helper says it
    bool fp_letters;  // an argument's letter is a floating-point type, whatever the op's own type is
};

inline constexpr std::array<OpInfo, kOpcodeCount> kOpInfo = {{
#define WEFT_IR_INFO(name, outputs, inputs, aux, types, flags) \
    OpInfo{#name, outputs, inputs, Aux::aux, TypeSet::types, static_cast<uint16_t>(flags)},
    WEFT_IR_OPS(WEFT_IR_INFO)
#undef WEFT_IR_INFO
}};

namespace detail {

consteval std::array<OpShape, kOpcodeCount> shapes() {
    constexpr std::string_view kFpLetters = "sd";
    std::array<OpShape, kOpcodeCount> found{};
    for (size_t i = 0; i < kOpcodeCount; ++i) {
        const OpInfo& info = kOpInfo[i];
        found[i] = {info.flags, static_cast<uint8_t>(info.outputs.size()),
                    info.outputs.find_first_of(kFpLetters) != std::string_view::npos ||
                        info.inputs.find_first_of(kFpLetters) != std::string_view::npos};
    }
    return found;
}

}  // namespace detail

inline constexpr std::array<OpShape, kOpcodeCount> kOpShapes = detail::shapes();

constexpr const OpInfo& info(Opcode code) { return kOpInfo[static_cast<unsigned>(code)]; }
constexpr const OpShape& shape(Opcode code) { return kOpShapes[static_cast<unsigned>(code)]; }
constexpr bool has_flag(Opcode code, OpFlag flag) { return (shape(code).flags & flag) != 0; }

constexpr bool is_int(Type type) { return type == Type::i32 || type == Type::i64; }
constexpr bool is_fp(Type type) { return type == Type::f32 || type == Type::f64; }
// Width in bits; 0 for none.
constexpr unsigned width(Type type) {
    return type == Type::none ? 0 : (type == Type::i32 || type == Type::f32) ? 32 : 64;
}

// The type that a letter of a signature stands for in an op of type `t`.
constexpr Type letter_type(char letter, Type t) {
    switch (letter) {
        case 'T':
            return t;
        case 'w':
            return Type::i32;
        case 'l':
        case 'P':
            return Type::i64;
        case 's':
            return Type::f32;
        case 'd':
            return Type::f64;
        case 'U':
            return width(t) == 32 ? Type::i32 : Type::i64;
        default:
            return Type::none;
    }
}

}  // namespace weft::ir
