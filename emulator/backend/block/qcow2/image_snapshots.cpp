#include "emulator/backend/block/qcow2/image_snapshots.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bits.h"
#include "base/text_values.h"
#include "emulator/backend/block/qcow2/big_endian.h"
#include "emulator/backend/block/qcow2/image.h"

namespace weft::backend::qcow2 {

namespace {

constexpr uint64_t kEntrySize = 8;
constexpr uint64_t kNsPerSecond = 1'000'000'000;
// Of an extended entry: all subclusters are allocated.
constexpr uint64_t kAllAllocated = UINT32_MAX;

// Above all that there are, as QEMU gives them.
std::string next_id(const std::vector<Snapshot>& snapshots) {
    uint64_t last = 0;
    for (const Snapshot& snapshot : snapshots) {
        last = std::max(last, parse_uint(snapshot.id).value_or(0));
    }
    return std::to_string(last + 1);
}

std::unexpected<Error> no_snapshot(const std::string& name) {
    return fail(fmt::format("it has no snapshot {}", in_quotes(name)));
}

}  // namespace

// Clusters are filled one after the other; nothing refers to them before create().
class ImageSnapshots::State final : public StateWriter {
  public:
    State(Image& image, Relayout relayout) : image_(image), relayout_(std::move(relayout)) {}

    Result<> write(std::span<const uint8_t> bytes) override {
        size_ += bytes.size();
        while (!bytes.empty()) {
            const size_t part = std::min(bytes.size(), image_.header_.cluster_size() - cluster_.size());
            cluster_.insert(cluster_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(part));
            bytes = bytes.subspan(part);
            if (cluster_.size() == image_.header_.cluster_size()) {
                if (Result<> put = put_cluster(); !put) {
                    return image_.named(put.error());
                }
            }
        }
        return {};
    }

    // The L2 tables' places, for the entries behind those of the disk.
    Result<std::vector<uint64_t>> finish() {
        if (!cluster_.empty()) {
            cluster_.resize(image_.header_.cluster_size());
            if (Result<> put = put_cluster(); !put) {
                return std::unexpected(put.error());
            }
        }
        const Header& header = image_.header_;
        std::vector<uint64_t> tables;
        for (size_t first = 0; first < clusters_.size(); first += header.l2_entries()) {
            std::vector<uint8_t> bytes(header.cluster_size());
            for (size_t i = 0; i < header.l2_entries() && first + i < clusters_.size(); ++i) {
                store<uint64_t>(bytes, i * header.l2_entry_size(),
                                clusters_[first + i] << header.cluster_bits);
                if (header.extended_l2) {
                    store<uint64_t>(bytes, i * header.l2_entry_size() + kEntrySize, kAllAllocated);
                }
            }
            const Result<uint64_t> place = relayout_.take(1);
            Result<> done = place ? image_.file_.write(*place << header.cluster_bits, bytes)
                                  : std::unexpected(place.error());
            if (!done) {
                return std::unexpected(done.error());
            }
            tables.push_back(*place << header.cluster_bits);
        }
        return tables;
    }

    Relayout& relayout() { return relayout_; }
    uint64_t size() const { return size_; }

  private:
    Result<> put_cluster() {
        const Result<uint64_t> place = relayout_.take(1);
        if (!place) {
            return std::unexpected(place.error());
        }
        clusters_.push_back(*place);
        Result<> written = image_.file_.write(*place << image_.header_.cluster_bits, cluster_);
        cluster_.clear();
        return written;
    }

    Image& image_;
    Relayout relayout_;
    std::vector<uint64_t> clusters_;
    std::vector<uint8_t> cluster_;  // the beginning of the next one
    uint64_t size_ = 0;
};

template <class T>
Result<T> ImageSnapshots::named(const Result<T>& result) const {
    return result ? result : image_.named(result.error());
}

uint64_t ImageSnapshots::disk_entries() const {
    const Header& header = image_.header_;
    return div_round_up(header.size, header.l2_entries() << header.cluster_bits);
}

Result<Snapshot> ImageSnapshots::find(const std::string& name) {
    const Result<std::vector<Snapshot>> all = read_snapshots(image_.file_, image_.header_);
    if (!all) {
        return std::unexpected(all.error());
    }
    const auto found = std::ranges::find(*all, name, &Snapshot::name);
    return found != all->end() ? Result<Snapshot>(*found) : no_snapshot(name);
}

Result<std::vector<SnapshotInfo>> ImageSnapshots::list() {
    const MutexLock lock(image_.mutex_);
    const Result<std::vector<Snapshot>> all = read_snapshots(image_.file_, image_.header_);
    if (!all) {
        return image_.named(all.error());
    }
    std::vector<SnapshotInfo> list;
    for (const Snapshot& one : *all) {
        list.push_back({.id = one.id,
                        .name = one.name,
                        .date_ns = one.date_seconds * kNsPerSecond + one.date_ns,
                        .vm_clock_ns = one.vm_clock_ns,
                        .vm_state_bytes = one.vm_state_bytes});
    }
    return list;
}

Relayout ImageSnapshots::begin_change() {
    return Relayout(image_.file_, image_.header_, [this](uint64_t cluster) WEFT_NO_THREAD_SAFETY_ANALYSIS {
        return image_.metadata_->reference_count(cluster);
    });
}

// Everything is in the file when it returns.
Result<Relayout::Content> ImageSnapshots::content() WEFT_NO_THREAD_SAFETY_ANALYSIS {
    Result<> done = image_.metadata_->begin_writing();
    done = done ? image_.metadata_->close() : done;
    Result<std::vector<Snapshot>> snapshots =
        done ? read_snapshots(image_.file_, image_.header_) : std::unexpected(done.error());
    if (!snapshots) {
        return std::unexpected(snapshots.error());
    }
    return Relayout::Content{.active = image_.metadata_->l1(), .snapshots = std::move(*snapshots)};
}

Result<> ImageSnapshots::commit(Relayout& relayout,
                                Relayout::Content content) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    const Result<Header> header = relayout.commit(std::move(content));
    if (!header) {
        return std::unexpected(header.error());
    }
    image_.header_.l1_offset = header->l1_offset;
    image_.header_.l1_size = header->l1_size;
    image_.header_.refcount_table_offset = header->refcount_table_offset;
    image_.header_.refcount_table_clusters = header->refcount_table_clusters;
    image_.header_.snapshots = header->snapshots;
    image_.header_.snapshots_offset = header->snapshots_offset;
    image_.header_.autoclear = 0;
    image_.unpacked_descriptor_ = 0;
    read_name_.clear();
    image_.metadata_.emplace(image_.file_, image_.header_);
    return image_.metadata_->open(true);
}

Result<std::unique_ptr<DiskSnapshots::StateWriter>> ImageSnapshots::begin_state() {
    const MutexLock lock(image_.mutex_);
    // So that what is free in memory is free in the file.
    const Result<Relayout::Content> present = content();
    Relayout relayout = begin_change();
    const Result<> sound = present ? relayout.survey(*present) : std::unexpected(present.error());
    if (!sound) {
        return image_.named(sound.error());
    }
    return std::make_unique<State>(image_, std::move(relayout));
}

Result<> ImageSnapshots::create(const SnapshotInfo& info, std::unique_ptr<StateWriter> state) {
    const MutexLock lock(image_.mutex_);
    if (info.name.empty() || info.name.size() > kMaxSnapshotName) {
        return image_.named(Error(fmt::format("a snapshot's name has 1 to {} bytes", kMaxSnapshotName)));
    }
    Result<Relayout::Content> present = content();
    if (!present) {
        return image_.named(present.error());
    }
    auto* const machine = static_cast<State*>(state.get());
    std::optional<Relayout> own;
    Relayout& relayout = machine != nullptr ? machine->relayout() : own.emplace(begin_change());
    if (machine == nullptr) {
        if (const Result<> sound = relayout.survey(*present); !sound) {
            return image_.named(sound.error());
        }
    }
    std::vector<uint64_t> l1 = present->active;
    l1.resize(disk_entries());
    if (machine != nullptr) {
        const Result<std::vector<uint64_t>> tables = machine->finish();
        if (!tables) {
            return image_.named(tables.error());
        }
        l1.insert(l1.end(), tables->begin(), tables->end());
    }
    std::vector<uint8_t> bytes(align_up(l1.size() * kEntrySize, image_.header_.cluster_size()));
    for (size_t i = 0; i < l1.size(); ++i) {
        store<uint64_t>(bytes, i * kEntrySize, l1[i] & kOffsetMask);
    }
    const Result<uint64_t> place = relayout.take(bytes.size() >> image_.header_.cluster_bits);
    if (!place) {
        return image_.named(place.error());
    }
    const uint64_t l1_offset = *place << image_.header_.cluster_bits;
    Result<> done = image_.file_.write(l1_offset, bytes);
    Snapshot snapshot{.l1_offset = l1_offset,
                      .l1_size = static_cast<uint32_t>(l1.size()),
                      .id = next_id(present->snapshots),
                      .name = info.name,
                      .date_seconds = static_cast<uint32_t>(info.date_ns / kNsPerSecond),
                      .date_ns = static_cast<uint32_t>(info.date_ns % kNsPerSecond),
                      .vm_clock_ns = info.vm_clock_ns,
                      .vm_state_bytes = machine != nullptr ? machine->size() : 0,
                      .disk_size = image_.header_.size,
                      .extra = {}};
    std::erase_if(present->snapshots, [&](const Snapshot& one) { return one.name == info.name; });
    present->snapshots.push_back(std::move(snapshot));
    done = done ? commit(relayout, std::move(*present)) : done;
    return named(done);
}

Result<std::vector<uint64_t>> ImageSnapshots::l1_of(const Snapshot& snapshot) {
    std::vector<uint8_t> bytes(snapshot.l1_size * kEntrySize);
    const Result<size_t> got = image_.file_.read(snapshot.l1_offset, bytes);
    if (!got || *got != bytes.size()) {
        return got ? fail("it is damaged: a snapshot's L1 table lies behind its end")
                   : std::unexpected(got.error());
    }
    std::vector<uint64_t> l1(snapshot.l1_size);
    for (size_t i = 0; i < l1.size(); ++i) {
        l1[i] = load<uint64_t>(bytes, i * kEntrySize) & kOffsetMask;
    }
    return l1;
}

Result<> ImageSnapshots::apply(const std::string& name) {
    const MutexLock lock(image_.mutex_);
    const Result<Snapshot> snapshot = find(name);
    if (!snapshot) {
        return image_.named(snapshot.error());
    }
    if (snapshot->disk_size != image_.header_.size) {
        return image_.named(Error(fmt::format("snapshot {} is of a disk of another size", in_quotes(name))));
    }
    Result<std::vector<uint64_t>> l1 = l1_of(*snapshot);
    Result<Relayout::Content> present = l1 ? content() : std::unexpected(l1.error());
    if (!present) {
        return image_.named(present.error());
    }
    l1->resize(disk_entries());  // without the machine's
    l1->resize(std::max<size_t>(l1->size(), image_.header_.l1_size));
    present->active = std::move(*l1);
    Relayout relayout = begin_change();
    return named(commit(relayout, std::move(*present)));
}

Result<> ImageSnapshots::remove(const std::string& name) {
    const MutexLock lock(image_.mutex_);
    Result<Relayout::Content> present = content();
    if (!present) {
        return image_.named(present.error());
    }
    if (std::erase_if(present->snapshots, [&](const Snapshot& one) { return one.name == name; }) == 0) {
        return image_.named(no_snapshot(name).error());
    }
    Relayout relayout = begin_change();
    return named(commit(relayout, std::move(*present)));
}

// Of cluster `number` of the state.
Result<> ImageSnapshots::read_cluster(uint64_t number, uint64_t within, std::span<uint8_t> bytes) {
    const Header& header = image_.header_;
    const uint64_t index = disk_entries() + number / header.l2_entries();
    const uint64_t offset = index < read_l1_.size() ? read_l1_[index] : 0;
    if (offset != read_l2_offset_) {
        read_l2_.assign(header.cluster_size(), 0);
        read_l2_offset_ = 0;
        const Result<size_t> got = offset != 0 ? image_.file_.read(offset, read_l2_) : Result<size_t>(0);
        if (!got) {
            return std::unexpected(got.error());
        }
        read_l2_offset_ = offset;
    }
    L2Entry entry;
    if (offset != 0) {
        const uint64_t at = number % header.l2_entries() * header.l2_entry_size();
        entry.descriptor = load<uint64_t>(read_l2_, at);
        entry.bitmap = header.extended_l2 ? load<uint64_t>(read_l2_, at + kEntrySize) : 0;
    }
    std::ranges::fill(bytes, uint8_t{0});
    if (entry.compressed()) {
        return fail("the machine's state is compressed, which is not known here");
    }
    if (entry.offset() == 0) {
        return {};
    }
    const Result<size_t> got = image_.file_.read(entry.offset() + within, bytes);
    return got ? Result<>() : std::unexpected(got.error());
}

Result<size_t> ImageSnapshots::read_state(const std::string& name, uint64_t offset,
                                          std::span<uint8_t> bytes) {
    const MutexLock lock(image_.mutex_);
    if (read_name_ != name) {
        const Result<Snapshot> snapshot = find(name);
        Result<std::vector<uint64_t>> l1 = snapshot ? l1_of(*snapshot) : std::unexpected(snapshot.error());
        if (!l1) {
            return image_.named(l1.error());
        }
        read_l1_ = std::move(*l1);
        read_bytes_ = snapshot->vm_state_bytes;
        read_l2_offset_ = UINT64_MAX;
        read_name_ = name;
    }
    const uint64_t there = offset < read_bytes_ ? read_bytes_ - offset : 0;
    bytes = bytes.first(std::min<uint64_t>(bytes.size(), there));
    const uint64_t cluster_size = image_.header_.cluster_size();
    for (size_t done = 0; done != bytes.size();) {
        const uint64_t at = offset + done;
        const size_t part = std::min<uint64_t>(bytes.size() - done, cluster_size - at % cluster_size);
        if (Result<> read = read_cluster(at / cluster_size, at % cluster_size, bytes.subspan(done, part));
            !read) {
            return image_.named(read.error());
        }
        done += part;
    }
    return bytes.size();
}

}  // namespace weft::backend::qcow2
