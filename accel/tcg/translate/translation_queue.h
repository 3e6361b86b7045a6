// Translations that vCPUs have asked for and do not wait for: each is read by its vCPU, and made by whoever takes it.
//
// A slot of the queue goes round:
//
//   free ---(a vCPU has something)---> filling ---(its bytes were read)---> queued ---(take)---> taken ---(give_back)---> free
//                                         |                                                         ^
//                                         +---------------(there is nothing to be made)-------------+
//
// `free` and `queued` are lists under the mutex; a slot that is filling or taken is that thread's alone. What the vCPU wrote is seen by
// who takes the slot, and what that did by who fills it next, through the mutex.
//
// From the moment that its bytes are read until it is given back, a slot has a claim on their pages (PageClaim), inside the gate and
// outside of it. So a write to them, the end of their mapping or of their memory is noticed however long the slot waits; where there
// was one nothing is published (JobOf::worker). The cache may be emptied meanwhile: a claim is on pages, and says nothing of TBs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "accel/tcg/blocks/page_claim.h"
#include "accel/tcg/mmu/guest_memory.h"
#include "accel/tcg/translate/unit_source.h"
#include "base/mutex.h"

namespace weft::accel {

class TranslationQueue {
  public:
    struct Slot {
        uint64_t tb_flags = 0;
        std::optional<UnitSource> source;
        std::optional<PageClaim> claim;  // on the pages that the source was read from
    };

    // `stored`: what is made of a slot is looked for in a store, and kept there.
    explicit TranslationQueue(bool stored);
    TranslationQueue(const TranslationQueue&) = delete;
    TranslationQueue& operator=(const TranslationQueue&) = delete;

    // Queues the unit that begins at the vCPU's pc, in `page`, whose bytes are read. False, with nothing done: the queue is full,
    // or the unit is one that its vCPU has to make (of a device's bytes, or of a page that others may store to unseen). On the
    // vCPU's thread, inside the gate.
    bool offer(Vcpu& vcpu, const FetchPage& page) WEFT_EXCLUDES(mutex_);

    // The slot that was queued first; null: there is none. Inside the gate.
    Slot* take() WEFT_EXCLUDES(mutex_);
    // Ends its claim.
    void give_back(Slot& slot) WEFT_EXCLUDES(mutex_);

    // Waits, outside the gate, until something is queued: true. False: close() was called.
    bool wait() WEFT_EXCLUDES(mutex_);
    void close() WEFT_EXCLUDES(mutex_);

  private:
    // More would be translations that their vCPUs have made themselves by the time that somebody comes to them.
    static constexpr size_t kSlots = 32;

    Slot* begin_filling() WEFT_EXCLUDES(mutex_);
    bool fill(Slot& slot, Vcpu& vcpu, const FetchPage& page) const;

    const bool stored_;
    std::array<Slot, kSlots> slots_;
    Mutex mutex_;  // a leaf
    CondVar queued_now_;
    std::array<Slot*, kSlots> free_ WEFT_GUARDED_BY(mutex_);
    size_t free_count_ WEFT_GUARDED_BY(mutex_) = kSlots;
    std::array<Slot*, kSlots> queued_ WEFT_GUARDED_BY(mutex_);  // a ring
    size_t first_ WEFT_GUARDED_BY(mutex_) = 0;
    size_t queued_count_ WEFT_GUARDED_BY(mutex_) = 0;
    unsigned waiting_ WEFT_GUARDED_BY(mutex_) = 0;  // threads in wait()
    bool closed_ WEFT_GUARDED_BY(mutex_) = false;
};

}  // namespace weft::accel
