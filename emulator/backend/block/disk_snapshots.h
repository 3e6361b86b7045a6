// Snapshots within a disk image: what a disk held, kept beside what it holds, and with one of them the machine that it belonged to.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace weft::backend {

struct SnapshotInfo {
    std::string id;               // given by the image, distinct in it
    std::string name;             // at most kMaxSnapshotName bytes
    uint64_t date_ns = 0;         // since 1970
    uint64_t vm_clock_ns = 0;     // how long the machine had run
    uint64_t vm_state_bytes = 0;  // 0: of the disk alone
};

inline constexpr size_t kMaxSnapshotName = 255;

// Nobody reads or writes the disk meanwhile. One thread. Each change is made by one write: the program's end, or the host's, leaves the image
// as it was before or as it is after. Errors name the image.
class DiskSnapshots {
  public:
    virtual ~DiskSnapshots() = default;

    virtual Result<std::vector<SnapshotInfo>> list() = 0;

    // What a machine is saved by, before the snapshot is made: bytes in order. Nothing is kept of it without create().
    class StateWriter {
      public:
        virtual ~StateWriter() = default;
        virtual Result<> write(std::span<const uint8_t> bytes) = 0;
    };
    virtual Result<std::unique_ptr<StateWriter>> begin_state() = 0;

    // Keeps what the disk holds now, and what was written to `state`, which is this image's, or null. Replaces one of the same name. The id
    // and the size of the state are found here.
    virtual Result<> create(const SnapshotInfo& info, std::unique_ptr<StateWriter> state) = 0;
    // The disk holds again what it did.
    virtual Result<> apply(const std::string& name) = 0;
    virtual Result<> remove(const std::string& name) = 0;
    // Bytes of the state: fewer than asked for where it ends.
    virtual Result<size_t> read_state(const std::string& name, uint64_t offset, std::span<uint8_t> bytes) = 0;
};

}  // namespace weft::backend
