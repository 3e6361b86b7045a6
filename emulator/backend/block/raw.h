// Disk images that are the disk's bytes and nothing else: files and block devices.
#pragma once

#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "emulator/backend/block/block_backend.h"

namespace weft::backend {

class RawImage final : public BlockBackend {
  public:
    // Opens and locks the image: against every other opener unless `read_only`, and against writers then (open file
    // description locks, so two machines in one process are kept apart as well). Refused: what is neither a file nor a
    // block device, and sizes that are not whole sectors of 512 bytes.
    static Result<std::unique_ptr<RawImage>> open(const std::string& path, bool read_only);

    // The same checks as far as reading alone permits, opening nothing for writing.
    static Result<> check(const std::string& path, bool read_only);

    uint64_t size() const override { return size_; }
    bool read_only() const override { return read_only_; }
    Result<> read(uint64_t offset, std::span<uint8_t> data) override;
    Result<> write(uint64_t offset, std::span<const uint8_t> data) override;
    Result<> flush() override;

  private:
    RawImage(std::string path, UniqueFd fd, uint64_t size, bool read_only)
        : path_(std::move(path)), fd_(std::move(fd)), size_(size), read_only_(read_only) {}

    const std::string path_;
    const UniqueFd fd_;
    const uint64_t size_;
    const bool read_only_;
};

}  // namespace weft::backend
