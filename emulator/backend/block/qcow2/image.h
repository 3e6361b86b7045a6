// Disks in qcow2 images, versions 2 and 3: read and written. Sections are those of the format's description, docs/interop/qcow2
// in QEMU's sources. metadata.h has the order of writes.
//
// Not there, and refused when the image is opened: encryption, external data files, features without a name here. Clusters are compressed by
// others only.
//
// What is discarded: clusters as a whole become unallocated, or zeros where an image lies below. A version 2 image has no entry for zeros: over
// another image it keeps what is discarded, and zeros are written to it. The place of clusters that become free is given back to the host.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "emulator/backend/block/block_backend.h"
#include "emulator/backend/block/image_file.h"
#include "emulator/backend/block/qcow2/image_snapshots.h"
#include "emulator/backend/block/qcow2/metadata.h"

namespace weft::backend::qcow2 {

struct ImageSettings {
    bool read_only = false;
    bool write_through = false;  // each write is flushed
};

class Image final : public BlockBackend {
  public:
    friend class ImageSnapshots;  // whose image it is

    // `name` begins messages. `header` was read from `file`, which is locked by now and is this image's alone if it is written to.
    // `backing` is what is read where the image has nothing; null: zeros. Errors name no image.
    static Result<std::unique_ptr<Image>> open(const std::string& name, std::unique_ptr<ImageFile> file,
                                               const Header& header, std::unique_ptr<BlockBackend> backing,
                                               ImageSettings settings);
    // Flushes; a failure is a warning to the user.
    ~Image() override;

    uint64_t size() const override { return header_.size; }
    bool read_only() const override { return settings_.read_only; }
    const char* format() const override { return "qcow2"; }
    // Where it is written to.
    DiskSnapshots* snapshots() override { return settings_.read_only ? nullptr : &snapshots_; }
    // Data of clusters that are allocated already is read and written without a lock; what allocates, and compressed clusters, one
    // at a time. What lies behind the end of the file reads as zeros.
    Result<> read(uint64_t offset, std::span<uint8_t> data) override;
    Result<> write(uint64_t offset, std::span<const uint8_t> data) override;
    Result<> flush() override;
    // From memory alone: data in clusters that have a place, whose tables are loaded, and while nobody else is at the tables.
    bool read_at_once(uint64_t offset, std::span<uint8_t> data) override;
    bool write_at_once(uint64_t offset, std::span<const uint8_t> data) override;
    bool writes_wait() const override { return settings_.write_through; }
    Result<> discard(uint64_t offset, uint64_t length) override;
    Result<> write_zeroes(uint64_t offset, uint64_t length, bool unmap) override;

  private:
    enum class Emptying { discard, zero, zero_unmapped };

    // A part of the disk that is in one place.
    struct Extent {
        Kind kind = Kind::zero;
        bool own = false;         // data that may be written in place
        uint64_t host = 0;        // data: where it lies in the file
        uint64_t descriptor = 0;  // compressed
        uint64_t length = 0;
    };

    // What is written to clusters side by side that are not, or not wholly, data in clusters of the image's own.
    struct NewData {
        uint64_t cluster = 0;  // the first one, of the disk
        uint64_t count = 0;
        bool fresh = false;  // they were allocated for it
        uint64_t host = 0;   // where they are in the file
        uint64_t from = 0;   // the data, in bytes from there
        uint64_t to = 0;
    };

    Image(std::string name, std::unique_ptr<ImageFile> file, const Header& header,
          std::unique_ptr<BlockBackend> backing, ImageSettings settings);

    std::unexpected<Error> named(const Error& error) const { return std::unexpected(about(name_, error)); }
    Result<Extent> extent_at(uint64_t offset) WEFT_REQUIRES(mutex_);
    Result<Extent> find(uint64_t offset, uint64_t length) WEFT_REQUIRES(mutex_);
    bool reads_zeros(const Extent& extent, uint64_t offset) const;
    Result<> read_place(const Extent& extent, uint64_t offset, std::span<uint8_t> data);
    Result<> read_backing(uint64_t offset, std::span<uint8_t> data);
    Result<> read_compressed(uint64_t descriptor, uint64_t offset, std::span<uint8_t> data)
        WEFT_REQUIRES(mutex_);
    Result<size_t> read_piece(uint64_t offset, std::span<uint8_t> data);

    Result<size_t> write_piece(uint64_t offset, std::span<const uint8_t> data);
    Result<size_t> write_new(uint64_t offset, std::span<const uint8_t> data) WEFT_REQUIRES(mutex_);
    Result<uint64_t> count_new(uint64_t cluster, uint64_t limit) WEFT_REQUIRES(mutex_);
    Result<> write_run(const NewData& what, std::span<const uint8_t> data) WEFT_REQUIRES(mutex_);
    Result<> set_entries(const NewData& what, uint64_t& done) WEFT_REQUIRES(mutex_);
    Result<> copy(uint64_t offset, uint64_t length, uint64_t host, bool skip_zeros) WEFT_REQUIRES(mutex_);
    bool rewritten(const L2Entry& entry, bool fresh) const;
    void release(const L2Entry& entry) WEFT_REQUIRES(mutex_);
    // From memory alone; none: it is not there, or not data as a whole.
    std::optional<Extent> cached_data(uint64_t offset, uint64_t length) WEFT_REQUIRES(mutex_);

    Result<> empty(uint64_t offset, uint64_t length, Emptying how);
    Result<> empty_cluster(uint64_t cluster, Emptying how) WEFT_REQUIRES(mutex_);
    Result<std::optional<L2Entry>> emptied(uint64_t cluster, const L2Entry& old, Emptying how);
    Result<> zero_part(uint64_t offset, uint64_t length);
    Result<> write_fully(uint64_t offset, std::span<const uint8_t> data);

    const std::string name_;
    Header header_;  // where tables are changes with snapshots, under mutex_; all else is constant
    const ImageSettings settings_;
    OrderedFile file_;
    const std::unique_ptr<BlockBackend> backing_;
    bool opened_ = false;

    Mutex mutex_;
    std::optional<Metadata> metadata_ WEFT_GUARDED_BY(mutex_);  // there, but for moments
    // The compressed cluster that was read last; 0: none.
    uint64_t unpacked_descriptor_ WEFT_GUARDED_BY(mutex_) = 0;
    std::vector<uint8_t> unpacked_ WEFT_GUARDED_BY(mutex_);
    std::vector<uint8_t> packed_ WEFT_GUARDED_BY(mutex_);
    ImageSnapshots snapshots_{*this};
};

}  // namespace weft::backend::qcow2
