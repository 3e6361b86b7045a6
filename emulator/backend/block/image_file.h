// What an image is kept in: a file or a block device of the host's.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/unique_fd.h"

namespace weft::backend {

// How messages name the image at `path`: disk image 'PATH'.
std::string disk_image(const std::string& path);

// The error with the image's name before it, if it does not begin with that already; `name` is disk_image()'s.
Error about(const std::string& name, const Error& error);

// Whether this process may write to it, without opening it.
Result<> check_writable(const std::string& path);

// Bytes that stay. All functions may be called from any thread, also several at a time.
class ImageFile {
  public:
    virtual ~ImageFile() = default;

    virtual Result<uint64_t> size() const = 0;  // bytes, at present
    // Whether it grows by being written behind its end, and then reads as zeros where nothing was written.
    virtual bool grows() const = 0;
    // Returns how many bytes of `data` were read: fewer than all only where the file ends.
    virtual Result<size_t> read(uint64_t offset, std::span<uint8_t> data) = 0;
    virtual Result<> write(uint64_t offset, std::span<const uint8_t> data) = 0;
    // What was written before is on the disk when it returns.
    virtual Result<> sync() = 0;

    // As BlockBackend's.
    virtual bool read_at_once(uint64_t, std::span<uint8_t>) { return false; }
    virtual bool write_at_once(uint64_t, std::span<const uint8_t>) { return false; }

    // Gives the place of these bytes back; they read as zeros then. False: it cannot, and nothing is changed.
    virtual Result<bool> punch(uint64_t, uint64_t) { return false; }
    // Makes them zeros without writing them, in places that stay theirs. False: the same.
    virtual Result<bool> zero(uint64_t, uint64_t) { return false; }
};

class HostFile final : public ImageFile {
  public:
    // Opens the file without locking it. Refused: what is neither a file nor a block device. `write_through`: writes are on the
    // disk when they return.
    static Result<std::unique_ptr<HostFile>> open(const std::string& path, bool read_only,
                                                  bool write_through);

    // A lock goes with it. A descriptor of somebody else's keeps the open file, and would keep the lock.
    ~HostFile() override;

    // Locks it against every other opener, or only against writers if it is read-only (open file description locks, so two
    // machines in one process are kept apart as well). Whoever holds a lock already is an error.
    Result<> lock();

    // The same for all names of a file.
    std::pair<uint64_t, uint64_t> identity() const { return identity_; }

    Result<uint64_t> size() const override;
    bool grows() const override { return regular_; }
    Result<size_t> read(uint64_t offset, std::span<uint8_t> data) override;
    Result<> write(uint64_t offset, std::span<const uint8_t> data) override;
    Result<> sync() override;
    // By preadv2 and pwritev2 with RWF_NOWAIT: from and to the host's page cache. Fewer bytes than asked for are false.
    bool read_at_once(uint64_t offset, std::span<uint8_t> data) override;
    bool write_at_once(uint64_t offset, std::span<const uint8_t> data) override;
    // By fallocate(2). What the file system or device does not have is false.
    Result<bool> punch(uint64_t offset, uint64_t length) override;
    Result<bool> zero(uint64_t offset, uint64_t length) override;

    // Whether a write is on the disk when it returns.
    bool write_through() const { return write_through_; }

  private:
    HostFile(std::string path, UniqueFd fd, bool read_only, bool write_through)
        : path_(std::move(path)), fd_(std::move(fd)), read_only_(read_only), write_through_(write_through) {}
    Result<bool> allocate(int mode, uint64_t offset, uint64_t length);

    const std::string path_;
    const UniqueFd fd_;
    const bool read_only_;
    const bool write_through_;
    // What the file turned out not to do is not tried again. Relaxed: at worst it is tried once more.
    std::atomic<bool> reads_at_once_ = true;
    std::atomic<bool> writes_at_once_ = true;
    bool regular_ = true;
    bool locked_ = false;
    std::pair<uint64_t, uint64_t> identity_;
};

}  // namespace weft::backend
