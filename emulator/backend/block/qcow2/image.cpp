#include "emulator/backend/block/qcow2/image.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/bits.h"
#include "base/messages.h"
#include "emulator/backend/block/qcow2/decompress.h"

namespace weft::backend::qcow2 {

namespace {

// Of a mutex that try_lock() took.
class Unlock {
  public:
    explicit Unlock(Mutex& mutex) : mutex_(mutex) {}
    ~Unlock() WEFT_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }
    Unlock(const Unlock&) = delete;
    Unlock& operator=(const Unlock&) = delete;

  private:
    Mutex& mutex_;
};

}  // namespace

Result<std::unique_ptr<Image>> Image::open(const std::string& name, std::unique_ptr<ImageFile> file,
                                           const Header& header, std::unique_ptr<BlockBackend> backing,
                                           ImageSettings settings) {
    if (Result<> allowed = settings.read_only ? Result<>() : check_writing(header); !allowed) {
        return std::unexpected(allowed.error());
    }
    std::unique_ptr<Image> image(new Image(name, std::move(file), header, std::move(backing), settings));
    Result<> opened = image->file_.open();
    if (opened) {
        const MutexLock lock(image->mutex_);
        opened = image->metadata_->open(!settings.read_only);
    }
    image->opened_ = opened.has_value();
    return opened ? Result<std::unique_ptr<Image>>(std::move(image)) : std::unexpected(opened.error());
}

Image::Image(std::string name, std::unique_ptr<ImageFile> file, const Header& header,
             std::unique_ptr<BlockBackend> backing, ImageSettings settings)
    : name_(std::move(name)),
      header_(header),
      settings_(settings),
      file_(std::move(file)),
      backing_(std::move(backing)),
      metadata_(std::in_place, file_, header_) {}

Image::~Image() {
    if (settings_.read_only || !opened_) {
        return;
    }
    const MutexLock lock(mutex_);
    if (const Result<> closed = metadata_->close(); !closed) {
        print_warning(
            fmt::format("{}: what was written last may be missing: {}", name_, closed.error().message()));
    }
}

// From `offset` to the end of its subcluster.
Result<Image::Extent> Image::extent_at(uint64_t offset) {
    const uint64_t within = offset % header_.cluster_size();
    const uint64_t subcluster = within / header_.subcluster_size();
    Extent extent{.length = header_.subcluster_size() - within % header_.subcluster_size()};
    if (offset >= header_.size) {
        return extent;  // the rest of the last cluster
    }
    const Result<L2Entry> entry = metadata_->entry(offset >> header_.cluster_bits);
    if (!entry) {
        return std::unexpected(entry.error());
    }
    const Result<Kind> kind = kind_of(header_, *entry, static_cast<unsigned>(subcluster));
    if (!kind) {
        return std::unexpected(kind.error());
    }
    extent.kind = *kind;
    if (*kind == Kind::data) {
        extent.own = entry->own_cluster();
        extent.host = entry->offset() + within;
    } else if (*kind == Kind::compressed) {
        extent.descriptor = entry->descriptor;
        extent.length = header_.cluster_size() - within;
    }
    // A cluster that reaches over the disk's end is read in two extents.
    extent.length = std::min(extent.length, header_.size - offset);
    return extent;
}

// From `offset` on, `length` bytes at most.
Result<Image::Extent> Image::find(uint64_t offset, uint64_t length) {
    Result<Extent> extent = extent_at(offset);
    while (extent && extent->length < length && extent->kind != Kind::compressed) {
        const Result<Extent> next = extent_at(offset + extent->length);
        // What is wrong with the next one is its own readers' affair.
        if (!next || next->kind != extent->kind || next->own != extent->own ||
            (next->kind == Kind::data && next->host != extent->host + extent->length)) {
            break;
        }
        extent->length += next->length;
    }
    if (extent) {
        extent->length = std::min(extent->length, length);
    }
    return extent;
}

bool Image::reads_zeros(const Extent& extent, uint64_t offset) const {
    return extent.kind == Kind::zero ||
           (extent.kind == Kind::unallocated && (backing_ == nullptr || offset >= backing_->size()));
}

// The backing file may be shorter ("Cluster mapping").
Result<> Image::read_backing(uint64_t offset, std::span<uint8_t> data) {
    const uint64_t size = backing_ == nullptr ? 0 : backing_->size();
    const auto there =
        static_cast<size_t>(std::min<uint64_t>(data.size(), offset < size ? size - offset : 0));
    std::ranges::fill(data.subspan(there), uint8_t{0});
    return there == 0 ? Result<>() : backing_->read(offset, data.first(there));
}

// What is not compressed.
Result<> Image::read_place(const Extent& extent, uint64_t offset, std::span<uint8_t> data) {
    if (extent.kind == Kind::unallocated) {
        return read_backing(offset, data);
    }
    size_t there = 0;
    if (extent.kind == Kind::data) {
        const Result<size_t> count = file_.read(extent.host, data);
        if (!count) {
            return std::unexpected(count.error());
        }
        there = *count;
    }
    std::ranges::fill(data.subspan(there), uint8_t{0});
    return {};
}

Result<> Image::read_compressed(uint64_t descriptor, uint64_t offset, std::span<uint8_t> data) {
    if (unpacked_descriptor_ != descriptor) {
        const CompressedPlace place = compressed_place(header_, descriptor);
        unpacked_descriptor_ = 0;
        unpacked_.resize(header_.cluster_size());
        packed_.resize(place.size);
        const Result<size_t> count = file_.read(place.offset, packed_);
        if (!count) {
            return std::unexpected(count.error());
        }
        if (!decompress(header_.compression, std::span(packed_).first(*count), unpacked_)) {
            return fail(fmt::format("it is damaged: the compressed cluster at {:#x}", place.offset));
        }
        unpacked_descriptor_ = descriptor;
    }
    std::ranges::copy(std::span(unpacked_).subspan(offset % header_.cluster_size(), data.size()),
                      data.begin());
    return {};
}

// Returns how many bytes it has read.
Result<size_t> Image::read_piece(uint64_t offset, std::span<uint8_t> data) {
    MutexLock lock(mutex_);
    for (;;) {
        const Result<Extent> extent = find(offset, data.size());
        if (!extent) {
            return std::unexpected(extent.error());
        }
        const auto piece = data.first(extent->length);
        Result<> done;
        if (extent->kind == Kind::compressed) {
            done = read_compressed(extent->descriptor, offset, piece);
        } else {
            const uint64_t freed = metadata_->freed();
            lock.unlock();
            done = read_place(*extent, offset, piece);
            lock.lock();
            // Its place may have become free meanwhile, and somebody else's.
            if (extent->kind == Kind::data && metadata_->freed() != freed) {
                continue;
            }
        }
        return done ? Result<size_t>(piece.size()) : std::unexpected(done.error());
    }
}

Result<> Image::read(uint64_t offset, std::span<uint8_t> data) {
    WEFT_ASSERT(data.size() <= header_.size && offset <= header_.size - data.size());
    while (!data.empty()) {
        const Result<size_t> count = read_piece(offset, data);
        if (!count) {
            return named(count.error());
        }
        data = data.subspan(*count);
        offset += *count;
    }
    return {};
}

// Writes the disk's bytes from `offset` on, as they are now, to `host` in the file; zeros only without `skip_zeros`.
Result<> Image::copy(uint64_t offset, uint64_t length, uint64_t host, bool skip_zeros) {
    constexpr uint64_t kPiece = 256 << 10;
    std::vector<uint8_t> bytes;
    while (length != 0) {
        const Result<Extent> extent = find(offset, length);
        if (!extent) {
            return std::unexpected(extent.error());
        }
        const bool skip = skip_zeros && reads_zeros(*extent, offset);
        const uint64_t piece = skip ? extent->length : std::min(extent->length, kPiece);
        if (!skip) {
            bytes.resize(piece);
            Result<> done = extent->kind == Kind::compressed
                                ? read_compressed(extent->descriptor, offset, bytes)
                                : read_place(*extent, offset, bytes);
            done = done ? file_.write(host, bytes) : done;
            if (!done) {
                return done;
            }
        }
        offset += piece;
        host += piece;
        length -= piece;
    }
    return {};
}

// What no entry of the active tables has any more.
void Image::release(const L2Entry& entry) {
    if (entry.compressed()) {
        const CompressedPlace place = compressed_place(header_, entry.descriptor);
        if (unpacked_descriptor_ == entry.descriptor) {
            unpacked_descriptor_ = 0;  // others may be compressed there later
        }
        metadata_->release(place.offset, place.size);
    } else if (entry.offset() != 0) {
        metadata_->release(entry.offset(), header_.cluster_size());
    }
}

// How many clusters from `cluster` on, up to `limit`, need a new place. 0: the first one has its own.
Result<uint64_t> Image::count_new(uint64_t cluster, uint64_t limit) {
    uint64_t count = 0;
    for (; count != limit; ++count) {
        const Result<L2Entry> entry = metadata_->entry(cluster + count);
        if (!entry) {
            return std::unexpected(entry.error());
        }
        // Whatever is wrong with the entry is found before it is replaced.
        for (unsigned i = 0; i < header_.subclusters(); ++i) {
            if (const Result<Kind> kind = kind_of(header_, *entry, i); !kind) {
                return count != 0 ? Result<uint64_t>(count) : std::unexpected(kind.error());
            }
        }
        if (entry->own_cluster()) {
            break;
        }
    }
    return count;
}

// Whether all of a cluster is written where a part of it is: it leaves a place that it shared, or has no subclusters to tell what is where.
bool Image::rewritten(const L2Entry& entry, bool fresh) const {
    return !header_.extended_l2 || entry.compressed() || (fresh && entry.offset() != 0);
}

// The data, and before and behind it what is needed to fill clusters or subclusters.
Result<> Image::write_run(const NewData& what, std::span<const uint8_t> data) {
    const uint64_t size = header_.cluster_size();
    const uint64_t part = header_.subcluster_size();
    if (!metadata_->data_place(what.host, what.count * size)) {
        return fail(fmt::format("it is damaged: data and a table at {:#x}", what.host));
    }
    const Result<L2Entry> first = metadata_->entry(what.cluster);
    const Result<L2Entry> last = first ? metadata_->entry(what.cluster + what.count - 1) : first;
    if (!last) {
        return std::unexpected(last.error());
    }
    const uint64_t begin = rewritten(*first, what.fresh) ? 0 : align_down(what.from, part);
    const uint64_t end = rewritten(*last, what.fresh) ? what.count * size : align_up(what.to, part);
    const auto there = [&](const L2Entry& entry, uint64_t at) {
        return !what.fresh && kind_of(header_, entry, static_cast<unsigned>(at % size / part)) == Kind::data;
    };
    // New clusters at the end of the file are zeros already.
    const bool zeros = what.fresh && what.host >= file_.end();
    const uint64_t start = what.cluster << header_.cluster_bits;
    Result<> done;
    if (!there(*first, what.from)) {
        done = copy(start + begin, what.from - begin, what.host + begin, zeros);
    }
    if (done && !there(*last, what.to - 1)) {
        done = copy(start + what.to, end - what.to, what.host + what.to, zeros);
    }
    return done ? file_.write(what.host + what.from, data) : done;
}

// Counts in `done` the entries that it has set.
Result<> Image::set_entries(const NewData& what, uint64_t& done) {
    const uint64_t size = header_.cluster_size();
    const uint64_t part = header_.subcluster_size();
    for (; done != what.count; ++done) {
        const Result<L2Entry> old = metadata_->entry(what.cluster + done);
        if (!old) {
            return std::unexpected(old.error());
        }
        const uint64_t from = done == 0 ? what.from : 0;
        const uint64_t to = done + 1 == what.count ? what.to - done * size : size;
        const L2Entry entry =
            written_entry(header_, *old, what.host + done * size, static_cast<unsigned>(from / part),
                          static_cast<unsigned>((to - 1) / part), rewritten(*old, what.fresh));
        if (Result<> set = metadata_->set_entry(what.cluster + done, entry); !set) {
            return set;
        }
        if (what.fresh) {
            release(*old);
        }
    }
    return {};
}

// Returns how many bytes it has written.
Result<size_t> Image::write_new(uint64_t offset, std::span<const uint8_t> data) {
    const uint64_t size = header_.cluster_size();
    NewData what{.cluster = offset >> header_.cluster_bits, .count = 1, .from = offset % size};
    const uint64_t in_table = header_.l2_entries() - what.cluster % header_.l2_entries();
    const Result<> own = metadata_->own_table(what.cluster);
    const Result<uint64_t> wanted =
        own ? count_new(what.cluster, std::min(in_table, div_round_up(what.from + data.size(), size)))
            : std::unexpected(own.error());
    if (!wanted) {
        return std::unexpected(wanted.error());
    }
    Refcounts::Run run;
    if (*wanted != 0) {
        const Result<Refcounts::Run> taken = metadata_->allocate(*wanted);
        if (!taken) {
            return std::unexpected(taken.error());
        }
        run = *taken;
        what.count = run.count;
        what.fresh = true;
        what.host = run.first << header_.cluster_bits;
    } else {
        const Result<L2Entry> entry = metadata_->entry(what.cluster);
        if (!entry) {
            return std::unexpected(entry.error());
        }
        what.host = entry->offset();
    }
    what.to = std::min(what.from + data.size(), what.count * size);
    uint64_t set = 0;
    Result<> done = write_run(what, data.first(what.to - what.from));
    done = done ? set_entries(what, set) : done;
    if (!done) {
        if (what.fresh) {
            metadata_->take_back({.first = run.first + set, .count = run.count - set});
        }
        return std::unexpected(done.error());
    }
    return what.to - what.from;
}

Result<size_t> Image::write_piece(uint64_t offset, std::span<const uint8_t> data) {
    MutexLock lock(mutex_);
    if (Result<> begun = metadata_->begin_writing(); !begun) {
        return std::unexpected(begun.error());
    }
    const Result<Extent> extent = find(offset, data.size());
    if (!extent) {
        return std::unexpected(extent.error());
    }
    if (!extent->own) {
        return write_new(offset, data);
    }
    if (!metadata_->data_place(extent->host, extent->length)) {
        return fail(fmt::format("it is damaged: data and a table at {:#x}", extent->host));
    }
    // While this write is under way the place stays the image's own, even if it is discarded.
    const uint64_t write = metadata_->begin_in_place();
    lock.unlock();
    const Result<> written = file_.write(extent->host, data.first(extent->length));
    lock.lock();
    metadata_->end_in_place(write);
    return written ? Result<size_t>(extent->length) : std::unexpected(written.error());
}

Result<> Image::write(uint64_t offset, std::span<const uint8_t> data) {
    WEFT_ASSERT(data.size() <= header_.size && offset <= header_.size - data.size());
    if (settings_.read_only) {
        return fail(name_ + ": opened read-only");
    }
    if (Result<> written = write_fully(offset, data); !written) {
        return named(written.error());
    }
    return settings_.write_through ? flush() : Result<>();
}

Result<> Image::write_fully(uint64_t offset, std::span<const uint8_t> data) {
    while (!data.empty()) {
        const Result<size_t> count = write_piece(offset, data);
        if (!count) {
            return std::unexpected(count.error());
        }
        data = data.subspan(*count);
        offset += *count;
    }
    return {};
}

std::optional<Image::Extent> Image::cached_data(uint64_t offset, uint64_t length) {
    // find() looks at the first cluster behind the extent as well.
    const uint64_t first = offset >> header_.cluster_bits;
    const uint64_t last = std::min(offset + length, header_.size - 1) >> header_.cluster_bits;
    if (!metadata_->cached(first) || !metadata_->cached(last)) {
        return std::nullopt;
    }
    const Result<Extent> extent = find(offset, length);
    return extent && extent->kind == Kind::data && extent->length == length ? std::optional(*extent)
                                                                            : std::nullopt;
}

// The mutex stays held: nothing waits.
bool Image::read_at_once(uint64_t offset, std::span<uint8_t> data) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    if (!mutex_.try_lock()) {
        return false;
    }
    const Unlock unlock(mutex_);
    const std::optional<Extent> extent = cached_data(offset, data.size());
    return extent && file_.read_at_once(extent->host, data);
}

bool Image::write_at_once(uint64_t offset, std::span<const uint8_t> data) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    if (settings_.read_only || settings_.write_through || !mutex_.try_lock()) {
        return false;
    }
    const Unlock unlock(mutex_);
    const std::optional<Extent> extent = cached_data(offset, data.size());
    return extent && extent->own && metadata_->begun() &&
           metadata_->data_place(extent->host, extent->length) && file_.write_at_once(extent->host, data);
}

Result<> Image::flush() {
    if (settings_.read_only) {
        return {};
    }
    const MutexLock lock(mutex_);
    const Result<> flushed = metadata_->flush();
    return flushed ? flushed : named(flushed.error());
}

}  // namespace weft::backend::qcow2
