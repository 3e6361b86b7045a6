// Reads a unit of IR from the text that print.h writes: for tests that keep IR in files, and for fuzzing.
//
// Driven by the op table, as the printer is: print_unit() of what was read is the text again, but for comments (from ';' to
// the end of a line) and blanks. Temps keep the numbers that the text gives them. Constants get any others: two that are
// written alike and have one type are one temp.
//
// The reader refuses what a unit cannot hold or what it does not understand. Whether the unit makes sense is for verify()
// to say: wrong argument counts and types, unbound labels and the like are read as they stand. An argument has the type
// that the op's signature asks for where a temp is named first. "?N" stands for a condition, rounding, reason or helper of
// that number, as print.h writes one that has no name.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "tcg/ir/print.h"
#include "weft/ir.h"

namespace weft::tcg {

struct ParseError {
    uint32_t line;    // from 1
    uint32_t column;  // from 1, in bytes
    std::string reason;

    std::string message() const;  // "line 3, column 7: reason"
};

// Fills `unit`, as UnitMemory::begin_unit() gave it for the guest that `names` is of. What the text does not say stays as it
// is: fp_rounding, guest_size, ungrouped, fixed_pages. insn_count becomes the number of insn_starts. After an error the unit
// holds nothing of use.
std::expected<void, ParseError> parse_unit(std::string_view text, const PrintNames& names, ir::Unit& unit);

}  // namespace weft::tcg
