// Which clusters of an image are in use, and by how many ("Host cluster management"). Images that are only read have none of it.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "base/error.h"
#include "emulator/backend/block/qcow2/cluster_set.h"
#include "emulator/backend/block/qcow2/header.h"
#include "emulator/backend/block/qcow2/ordered_file.h"
#include "emulator/backend/block/qcow2/table_cache.h"

namespace weft::backend::qcow2 {

// The reference count at place `index` of a block whose counts have 2^order bits.
uint64_t refcount_at(std::span<const uint8_t> block, uint64_t index, unsigned order);
void set_refcount_at(std::span<uint8_t> block, uint64_t index, unsigned order, uint64_t value);

// Changes are made in memory. They may be written at any time: the owner lowers a count only once nothing on the disk needs it any
// more, and a count that is too high loses a cluster and harms nothing. Not thread-safe.
class Refcounts {
  public:
    struct Run {
        uint64_t first = 0;  // cluster
        uint64_t count = 0;
    };

    // All must outlive it. It adds its own clusters to `tables`, and takes none that is there.
    Refcounts(OrderedFile& file, const Header& header, ClusterSet& tables);

    // Reads the refcount table and collects its blocks in `tables`.
    Result<> open();

    // Takes 1 to `wanted` free clusters that lie side by side: their counts become 1.
    Result<Run> allocate(uint64_t wanted);
    // Clusters that were allocated and that no table refers to after all.
    void take_back(Run run);
    // One reference less; true: it was the last one. The count is above 0, or it is an error.
    Result<bool> lower(uint64_t cluster);
    Result<uint64_t> get(uint64_t cluster);

    bool dirty() const { return blocks_.dirty() || !dirty_entries_.empty(); }
    // Writes what changed, syncing between new blocks and the entries that refer to them.
    Result<> write();

  private:
    Result<TableCache::Table*> block_of(uint64_t cluster);
    Result<TableCache::Table*> load_block(uint64_t offset);
    Result<> add_block(uint64_t cluster);
    Result<> grow();
    Result<> set(uint64_t cluster, uint64_t value);
    void put(TableCache::Table& block, uint64_t cluster, uint64_t value);

    OrderedFile& file_;
    const unsigned cluster_bits_;
    const unsigned order_;
    const uint64_t per_block_;  // counts
    ClusterSet& tables_;
    uint64_t table_offset_;
    std::vector<uint64_t> table_;  // offsets of blocks; 0: all counts there are 0
    std::set<uint64_t> dirty_entries_;
    TableCache blocks_;
    uint64_t hint_ = 0;  // no cluster below it is free
};

}  // namespace weft::backend::qcow2
