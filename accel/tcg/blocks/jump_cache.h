// The jump cache of a vCPU: from (pc, context) to code, probed by generated code. See tcg::JumpCacheEntry.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

#include "base/cache_line.h"
#include "base/spin_lock.h"
#include "base/zeroed_array.h"
#include "tcg/exec_state.h"

namespace weft::accel {

// The owner's functions: the thread that runs the vCPU, or any while that thread is held.
class JumpCache {
  public:
    using Entries = ZeroedArray<tcg::JumpCacheEntry>;
    // The least that there may be. Throws std::bad_alloc.
    static Entries make_entries(PagesMade made) { return Entries(tcg::kMinJumpCacheEntries, made); }
    // Of entries that are zeros.
    explicit JumpCache(Entries entries = make_entries(PagesMade::at_once)) : entries_(std::move(entries)) {}
    JumpCache(const JumpCache&) = delete;
    JumpCache& operator=(const JumpCache&) = delete;

    // For generated code; other ones after grow().
    tcg::JumpCacheEntry* entries() { return entries_.data(); }
    uint32_t mask() const { return tcg::jump_cache_mask(entries_.size()); }
    size_t size() const { return entries_.size(); }
    // Of a context's entries; for generated code.
    uint32_t salt(uint32_t context_id) const { return tcg::jump_cache_salt(context_id % salts_); }
    // Off, entries of all contexts lie where the pc says. While there are none.
    void set_contexts_apart(bool apart) { salts_ = apart ? tcg::kJumpCacheSalts : 1; }

    // Offset of the code of the TB at `pc`, or kNone. The owner's.
    static constexpr uint32_t kNone = ~uint32_t{0};
    uint32_t lookup_code(uint64_t pc, uint32_t context_id) const {
        const tcg::JumpCacheEntry& entry = entries_[index(pc, context_id)];
        return entry.pc == pc && entry.context_id == context_id ? entry.code_offset : kNone;
    }
    void put(uint64_t pc, uint32_t context_id, uint32_t code_offset) {
        tcg::JumpCacheEntry& entry = entries_[index(pc, context_id)];
        conflicts_ += entry.context_id == context_id && entry.pc != pc ? 1 : 0;
        entry = {pc, context_id, code_offset};
    }
    // Whether so many entries have put others of their context out that a larger table pays: each time is a look-up in the hash
    // table for generated code, and as many of them take longer than the pages of a larger table.
    bool crowded() const {
        return conflicts_ > entries_.size() && entries_.size() < tcg::kMaxJumpCacheEntries;
    }
    // Makes it four times as large, with what it knows. False: there is no memory, and it is as it was.
    bool grow();
    void clear();
    // Gives its entries away: the owner looks nothing up any more. Drops may be requested as before.
    Entries release_entries() { return std::move(entries_); }
    // Forgets what may be made of bytes of the 4 KiB page of `vaddr`, in all contexts: its pcs, and those so close before it
    // that an instruction of `max_insn_size` bytes there reaches into it.
    void clear_page(uint64_t vaddr, uint32_t max_insn_size);

    // What follows allocates nothing: it is part of every invalidation, which has to come to its end.

    // Asks the owner to forget the TB at `page_offset` of its page, whose code is at `code_offset`. Any thread.
    void request_drop(uint32_t page_offset, uint32_t code_offset);
    // The same for all TBs whose code is in [begin, end). With `serialize` the owner's processor forgets, too, what it
    // has fetched of that code (see CoreSync). Any thread.
    void request_drop_range(uint32_t begin, uint32_t end, bool serialize);
    // Does what was asked. The owner's: before it looks for code after its FENCE.I, and in the loop, between its quiescent
    // point and the next look-up: at a quiescent point that ends a grace period, what was asked before that began is
    // seen, so that no dropped TB is entered after it.
    void process_drops() {
        // seq_cst; pairs with the store in request_drop().
        if (drops_pending_.load(std::memory_order_seq_cst)) {
            take_drops();
        }
    }

  private:
    size_t index(uint64_t pc, uint32_t context_id) const {
        return tcg::jump_cache_index(pc, salt(context_id), mask());
    }

    struct Drop {
        uint32_t page_offset;
        uint32_t code_offset;
    };
    struct Range {
        uint32_t begin;
        uint32_t end;
    };
    // What the owner was asked to forget.
    struct Asked {
        // More than these and the whole cache is cleared, which costs about as much.
        static constexpr size_t kMaxDrops = 512;
        static constexpr size_t kMaxRanges = 4;

        std::array<Drop, kMaxDrops> drops;
        std::array<Range, kMaxRanges> ranges;
        size_t drop_count = 0;
        size_t range_count = 0;
        bool all = false;
        bool serialize = false;

        void take_from(Asked& other);
    };

    void take_drops();
    void drop(Drop drop);
    void drop(Range range);

    Entries entries_;
    size_t conflicts_ = 0;  // since the entries were made
    uint32_t salts_ = tcg::kJumpCacheSalts;

    // Written by any thread.
    alignas(kCacheLine) std::atomic<bool> drops_pending_{false};
    SpinLock drops_lock_;
    Asked asked_ WEFT_GUARDED_BY(drops_lock_);

    // The owner's, while it does what was asked.
    alignas(kCacheLine) Asked taken_;
};

}  // namespace weft::accel
