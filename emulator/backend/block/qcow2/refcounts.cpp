#include "emulator/backend/block/qcow2/refcounts.h"

#include <fmt/format.h>

#include <array>

#include "base/bits.h"
#include "emulator/backend/block/qcow2/big_endian.h"

namespace weft::backend::qcow2 {

namespace {

constexpr uint64_t kCacheBytes = 2 << 20;
constexpr uint64_t kMaxTableBytes = 8 << 20;  // what QEMU takes as well
constexpr uint64_t kOffsetMask = ~uint64_t{0x1ff};
// Entries of L2 tables have no bits for offsets above ("Cluster mapping").
constexpr uint64_t kOffsetLimit = uint64_t{1} << 56;

}  // namespace

uint64_t refcount_at(std::span<const uint8_t> block, uint64_t index, unsigned order) {
    switch (order) {
        case 3:
            return block[index];
        case 4:
            return load<uint16_t>(block, index * 2);
        case 5:
            return load<uint32_t>(block, index * 4);
        case 6:
            return load<uint64_t>(block, index * 8);
        default: {
            // Several to a byte, the lowest bits first.
            const unsigned bits = 1u << order;
            const uint64_t position = index << order;
            return block[position / 8] >> (position % 8) & ((1u << bits) - 1);
        }
    }
}

void set_refcount_at(std::span<uint8_t> block, uint64_t index, unsigned order, uint64_t value) {
    switch (order) {
        case 3:
            block[index] = static_cast<uint8_t>(value);
            break;
        case 4:
            store<uint16_t>(block, index * 2, static_cast<uint16_t>(value));
            break;
        case 5:
            store<uint32_t>(block, index * 4, static_cast<uint32_t>(value));
            break;
        case 6:
            store<uint64_t>(block, index * 8, value);
            break;
        default: {
            const unsigned bits = 1u << order;
            const uint64_t position = index << order;
            const unsigned mask = ((1u << bits) - 1) << (position % 8);
            uint8_t& byte = block[position / 8];
            byte = static_cast<uint8_t>((byte & ~mask) | static_cast<unsigned>(value) << (position % 8));
            break;
        }
    }
}

Refcounts::Refcounts(OrderedFile& file, const Header& header, ClusterSet& tables)
    : file_(file),
      cluster_bits_(header.cluster_bits),
      order_(header.refcount_order),
      per_block_((header.cluster_size() * 8) >> header.refcount_order),
      tables_(tables),
      table_offset_(header.refcount_table_offset),
      table_((uint64_t{header.refcount_table_clusters} << header.cluster_bits) / 8),
      blocks_(file, header.cluster_size(), kCacheBytes) {}

Result<> Refcounts::open() {
    std::vector<uint8_t> bytes(table_.size() * 8);
    const Result<size_t> count = file_.read(table_offset_, bytes);
    if (!count) {
        return std::unexpected(count.error());
    }
    if (*count != bytes.size()) {
        return fail("it is damaged: its refcount table lies behind its end");
    }
    for (size_t i = 0; i < table_.size(); ++i) {
        table_[i] = load<uint64_t>(bytes, i * 8) & kOffsetMask;
        if (!is_aligned(table_[i], uint64_t{1} << cluster_bits_)) {
            return fail(fmt::format("it is damaged: a refcount block at {:#x}", table_[i]));
        }
        if (table_[i] != 0) {
            tables_.collect(table_[i] >> cluster_bits_);
        }
    }
    return {};
}

Result<TableCache::Table*> Refcounts::load_block(uint64_t offset) {
    while (!blocks_.make_room()) {
        if (Result<> written = blocks_.write(); !written) {
            return std::unexpected(written.error());
        }
    }
    return blocks_.load(offset);
}

// Null: there is no block, all counts are 0.
Result<TableCache::Table*> Refcounts::block_of(uint64_t cluster) {
    const uint64_t entry = cluster / per_block_;
    return entry >= table_.size() || table_[entry] == 0 ? Result<TableCache::Table*>(nullptr)
                                                        : load_block(table_[entry]);
}

void Refcounts::put(TableCache::Table& block, uint64_t cluster, uint64_t value) {
    const uint64_t index = cluster % per_block_;
    set_refcount_at(block.bytes, index, order_, value);
    const uint64_t byte = (index << order_) / 8;
    blocks_.mark(block, byte, byte + 1);
}

Result<uint64_t> Refcounts::get(uint64_t cluster) {
    const Result<TableCache::Table*> block = block_of(cluster);
    if (!block) {
        return std::unexpected(block.error());
    }
    return *block == nullptr ? 0 : refcount_at((*block)->bytes, cluster % per_block_, order_);
}

// A block for the counts of `cluster`, which has none: it takes that cluster itself, as all that it counts are free.
Result<> Refcounts::add_block(uint64_t cluster) {
    while (!blocks_.make_room()) {
        if (Result<> written = blocks_.write(); !written) {
            return written;
        }
    }
    TableCache::Table& block = blocks_.add(cluster << cluster_bits_);
    put(block, cluster, 1);
    table_[cluster / per_block_] = block.offset;
    dirty_entries_.insert(cluster / per_block_);
    tables_.add(cluster);
    return {};
}

// Moves the table to where its last count ends, with more entries. The image is sound at any time: the new table and its blocks
// become part of it by one write to the header.
Result<> Refcounts::grow() {
    const uint64_t cluster_size = uint64_t{1} << cluster_bits_;
    const uint64_t first = table_.size() * per_block_;  // the first cluster without an entry
    uint64_t blocks = 1;
    uint64_t clusters = 0;  // of the table
    for (;;) {
        clusters = div_round_up((table_.size() * 3 / 2 + blocks) * 8, cluster_size);
        const uint64_t needed = div_round_up(blocks + clusters, per_block_);
        if (needed <= blocks) {
            break;
        }
        blocks = needed;
    }
    if (clusters * cluster_size > kMaxTableBytes || first >= kOffsetLimit >> cluster_bits_) {
        return fail("it cannot become larger: its refcount table is full");
    }
    std::vector<uint64_t> table = table_;
    table.resize(clusters * cluster_size / 8);
    for (uint64_t i = 0; i < blocks; ++i) {
        table[table_.size() + i] = (first + i) << cluster_bits_;
        std::vector<uint8_t> block(cluster_size);
        for (uint64_t j = i * per_block_; j < std::min((i + 1) * per_block_, blocks + clusters); ++j) {
            set_refcount_at(block, j - i * per_block_, order_, 1);
        }
        if (Result<> written = file_.write((first + i) << cluster_bits_, block); !written) {
            return written;
        }
    }
    std::vector<uint8_t> bytes(clusters * cluster_size);
    for (size_t i = 0; i < table.size(); ++i) {
        store<uint64_t>(bytes, i * 8, table[i]);
    }
    const uint64_t offset = (first + blocks) << cluster_bits_;
    std::array<uint8_t, 12> field;
    store<uint64_t>(field, 0, offset);
    store<uint32_t>(field, 8, static_cast<uint32_t>(clusters));
    Result<> done = blocks_.write();
    done = done ? file_.write(offset, bytes) : done;
    done = done ? file_.commit(kRefcountTableField, field) : done;
    if (!done) {
        return done;
    }
    const Run old{table_offset_ >> cluster_bits_, (table_.size() * 8) >> cluster_bits_};
    table_ = std::move(table);
    table_offset_ = offset;
    dirty_entries_.clear();
    for (uint64_t i = 0; i < blocks + clusters; ++i) {
        tables_.add(first + i);
    }
    for (uint64_t i = 0; i < old.count; ++i) {
        tables_.remove(old.first + i);
    }
    take_back(old);
    return {};
}

Result<Refcounts::Run> Refcounts::allocate(uint64_t wanted) {
    for (;; ++hint_) {
        if (hint_ >= kOffsetLimit >> cluster_bits_) {
            return fail("it cannot become larger: offsets have 56 bits");
        }
        if (hint_ / per_block_ >= table_.size()) {
            // The search goes on where the table was, if nothing else is free.
            if (Result<> grown = grow(); !grown) {
                return std::unexpected(grown.error());
            }
            --hint_;
            continue;
        }
        Result<TableCache::Table*> block = block_of(hint_);
        if (!block) {
            return std::unexpected(block.error());
        }
        if (*block == nullptr) {
            if (tables_.contains(hint_)) {
                return fail(
                    fmt::format("it is damaged: the table at {:#x} counts as free (qemu-img check -r all)",
                                hint_ << cluster_bits_));
            }
            if (Result<> added = add_block(hint_); !added) {
                return std::unexpected(added.error());
            }
            continue;
        }
        if (refcount_at((*block)->bytes, hint_ % per_block_, order_) != 0) {
            continue;
        }
        Run run{.first = hint_, .count = 0};
        const uint64_t end = std::min(hint_ + wanted, align_down(hint_, per_block_) + per_block_);
        while (hint_ != end && refcount_at((*block)->bytes, hint_ % per_block_, order_) == 0) {
            ++hint_;
        }
        run.count = hint_ - run.first;
        if (tables_.meets(run.first, run.count)) {
            hint_ = run.first;
            return fail(
                fmt::format("it is damaged: a table near {:#x} counts as free (qemu-img check -r all)",
                            run.first << cluster_bits_));
        }
        for (uint64_t i = 0; i < run.count; ++i) {
            put(**block, run.first + i, 1);
        }
        return run;
    }
}

Result<> Refcounts::set(uint64_t cluster, uint64_t value) {
    const Result<TableCache::Table*> block = block_of(cluster);
    if (!block) {
        return std::unexpected(block.error());
    }
    if (*block == nullptr) {
        return fail("it is damaged: a cluster that is used counts as free");
    }
    put(**block, cluster, value);
    if (value == 0) {
        hint_ = std::min(hint_, cluster);
    }
    return {};
}

void Refcounts::take_back(Run run) {
    for (uint64_t i = 0; i < run.count; ++i) {
        // What cannot be taken back is lost to the image until it is repaired, and harms nothing.
        static_cast<void>(set(run.first + i, 0));
    }
}

Result<bool> Refcounts::lower(uint64_t cluster) {
    const Result<uint64_t> count = get(cluster);
    if (!count) {
        return std::unexpected(count.error());
    }
    if (*count == 0) {
        return fail("it is damaged: a cluster that is used counts as free");
    }
    if (Result<> lowered = set(cluster, *count - 1); !lowered) {
        return std::unexpected(lowered.error());
    }
    return *count == 1;
}

Result<> Refcounts::write() {
    Result<> done = blocks_.write();
    if (done && !dirty_entries_.empty()) {
        done = file_.sync();
        while (done && !dirty_entries_.empty()) {
            const uint64_t entry = *dirty_entries_.begin();
            std::array<uint8_t, 8> bytes;
            store<uint64_t>(bytes, 0, table_[entry]);
            done = file_.write(table_offset_ + entry * 8, bytes);
            if (done) {
                dirty_entries_.erase(entry);
            }
        }
    }
    return done;
}

}  // namespace weft::backend::qcow2
