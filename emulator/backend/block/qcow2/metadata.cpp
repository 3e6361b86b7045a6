#include "emulator/backend/block/qcow2/metadata.h"

#include <fmt/format.h>

#include <array>

#include "base/bits.h"
#include "emulator/backend/block/qcow2/big_endian.h"

namespace weft::backend::qcow2 {

namespace {

constexpr uint64_t kCacheBytes = 8 << 20;
// So many releases may wait for a flush by the guest.
constexpr size_t kMaxReleased = 1 << 16;

}  // namespace

Metadata::Metadata(OrderedFile& file, const Header& header)
    : file_(file),
      header_(header),
      refcounts_(file, header, tables_),
      l2_(file, header.cluster_size(), kCacheBytes) {}

Result<> Metadata::open(bool writing) {
    if (Result<> read = read_l1(); !read || !writing) {
        return read;
    }
    return collect_tables();
}

Result<> Metadata::read_l1() {
    std::vector<uint8_t> bytes(size_t{header_.l1_size} * 8);
    const Result<size_t> count = file_.read(header_.l1_offset, bytes);
    if (!count) {
        return std::unexpected(count.error());
    }
    if (*count != bytes.size()) {
        return fail("it is damaged: its L1 table lies behind its end");
    }
    l1_.resize(header_.l1_size);
    for (size_t i = 0; i < l1_.size(); ++i) {
        l1_[i] = load<uint64_t>(bytes, i * 8);
    }
    return {};
}

Result<> Metadata::collect_tables() {
    const auto collect = [this](uint64_t offset, uint64_t bytes) {
        for (uint64_t i = 0; i < div_round_up(bytes, header_.cluster_size()); ++i) {
            tables_.collect((offset >> header_.cluster_bits) + i);
        }
    };
    collect(0, 1);
    collect(header_.l1_offset, l1_.size() * 8);
    collect(header_.refcount_table_offset, uint64_t{header_.refcount_table_clusters} << header_.cluster_bits);
    if (header_.snapshots != 0) {
        collect(header_.snapshots_offset, 1);  // how long it is, only its entries tell
    }
    if (Result<> read = refcounts_.open(); !read) {
        return read;
    }
    for (const uint64_t entry : l1_) {
        const uint64_t offset = entry & kOffsetMask;
        if (!is_aligned(offset, header_.cluster_size())) {
            return fail(fmt::format("it is damaged: an L1 entry {:#x}", entry));
        }
        if (offset != 0) {
            collect(offset, 1);
        }
    }
    return tables_.sort() ? Result<>() : fail("it is damaged: two of its tables are in the same place");
}

Result<> Metadata::make_room() {
    while (!l2_.make_room()) {
        if (Result<> written = write_back(); !written) {
            return written;
        }
    }
    return {};
}

Result<TableCache::Table*> Metadata::load_table(uint64_t offset) {
    if (!is_aligned(offset, header_.cluster_size())) {
        return fail(fmt::format("it is damaged: an L2 table at {:#x}", offset));
    }
    if (l2_.find(offset) == nullptr) {
        if (Result<> room = make_room(); !room) {
            return std::unexpected(room.error());
        }
    }
    return l2_.load(offset);
}

Result<L2Entry> Metadata::entry(uint64_t cluster) {
    const uint64_t offset = l1_[l1_index(cluster)] & kOffsetMask;
    if (offset == 0) {
        return L2Entry();
    }
    const Result<TableCache::Table*> table = load_table(offset);
    if (!table) {
        return std::unexpected(table.error());
    }
    const uint64_t at = cluster % header_.l2_entries() * header_.l2_entry_size();
    return L2Entry{.descriptor = load<uint64_t>((*table)->bytes, at),
                   .bitmap = header_.extended_l2 ? load<uint64_t>((*table)->bytes, at + 8) : 0};
}

Result<> Metadata::own_table(uint64_t cluster) {
    uint64_t& l1 = l1_[l1_index(cluster)];
    const uint64_t old = l1 & kOffsetMask;
    if (old != 0 && (l1 & kCopied) != 0) {
        return {};
    }
    std::vector<uint8_t> copy;
    if (old != 0) {
        const Result<TableCache::Table*> table = load_table(old);
        if (!table) {
            return std::unexpected(table.error());
        }
        copy = (*table)->bytes;
    }
    Result<> room = make_room();
    const Result<Refcounts::Run> run = room ? refcounts_.allocate(1) : std::unexpected(room.error());
    if (!run) {
        return std::unexpected(run.error());
    }
    TableCache::Table& table = l2_.add(run->first << header_.cluster_bits);
    if (old != 0) {
        // What the entries refer to stays shared: the other owner of the old table refers to it as well.
        table.bytes = std::move(copy);
        released_.push_back(
            {.offset = old, .size = header_.cluster_size(), .table = true, .write = next_in_place_});
    }
    tables_.add(run->first);
    l1 = table.offset | kCopied;
    dirty_l1_.insert(l1_index(cluster));
    return {};
}

Result<> Metadata::set_entry(uint64_t cluster, const L2Entry& entry) {
    if (Result<> own = own_table(cluster); !own) {
        return own;
    }
    const Result<TableCache::Table*> table = load_table(l1_[l1_index(cluster)] & kOffsetMask);
    if (!table) {
        return std::unexpected(table.error());
    }
    const uint64_t at = cluster % header_.l2_entries() * header_.l2_entry_size();
    store<uint64_t>((*table)->bytes, at, entry.descriptor);
    if (header_.extended_l2) {
        store<uint64_t>((*table)->bytes, at + 8, entry.bitmap);
    }
    l2_.mark(**table, at, at + header_.l2_entry_size());
    return {};
}

Result<> Metadata::limit_released() { return released_.size() < kMaxReleased ? Result<>() : flush(); }

Result<Refcounts::Run> Metadata::allocate(uint64_t wanted) {
    if (Result<> limited = limit_released(); !limited) {
        return std::unexpected(limited.error());
    }
    return refcounts_.allocate(wanted);
}

void Metadata::release(uint64_t offset, uint64_t size) {
    released_.push_back({.offset = offset, .size = size, .table = false, .write = next_in_place_});
}

uint64_t Metadata::begin_in_place() {
    in_place_.insert(in_place_.end(), next_in_place_);
    return next_in_place_++;
}

void Metadata::end_in_place(uint64_t write) { in_place_.erase(write); }

bool Metadata::cached(uint64_t cluster) {
    const uint64_t offset = l1_[l1_index(cluster)] & kOffsetMask;
    return offset == 0 || l2_.find(offset) != nullptr;
}

bool Metadata::data_place(uint64_t offset, uint64_t size) const {
    const uint64_t first = offset >> header_.cluster_bits;
    const uint64_t last = (offset + size - 1) >> header_.cluster_bits;
    return !tables_.meets(first, last - first + 1);
}

Result<> Metadata::begin_writing() {
    if (begun_) {
        return {};
    }
    if (header_.autoclear != 0) {
        // None of them is kept true here, the known ones (bitmaps) included ("Header", autoclear_features).
        constexpr std::array<uint8_t, 8> kNone{};
        if (Result<> cleared = file_.commit(kAutoclearField, kNone); !cleared) {
            return cleared;
        }
    }
    begun_ = true;
    return {};
}

Result<> Metadata::write_l1() {
    while (!dirty_l1_.empty()) {
        const uint64_t index = *dirty_l1_.begin();
        std::array<uint8_t, 8> bytes;
        store<uint64_t>(bytes, 0, l1_[index]);
        if (Result<> written = file_.write(header_.l1_offset + index * 8, bytes); !written) {
            return written;
        }
        dirty_l1_.erase(index);
    }
    return {};
}

Result<> Metadata::write_back() {
    Result<> done = refcounts_.write();
    if (done && l2_.dirty()) {
        done = file_.sync();
        done = done ? l2_.write() : done;
    }
    if (done && !dirty_l1_.empty()) {
        done = file_.sync();
        done = done ? write_l1() : done;
    }
    return done;
}

Result<> Metadata::flush() {
    Result<> done = write_back();
    done = done ? file_.sync() : done;
    if (done) {
        lower_released();
    }
    return done;
}

void Metadata::lower(const Released& piece, std::vector<Refcounts::Run>& freed) {
    const uint64_t first = piece.offset >> header_.cluster_bits;
    const uint64_t last = (piece.offset + piece.size - 1) >> header_.cluster_bits;
    for (uint64_t cluster = first; cluster <= last; ++cluster) {
        // Tables that data is said to lie in stay where they are, in an image that is damaged.
        if (tables_.contains(cluster) != piece.table) {
            continue;
        }
        // A count that stays too high harms nothing; one that is too low already is no worse for it.
        const Result<bool> unused = refcounts_.lower(cluster);
        if (unused && *unused) {
            ++freed_;
            tables_.remove(cluster);
            l2_.drop(cluster << header_.cluster_bits);
            if (!freed.empty() && freed.back().first + freed.back().count == cluster) {
                ++freed.back().count;
            } else {
                freed.push_back({.first = cluster, .count = 1});
            }
        }
    }
}

void Metadata::lower_released() {
    // A write in place that is older than the release may go on for a while.
    const uint64_t oldest = in_place_.empty() ? next_in_place_ : *in_place_.begin();
    std::vector<Refcounts::Run> freed;
    std::erase_if(released_, [&](const Released& piece) {
        if (piece.write > oldest) {
            return false;
        }
        lower(piece, freed);
        return true;
    });
    for (const Refcounts::Run& run : freed) {
        // Nothing on the disk refers to it. Whether the host takes it back changes nothing here.
        static_cast<void>(file_.punch(run.first << header_.cluster_bits, run.count << header_.cluster_bits));
    }
}

Result<> Metadata::close() {
    Result<> done = flush();
    return done ? refcounts_.write() : done;
}

}  // namespace weft::backend::qcow2
