// Translations that may be of bytes which a vCPU has overwritten unseen.
//
// When a page becomes one with code, other vCPUs may still have TLB entries that let them store to it without a word
// (see page_map.h). Each is asked to protect them, at its next work item. Until all have, the page is *exposed* and its new
// TBs are *provisional*: they keep the bytes they were made of, and are compared with memory
//   - when they are published, under the page's lock;
//   - by every FENCE.I, of any vCPU, which looks through the lists of all exposed pages;
//   - when the last vCPU has write-protected; those that still match are ordinary TBs from then on.
//
// Why a hart never runs, after its FENCE.I, a TB of bytes that were overwritten by a store it can see:
//   1. The store was announced (PageMap::written): that invalidated the TB, or changed CodePage::writes so that its
//      translation, still under way, compares.
//   2. It was not: the writer had not write-protected. The page was counted as exposed before the TB's bytes were read, and
//      is so until the writer has write-protected, so it is exposed at the FENCE.I, or else the bytes were read after the
//      FENCE.I looked, and are the new ones (by the sequentially consistent count where nothing was exposed, by `lock_`
//      where something was).
//      The FENCE.I takes the lock of the exposed page. Either the TB is in its list and is compared, or it is published
//      later, and its own comparison, under the same lock, sees the store.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/spin_lock.h"

namespace weft::accel {

struct CodePage;

// A page's place in the list of exposed pages. Guarded by the list's lock.
struct ExposedLink {
    CodePage* next = nullptr;
    CodePage* previous = nullptr;
    // By vCPUs that were asked, and by who looks through the list; in the list while not 0.
    uint32_t holds = 0;
};

// The exposed pages. Pages live as long as their machine, so that who looks through the list needs no copy of it: nothing
// here allocates.
class ExposedPages {
  public:
    // A vCPU was asked to protect its entries of the page; before the page's bytes are read.
    void add(CodePage& page) WEFT_EXCLUDES(lock_);
    // It has, and the page's provisional TBs were dealt with.
    void remove(CodePage& page) WEFT_EXCLUDES(lock_);
    // Exact for what was counted before (sequentially consistent).
    bool any() const { return asked_.load(std::memory_order_seq_cst) != 0; }

    // For a walk: the first page, or the one that follows `page`, which the walk got before; null at the end, to which the
    // walk has to go. Finds every page that was exposed when it began and still is.
    CodePage* first() WEFT_EXCLUDES(lock_);
    CodePage* next(CodePage& page) WEFT_EXCLUDES(lock_);

  private:
    void let_go(CodePage& page) WEFT_REQUIRES(lock_);

    std::atomic<uint32_t> asked_{0};  // how often something was added and not yet removed
    SpinLock lock_;                   // a leaf; taken under page locks
    CodePage* head_ WEFT_GUARDED_BY(lock_) = nullptr;
};

}  // namespace weft::accel
