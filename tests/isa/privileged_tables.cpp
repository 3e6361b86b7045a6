#include "tests/isa/privileged_tables.h"

#include <iterator>

#include "tests/isa/privileged_format.h"

namespace weft::isa_test {
namespace {

using test::Random;

constexpr uint64_t kValid = 1, kRead = 2, kWrite = 4, kExec = 8, kUser = 16, kGlobal = 32, kAccessed = 64,
                   kDirty = 128;
constexpr uint64_t kNapot = uint64_t{1} << 63;
constexpr unsigned kMemoryTypeShift = 61;
constexpr uint64_t kAttributes = ~uint64_t{0} << 54;

// Behind the RAM of these machines.
constexpr uint64_t kHole = 0x88000000;
constexpr uint64_t kFreeRam = 0x80200000;

struct Level {
    uint64_t table;
    unsigned level;        // 0: entries of 4 KiB
    uint64_t first_index;  // of isa::kIndices: those before it are the code's
};
constexpr Level kLevels[] = {{isa::last, 0, 0},       {isa::last, 0, 0},   {isa::other_last, 0, 0},
                             {isa::other_last, 0, 0}, {isa::middle, 1, 0}, {isa::other_middle, 1, 0},
                             {isa::root39, 2, 4},     {isa::root48, 3, 1}, {isa::root57, 4, 1}};

template <class T, size_t kSize>
T pick(Random& random, const T (&values)[kSize]) {
    return values[random.below(kSize)];
}
bool one_in(Random& random, uint64_t n) { return random.below(n) == 0; }

constexpr uint64_t entry_to(uint64_t address, uint64_t bits) { return address >> 12 << 10 | bits; }

uint64_t next_table(Random& random, unsigned level) {
    switch (level) {
        case 1:
            return isa::last + random.below(2);
        case 2:
            return isa::middle + random.below(2);
        case 3:
            return isa::root39;
        default:
            return isa::root48;
    }
}

uint64_t data_page(Random& random) { return isa::kDataBegin + 4096 * random.below(isa::kDataPages); }

uint64_t leaf_address(Random& random, unsigned level) {
    switch (level) {
        case 0:
            return one_in(random, 12)   ? kHole + 4096 * random.below(4)
                   : one_in(random, 12) ? kFreeRam + 4096 * random.below(3)
                                        : data_page(random);
        case 1: {
            constexpr uint64_t kRegions[] = {isa::kRamBase, isa::kRamBase, kFreeRam, kHole};
            return one_in(random, 6) ? data_page(random) : pick(random, kRegions);  // misaligned
        }
        case 2: {
            constexpr uint64_t kRegions[] = {isa::kRamBase, isa::kRamBase, 0xc0000000, 0x100000000};
            return one_in(random, 6) ? kFreeRam : pick(random, kRegions);
        }
        default:
            return one_in(random, 2) ? uint64_t{1} << 48 : uint64_t{1} << 39;
    }
}

// The lowest bits that leaves and pointers have.
uint64_t leaf_bits(Random& random) {
    constexpr uint64_t kRights[] = {kRead, kRead | kWrite, kRead | kWrite | kExec, kRead | kExec,
                                    kExec, kRead | kWrite, kRead | kWrite | kExec};
    uint64_t bits = kValid | pick(random, kRights);
    bits |= one_in(random, 24) ? kWrite : 0;
    bits |= one_in(random, 2) ? kUser : 0;
    bits |= one_in(random, 4) ? kGlobal : 0;
    bits |= one_in(random, 4) ? 0 : kAccessed;
    bits |= one_in(random, 4) ? 0 : kDirty;
    return bits;
}

uint64_t spoil(Random& random, uint64_t entry) {
    entry ^= one_in(random, 24) ? kValid : 0;
    entry |= one_in(random, 32) ? uint64_t{1} << (54 + random.below(7)) : 0;
    entry |= one_in(random, 12) ? random.below(4) << kMemoryTypeShift : 0;
    entry |= one_in(random, 32) ? uint64_t{1} << (40 + random.below(14)) : 0;  // a high physical address
    entry ^= one_in(random, 24) ? kNapot : 0;
    return entry;
}

uint64_t random_entry_value(Random& random, unsigned level) {
    if (level > 0 && !one_in(random, 3)) {
        uint64_t entry = entry_to(isa::table_address(next_table(random, level)), kValid);
        if (one_in(random, 12)) {
            entry = entry_to(kHole, kValid);
        }
        entry |= one_in(random, 6) ? kGlobal : 0;
        entry |= one_in(random, 16) ? pick(random, {kUser, kAccessed, kDirty, kAccessed | kDirty}) : 0;
        return one_in(random, 2) ? spoil(random, entry) : entry;
    }
    uint64_t entry = entry_to(leaf_address(random, level), leaf_bits(random));
    if (one_in(random, 6)) {  // 64 KiB, mostly as it ought to be
        entry |= kNapot;
        entry = one_in(random, 5) ? entry : (entry & ~uint64_t{0x3c00}) | 0x2000;
    }
    return one_in(random, 2) ? spoil(random, entry) : entry;
}

constexpr unsigned kHugeLevel = 3;  // of Sv48 and Sv57 alone
constexpr uint64_t kNowhere = 510, kNowhereHuge = 1;

bool in_ram(uint64_t entry) {
    const uint64_t address = entry << 10 >> 20 << 12;
    return address >= isa::kRamBase && address < kHole;
}

// What the peer does otherwise (privileged_exclusions.h) and cannot be told from an operation alone, for it is tables that lead there.
uint64_t restricted(Random& random, GuestKind kind, const TableEntry& entry, unsigned level) {
    const bool leaf = (entry.value & kValid) != 0 && (entry.value & (kRead | kWrite | kExec)) != 0;
    if (!leaf) {
        return entry.value;
    }
    uint64_t value = entry.value;
    const bool may_lead_nowhere =
        !kind.crossing && entry.index == (level < kHugeLevel ? kNowhere : kNowhereHuge);
    if (!in_ram(value) && !may_lead_nowhere) {
        value = (value & (kAttributes | 0x3ff)) | entry_to(data_page(random), 0);
    }
    if (kind.atomics && (!in_ram(value) || level > 0)) {
        return value | kRead | kWrite | kAccessed | kDirty;
    }
    return kind.atomics && (value & kWrite) == 0 ? value | kAccessed : value;
}

template <size_t kSize>
uint64_t index_of(Random& random, const uint64_t (&indices)[kSize]) {
    return indices[random.below(kSize)];
}

}  // namespace

std::vector<TableEntry> ordinary_entries(Random& random, GuestKind kind) {
    std::vector<TableEntry> entries;
    for (const uint64_t index : {4, 5, 510, 511}) {
        entries.push_back({isa::root39, index, entry_to(isa::table_address(next_table(random, 2)), kValid)});
    }
    for (const uint64_t table : {isa::middle, isa::other_middle}) {
        for (const uint64_t index : {0, 1, 510, 511}) {
            entries.push_back({table, index, entry_to(isa::table_address(next_table(random, 1)), kValid)});
        }
    }
    for (const uint64_t table : {isa::last, isa::other_last}) {
        for (const uint64_t index : {0, 1, 2, 3, 510, 511}) {
            entries.push_back({table, index, entry_to(data_page(random), leaf_bits(random))});
        }
    }
    for (TableEntry& entry : entries) {
        entry.value = restricted(random, kind, entry, 0);
    }
    entries.push_back({isa::root48, 511, entry_to(isa::table_address(isa::root39), kValid)});
    entries.push_back({isa::root57, 511, entry_to(isa::table_address(isa::root48), kValid)});
    return entries;
}

TableEntry random_page_entry(Random& random, GuestKind kind, uint64_t index) {
    TableEntry entry{isa::last + random.below(2), index, random_entry_value(random, 0)};
    entry.value = restricted(random, kind, entry, 0);
    return entry;
}

TableEntry random_entry(Random& random, GuestKind kind) {
    const Level& place = kLevels[random.below(std::size(kLevels))];
    const uint64_t choices = std::size(isa::kIndices) - place.first_index;
    const uint64_t index = isa::kIndices[place.first_index + random.below(choices)];
    TableEntry entry{place.table, index, random_entry_value(random, place.level)};
    entry.value = restricted(random, kind, entry, place.level);
    return entry;
}

uint64_t random_virtual_address(Random& random, uint64_t mode, GuestKind kind) {
    constexpr uint64_t kOffsets[] = {0,     8,     0x100, 0x108, 0xfc0, 0xff0, 0xff8, 0xffc,
                                     0xffe, 0xff9, 0xffd, 0xfff, 0x101, 0x102, 0x104};
    const unsigned levels = static_cast<unsigned>(mode) - 5;
    uint64_t address = pick(random, kOffsets);
    address |= index_of(random, {0, 1, 2, 3, 510, 511, 0, 511}) << 12;
    address |= index_of(random, {0, 1, 510, 511}) << 21;
    // The code is in none of these pages that may be written.
    address |= (kind.atomics ? index_of(random, {4, 5, 510, 511, 0})
                             : index_of(random, {4, 5, 510, 511, 4, 5, 510, 511, 0, 2}))
               << 30;
    for (unsigned level = 3; level < levels; ++level) {
        address |= index_of(random, {0, 0, 0, 511, 511, 1}) << (12 + 9 * level);
    }
    const unsigned unused = 64 - (12 + 9 * levels);
    address = static_cast<uint64_t>(static_cast<int64_t>(address << unused) >> unused);
    return one_in(random, 24) ? address ^ uint64_t { 1 } << (64 - unused - 1 + random.below(unused + 1))
                              : address;
}

uint64_t random_physical_address(Random& random) {
    constexpr uint64_t kOffsets[] = {0,     8,     0x100, 0x108, 0xfc0, 0xff0, 0xff8,
                                     0xffc, 0xffe, 0xff9, 0xffd, 0xfff, 0x101, 0x104};
    constexpr uint64_t kHoles[] = {kHole,
                                   kHole - 8,
                                   0x100000000,
                                   uint64_t{1} << 55,
                                   uint64_t{1} << 56,
                                   uint64_t{1} << 63,
                                   ~uint64_t{7},
                                   (uint64_t{1} << 56) - 8,
                                   0x88000ff8};
    const uint64_t offset = pick(random, kOffsets);
    if (one_in(random, 12)) {
        return pick(random, kHoles) + random.below(8);
    }
    // The first page behind the image as well.
    return isa::kDataBegin + 4096 * random.below(isa::kDataPages) + offset;
}

uint64_t within_data(uint64_t address) { return isa::kDataBegin | (address & (4096 * isa::kDataPages - 1)); }

uint64_t within_ram_pages(uint64_t address) {
    constexpr uint64_t kLast = 510;  // of indices for 2 MiB
    return (address >> 21 & 511) >= kLast ? address & ~(kLast << 21) : address;
}

uint64_t random_frame(Random& random) {
    constexpr uint64_t kFrames[] = {kHole >> 12, (uint64_t{1} << 44) - 1, kFreeRam >> 12, 0};
    return pick(random, kFrames);
}

uint64_t random_protected_address(Random& random, GuestKind kind) {
    constexpr uint64_t kOffsets[] = {0, 4, 8, 0x100, 0x104, 0xff0, 0xff8, 0xffc};
    uint64_t address = one_in(random, 3) ? isa::table_address(isa::middle + random.below(4)) +
                                               8 * pick(random, isa::kIndices)
                                         : data_page(random) + pick(random, kOffsets);
    if (kind.blocks) {
        constexpr uint64_t kBlock = 64;
        return (address & ~(kBlock - 1)) >> 2;
    }
    address >>= 2;
    if (one_in(random, 2)) {  // NAPOT of 8 bytes to 64 KiB
        address |= (uint64_t{1} << random.below(14)) - 1;
    }
    return one_in(random, 16) ? random.next() : address;
}

uint64_t random_data(Random& random) {
    constexpr uint64_t kHalfwords[] = {0x8002, 0x0000, 0xffff, 0x0073, 0x8002};
    uint64_t value = 0;
    for (unsigned i = 0; i < 4; ++i) {
        value = value << 16 | pick(random, kHalfwords);
    }
    return value;
}

}  // namespace weft::isa_test
