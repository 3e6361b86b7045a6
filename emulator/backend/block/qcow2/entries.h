// Entries of L1 and L2 tables, and what they say of a part of the disk ("Cluster mapping", "Extended L2 Entries").
#pragma once

#include <cstdint>

#include "base/error.h"
#include "emulator/backend/block/qcow2/header.h"

namespace weft::backend::qcow2 {

inline constexpr uint64_t kCopied = uint64_t{1} << 63;  // the reference count is 1: may be written in place
inline constexpr uint64_t kCompressed = uint64_t{1} << 62;
inline constexpr uint64_t kZero = 1;  // not in extended entries
inline constexpr uint64_t kOffsetMask = 0x00ff'ffff'ffff'fe00;

struct L2Entry {
    uint64_t descriptor = 0;
    uint64_t bitmap = 0;  // extended ones: bit i, subcluster i is allocated; bit 32 + i, it reads as zeros

    bool compressed() const { return (descriptor & kCompressed) != 0; }
    // Of a cluster that is not compressed; 0: none.
    uint64_t offset() const { return descriptor & kOffsetMask; }
    // Has a cluster of its own, which may be written to.
    bool own_cluster() const { return !compressed() && (descriptor & kCopied) != 0 && offset() != 0; }
};

enum class Kind { unallocated, zero, data, compressed };

// What subcluster `subcluster` of the entry is. An error: the entry is not valid. Pure.
Result<Kind> kind_of(const Header& header, const L2Entry& entry, unsigned subcluster);

// Where the data of a compressed cluster lies.
struct CompressedPlace {
    uint64_t offset = 0;
    uint64_t size = 0;  // bytes, at most: it may end before
};
CompressedPlace compressed_place(const Header& header, uint64_t descriptor);

// The entry after subclusters first to last were written to the cluster at `host`; `others`: all others of it as well.
L2Entry written_entry(const Header& header, const L2Entry& before, uint64_t host, unsigned first,
                      unsigned last, bool others);

}  // namespace weft::backend::qcow2
