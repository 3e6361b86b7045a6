// What the tests of qcow2 images share: QEMU's tools, files in memory, and disks that tests know every byte of.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "emulator/backend/block/disk_image.h"
#include "emulator/backend/block/image_file.h"
#include "emulator/backend/block/qcow2/image.h"
#include "tests/support/random.h"
#include "tests/support/subprocess.h"

namespace weft::test {

using Bytes = std::vector<uint8_t>;

// Runs qemu-img, which must succeed; returns what it prints.
std::string qemu_img(const std::vector<std::string>& arguments);
// Runs commands of qemu-io on an image, which must succeed.
void qemu_io(const std::string& path, const std::vector<std::string>& commands);
// The same, and then it ends without closing the image.
void qemu_io_killed(const std::string& path, std::vector<std::string> commands);
// "clean", "leaks", or what is wrong.
std::string checked(const std::string& path);
// The disk's bytes, as qemu-img converts them.
Bytes contents(const TempDir& dir, const std::string& path, const std::string& format = "qcow2");

Bytes file_bytes(const std::string& path);
void write_bytes(const std::string& path, std::span<const uint8_t> bytes);
// Not two bytes side by side alike, and others for each seed.
Bytes pattern(uint64_t seed, size_t size);

// The message of what cannot be opened, without what it begins with: the image's name.
std::string refusal(const std::string& path, backend::DiskAccess access = {});
std::unique_ptr<backend::BlockBackend> opened(const std::string& path, backend::DiskAccess access = {});

// A disk and what should be on it.
struct Model {
    Bytes bytes;

    // Writes random ranges of the disk, of up to `most` bytes, and reads others: compares what comes back. Whole sectors.
    void work(backend::BlockBackend& disk, Random& random, unsigned rounds, size_t most);
};

// A file in memory.
class MemoryFile final : public backend::ImageFile {
  public:
    struct Event {
        bool sync = false;
        uint64_t offset = 0;
        Bytes data;
    };

    explicit MemoryFile(Bytes bytes) : bytes_(std::move(bytes)) {}

    Result<uint64_t> size() const override { return bytes_.size(); }
    bool grows() const override { return true; }
    Result<size_t> read(uint64_t offset, std::span<uint8_t> data) override;
    Result<> write(uint64_t offset, std::span<const uint8_t> data) override;
    Result<> sync() override;
    // As events of zeros.
    Result<bool> punch(uint64_t offset, uint64_t length) override;

    const Bytes& bytes() const { return bytes_; }
    const std::vector<Event>& events() const { return events_; }
    // From now on, so many writes (or syncs) succeed; those after them fail, `failures` of them.
    void fail_writes(unsigned after, unsigned failures) { writes_left_ = after, write_failures_ = failures; }
    void fail_syncs(unsigned after) { syncs_left_ = after, sync_failures_ = 1; }
    // Once: `what` happens before the next reading of a byte at `offset`.
    void before_read(uint64_t offset, std::function<void()> what) {
        at_ = offset, before_read_ = std::move(what);
    }
    // Once: `what` happens before the next write, and nothing of that is written before.
    void before_write(std::function<void()> what) { before_write_ = std::move(what); }
    // Longer it does not become.
    void limit(uint64_t size) { limit_ = size; }

  private:
    static bool fails(unsigned& left, unsigned& failures);

    Bytes bytes_;
    std::vector<Event> events_;
    unsigned writes_left_ = 0, write_failures_ = 0, syncs_left_ = 0, sync_failures_ = 0;
    uint64_t limit_ = UINT64_MAX;
    uint64_t at_ = 0;
    std::function<void()> before_read_;
    std::function<void()> before_write_;
};

// The image in such a file, which must outlive it, to be read and written.
std::unique_ptr<backend::BlockBackend> image_over(MemoryFile& file,
                                                  std::unique_ptr<backend::BlockBackend> backing);

}  // namespace weft::test
