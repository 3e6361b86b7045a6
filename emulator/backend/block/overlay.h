// A disk whose writes are forgotten: an image that is only read, and a temporary file over it (-snapshot).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "emulator/backend/block/block_backend.h"
#include "emulator/backend/block/disk_snapshots.h"
#include "emulator/backend/block/temporary_file.h"

namespace weft::backend {

class Overlay final : public BlockBackend, private DiskSnapshots {
  public:
    // With a temporary file. What is written takes as much of it, in clusters of 64 KiB; and so does what a snapshot keeps, each in a
    // file of its own.
    static Result<std::unique_ptr<Overlay>> create(std::unique_ptr<BlockBackend> base);

    uint64_t size() const override { return base_->size(); }
    bool read_only() const override { return false; }
    const char* format() const override { return base_->format(); }
    Result<> read(uint64_t offset, std::span<uint8_t> data) override;
    Result<> write(uint64_t offset, std::span<const uint8_t> data) override;
    // Nothing: what is here does not outlast the program.
    Result<> flush() override { return {}; }
    // They do not outlast the program, either. Making one and applying one copies what was written.
    DiskSnapshots* snapshots() override { return this; }

  private:
    class State;
    struct Kept {
        SnapshotInfo info;
        std::vector<bool> written;
        TemporaryFile file;
        std::optional<TemporaryFile> state;
    };
    static constexpr uint64_t kCluster = 64 << 10;

    Overlay(std::unique_ptr<BlockBackend> base, TemporaryFile file);
    Result<> fill(uint64_t cluster) WEFT_REQUIRES(mutex_);

    // DiskSnapshots
    Result<std::vector<SnapshotInfo>> list() override;
    Result<std::unique_ptr<StateWriter>> begin_state() override;
    Result<> create(const SnapshotInfo& info, std::unique_ptr<StateWriter> state) override;
    Result<> apply(const std::string& name) override;
    Result<> remove(const std::string& name) override;
    Result<size_t> read_state(const std::string& name, uint64_t offset, std::span<uint8_t> bytes) override;
    std::vector<Kept>::iterator find(const std::string& name) WEFT_REQUIRES(mutex_);
    Result<> copy(const std::vector<bool>& written, const TemporaryFile& from, const TemporaryFile& to) const;

    const std::unique_ptr<BlockBackend> base_;
    const TemporaryFile file_;
    // Requests may come from several threads, on parts of the same cluster.
    Mutex mutex_;
    std::vector<bool> written_ WEFT_GUARDED_BY(mutex_);  // clusters that are in the file
    std::vector<Kept> kept_ WEFT_GUARDED_BY(mutex_);
    uint64_t last_id_ WEFT_GUARDED_BY(mutex_) = 0;
};

}  // namespace weft::backend
