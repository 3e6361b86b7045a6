// Disk images that are the disk's bytes and nothing else: files and block devices.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "emulator/backend/block/block_backend.h"
#include "emulator/backend/block/image_file.h"

namespace weft::backend {

struct ImageAccess {
    bool read_only = false;
    // Nobody said that the image is raw: one with the signature of another format is refused, and so is to become one by the
    // guest's writes. Else a program that opens it later and looks for signatures would follow what the guest wrote there, to any
    // file that it names as a backing file.
    bool probe = true;
    // Writes are on the disk when they return, without a flush.
    bool write_through = false;
};

class RawImage final : public BlockBackend {
  public:
    // Opens and locks the image: against every other opener unless it is read-only, and against writers then (open file
    // description locks, so two machines in one process are kept apart as well). Refused: what is neither a file nor a
    // block device, where formats are probed what has another's signature, and sizes that are not whole sectors of 512 bytes.
    static Result<std::unique_ptr<RawImage>> open(const std::string& path, ImageAccess access);

    // The same with a file that is open and locked as `access` says.
    static Result<std::unique_ptr<RawImage>> open(const std::string& path, std::unique_ptr<HostFile> file,
                                                  ImageAccess access);

    // The same checks as far as reading alone permits, opening nothing for writing.
    static Result<> check(const std::string& path, ImageAccess access);

    uint64_t size() const override { return size_; }
    bool read_only() const override { return access_.read_only; }
    Result<> read(uint64_t offset, std::span<uint8_t> data) override;
    // Where formats are probed, a write that would give the image a signature fails, and the first one warns the user.
    Result<> write(uint64_t offset, std::span<const uint8_t> data) override;
    Result<> flush() override;
    bool read_at_once(uint64_t offset, std::span<uint8_t> data) override;
    bool write_at_once(uint64_t offset, std::span<const uint8_t> data) override;
    bool writes_wait() const override { return file_->write_through(); }
    // Whole sectors of zeros are no format's signature, so these are allowed anywhere.
    Result<> discard(uint64_t offset, uint64_t length) override;
    Result<> write_zeroes(uint64_t offset, uint64_t length, bool unmap) override;

  private:
    RawImage(std::string path, std::unique_ptr<HostFile> file, uint64_t size, ImageAccess access)
        : path_(std::move(path)), file_(std::move(file)), size_(size), access_(access) {}

    Result<> check_writing() const;
    Result<> keep_unsigned(uint64_t offset, std::span<const uint8_t> data);

    const std::string path_;
    const std::unique_ptr<HostFile> file_;
    const uint64_t size_;
    const ImageAccess access_;
    std::atomic<bool> warned_ = false;  // only the first of all writers warns; relaxed, nothing goes with it
};

}  // namespace weft::backend
