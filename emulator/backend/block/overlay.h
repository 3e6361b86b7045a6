// A disk whose writes are forgotten: an image that is only read, and a temporary file over it (-snapshot).
#pragma once

#include <memory>
#include <vector>

#include "base/mutex.h"
#include "base/unique_fd.h"
#include "emulator/backend/block/block_backend.h"

namespace weft::backend {

class Overlay final : public BlockBackend {
  public:
    // Makes a file without a name in the folder of temporary files (TMPDIR, else /var/tmp). What is written takes as much of
    // it, in clusters of 64 KiB.
    static Result<std::unique_ptr<Overlay>> create(std::unique_ptr<BlockBackend> base);

    uint64_t size() const override { return base_->size(); }
    bool read_only() const override { return false; }
    const char* format() const override { return base_->format(); }
    Result<> read(uint64_t offset, std::span<uint8_t> data) override;
    Result<> write(uint64_t offset, std::span<const uint8_t> data) override;
    // Nothing: what is here does not outlast the program.
    Result<> flush() override { return {}; }

  private:
    static constexpr uint64_t kCluster = 64 << 10;

    Overlay(std::unique_ptr<BlockBackend> base, UniqueFd file);
    Result<> fill(uint64_t cluster) WEFT_REQUIRES(mutex_);

    const std::unique_ptr<BlockBackend> base_;
    const UniqueFd file_;
    // Requests may come from several threads, on parts of the same cluster.
    Mutex mutex_;
    std::vector<bool> written_ WEFT_GUARDED_BY(mutex_);  // clusters that are in the file
};

}  // namespace weft::backend
