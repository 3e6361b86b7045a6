// A unit's code as bytes that outlast the process: made of a unit that was just compiled, read back by another process.
//
// What a unit was made of goes with it: it is the same unit where the same bytes lie at the same place of a page, and the
// request was the same. So nothing says which program or file it came from, and whoever has a library's code at another
// address finds it as well.
//
// The bytes may come from a file that anybody wrote to. read_stored_unit() believes nothing: what it gives back lies inside the
// bytes, and has the form that the rest of weft relies on. Whether the code is what it says is a matter of who may write the
// file (store_file.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tcg/backend.h"

namespace weft::accel {

// What a unit is looked up by. `bytes`: those that were read for it, of which it will be made of the first few.
struct UnitQuery {
    std::span<const uint8_t> bytes;
    uint64_t tb_flags;
    uint32_t page_offset;  // of the first instruction
    uint32_t max_insns;    // of the request
    uint64_t page_sample;  // GuestMemory::sample(): units of one page are looked for near each other

    // By the first bytes alone: how many there will be is known from the unit. Stable within one build of weft.
    uint64_t hash() const;
};

// A unit and what it is of. Of one that was read back, all spans lie in the bytes it was read from.
struct StoredUnit {
    tcg::CompiledUnit compiled;  // with `encoded_insns`, and `outside` where the unit is to be moved
    uint32_t guest_size;
    uint32_t insn_count;
    std::span<const uint8_t> code;  // as if it lay at the start of the code buffer
};

// The first bytes of a record, by which its size is known before the rest is read.
inline constexpr size_t kRecordPrefix = 16;
inline constexpr size_t kMaxRecord = size_t{1} << 17;
// Records begin at multiples of this.
inline constexpr size_t kRecordAlignment = 16;

// Of the record that begins with these kRecordPrefix bytes: a multiple of kRecordAlignment, at most kMaxRecord. 0: it is none.
size_t record_size(std::span<const uint8_t> prefix);
// The number that tells a record from others, of the same bytes.
uint64_t record_checksum(std::span<const uint8_t> prefix);

// Appends the unit's record to `out`; `unit.code` and `unit.compiled.outside` are as compile() left them but for the move.
// False, with nothing done: it is larger than records may be. Throws std::bad_alloc.
bool append_record(const UnitQuery& query, const StoredUnit& unit, std::vector<uint8_t>* out);

// What a record says.
struct Record {
    StoredUnit unit;
    std::span<const uint8_t> guest;  // the bytes that the unit is made of
    uint64_t tb_flags;
    uint32_t page_offset;
    uint32_t max_insns;
    uint32_t read;  // how many bytes were read for it
};

// The record of exactly these bytes, which begin at a multiple of two. nullopt: that is none, or not all of it, or its parts do not
// fit each other.
std::optional<Record> read_record(std::span<const uint8_t> bytes);
// The unit of a record, if that is one of `query`.
std::optional<StoredUnit> unit_of_record(std::span<const uint8_t> bytes, const UnitQuery& query);

// Makes the checksum right of bytes that are at least as long as a record with nothing in it.
void seal_record(std::span<uint8_t> bytes);

}  // namespace weft::accel
