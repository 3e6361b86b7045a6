// All of an image's metadata made anew beside the old, and put in its place by one write: how snapshots come, go and are applied.
//
// A snapshot changes the reference counts of all that the disk has, and by them the flags in its tables. Changed in place, the image would
// be wrong in between, whatever the order: counts and flags must agree ("Cluster mapping", "copied"). So the counts are computed from what
// refers to what; refcount table and blocks, L1 tables, L2 tables whose flags change, and the snapshot table are written to clusters that
// nothing uses; and then the twelve words of the header that say where these are, which lie in one sector. Until then the image is what it
// was, and all clusters that were written are free in it. Afterwards the old tables are free.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "base/error.h"
#include "emulator/backend/block/qcow2/header.h"
#include "emulator/backend/block/qcow2/ordered_file.h"
#include "emulator/backend/block/qcow2/snapshot_table.h"

namespace weft::backend::qcow2 {

// For one change. Nothing is dirty in memory, and nobody uses the image meanwhile. Errors name no image.
class Relayout {
  public:
    // `old_count`: a cluster's reference count, 0 behind the end of all that are counted. All outlive it.
    Relayout(OrderedFile& file, const Header& header,
             std::function<Result<uint64_t>(uint64_t cluster)> old_count);

    struct Content {
        std::vector<uint64_t> active;     // the L1 table: the disk's entries
        std::vector<Snapshot> snapshots;  // with L1 tables that are written
    };
    // What there is, before anything is taken: fails where something of it counts as free, and would be taken.
    Result<> survey(const Content& present);

    // The first of `count` clusters side by side that nothing uses, for what will be referred to, or is forgotten.
    Result<uint64_t> take(uint64_t count);

    // Puts it in place of what there is. The header as it is then. Fails for good if the write to the header does.
    Result<Header> commit(Content content);

  private:
    using Table = std::vector<uint64_t>;  // of entries

    Result<Table> read_table(uint64_t offset, uint64_t entries);
    Result<> write_table(uint64_t offset, std::span<const uint64_t> table);
    uint32_t& count(uint64_t cluster);
    Result<> add(uint64_t cluster, uint64_t references);
    Result<> count_all(const Content& content);
    Result<> count_entries(uint64_t l2_offset, uint64_t references);
    Result<> correct_flags(Table& active);
    uint64_t with_flag(uint64_t descriptor);
    Result<> write_counts(Header& header);
    std::vector<uint8_t> block_bytes(const std::vector<uint32_t>& counts) const;

    OrderedFile& file_;
    const Header& header_;
    const std::function<Result<uint64_t>(uint64_t)> old_count_;
    const uint64_t per_block_;                          // counts in a refcount block
    const uint64_t most_;                               // references that a count holds
    uint64_t next_ = 0;                                 // no cluster below it is looked at again
    std::map<uint64_t, std::vector<uint32_t>> counts_;  // by refcount block: the new ones
};

}  // namespace weft::backend::qcow2
