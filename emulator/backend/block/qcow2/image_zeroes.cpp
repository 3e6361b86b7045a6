// Discarding and zeros: entries of whole clusters are changed, parts of clusters are written.
#include <algorithm>
#include <vector>

#include "base/assert.h"
#include "base/bits.h"
#include "emulator/backend/block/qcow2/image.h"

namespace weft::backend::qcow2 {

namespace {

// Of extended entries: all subclusters read as zeros.
constexpr uint64_t kAllZero = low_mask<uint64_t>(32) << 32;

bool same(const L2Entry& a, const L2Entry& b) { return a.descriptor == b.descriptor && a.bitmap == b.bitmap; }

}  // namespace

// What the entry of a cluster is to be, of which nothing is kept. None: the image cannot say so ("Cluster mapping": version 2 has no
// entries for zeros), or need not.
Result<std::optional<L2Entry>> Image::emptied(uint64_t cluster, const L2Entry& old, Emptying how) {
    bool zeros = true;        // all of it reads as zeros by its entry
    bool unallocated = true;  // nothing of it has a place or is said to be zeros
    for (unsigned i = 0; i < header_.subclusters(); ++i) {
        const Result<Kind> kind = kind_of(header_, old, i);
        if (!kind) {
            return std::unexpected(kind.error());
        }
        zeros = zeros && *kind == Kind::zero;
        unallocated = unallocated && *kind == Kind::unallocated;
    }
    const bool below = backing_ != nullptr && (cluster << header_.cluster_bits) < backing_->size();
    // What no image lies below reads as zeros without an entry.
    if (unallocated && (!below || how == Emptying::discard) && old.offset() == 0) {
        return std::nullopt;
    }
    L2Entry entry;
    if (how == Emptying::zero && old.own_cluster()) {
        if (header_.version == 2) {
            return std::nullopt;
        }
        entry.descriptor = old.offset() | kCopied;
    }
    if (header_.version == 2 && below) {
        return std::nullopt;
    }
    if (below || entry.descriptor != 0 || (how == Emptying::zero && header_.version != 2 && zeros)) {
        if (header_.extended_l2) {
            entry.bitmap = kAllZero;
        } else {
            entry.descriptor |= kZero;
        }
    }
    return same(entry, old) ? std::nullopt : std::optional(entry);
}

Result<> Image::empty_cluster(uint64_t cluster, Emptying how) {
    const Result<L2Entry> old = metadata_->entry(cluster);
    if (!old) {
        return std::unexpected(old.error());
    }
    const Result<std::optional<L2Entry>> entry = emptied(cluster, *old, how);
    if (!entry || !*entry) {
        return entry ? Result<>() : std::unexpected(entry.error());
    }
    Result<> set = metadata_->limit_released();
    set = set ? metadata_->set_entry(cluster, **entry) : set;
    if (!set) {
        return set;
    }
    if ((*entry)->offset() != old->offset() || old->compressed()) {
        release(*old);
    }
    return {};
}

// Zeros in a part of a cluster, or in a whole one that has no entry for them.
Result<> Image::zero_part(uint64_t offset, uint64_t length) {
    constexpr uint64_t kPiece = 64 << 10;
    std::vector<uint8_t> zeros;
    while (length != 0) {
        uint64_t piece = 0;
        bool there = false;
        {
            const MutexLock lock(mutex_);
            const Result<Extent> extent = find(offset, length);
            if (!extent) {
                return std::unexpected(extent.error());
            }
            there = reads_zeros(*extent, offset);
            piece = there ? extent->length : std::min(extent->length, kPiece);
        }
        if (!there) {
            zeros.resize(static_cast<size_t>(piece));
            if (Result<> written = write_fully(offset, zeros); !written) {
                return written;
            }
        }
        offset += piece;
        length -= piece;
    }
    return {};
}

Result<> Image::empty(uint64_t offset, uint64_t length, Emptying how) {
    const uint64_t size = header_.cluster_size();
    // The disk may end within its last cluster: then that one is whole up to there.
    const uint64_t end = offset + length;
    const uint64_t first = align_up(offset, size);
    const uint64_t last = end == header_.size ? align_up(end, size) : align_down(end, size);
    const bool zeros = how != Emptying::discard;
    const auto part = [&](uint64_t from, uint64_t to) {
        return zeros && from < to ? zero_part(from, to - from) : Result<>();
    };
    if (first >= last) {
        return part(offset, end);
    }
    Result<> done = part(offset, first);
    for (uint64_t at = first; done && at < last; at += size) {
        bool left = false;
        {
            const MutexLock lock(mutex_);
            done = metadata_->begin_writing();
            done = done ? empty_cluster(at >> header_.cluster_bits, how) : done;
            if (done && zeros) {
                const Result<Extent> now = find(at, std::min(size, header_.size - at));
                left = !now || !reads_zeros(*now, at) || now->length != std::min(size, header_.size - at);
            }
        }
        done = done && left ? zero_part(at, std::min(size, header_.size - at)) : done;
    }
    return done ? part(std::min(last, end), end) : done;
}

Result<> Image::discard(uint64_t offset, uint64_t length) {
    WEFT_ASSERT(length <= header_.size && offset <= header_.size - length);
    if (settings_.read_only) {
        return fail(name_ + ": opened read-only");
    }
    const Result<> done = empty(offset, length, Emptying::discard);
    return done ? done : named(done.error());
}

Result<> Image::write_zeroes(uint64_t offset, uint64_t length, bool unmap) {
    WEFT_ASSERT(length <= header_.size && offset <= header_.size - length);
    if (settings_.read_only) {
        return fail(name_ + ": opened read-only");
    }
    const Result<> done = empty(offset, length, unmap ? Emptying::zero_unmapped : Emptying::zero);
    if (!done) {
        return named(done.error());
    }
    return settings_.write_through ? flush() : Result<>();
}

}  // namespace weft::backend::qcow2
