// A disk that treats discarding and zeros as its user asked (-drive discard=, detect-zeroes=).
#pragma once

#include <memory>

#include "emulator/backend/block/block_backend.h"
#include "emulator/backend/block/disk_image.h"

namespace weft::backend {

class SparseDisk final : public BlockBackend {
  public:
    // `unmap`: what the guest discards is given back to the host; else it stays, and zeros take a place.
    SparseDisk(std::unique_ptr<BlockBackend> image, bool unmap, DetectZeroes zeroes)
        : image_(std::move(image)), unmap_(unmap), zeroes_(zeroes) {}

    uint64_t size() const override { return image_->size(); }
    bool read_only() const override { return image_->read_only(); }
    const char* format() const override { return image_->format(); }
    bool writes_wait() const override { return image_->writes_wait(); }
    Result<> read(uint64_t offset, std::span<uint8_t> data) override { return image_->read(offset, data); }
    bool read_at_once(uint64_t offset, std::span<uint8_t> data) override {
        return image_->read_at_once(offset, data);
    }
    Result<> write(uint64_t offset, std::span<const uint8_t> data) override;
    bool write_at_once(uint64_t offset, std::span<const uint8_t> data) override {
        return zeroes_ == DetectZeroes::off && image_->write_at_once(offset, data);
    }
    Result<> flush() override { return image_->flush(); }
    DiskSnapshots* snapshots() override { return image_->snapshots(); }
    Result<> discard(uint64_t offset, uint64_t length) override {
        return unmap_ ? image_->discard(offset, length) : Result<>();
    }
    Result<> write_zeroes(uint64_t offset, uint64_t length, bool unmap) override {
        return image_->write_zeroes(offset, length, unmap && unmap_);
    }

  private:
    const std::unique_ptr<BlockBackend> image_;
    const bool unmap_;
    const DetectZeroes zeroes_;
};

}  // namespace weft::backend
