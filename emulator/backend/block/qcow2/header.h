// The header of a qcow2 image: what is in it, and whether weft can use such an image. Sections are those of the format's
// description, docs/interop/qcow2 in QEMU's sources.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "emulator/backend/block/image_file.h"

namespace weft::backend::qcow2 {

enum class Compression : uint8_t { deflate = 0, zstd = 1 };

// Offsets in the header that are written later ("Header").
inline constexpr uint64_t kRefcountTableField = 48;  // offset (64 bits), then clusters (32 bits)
inline constexpr uint64_t kAutoclearField = 88;

// What parse_header() makes of a header; all of it has been checked as far as a header alone can be.
struct Header {
    unsigned version = 0;       // 2 or 3
    unsigned cluster_bits = 0;  // 9 to 21
    uint64_t size = 0;          // of the disk, in bytes: whole sectors, above 0

    uint32_t l1_size = 0;    // entries: no fewer than the disk needs, and 32 MiB at most
    uint64_t l1_offset = 0;  // offsets of tables are multiples of the cluster size

    uint64_t refcount_table_offset = 0;
    uint32_t refcount_table_clusters = 0;  // 8 MiB at most
    unsigned refcount_order = 4;           // 0 to 6

    uint32_t snapshots = 0;
    uint64_t snapshots_offset = 0;

    bool dirty = false;        // refcounts may be wrong
    bool corrupt = false;      // must not be written to
    bool extended_l2 = false;  // L2 entries of 16 bytes, with a bitmap of subclusters
    uint64_t autoclear = 0;
    Compression compression = Compression::deflate;

    std::string backing_file;                   // as the image names it; empty: none
    std::optional<std::string> backing_format;  // likewise

    uint64_t cluster_size() const { return uint64_t{1} << cluster_bits; }
    // Parts of a cluster that are allocated on their own.
    unsigned subclusters() const { return extended_l2 ? 32 : 1; }
    uint64_t subcluster_size() const { return cluster_size() / subclusters(); }
    uint64_t l2_entry_size() const { return extended_l2 ? 16 : 8; }
    uint64_t l2_entries() const { return cluster_size() / l2_entry_size(); }
};

// `bytes` is the beginning of the image: its first cluster, or all of it if it is shorter. Errors name no image. Pure.
Result<Header> parse_header(std::span<const uint8_t> bytes);

// Reads as much as is needed and parses it.
Result<Header> read_header(ImageFile& file);

// Whether what the header says allows writing: refused are dirty and corrupt images, which `qemu-img check` repairs.
Result<> check_writing(const Header& header);

}  // namespace weft::backend::qcow2
