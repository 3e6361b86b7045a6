// The translation blocks of a machine: found by their key, linked to each other, invalidated.
//
// A TB is reachable in four ways, and invalidation closes all of them, in this order:
//   state        kTbInvalid is set: nobody links to it any more
//   hash table   removed: nobody finds it
//   links        every jump to it is aimed back at its stub, and its own jumps leave the lists of their destinations
//   jump caches  each vCPU is asked to drop it, and does so before it enters the loop or goes on after its FENCE.I
// A vCPU that runs the TB meanwhile goes on to its end. From there it can follow jumps of dead TBs only, whose chain is
// finite (a jump back into a dead TB was aimed at its stub), and comes to the loop.
#pragma once

#include <cstdint>
#include <utility>

#include "accel/tcg/blocks/code_users.h"
#include "base/epoch.h"
#include "base/hash.h"
#include "base/qht.h"
#include "tcg/backend.h"
#include "tcg/code/code_buffer.h"
#include "tcg/code/tb.h"

namespace weft::accel {

struct TbTraits {
    using Object = tcg::TranslationBlock;
    using Key = tcg::TbKey;
    static const Key& key(const Object& tb) { return tb.key; }
    static uint32_t hash(const Key& key) { return hash_fold(hash_words(key.start, key.page1, key.tb_flags)); }
    static bool equal(const Object& tb, const Key& key) { return tb.key == key; }
};
using BlockHashTable = QhtOf<TbTraits>;

// Counts of what any thread may do; relaxed.
struct TbCounters {
    std::atomic<uint64_t> invalidations{0};
    std::atomic<uint64_t> unlinks{0};
};

// All functions: any thread that is an online reader of the epochs.
class BlockTable {
  public:
    // Everything outlives it.
    BlockTable(EpochDomain& epochs, BlockHashTable table, const tcg::Backend& backend,
               const tcg::CodeBuffer& buffer, const CodeUsers& users)
        : epochs_(epochs), table_(std::move(table)), backend_(backend), buffer_(buffer), users_(users) {}
    BlockTable(const BlockTable&) = delete;
    BlockTable& operator=(const BlockTable&) = delete;

    EpochDomain& epochs() { return epochs_; }

    tcg::TranslationBlock* find(const tcg::TbKey& key) const { return table_.find(key); }
    // Puts the TB in, under the locks of its pages. Returns null, or the equal one that was there first.
    tcg::TranslationBlock* insert(tcg::TranslationBlock& tb) { return table_.insert(tb); }

    // Whether `source`'s jump in `slot` may lead to `destination`: the place that the jump names, which is in the same page but for
    // a process, where pages keep their places; equal flags; and no second page, whose mapping is checked at each entry.
    static bool may_link(const tcg::TranslationBlock& source, uint32_t slot,
                         const tcg::TranslationBlock& destination);
    // Aims the jump at `destination`, which may_link() allows, unless one of the two is invalid or the jump is taken.
    bool link(tcg::TranslationBlock& source, uint32_t slot, tcg::TranslationBlock& destination);

    // Takes the TB out of everything but its pages' lists. Under the lock of one of its pages. Where another thread is
    // at it, under the lock of its other page, this returns when that has finished.
    void invalidate(tcg::TranslationBlock& tb);
    // The same but for the jump caches, which were asked to drop the TB's whole region before. Returns whether the TB
    // was valid; then the caller sets kTbWithdrawn.
    bool detach(tcg::TranslationBlock& tb);

    // In an exclusive section: forgets all TBs, whose memory is about to go.
    void reset() { table_.reset(); }

    const TbCounters& counters() const { return counters_; }
    QhtStatistics statistics() const { return table_.statistics(); }
    // Calls visit(tb) for every TB in the hash table, under a lock of its chain: for checks of invariants.
    template <class Visit>
    void for_each(Visit&& visit) {
        table_.for_each(std::forward<Visit>(visit));
    }

  private:
    void close_outgoing(tcg::TranslationBlock& tb);
    void unlink_incoming(tcg::TranslationBlock& tb);
    tcg::RwAddress code_of(const tcg::TranslationBlock& tb) const { return buffer_.to_rw(tb.code); }

    EpochDomain& epochs_;
    BlockHashTable table_;
    const tcg::Backend& backend_;
    const tcg::CodeBuffer& buffer_;
    const CodeUsers& users_;
    TbCounters counters_;
};

}  // namespace weft::accel
