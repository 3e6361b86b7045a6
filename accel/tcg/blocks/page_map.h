// Which pages of guest RAM hold translated code, and what happens when such a page is written to.
//
// Every page of the machine's space of RAM pages has
//   has_code        non-zero while the page may hold translated code
//   direct_writers  the vCPUs that may have a TLB entry through which they store to the page directly (a mask; conservative)
// and, once it held code, a CodePage: the list of its TBs, under the page's lock.
//
// A vCPU that fills a TLB entry for stores:        A vCPU that is about to translate from the page:
//   1. adds itself to `direct_writers`               1. sets `has_code`
//   2. reads `has_code`: set -> kTlbNotDirty          2. takes (and clears) `direct_writers`, and asks each vCPU in it to protect
// All four are sequentially consistent, so that either the first sees the mark or the second sees the writer. A writer
// seen may still store directly until it has write-protected its entries: meanwhile what is translated from the page is
// provisional (see exposed_pages.h).
//
// A store through an entry with kTlbNotDirty is made first and announced *afterwards*, by written(). So whoever reads
// the page's bytes either reads the new ones or is told. (RISC-V lets a hart run old bytes until its FENCE.I; announcing
// before the store alone would let a translation of the old bytes slip in between and stay for ever.)
//
// Before such a store the vCPU either becomes a direct writer of the page after all, where that holds no code, or says where
// it will store (see writes_under_way.h): a hart that reads the new bytes may come to its FENCE.I before they are announced.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "accel/tcg/blocks/code_users.h"
#include "accel/tcg/blocks/exposed_pages.h"
#include "accel/tcg/blocks/writes_under_way.h"
#include "base/mutex.h"
#include "base/spin_lock.h"
#include "tcg/code/tb.h"

namespace weft::accel {

class BlockTable;

// A page that holds, or held, code. Lives as long as its machine.
struct CodePage {
    // `writer_words`: 64 vCPUs each.
    CodePage(uint64_t page_ram_offset, std::atomic<uint32_t>& page_has_code, uint32_t writer_words)
        : ram_offset(page_ram_offset),
          has_code(page_has_code),
          asked(std::make_unique<uint64_t[]>(writer_words)) {}

    const uint64_t ram_offset;
    // Written under `lock`, read by anybody; sequentially consistent.
    std::atomic<uint32_t>& has_code;
    // vCPUs that have not write-protected their entries yet: while not 0 the page's new TBs are provisional. Written under
    // `lock`, read by anybody; sequentially consistent.
    std::atomic<uint32_t> protections{0};
    // Of the page's first byte, as the last reader found it; null while the page holds no code, for its memory may go then.
    // Written under `lock`, read by anybody; relaxed.
    std::atomic<const uint8_t*> host{nullptr};
    ExposedLink exposed;

    SpinLock lock;  // the page lock; two are taken in ascending order of `ram_offset`
    tcg::PageLink* blocks WEFT_GUARDED_BY(lock) = nullptr;
    // 64-byte lines of the page that hold code of TBs: a bit each, conservative.
    uint64_t lines WEFT_GUARDED_BY(lock) = 0;
    // Who they are: a bit each. None is asked twice at a time.
    const std::unique_ptr<uint64_t[]> asked WEFT_PT_GUARDED_BY(lock);
    // Translations that read the page's bytes.
    uint32_t readers WEFT_GUARDED_BY(lock) = 0;
    // Counts announced writes: a translation whose page was written meanwhile compares its bytes.
    uint64_t writes WEFT_GUARDED_BY(lock) = 0;
};

class PageMap {
  public:
    static constexpr uint32_t kMaxVcpus = 1024;

    // `users`, of at most kMaxVcpus, outlives it.
    explicit PageMap(const CodeUsers& users);
    ~PageMap();
    PageMap(const PageMap&) = delete;
    PageMap& operator=(const PageMap&) = delete;

    // The cache that TBs are invalidated in. Once, before any other use.
    void attach(BlockTable& cache) { cache_ = &cache; }

    // Whether the page at `ram_offset` may hold code. Any thread. A read-modify-write: what the caller stored to the page
    // before is seen by a translation that this call has missed.
    bool has_code(uint64_t ram_offset);

    // Before a vCPU installs a TLB entry for stores to the page, and before it stores by another one: true where it may
    // store directly, false where it needs kTlbNotDirty. The vCPU's thread.
    bool may_store_directly(uint64_t ram_offset, uint32_t vcpu_index);

    // Where writers say what they are about to write.
    WritesUnderWay& under_way() { return under_way_; }

    // After bytes were written through an entry with kTlbNotDirty, or by a device, loader or debugger: invalidates the
    // TBs made of them. The range lies in one page. Returns whether the page still holds code; where it does not, the
    // writer may fill a direct entry (by may_store_directly). `writer`: the vCPU whose thread this is, or null: then the
    // caller is no reader of the epochs. Any thread, holding no page or TB lock.
    bool written(uint64_t ram_offset, uint64_t size, CodeUser* writer);

    // Invalidates the TBs made of the byte at `ram_offset`, so that they are made anew. A vCPU's thread, holding no page or
    // TB lock.
    void retranslate(uint64_t ram_offset);

    // Before a vCPU looks at its drops and runs on after its FENCE.I: no TB is valid then that is made of bytes other than
    // those it could have read before. Its thread.
    void fence();

    // ---- for translations: see Translator and PageClaim ----
    // Marks the page, whose first byte is at `host`, and counts the caller as a reader. Asks the vCPUs that may store to
    // it to protect; `reader`'s own entries, and those of vCPUs on the same thread, are write-protected at once.
    CodePage& begin_reading(uint64_t ram_offset, const uint8_t* host, CodeUser& reader);
    // The counterpart. Clears the mark where nothing holds it.
    void end_reading(CodePage& page);
    // Does what begin_reading() has asked of `user` up to now (see CodeUser::ask_to_write_protect). Its thread.
    void write_protect_for(CodeUser& user);
    // Whether the TB's bytes are what is in memory now. With the locks of its pages held: their memory stays.
    bool bytes_match(const tcg::TranslationBlock& tb, const uint8_t* bytes) const;
    // Whether a vCPU has not yet done what it was asked.
    bool any_exposed() const { return exposed_.any(); }
    // With the locks of its pages held (see PagePairLock), after its bytes were compared under them: puts a TB in their lists. `second` is null where it is the
    // first, or where there is none.
    void enlist(tcg::TranslationBlock& tb, CodePage& first, CodePage* second);

    // A TB of a retired region (see RegionEvictor): takes it out of everything. Returns whether it was still valid. An
    // online reader's thread, holding no page or TB lock.
    bool retire(tcg::TranslationBlock& tb);

    // In an exclusive section, when all TBs are about to be forgotten: no page holds code.
    void clear();

    // Pages that hold code, by their marks; any thread.
    size_t count() const;
    // Calls visit(page) for every page that holds or held code: for checks of invariants. `visit` may take the page's
    // lock.
    template <class Visit>
    void for_each(Visit&& visit) {
        for (CodePage* page : all()) {
            visit(*page);
        }
    }

  private:
    struct PageState;
    struct Leaf;
    class OtherPages;
    static constexpr unsigned kLeafBits = 12;
    static constexpr unsigned kRootBits = 16;  // 2^(16 + 12) pages: 1 TiB of RAM

    std::atomic<Leaf*>& place_of_leaf(uint64_t ram_offset) const;
    Leaf& leaf(uint64_t ram_offset);
    Leaf* leaf_if_any(uint64_t ram_offset) const;
    CodePage* find(uint64_t ram_offset) const;
    CodePage& page(uint64_t ram_offset);
    CodePage& known_page(uint64_t ram_offset) const;

    void announce_under_way();
    void recheck_provisional();
    // Invalidates the TBs made of bytes in the range. Returns whether the page still holds code.
    bool changed(CodePage& page, uint64_t ram_offset, uint64_t size);
    void write_protected(CodePage& page, uint32_t vcpu_index);
    bool still_right(const tcg::TranslationBlock& tb) const;
    // Calls deal(tb) for the page's TBs, which may invalidate them. False: it has to be called again, after unlist().
    template <class Deal>
    bool deal_with_blocks(CodePage& page, OtherPages& others, Deal&& deal) WEFT_REQUIRES(page.lock);
    void invalidate(CodePage& page, tcg::TranslationBlock& tb, OtherPages& others) WEFT_REQUIRES(page.lock);
    void unlist(OtherPages& others);
    void unlist(uint64_t ram_offset);
    void release_mark(CodePage& page) WEFT_REQUIRES(page.lock);
    std::vector<CodePage*> all() const;

    const CodeUsers& users_;
    const uint32_t writer_words_;  // 64 vCPUs each
    BlockTable* cache_ = nullptr;
    ExposedPages exposed_;
    WritesUnderWay under_way_;
    // Made on demand by any thread (compare-and-swap; sequentially consistent), freed with the object.
    std::unique_ptr<std::atomic<Leaf*>[]> root_;
    mutable Mutex list_mutex_;  // a leaf
    std::vector<std::unique_ptr<CodePage>> pages_ WEFT_GUARDED_BY(list_mutex_);
};

// Holds the locks of one page or two, in their order.
class PagePairLock {
  public:
    // `second` may be null; else it is not `first`.
    PagePairLock(CodePage& first, CodePage* second);
    ~PagePairLock();
    PagePairLock(const PagePairLock&) = delete;
    PagePairLock& operator=(const PagePairLock&) = delete;

  private:
    CodePage* low_;
    CodePage* high_;
};

// A translation's claim on the pages it reads, for a scope.
class PageClaim {
  public:
    explicit PageClaim(PageMap& pages) : pages_(pages) {}
    ~PageClaim();
    PageClaim(const PageClaim&) = delete;
    PageClaim& operator=(const PageClaim&) = delete;

    // Claims the next page, at most two. Read the bytes afterwards.
    void add(uint64_t ram_offset, const uint8_t* host, CodeUser& reader);

    unsigned count() const { return count_; }
    CodePage& page(unsigned i) const { return *claims_[i].page; }
    // Whether a write to one of the pages was announced since it was claimed. With the pages' locks held.
    bool written() const;
    // Whether some vCPU may have stored to a page, unannounced, since it was claimed.
    bool provisional() const { return provisional_; }

  private:
    struct Claim {
        CodePage* page;
        uint64_t writes;
    };

    PageMap& pages_;
    Claim claims_[2]{};
    unsigned count_ = 0;
    bool provisional_ = false;
};

}  // namespace weft::accel
