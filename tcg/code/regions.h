// Who writes where in the code buffer: regions, handed to translation contexts on demand.
//
// Life of a region:
//
//     free --> leased --> full --> retired --> free
//               |  ^
//               v  |
//              parked
//
// leased:   a context writes into it.
// parked:   its context was destroyed; the next one to be claimed goes on in it.
// full:     its context went on to another one.
// retired:  evict=region: retire() was called, and reuse() comes after a grace period.
// With evict=flush, reset_all() makes all of them free at once.
//
// There are at least as many regions as context slots, and so many are kept back that a new context always
// finds one.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/host_calls.h"
#include "base/mutex.h"
#include "tcg/code/code_buffer.h"
#include "tcg/code/code_context.h"
#include "tcg/code/region_record.h"
#include "tcg/code/sizing.h"
#include "tcg/code/slot_numbers.h"
#include "tcg/code/tb.h"
#include "tcg/code/trees.h"
#include "tcg/code/victim_choice.h"

namespace weft::tcg {

// For reports.
struct RegionInfo {
    const char* state;  // "free", "leased", "parked", "full", "retired"
    size_t used;        // bytes of units
    size_t capacity;
};

// What retire() gives and reuse() takes.
struct RetiredRegion {
    RegionId id;
    uint32_t generation;  // after retiring
};

class RegionAllocator {
  public:
    // Cuts `buffer` (which outlives it) by `request`, whose size and prologue are ignored, and opens the
    // regions; a region that cannot be given its access is an error that names it. request.contexts is the
    // number of slots. `pages_ahead`: of what is kept beside the code; see base/pages_ahead.h.
    static Result<std::unique_ptr<RegionAllocator>> create(const CodeBuffer& buffer,
                                                           RegionLayoutRequest request,
                                                           const HostCalls& calls = HostCalls::real(),
                                                           bool pages_ahead = true);
    // No contexts any more, nobody uses a TB.
    ~RegionAllocator();
    RegionAllocator(const RegionAllocator&) = delete;
    RegionAllocator& operator=(const RegionAllocator&) = delete;

    // Once, before anything else: where the backend's prologue, epilogue and thunks go, and how many bytes
    // they took. The first region begins behind them.
    CodeWindow runtime_window() const;
    void runtime_emitted(size_t bytes);

    // --- Contexts. Any thread.

    // Claims a slot and the first region for it, which cannot fail. More claims than slots is an error.
    Result<std::unique_ptr<CodeContext>> claim();
    unsigned slot_count() const { return slots_taken_.count(); }
    // The context in a slot, or null. Stays valid while the slot's owner keeps it.
    CodeContext* context(unsigned slot) const {
        return slots_[slot].load(std::memory_order_acquire);  // pairs with the release in claim()
    }

    // --- Facts. Any thread.

    const CodeBuffer& buffer() const { return buffer_; }
    // CodeBuffer::unshare(), keeping the runtime code; all regions are empty and have to be reset (reset_all).
    Result<> unshare();
    const RegionLayout& layout() const { return layout_; }
    RegionTrees& trees() { return trees_; }
    const RegionTrees& trees() const { return trees_; }
    UnitIndexLayout unit_indices() const { return unit_indices_; }

    // Whether units may lie at this address of the executable view: behind the runtime code, up to the buffer's end. For
    // signal handlers too: it reads what is constant from runtime_emitted() on, and takes no lock.
    bool in_units(uintptr_t host_pc) const {
        return host_pc - (buffer_.rx().value() + layout_.prologue) < layout_.size - layout_.prologue;
    }

    // Bytes of finished units, by the rule: full regions count whole (less the margin), current ones what is
    // used. Never above capacity().
    size_t code_size() const WEFT_EXCLUDES(lock_);
    size_t capacity() const { return layout_.capacity(); }
    // What each region is at, in the order of their numbers.
    std::vector<RegionInfo> describe() const WEFT_EXCLUDES(lock_);
    // Regions nobody has, those kept back for slots without a context included.
    unsigned free_regions() const WEFT_EXCLUDES(lock_);
    // Regions that contexts can still go on to. A snapshot, without the region lock.
    unsigned spare_regions() const { return spare_.load(std::memory_order_relaxed); }

    uint32_t generation(RegionId region) const {
        return records_[region]->generation.load(std::memory_order_seq_cst);
    }
    // Whether the TB's region has not been emptied or retired since it was made.
    bool current(const TranslationBlock& tb) const { return generation(tb.region) == tb.generation; }

    // The descriptor with this index, or null. O(1). The caller is between quiescent points, or the region
    // cannot be reused for another reason.
    TranslationBlock* block(UnitIndex unit) const {
        const RegionId region = unit_indices_.region(unit);
        return region < records_.size() ? records_[region]->slab.at(unit_indices_.index(unit)) : nullptr;
    }
    // Descriptors in a region: block(unit_indices().make(region, 0 .. n - 1)).
    uint32_t block_count(RegionId region) const { return records_[region]->slab.count(); }

    // --- Emptying everything (evict=flush, and the fallback).

    // In safe work only: every context's thread is held outside generated code and outside this class. All
    // regions become free and their memory goes back to the host, trees and descriptors are gone, generations
    // are incremented, and every claimed context gets a fresh region in order of slots.
    void reset_all() WEFT_EXCLUDES(lock_);

    // --- Emptying one region while others run (evict=region). Any thread.

    // A look-up found the TB, which the caller may use. Cheap: a store once a round and TB.
    void note_use(TranslationBlock& tb) {
        if (victims_.first_use(tb)) {
            records_[tb.region]->found.fetch_add(tb.code_size, std::memory_order_relaxed);
        }
    }
    // The full region to give up (see VictimChoice); nullopt where none is full. Current and parked ones are
    // never named. Each call begins a round of note_use().
    std::optional<RegionId> choose_victim() WEFT_EXCLUDES(lock_);
    // Ends the region's TBs: generation + 1, its bytes no longer count as code. The caller marks, unhashes
    // and unlinks the TBs, which stay readable until reuse(). nullopt where the region is not full (another
    // was first).
    std::optional<RetiredRegion> retire(RegionId region) WEFT_EXCLUDES(lock_);
    // After a grace period: nobody can be in the region's code or know its TBs. Its tree and descriptors are
    // emptied, its memory goes back to the host, and it is free. False where a reset_all() has seen to it.
    bool reuse(RetiredRegion retired) WEFT_EXCLUDES(lock_);

  private:
    friend class CodeContext;
    friend class Region;

    enum class State : uint8_t { free, leased, parked, full, retired };
    struct Status {
        State state = State::free;
        bool written = false;   // leased since its memory was last given back
        uint64_t sequence = 0;  // when it was taken
    };

    RegionAllocator(const CodeBuffer& buffer, const RegionLayout& layout, unsigned slots,
                    const HostCalls& calls, bool pages_ahead);
    Result<> open_regions();

    unsigned free_count() const WEFT_REQUIRES(lock_);
    unsigned spare_count() const WEFT_REQUIRES(lock_);
    void note_spare() WEFT_REQUIRES(lock_);
    RegionRecord* take_free() WEFT_REQUIRES(lock_);
    RegionRecord* take_first() WEFT_REQUIRES(lock_);
    size_t full_size(RegionId region) const;
    void empty(RegionId region);

    void publish(CodeContext& context) WEFT_EXCLUDES(lock_);
    void withdraw(CodeContext& context) WEFT_EXCLUDES(lock_);
    bool switch_region(CodeContext& context) WEFT_EXCLUDES(lock_);
    void park(RegionRecord& record) WEFT_EXCLUDES(lock_);
    void park_locked(RegionRecord& record) WEFT_REQUIRES(lock_);

    const CodeBuffer& buffer_;
    RegionLayout layout_;  // constant once the first context was claimed
    const UnitIndexLayout unit_indices_;
    SlotNumbers slots_taken_;
    RegionTrees trees_;
    // Constant array of records; each is its lease holder's, with the exceptions stated there.
    std::vector<std::unique_ptr<RegionRecord>> records_;

    // Written under the region lock by the owner of the slot (release); read by anybody.
    std::unique_ptr<std::atomic<CodeContext*>[]> slots_;

    // The region lock. Only locks of trees are taken under it.
    mutable Mutex lock_;
    std::vector<Status> status_ WEFT_GUARDED_BY(lock_);
    unsigned next_ WEFT_GUARDED_BY(lock_) = 0;  // regions from here on were never taken since the last reset
    std::vector<RegionId> reusable_ WEFT_GUARDED_BY(lock_);  // emptied by reuse()
    std::vector<RegionId> parked_ WEFT_GUARDED_BY(lock_);
    VictimChoice victims_;  // its functions that are not any thread's: under the lock
    unsigned leases_ WEFT_GUARDED_BY(lock_) = 0;
    uint64_t sequence_ WEFT_GUARDED_BY(lock_) = 0;
    // spare_count() as of the last change; written under the lock, read by anybody. Relaxed: it orders nothing.
    std::atomic<unsigned> spare_{0};
    size_t aggregate_ WEFT_GUARDED_BY(lock_) = 0;  // bytes of full regions, and what is used of parked ones
};

}  // namespace weft::tcg
