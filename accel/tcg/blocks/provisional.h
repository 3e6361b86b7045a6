// Translations that may be of bytes which a vCPU has overwritten unseen.
//
// When a page becomes one with code, other vCPUs may still have TLB entries that let them store to it without a word
// (see code_pages.h). Each is asked to protect them, at its next work item. Until all have, the page's new TBs are
// *provisional*: they keep the bytes they were made of, and are compared with memory
//   - when they are published: registered here first, compared then, under the page's lock;
//   - by every FENCE.I, of any vCPU;
//   - when the last vCPU has write-protected the page; those that still match are ordinary TBs from then on.
//
// Why a hart never runs, after its FENCE.I, a TB of bytes that were overwritten by a store it can see:
//   1. The store was announced (PageMap::written): that invalidated the TB, or changed CodePage::writes so that its
//      translation, still under way, compares.
//   2. It was made by a vCPU without direct access, or by DMA, and not announced yet: see writes_under_way.h.
//   3. It was made directly: the writer had not write-protected it. `protections` was counted up before the TB's bytes were
//      read, and is not counted down before the writer has write-protected it, so it is not 0 at the FENCE.I, or else the
//      bytes were read after the FENCE.I read 0, and are the new ones (both sequentially consistent).
//      With `protections` not 0 the FENCE.I takes the list under `lock`. Either the TB is in it and is compared, or it
//      was registered later, and its own comparison, which follows, sees the store.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/spin_lock.h"
#include "tcg/code/tb.h"

namespace weft::accel {

struct CodePage;

class ProvisionalBlocks {
  public:
    // A vCPU was asked to protect its entries of a page; before that page's bytes are read.
    void protection_begins() { protections_.fetch_add(1, std::memory_order_seq_cst); }
    // It has, and the page's provisional TBs were dealt with.
    void protection_ends() { protections_.fetch_sub(1, std::memory_order_seq_cst); }
    bool any() const { return protections_.load(std::memory_order_seq_cst) != 0; }

    struct Entry {
        tcg::TranslationBlock* tb;
        CodePage* page;  // its first
    };

    // With the page's lock held, as remove().
    void add(tcg::TranslationBlock& tb, CodePage& page) WEFT_EXCLUDES(lock_);
    // The TB does not come to be: its memory is used for something else.
    void remove(const tcg::TranslationBlock& tb) WEFT_EXCLUDES(lock_);
    // With the page's lock held: whether the TB of an entry from list() still exists.
    bool holds(const Entry& entry) WEFT_EXCLUDES(lock_);
    // Those that are still provisional; forgets the others. One that is being invalidated is among them until nobody finds
    // it any more: who fences meanwhile has to wait for that. Before touching a TB, take its page's lock and ask holds().
    std::vector<Entry> list() WEFT_EXCLUDES(lock_);
    // The TBs of a region are about to go; all of them are invalid, and vCPUs were asked to drop them.
    void remove_region(tcg::RegionId region) WEFT_EXCLUDES(lock_);
    // In an exclusive section: all TBs are about to go.
    void clear() WEFT_EXCLUDES(lock_);

  private:
    std::atomic<uint32_t> protections_{0};
    SpinLock lock_;  // a leaf; taken under page locks
    std::vector<Entry> entries_ WEFT_GUARDED_BY(lock_);
};

}  // namespace weft::accel
