// What lies where in a file of stored units.
#pragma once

#include <bit>
#include <cstdint>

#include "accel/tcg/store/block_reader.h"
#include "accel/tcg/store/stored_unit.h"

namespace weft::accel {

struct StoreHeader {
    uint64_t magic;
    uint64_t identity;  // of what the units depend on: only who has the same may read or append
    uint64_t capacity;  // most bytes of the file
    uint64_t slots;     // their number, a power of two
    uint64_t data_end;  // where the next record goes; the only field that changes
};

inline constexpr uint64_t kStoreMagic = 0x31'73'62'54'74'66'65'77;  // "weftTbs1"
inline constexpr uint64_t kSlotsStart = BlockReader::kBlock;
inline constexpr uint64_t kMinCapacity = uint64_t{1} << 20;
inline constexpr uint64_t kMaxCapacity = uint64_t{1} << 32;

// Slots come in groups of one block of what is read (block_reader.h), each for all units of some pages of the guest's: who meets a
// page of code reads one group.
inline constexpr uint64_t kGroup = BlockReader::kBlock / 8;
// A record is looked for in so many slots of its group, from the one of its hash on.
inline constexpr uint64_t kProbes = 16;

// One a 128 bytes. Records have 350 on average: with some 13 pages of code a group, hardly any group runs full.
constexpr uint64_t slots_of(uint64_t capacity) { return std::bit_floor(capacity / 128); }

// The n-th slot to look at.
struct Place {
    uint64_t group;  // its first slot
    uint64_t start;  // in it
    uint64_t slot(uint64_t n) const { return group + ((start + n) & (kGroup - 1)); }
};
constexpr Place place_of(uint64_t slots, uint64_t page_sample, uint64_t hash) {
    return {(page_sample & (slots / kGroup - 1)) * kGroup, hash & (kGroup - 1)};
}

constexpr uint64_t data_start(uint64_t slots) { return kSlotsStart + slots * 8; }

// A slot: where the record begins, in units of kRecordAlignment, below so many upper bits of its hash. 0: empty.
inline constexpr unsigned kOffsetBits = 28;
constexpr uint64_t slot_of(uint64_t hash, uint64_t offset) {
    return (hash >> kOffsetBits) << kOffsetBits | offset / kRecordAlignment;
}
constexpr uint64_t offset_in(uint64_t slot) {
    return (slot & ((uint64_t{1} << kOffsetBits) - 1)) * kRecordAlignment;
}
constexpr bool may_be(uint64_t slot, uint64_t hash) { return slot != 0 && (slot ^ hash) >> kOffsetBits == 0; }

}  // namespace weft::accel
