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
#include <span>
#include <vector>

#include "base/cache_line.h"
#include "base/error.h"
#include "base/host_calls.h"
#include "base/mutex.h"
#include "tcg/backend.h"
#include "tcg/code/code_buffer.h"
#include "tcg/code/sizing.h"
#include "tcg/code/tb.h"
#include "tcg/code/tb_slab.h"
#include "tcg/code/trees.h"

namespace weft::tcg {

class CodeContext;
class RegionAllocator;

// Entries of units are aligned to this: a fetch block of the host's decoder.
inline constexpr size_t kUnitAlignment = 16;

namespace detail {

struct alignas(kCacheLine) RegionRecord {
    RegionRecord(RegionId number, uint32_t max_units, const HostCalls& calls)
        : id(number), slab(max_units, calls) {}

    const RegionId id;
    RegionLayout::Range range{};  // constant once the first context was claimed
    // Incremented under the region lock when the region's TBs end, read by anybody. Sequentially consistent: who keeps
    // a TB found in a retired region either sees the increment here or is told to drop it.
    std::atomic<uint32_t> generation{1};
    // Bytes of finished units. Written by the lease holder, read for the code size under the region lock;
    // relaxed, it orders nothing.
    std::atomic<size_t> used{0};
    // Bytes of TBs that look-ups found in this round. Any thread adds, who chooses a victim takes; relaxed, it
    // orders nothing.
    std::atomic<uint32_t> found{0};
    // The same of rounds before, each counting half of the one after it. Guarded by the region lock.
    uint32_t warmth = 0;
    TbSlab slab;
};

}  // namespace detail

// The right to write into one region; move-only, held by one context. Letting go of it parks the region.
class Region {
  public:
    Region() = default;
    Region(Region&& other) noexcept;
    Region& operator=(Region&& other) noexcept;
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;
    ~Region() { release(); }

    explicit operator bool() const { return record_ != nullptr; }
    RegionId id() const { return record_->id; }
    uint32_t generation() const { return record_->generation.load(std::memory_order_acquire); }
    // Bytes of finished units, and what fits besides the highwater margin.
    size_t used() const { return record_->used.load(std::memory_order_relaxed); }
    size_t capacity() const { return record_->range.size() - kHighwaterMargin; }

  private:
    friend class CodeContext;
    friend class RegionAllocator;
    Region(RegionAllocator* allocator, detail::RegionRecord* record)
        : allocator_(allocator), record_(record) {}
    void release();

    RegionAllocator* allocator_ = nullptr;
    detail::RegionRecord* record_ = nullptr;
};

// What the maker of a TB knows besides its code.
struct BlockInfo {
    TbKey key;
    uint32_t hash;
    uint32_t state;  // TbState bits to begin with
    uint16_t guest_size;
    uint16_t insn_count;
    std::span<const uint8_t> saved_bytes;  // guest_size bytes to keep (for a provisional TB), or none
    uint64_t pc = 0;                       // the guest's virtual address, for people
};

// One translating thread's place in the code buffer: a slot and a region. One thread at a time uses it;
// RegionAllocator replaces its region in reset_all(), when that thread is held.
//
// Making a TB:   window = context.window(); unit = context.next_unit();
//                compile(ir, window, unit, &compiled) == ok      -> tb = context.add(info, compiled)
//                                                == region_full  -> context.next_region(), again
//                trees().insert(*tb), then the hash table; where another thread was first:
//                trees().remove(*tb), context.take_back(tb)
class CodeContext {
  public:
    // Gives the slot back; the region stays as it is, for the next context.
    ~CodeContext();
    CodeContext(const CodeContext&) = delete;
    CodeContext& operator=(const CodeContext&) = delete;

    unsigned slot() const { return slot_; }
    const Region& region() const { return region_; }
    // Nothing was made in the region yet: what does not fit now fits nowhere.
    bool region_empty() const { return region_.used() == 0; }

    // Where the next unit goes: from the region's write cursor (aligned to kUnitAlignment) up to the
    // highwater. The kHighwaterMargin bytes behind the window are the context's too, so that the check may
    // come after a write. Of size 0 when there is no space or no memory for another descriptor: that region
    // is full.
    CodeWindow window();
    // The index of the unit that add() will make next.
    UnitIndex next_unit() const;

    // Makes the descriptor of the unit that was compiled into window() and moves the cursor behind it. Nobody
    // else knows the TB yet, it is in no tree; RegionAllocator::block() finds it from now on. Null where the
    // host has no memory for its tables: nothing has changed, treat it as a full region.
    TranslationBlock* add(const BlockInfo& info, const CompiledUnit& compiled);
    // Undoes the last add(), whose TB nobody else has seen and no tree holds.
    void take_back(TranslationBlock* tb);

    // Leaves the region and goes on in the next. False, with nothing changed: no region is left (evict or
    // flush).
    bool next_region();

  private:
    friend class RegionAllocator;
    CodeContext(RegionAllocator& allocator, unsigned slot) : allocator_(allocator), slot_(slot) {}

    RegionAllocator& allocator_;
    const unsigned slot_;
    Region region_;
    TbSlab::Mark last_mark_{};  // before the last add()
    size_t last_used_ = 0;      // the same
    TranslationBlock* last_ = nullptr;
};

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
    // number of slots.
    static Result<std::unique_ptr<RegionAllocator>> create(const CodeBuffer& buffer,
                                                           RegionLayoutRequest request,
                                                           const HostCalls& calls = HostCalls::real());
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
    unsigned slot_count() const { return slot_count_; }
    // The context in a slot, or null. Stays valid while the slot's owner keeps it.
    CodeContext* context(unsigned slot) const {
        return slots_[slot].load(std::memory_order_acquire);  // pairs with the release in claim()
    }

    // --- Facts. Any thread.

    const CodeBuffer& buffer() const { return buffer_; }
    const RegionLayout& layout() const { return layout_; }
    RegionTrees& trees() { return trees_; }
    const RegionTrees& trees() const { return trees_; }
    UnitIndexLayout unit_indices() const { return unit_indices_; }

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
        const uint16_t round = round_.load(std::memory_order_relaxed);
        if (tb.used_in.load(std::memory_order_relaxed) != round) {
            tb.used_in.store(round, std::memory_order_relaxed);
            records_[tb.region]->found.fetch_add(tb.code_size, std::memory_order_relaxed);
        }
    }
    // The full region to give up: among the older half of them the one of whose code look-ups found least,
    // lately; of equals the one that was taken first. nullopt where none is full. Current and parked ones are
    // never named. Each call begins a round of note_use().
    std::optional<RegionId> choose_victim() WEFT_EXCLUDES(lock_);
    // Ends the region's TBs: generation + 1, its bytes no longer count as code. The caller marks, unhashes
    // and unlinks the TBs, which stay readable until reuse(). nullopt where the region is not full (somebody
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
    struct Candidate {
        RegionId id;
        uint32_t warmth;
        uint64_t sequence;
    };

    RegionAllocator(const CodeBuffer& buffer, const RegionLayout& layout, unsigned slots,
                    const HostCalls& calls);
    Result<> open_regions();

    std::optional<unsigned> claim_slot();
    void release_slot(unsigned slot);

    unsigned free_count() const WEFT_REQUIRES(lock_);
    unsigned spare_count() const WEFT_REQUIRES(lock_);
    void note_spare() WEFT_REQUIRES(lock_);
    detail::RegionRecord* take_free() WEFT_REQUIRES(lock_);
    detail::RegionRecord* take_first() WEFT_REQUIRES(lock_);
    size_t full_size(RegionId region) const;
    void empty(RegionId region);

    void publish(CodeContext& context) WEFT_EXCLUDES(lock_);
    void withdraw(CodeContext& context) WEFT_EXCLUDES(lock_);
    bool switch_region(CodeContext& context) WEFT_EXCLUDES(lock_);
    void park(detail::RegionRecord& record) WEFT_EXCLUDES(lock_);
    void park_locked(detail::RegionRecord& record) WEFT_REQUIRES(lock_);

    const CodeBuffer& buffer_;
    RegionLayout layout_;  // constant once the first context was claimed
    const UnitIndexLayout unit_indices_;
    const unsigned slot_count_;
    RegionTrees trees_;
    // Constant array of records; each is its lease holder's, with the exceptions stated there.
    std::vector<std::unique_ptr<detail::RegionRecord>> records_;

    // Slots given out so far: each claim takes the next number with one increment. May pass slot_count_ by
    // failed claims.
    std::atomic<uint64_t> claimed_{0};
    // Stack of released slots: number + 1 of the top (0: empty), and above it a count of changes against ABA.
    // Sequentially consistent compare-and-swap by any thread; next_released_[i] is the number + 1 below slot
    // i.
    std::atomic<uint64_t> released_{0};
    std::unique_ptr<std::atomic<uint32_t>[]> next_released_;
    // Written under the region lock by the owner of the slot (release); read by anybody.
    std::unique_ptr<std::atomic<CodeContext*>[]> slots_;

    // The region lock. Only locks of trees are taken under it.
    mutable Mutex lock_;
    std::vector<Status> status_ WEFT_GUARDED_BY(lock_);
    unsigned next_ WEFT_GUARDED_BY(lock_) = 0;  // regions from here on were never taken since the last reset
    std::vector<RegionId> reusable_ WEFT_GUARDED_BY(lock_);  // emptied by reuse()
    std::vector<RegionId> parked_ WEFT_GUARDED_BY(lock_);
    std::vector<Candidate> candidates_ WEFT_GUARDED_BY(lock_);  // choose_victim()'s
    // Of note_use(); descriptors begin with 0. Changed under the lock, read by anybody; relaxed.
    std::atomic<uint16_t> round_{1};
    unsigned leases_ WEFT_GUARDED_BY(lock_) = 0;
    uint64_t sequence_ WEFT_GUARDED_BY(lock_) = 0;
    // spare_count() as of the last change; written under the lock, read by anybody. Relaxed: it orders nothing.
    std::atomic<unsigned> spare_{0};
    size_t aggregate_ WEFT_GUARDED_BY(lock_) = 0;  // bytes of full regions, and what is used of parked ones
};

}  // namespace weft::tcg
