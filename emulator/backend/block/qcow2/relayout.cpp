#include "emulator/backend/block/qcow2/relayout.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/bits.h"
#include "emulator/backend/block/qcow2/big_endian.h"
#include "emulator/backend/block/qcow2/entries.h"
#include "emulator/backend/block/qcow2/refcounts.h"

namespace weft::backend::qcow2 {

namespace {

// Of the header: l1_size, l1_table_offset, refcount_table_offset, refcount_table_clusters, nb_snapshots, snapshots_offset.
constexpr uint64_t kPlacesField = 36;
constexpr size_t kPlacesSize = 36;
constexpr uint64_t kEntrySize = 8;
constexpr uint64_t kOffsetLimit = uint64_t{1} << 56;  // "Cluster mapping"
constexpr uint64_t kMaxRefcountTable = 8 << 20;       // as in refcounts.cpp

}  // namespace

Relayout::Relayout(OrderedFile& file, const Header& header,
                   std::function<Result<uint64_t>(uint64_t cluster)> old_count)
    : file_(file),
      header_(header),
      old_count_(std::move(old_count)),
      per_block_((header.cluster_size() * 8) >> header.refcount_order),
      most_(std::min<uint64_t>(low_mask<uint64_t>(1u << header.refcount_order), UINT32_MAX)) {}

Result<uint64_t> Relayout::take(uint64_t wanted) {
    uint64_t first = next_;
    for (uint64_t found = 0; found != wanted; ++next_) {
        if (next_ >= kOffsetLimit >> header_.cluster_bits) {
            return fail("it cannot become larger: offsets have 56 bits");
        }
        const Result<uint64_t> old = old_count_(next_);
        if (!old) {
            return std::unexpected(old.error());
        }
        const auto block = counts_.find(next_ / per_block_);
        const bool used = *old != 0 || (block != counts_.end() && block->second[next_ % per_block_] != 0);
        found = used ? 0 : found + 1;
        first = used ? next_ + 1 : first;
    }
    return first;
}

Result<Relayout::Table> Relayout::read_table(uint64_t offset, uint64_t entries) {
    std::vector<uint8_t> bytes(entries * kEntrySize);
    const Result<size_t> got = file_.read(offset, bytes);
    if (!got) {
        return std::unexpected(got.error());
    }
    if (*got != bytes.size()) {
        return fail(fmt::format("it is damaged: a table at {:#x} lies behind its end", offset));
    }
    Table table(entries);
    for (size_t i = 0; i < table.size(); ++i) {
        table[i] = load<uint64_t>(bytes, i * kEntrySize);
    }
    return table;
}

Result<> Relayout::write_table(uint64_t offset, std::span<const uint64_t> table) {
    std::vector<uint8_t> bytes(align_up(table.size() * kEntrySize, header_.cluster_size()));
    for (size_t i = 0; i < table.size(); ++i) {
        store<uint64_t>(bytes, i * kEntrySize, table[i]);
    }
    return file_.write(offset, bytes);
}

uint32_t& Relayout::count(uint64_t cluster) {
    std::vector<uint32_t>& block = counts_[cluster / per_block_];
    block.resize(per_block_);
    return block[cluster % per_block_];
}

// Of what was there before, or was taken.
Result<> Relayout::add(uint64_t cluster, uint64_t references) {
    if (cluster >= next_) {
        // Else memory would be taken for whatever a damaged image names.
        const Result<uint64_t> old = old_count_(cluster);
        if (!old) {
            return std::unexpected(old.error());
        }
        if (*old == 0) {
            return fail(fmt::format("it is damaged: the cluster at {:#x}, which is used, counts as free",
                                    cluster << header_.cluster_bits));
        }
    }
    uint32_t& value = count(cluster);
    if (references > most_ || value > most_ - references) {
        return fail(fmt::format("it cannot have more snapshots: its reference counts have {} bits",
                                1u << header_.refcount_order));
    }
    value += static_cast<uint32_t>(references);
    return {};
}

Result<> Relayout::count_entries(uint64_t l2_offset, uint64_t references) {
    const Result<Table> table = read_table(l2_offset, header_.cluster_size() / kEntrySize);
    if (!table) {
        return std::unexpected(table.error());
    }
    for (size_t i = 0; i < table->size(); i += header_.l2_entry_size() / kEntrySize) {
        const L2Entry entry{.descriptor = (*table)[i]};
        uint64_t first = entry.offset();
        uint64_t size = first != 0 ? 1 : 0;
        if (entry.compressed()) {
            const CompressedPlace place = compressed_place(header_, entry.descriptor);
            first = place.offset;
            size = place.size;
        } else if (!is_aligned(first, header_.cluster_size())) {
            return fail(fmt::format("it is damaged: an L2 entry {:#x}", entry.descriptor));
        }
        if (size == 0) {
            continue;
        }
        const uint64_t last = (first + size - 1) >> header_.cluster_bits;
        for (uint64_t cluster = first >> header_.cluster_bits; cluster <= last; ++cluster) {
            if (Result<> added = add(cluster, references); !added) {
                return added;
            }
        }
    }
    return {};
}

Result<> Relayout::count_all(const Content& content) {
    std::map<uint64_t, uint64_t> references;  // to L2 tables
    const auto collect = [&](std::span<const uint64_t> l1) -> Result<> {
        for (const uint64_t entry : l1) {
            const uint64_t offset = entry & kOffsetMask;
            if (!is_aligned(offset, header_.cluster_size())) {
                return fail(fmt::format("it is damaged: an L1 entry {:#x}", entry));
            }
            if (offset != 0) {
                ++references[offset];
            }
        }
        return {};
    };
    Result<> done = add(0, 1);  // the header's
    done = done ? collect(content.active) : done;
    for (const Snapshot& snapshot : content.snapshots) {
        const Result<Table> l1 =
            done ? read_table(snapshot.l1_offset, snapshot.l1_size) : std::unexpected(done.error());
        done = l1 ? collect(*l1) : std::unexpected(l1.error());
        const uint64_t clusters = div_round_up(snapshot.l1_size * kEntrySize, header_.cluster_size());
        for (uint64_t i = 0; i < clusters && done; ++i) {
            done = add((snapshot.l1_offset >> header_.cluster_bits) + i, 1);
        }
    }
    for (const auto& [offset, times] : references) {
        done = done ? add(offset >> header_.cluster_bits, times) : done;
        done = done ? count_entries(offset, times) : done;
    }
    return done;
}

Result<> Relayout::survey(const Content& present) {
    Result<> done = count_all(present);
    const auto table = [&](uint64_t offset, uint64_t bytes) {
        for (uint64_t i = 0; i < div_round_up(bytes, header_.cluster_size()) && done; ++i) {
            done = add((offset >> header_.cluster_bits) + i, 1);
        }
    };
    table(header_.l1_offset, header_.l1_size * kEntrySize);
    table(header_.refcount_table_offset, uint64_t{header_.refcount_table_clusters} << header_.cluster_bits);
    if (header_.snapshots != 0) {
        table(header_.snapshots_offset, 1);
    }
    counts_.clear();
    return done;
}

uint64_t Relayout::with_flag(uint64_t descriptor) {
    const L2Entry entry{.descriptor = descriptor & ~kCopied};
    const bool own =
        !entry.compressed() && entry.offset() != 0 && count(entry.offset() >> header_.cluster_bits) == 1;
    return entry.descriptor | (own ? kCopied : 0);
}

// Tables whose flags are others are written elsewhere: snapshots may have them, too, and the image that there is.
Result<> Relayout::correct_flags(Table& active) {
    for (uint64_t& l1 : active) {
        const uint64_t offset = l1 & kOffsetMask;
        if (offset == 0) {
            l1 = 0;
            continue;
        }
        Result<Table> table = read_table(offset, header_.cluster_size() / kEntrySize);
        if (!table) {
            return std::unexpected(table.error());
        }
        bool differs = false;
        for (size_t i = 0; i < table->size(); i += header_.l2_entry_size() / kEntrySize) {
            const uint64_t corrected = with_flag((*table)[i]);
            differs = differs || corrected != (*table)[i];
            (*table)[i] = corrected;
        }
        l1 = offset;
        if (differs) {
            const Result<uint64_t> place = take(1);
            if (!place) {
                return std::unexpected(place.error());
            }
            --count(offset >> header_.cluster_bits);
            count(*place) = 1;
            l1 = *place << header_.cluster_bits;
            if (Result<> written = write_table(l1, *table); !written) {
                return written;
            }
        }
        l1 |= count(l1 >> header_.cluster_bits) == 1 ? kCopied : 0;
    }
    return {};
}

std::vector<uint8_t> Relayout::block_bytes(const std::vector<uint32_t>& counts) const {
    std::vector<uint8_t> bytes(header_.cluster_size());
    for (uint64_t i = 0; i < counts.size(); ++i) {
        set_refcount_at(bytes, i, header_.refcount_order, counts[i]);
    }
    return bytes;
}

// Blocks count themselves, and the table: as many are taken as it takes.
Result<> Relayout::write_counts(Header& header) {
    std::map<uint64_t, uint64_t> places;  // of blocks
    uint64_t table_clusters = 0;
    uint64_t table_place = 0;
    // Those without references are left out.
    std::erase_if(counts_, [](const auto& block) {
        return std::ranges::all_of(block.second, [](uint32_t value) { return value == 0; });
    });
    for (;;) {
        const auto missing =
            std::ranges::find_if(counts_, [&](const auto& block) { return !places.contains(block.first); });
        if (missing != counts_.end()) {
            const uint64_t block = missing->first;
            const Result<uint64_t> place = take(1);
            if (!place) {
                return std::unexpected(place.error());
            }
            places[block] = *place;
            count(*place) = 1;
            continue;
        }
        const uint64_t needed =
            div_round_up((counts_.rbegin()->first + 1) * kEntrySize, header_.cluster_size());
        if (needed <= table_clusters) {
            break;
        }
        // With room for the block that counts it.
        for (uint64_t i = 0; i < table_clusters; ++i) {
            count(table_place + i) = 0;
        }
        table_clusters = needed + 1;
        if (table_clusters << header_.cluster_bits > kMaxRefcountTable + header_.cluster_size()) {
            return fail("it cannot become larger: its refcount table is full");
        }
        const Result<uint64_t> place = take(table_clusters);
        if (!place) {
            return std::unexpected(place.error());
        }
        table_place = *place;
        for (uint64_t i = 0; i < table_clusters; ++i) {
            count(table_place + i) = 1;
        }
    }
    Table table((table_clusters << header_.cluster_bits) / kEntrySize);
    for (const auto& [block, counts] : counts_) {
        table[block] = places[block] << header_.cluster_bits;
        if (Result<> written = file_.write(table[block], block_bytes(counts)); !written) {
            return written;
        }
    }
    header.refcount_table_offset = table_place << header_.cluster_bits;
    header.refcount_table_clusters = static_cast<uint32_t>(table_clusters);
    return write_table(header.refcount_table_offset, table);
}

Result<Header> Relayout::commit(Content content) {
    Header header = header_;
    Result<> done = count_all(content);
    done = done ? correct_flags(content.active) : done;
    // Clusters side by side for `bytes`.
    const auto place_for = [&](uint64_t bytes) -> Result<uint64_t> {
        const uint64_t clusters = div_round_up(bytes, header_.cluster_size());
        const Result<uint64_t> place = take(clusters);
        for (uint64_t i = 0; place && i < clusters; ++i) {
            count(*place + i) = 1;
        }
        return place ? Result<uint64_t>(*place << header_.cluster_bits) : place;
    };
    if (done) {
        const Result<uint64_t> place = place_for(content.active.size() * kEntrySize);
        done = place ? write_table(*place, content.active) : std::unexpected(place.error());
        header.l1_offset = place.value_or(0);
        header.l1_size = static_cast<uint32_t>(content.active.size());
    }
    header.snapshots = static_cast<uint32_t>(content.snapshots.size());
    header.snapshots_offset = 0;
    if (done && !content.snapshots.empty()) {
        std::vector<uint8_t> bytes = snapshot_table_bytes(content.snapshots);
        bytes.resize(align_up(bytes.size(), header_.cluster_size()));
        const Result<uint64_t> place = place_for(bytes.size());
        done = place ? file_.write(*place, bytes) : std::unexpected(place.error());
        header.snapshots_offset = place.value_or(0);
    }
    done = done ? write_counts(header) : done;
    if (!done) {
        return std::unexpected(done.error());
    }
    std::array<uint8_t, kPlacesSize> places;
    store<uint32_t>(places, 36 - kPlacesField, header.l1_size);
    store<uint64_t>(places, 40 - kPlacesField, header.l1_offset);
    store<uint64_t>(places, 48 - kPlacesField, header.refcount_table_offset);
    store<uint32_t>(places, 56 - kPlacesField, header.refcount_table_clusters);
    store<uint32_t>(places, 60 - kPlacesField, header.snapshots);
    store<uint64_t>(places, 64 - kPlacesField, header.snapshots_offset);
    done = file_.commit(kPlacesField, places);
    return done ? Result<Header>(header) : std::unexpected(done.error());
}

}  // namespace weft::backend::qcow2
