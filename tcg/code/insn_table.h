// A unit's table of guest instructions, as compact bytes: which instruction a host pc belongs to. Rows are written
// in the order of their code, each as differences to the one before: two numbers in LEB128 (host_end unsigned;
// pc_offset signed, modulo 2^32), usually two or three bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "tcg/backend.h"

namespace weft::tcg {

inline constexpr size_t kMaxEncodedInsnRow = 10;

// Writes `rows`, whose host_end never decreases, to `out` (rows.size() * kMaxEncodedInsnRow bytes suffice)
// and returns the bytes used.
size_t encode_insn_table(std::span<const InsnRow> rows, std::span<uint8_t> out);

// Whether these bytes, which may be any, are a table that InsnTableReader can walk over: of at least one row, whose host_end
// never decrease and are at most `code_size`.
bool is_insn_table(std::span<const uint8_t> bytes, uint32_t code_size);

// Walks over a table; the bytes outlive it.
class InsnTableReader {
  public:
    explicit InsnTableReader(std::span<const uint8_t> table) : rest_(table) {}

    // The next row; nullopt at the end.
    std::optional<InsnRow> next();

  private:
    uint32_t read_unsigned();
    uint32_t read_signed();

    std::span<const uint8_t> rest_;
    InsnRow row_{};
};

// The row of the host pc `offset` bytes after the unit's start: the first with offset <= host_end, because
// calls are known by their return address. nullopt behind the last row. `index`, if given, receives how many
// instructions of the unit came before: the number of the first row with this pc, for code behind the unit has rows again.
std::optional<InsnRow> find_insn(std::span<const uint8_t> table, uint32_t offset, uint32_t* index = nullptr);

}  // namespace weft::tcg
