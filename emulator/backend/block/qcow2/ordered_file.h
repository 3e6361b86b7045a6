// A file whose writes have an order: after a sync that failed nothing is written any more. It knows how far it has been written.
#pragma once

#include <atomic>
#include <memory>

#include "emulator/backend/block/image_file.h"

namespace weft::backend::qcow2 {

// Where the host could not bring writes to the disk, it may have dropped them and tell of it only once. What is written afterwards could then
// refer to what is not there, so writes and syncs fail from then on. Any thread.
class OrderedFile final : public ImageFile {
  public:
    explicit OrderedFile(std::unique_ptr<ImageFile> file) : file_(std::move(file)) {}
    Result<> open() {
        const Result<uint64_t> size = file_->size();
        if (!size) {
            return std::unexpected(size.error());
        }
        end_.store(file_->grows() ? *size : UINT64_MAX, std::memory_order_relaxed);
        return {};
    }

    // Nothing was ever written at or behind it: the file reads as zeros there.
    uint64_t end() const { return end_.load(std::memory_order_relaxed); }
    Result<uint64_t> size() const override { return file_->size(); }
    bool grows() const override { return file_->grows(); }
    Result<size_t> read(uint64_t offset, std::span<uint8_t> data) override {
        return file_->read(offset, data);
    }
    Result<> write(uint64_t offset, std::span<const uint8_t> data) override {
        if (failed_.load(std::memory_order_relaxed)) {
            return refusal();
        }
        uint64_t end = end_.load(std::memory_order_relaxed);
        while (end < offset + data.size() &&
               !end_.compare_exchange_weak(end, offset + data.size(), std::memory_order_relaxed)) {
        }
        return file_->write(offset, data);
    }
    Result<> sync() override {
        return stop_unless(failed_.load(std::memory_order_relaxed) ? refusal() : file_->sync());
    }
    bool read_at_once(uint64_t offset, std::span<uint8_t> data) override {
        return file_->read_at_once(offset, data);
    }
    // Of bytes that were written before: the end does not change.
    bool write_at_once(uint64_t offset, std::span<const uint8_t> data) override {
        return !failed_.load(std::memory_order_relaxed) && offset + data.size() <= end() &&
               file_->write_at_once(offset, data);
    }
    Result<bool> punch(uint64_t offset, uint64_t length) override {
        return failed_.load(std::memory_order_relaxed) ? Result<bool>(false) : file_->punch(offset, length);
    }
    Result<bool> zero(uint64_t offset, uint64_t length) override {
        return failed_.load(std::memory_order_relaxed) ? Result<bool>(false) : file_->zero(offset, length);
    }
    // Writes a part of the header, after all that was written before and before all that will be. Fails for good.
    Result<> commit(uint64_t offset, std::span<const uint8_t> data) {
        Result<> done = sync();
        done = done ? stop_unless(write(offset, data)) : done;
        return done ? sync() : done;
    }

  private:
    static Result<> refusal() { return fail("an earlier write could not be brought to the disk"); }
    Result<> stop_unless(Result<> done) {
        if (!done) {
            failed_.store(true, std::memory_order_relaxed);
        }
        return done;
    }

    const std::unique_ptr<ImageFile> file_;
    // Relaxed, both: writers of one cluster are ordered by the image's lock, and a write that is under way when a sync fails
    // was not ordered with it.
    std::atomic<bool> failed_ = false;
    std::atomic<uint64_t> end_ = UINT64_MAX;
};

}  // namespace weft::backend::qcow2
