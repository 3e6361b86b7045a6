// The snapshot table of an image ("Snapshots" in the format's description).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "emulator/backend/block/image_file.h"
#include "emulator/backend/block/qcow2/header.h"

namespace weft::backend::qcow2 {

struct Snapshot {
    uint64_t l1_offset = 0;
    uint32_t l1_size = 0;  // entries
    std::string id, name;
    uint32_t date_seconds = 0, date_ns = 0;
    uint64_t vm_clock_ns = 0;
    uint64_t vm_state_bytes = 0;
    uint64_t disk_size = 0;      // of the disk then, in bytes
    std::vector<uint8_t> extra;  // what of the extra data has no name here

    bool operator==(const Snapshot&) const = default;
};

// The header says where it is and how many there are. An error: it is damaged.
Result<std::vector<Snapshot>> read_snapshots(ImageFile& file, const Header& header);
// The same from its bytes, of which `used` are the table's. Pure.
Result<std::vector<Snapshot>> parse_snapshots(std::span<const uint8_t> bytes, const Header& header,
                                              uint64_t& used);
std::vector<uint8_t> snapshot_table_bytes(std::span<const Snapshot> snapshots);

}  // namespace weft::backend::qcow2
