// The tables of an image, and the order in which changes of them reach the disk.
//
// The rule: whatever the program's or the host's end interrupts, the image is sound, or has at worst clusters that are counted as used
// and are not; and all that was written before a flush that returned is there. Between two syncs the host may write in any order or not at all,
// so there is a sync between any two of these, and each waits in memory until its turn:
//
//   1. data, and blocks of reference counts: counts that became larger, and those of 5 from before
//   2. entries of the refcount table, for blocks that are new
//   3. entries of L2 tables, and new L2 tables (copies of shared ones among them)
//   4. entries of the L1 table, for L2 tables that are new
//   5. lower reference counts, for what the entries before referred to. Its place is given back to the host where a count becomes 0.
//
// A step without changes takes its sync with it. Steps 1 to 4 are write_back(), which also makes room in memory; flush() is that and
// a sync, after which the counts of 5 are lowered in memory and go with the next step 1. A cluster becomes free there, and not before, so nothing
// new is written over what the disk may still refer to. The header is changed by OrderedFile::commit(), with a sync on either side:
// for a larger refcount table, and before the first write to clear the bits of features that writing makes untrue.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "base/error.h"
#include "emulator/backend/block/qcow2/cluster_set.h"
#include "emulator/backend/block/qcow2/entries.h"
#include "emulator/backend/block/qcow2/header.h"
#include "emulator/backend/block/qcow2/ordered_file.h"
#include "emulator/backend/block/qcow2/refcounts.h"
#include "emulator/backend/block/qcow2/table_cache.h"

namespace weft::backend::qcow2 {

// Not thread-safe. Its memory: the L1 table (32 MiB at most), as much for the places of tables, and caches of 8 and 2 MiB, or of eight
// clusters each. Errors name no image.
class Metadata {
  public:
    // `file` and `header` must outlive it.
    Metadata(OrderedFile& file, const Header& header);
    // Reads the L1 table. For writing also the refcount table; an image in which two tables share a cluster is refused then.
    Result<> open(bool writing);

    // The entry of the guest's cluster number `cluster`.
    Result<L2Entry> entry(uint64_t cluster);
    // Replaces it, with an L2 table of the image's own from then on. What it referred to before is given to release().
    Result<> set_entry(uint64_t cluster, const L2Entry& entry);
    // Whether the entry's L2 table is the active one's alone and exists; else set_entry() makes one, which may fail.
    Result<> own_table(uint64_t cluster);

    // Takes 1 to `wanted` clusters side by side.
    Result<Refcounts::Run> allocate(uint64_t wanted);
    // What was allocated and is in no entry.
    void take_back(Refcounts::Run run) { refcounts_.take_back(run); }
    // One reference less to each cluster of guest data in these bytes, once no entry on the disk has it any more.
    void release(uint64_t offset, uint64_t size);
    // Flushes if very much was released since the last flush: before more is.
    Result<> limit_released();
    // A write to clusters that have a place, without the lock: what is released from its beginning on, and what was before and is not free
    // yet, becomes free only after its end. Gives a number for end_in_place().
    uint64_t begin_in_place();
    void end_in_place(uint64_t write);
    // Changes whenever a cluster becomes free, and may be somebody else's from then on.
    uint64_t freed() const { return freed_; }
    // Whether guest data may be written to these bytes of the file: no table is there.
    bool data_place(uint64_t offset, uint64_t size) const;

    // The cluster's reference count; 0 where it has none.
    Result<uint64_t> reference_count(uint64_t cluster) { return refcounts_.get(cluster); }
    // The L1 table, as the image has it after close().
    const std::vector<uint64_t>& l1() const { return l1_; }

    // Before anything else changes: what the header asks for.
    Result<> begin_writing();
    bool begun() const { return begun_; }
    // Whether entry() of the cluster needs nothing from the file.
    bool cached(uint64_t cluster);
    Result<> flush();
    // flush(), and the counts that it lowered.
    Result<> close();

  private:
    struct Released {
        uint64_t offset;
        uint64_t size;
        bool table;      // an L2 table, which others have as well
        uint64_t write;  // the number of the next write in place: those before it may still be under way
    };

    Result<> read_l1();
    Result<> collect_tables();
    uint64_t l1_index(uint64_t cluster) const { return cluster / header_.l2_entries(); }
    Result<TableCache::Table*> load_table(uint64_t offset);
    Result<> make_room();
    Result<> write_back();
    Result<> write_l1();
    void lower_released();
    // Appends what became free.
    void lower(const Released& piece, std::vector<Refcounts::Run>& freed);

    OrderedFile& file_;
    const Header& header_;
    ClusterSet tables_;
    Refcounts refcounts_;
    TableCache l2_;
    std::vector<uint64_t> l1_;
    std::set<uint64_t> dirty_l1_;  // indices
    std::vector<Released> released_;
    std::set<uint64_t> in_place_;  // writes that are under way
    uint64_t next_in_place_ = 0;
    uint64_t freed_ = 0;
    bool begun_ = false;
};

}  // namespace weft::backend::qcow2
