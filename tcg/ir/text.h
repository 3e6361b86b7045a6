// The words of the text of IR: what print.h writes and parse.h reads has them from here.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "weft/ir.h"

namespace weft::tcg::text {

// Each list in the order of its numbers.
inline constexpr std::array<std::string_view, 5> kTypes = {"none", "i32", "i64", "f32", "f64"};
inline constexpr std::array<std::string_view, 12> kConds = {"eq",  "ne",  "lt",  "ge",  "le",    "gt",
                                                            "ltu", "geu", "leu", "gtu", "tsteq", "tstne"};
inline constexpr std::array<std::string_view, 5> kRoundings = {"rne", "rtz", "rdn", "rup", "rmm"};
inline constexpr std::array<std::string_view, 3> kReasons = {"lookup", "halt", "yield"};
inline constexpr std::array<std::string_view, 4> kBarriers = {"ld_ld", "ld_st", "st_ld", "st_st"};
// By Op::aux, of fcvt_to_int and fcvt_from_int.
inline constexpr std::array<std::string_view, 4> kConversions = {"s32", "u32", "s64", "u64"};
// Stands for insn_start.
inline constexpr std::string_view kInsnStart = "----";

// What follows gives nothing where the word is none of its kind.

// The number behind `prefix`.
std::optional<uint64_t> number_after(std::string_view word, std::string_view prefix);

// "name+0x10" or "name-0x10", as a 32-bit word.
std::optional<uint32_t> offset_from(std::string_view word, std::string_view name);

// A word's place in a list; N of "?N" below 256, whatever the list holds.
std::optional<uint8_t> index_of(std::span<const std::string_view> list, std::string_view word);

// Size and flags of an access, as bits of MemOp: "u8", "s32+al+aq", "64".
std::optional<uint32_t> access(std::string_view word);

// BarrierKind bits: "ld_ld|st_st"; "none".
std::optional<uint32_t> barrier(std::string_view word);

std::optional<uint32_t> conversion(std::string_view word);

// An op's name with its type: "add_i64", "ext_i32_i64", "----". Types that the op does not take are read as well.
struct OpName {
    ir::Opcode code;
    ir::Type type;
};
std::optional<OpName> op_name(std::string_view word);

}  // namespace weft::tcg::text
