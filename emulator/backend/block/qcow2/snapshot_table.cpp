#include "emulator/backend/block/qcow2/snapshot_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bits.h"
#include "emulator/backend/block/qcow2/big_endian.h"

namespace weft::backend::qcow2 {

namespace {

// Where an entry has what; the extra data follows at kEntry, then id and name, and then the next entry at a multiple of 8.
constexpr size_t kL1Offset = 0, kL1Size = 8, kIdSize = 12, kNameSize = 14, kSeconds = 16, kNanoseconds = 20,
                 kClock = 24, kStateSize = 32, kExtraSize = 36, kEntry = 40;
// Of the extra data.
constexpr size_t kLargeStateSize = 0, kDiskSize = 8, kKnownExtra = 16;
// As QEMU has them.
constexpr uint32_t kMaxExtra = 1024;
constexpr uint64_t kMaxTable = 64 << 20;

std::unexpected<Error> damaged(const char* what) {
    return fail(fmt::format("it is damaged: its snapshot table {}", what));
}

}  // namespace

Result<std::vector<Snapshot>> parse_snapshots(std::span<const uint8_t> bytes, const Header& header,
                                              uint64_t& used) {
    std::vector<Snapshot> snapshots;
    uint64_t at = 0;
    for (uint32_t i = 0; i < header.snapshots; ++i) {
        at = align_up(at, 8);
        if (at > bytes.size() || bytes.size() - at < kEntry) {
            return damaged("ends early");
        }
        const std::span<const uint8_t> entry = bytes.subspan(at);
        Snapshot snapshot;
        snapshot.l1_offset = load<uint64_t>(entry, kL1Offset);
        snapshot.l1_size = load<uint32_t>(entry, kL1Size);
        const uint64_t id_size = load<uint16_t>(entry, kIdSize);
        const uint64_t name_size = load<uint16_t>(entry, kNameSize);
        snapshot.date_seconds = load<uint32_t>(entry, kSeconds);
        snapshot.date_ns = load<uint32_t>(entry, kNanoseconds);
        snapshot.vm_clock_ns = load<uint64_t>(entry, kClock);
        snapshot.vm_state_bytes = load<uint32_t>(entry, kStateSize);
        snapshot.disk_size = header.size;
        const uint64_t extra = load<uint32_t>(entry, kExtraSize);
        if (extra > kMaxExtra || entry.size() - kEntry < extra + id_size + name_size) {
            return damaged("has an entry that is too long");
        }
        if (!is_aligned(snapshot.l1_offset, header.cluster_size()) ||
            snapshot.l1_size > (uint32_t{32} << 20) / sizeof(uint64_t)) {
            return damaged("names an L1 table that cannot be");
        }
        const std::span<const uint8_t> rest = entry.subspan(kEntry);
        if (extra >= kLargeStateSize + 8) {
            snapshot.vm_state_bytes = load<uint64_t>(rest, kLargeStateSize);
        }
        if (extra >= kDiskSize + 8) {
            snapshot.disk_size = load<uint64_t>(rest, kDiskSize);
        }
        if (extra > kKnownExtra) {
            const auto unknown = rest.subspan(kKnownExtra, extra - kKnownExtra);
            snapshot.extra.assign(unknown.begin(), unknown.end());
        }
        const auto text = [&](uint64_t from, uint64_t size) {
            return std::string(rest.begin() + static_cast<ptrdiff_t>(from),
                               rest.begin() + static_cast<ptrdiff_t>(from + size));
        };
        snapshot.id = text(extra, id_size);
        snapshot.name = text(extra + id_size, name_size);
        snapshots.push_back(std::move(snapshot));
        at += kEntry + extra + id_size + name_size;
    }
    used = at;
    return snapshots;
}

Result<std::vector<Snapshot>> read_snapshots(ImageFile& file, const Header& header) {
    if (header.snapshots == 0) {
        return std::vector<Snapshot>();
    }
    // Only its entries tell how long it is.
    std::vector<uint8_t> bytes;
    for (uint64_t size = 64 << 10;; size *= 4) {
        const bool last = size >= kMaxTable;
        bytes.resize(last ? kMaxTable : size);
        const Result<size_t> got = file.read(header.snapshots_offset, bytes);
        if (!got) {
            return std::unexpected(got.error());
        }
        uint64_t used = 0;
        auto snapshots = parse_snapshots(std::span(bytes).first(*got), header, used);
        if (snapshots || last || *got < bytes.size()) {
            return snapshots;
        }
    }
}

std::vector<uint8_t> snapshot_table_bytes(std::span<const Snapshot> snapshots) {
    std::vector<uint8_t> bytes;
    for (const Snapshot& snapshot : snapshots) {
        const size_t at = align_up(bytes.size(), 8);
        const size_t extra = kKnownExtra + snapshot.extra.size();
        bytes.resize(at + kEntry + kKnownExtra);
        const std::span<uint8_t> entry = std::span(bytes).subspan(at);
        store<uint64_t>(entry, kL1Offset, snapshot.l1_offset);
        store<uint32_t>(entry, kL1Size, snapshot.l1_size);
        store<uint16_t>(entry, kIdSize, static_cast<uint16_t>(snapshot.id.size()));
        store<uint16_t>(entry, kNameSize, static_cast<uint16_t>(snapshot.name.size()));
        store<uint32_t>(entry, kSeconds, snapshot.date_seconds);
        store<uint32_t>(entry, kNanoseconds, snapshot.date_ns);
        store<uint64_t>(entry, kClock, snapshot.vm_clock_ns);
        store<uint32_t>(entry, kStateSize,
                        static_cast<uint32_t>(std::min<uint64_t>(snapshot.vm_state_bytes, UINT32_MAX)));
        store<uint32_t>(entry, kExtraSize, static_cast<uint32_t>(extra));
        store<uint64_t>(entry, kEntry + kLargeStateSize, snapshot.vm_state_bytes);
        store<uint64_t>(entry, kEntry + kDiskSize, snapshot.disk_size);
        bytes.insert(bytes.end(), snapshot.extra.begin(), snapshot.extra.end());
        bytes.insert(bytes.end(), snapshot.id.begin(), snapshot.id.end());
        bytes.insert(bytes.end(), snapshot.name.begin(), snapshot.name.end());
    }
    return bytes;
}

}  // namespace weft::backend::qcow2
