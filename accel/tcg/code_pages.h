// Which pages of guest RAM hold translated code, and what happens when such a page is written to.
//
// Every page of the machine's space of RAM pages has
//   mark     non-zero while the page may hold translated code
//   writers  the vCPUs that may have a TLB entry through which they store to the page directly (a mask; conservative)
// and, once it held code, a CodePage: the list of its TBs, under the page's lock.
//
// A vCPU that fills a TLB entry for stores:        A vCPU that is about to translate from the page:
//   1. adds itself to `writers`                      1. sets `mark`
//   2. reads `mark`: set -> kTlbNotDirty             2. takes (and clears) `writers`, and asks each vCPU in it to demote
// All four are sequentially consistent, so that either the first sees the mark or the second sees the writer. A writer
// seen may still store directly until it has demoted its entries: meanwhile what is translated from the page is
// provisional (see provisional.h).
//
// A store through an entry with kTlbNotDirty is made first and announced *afterwards*, by written(). So whoever reads
// the page's bytes either reads the new ones or is told. (RISC-V lets a hart run old bytes until its FENCE.I; announcing
// before the store alone would let a translation of the old bytes slip in between and stay for ever.)
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/spin_lock.h"
#include "tcg/code/tb.h"

namespace weft {
struct Vcpu;
}

namespace weft::accel {

class TbCache;

// A page that holds, or held, code.
struct CodePage {
    SpinLock lock;  // the page lock; two are taken in ascending order of `ram_offset`
    uint64_t ram_offset = 0;  // constant
    tcg::PageLink* blocks WEFT_GUARDED_BY(lock) = nullptr;
    // Translations that are reading the page's bytes.
    uint32_t readers WEFT_GUARDED_BY(lock) = 0;
    // vCPUs that have not demoted their entries yet: while not 0 the page's new TBs are provisional.
    uint32_t demotions WEFT_GUARDED_BY(lock) = 0;
    // Counts announced writes: a translation whose page was written meanwhile compares its bytes.
    uint64_t writes WEFT_GUARDED_BY(lock) = 0;
};

class CodePages {
  public:
    // For vCPUs 0 .. max_vcpus - 1.
    explicit CodePages(uint32_t max_vcpus);
    ~CodePages();
    CodePages(const CodePages&) = delete;
    CodePages& operator=(const CodePages&) = delete;

    // The cache that TBs are invalidated in. Once, before any other use.
    void attach(TbCache& cache) { cache_ = &cache; }

    // Whether the page at `ram_offset` may hold code. Any thread.
    bool has_code(uint64_t ram_offset) const;

    // Before a vCPU installs a TLB entry for stores to the page: true where the entry may store directly, false where it
    // needs kTlbNotDirty. The vCPU's thread.
    bool may_store_directly(uint64_t ram_offset, uint32_t vcpu_index);

    // After bytes were written through an entry with kTlbNotDirty, or by a device, loader or debugger: invalidates the
    // TBs made of them. The range lies in one page. Returns whether the page still holds code; where it does not, the
    // writer may fill a direct entry (by may_store_directly). `writer`: the vCPU whose thread this is, or null. Any
    // thread, holding no page or TB lock.
    bool written(uint64_t ram_offset, uint64_t size, Vcpu* writer);

    // The CodePage of a page, made where there is none. Any thread.
    CodePage& page(uint64_t ram_offset);
    CodePage* find(uint64_t ram_offset) const;

    // ---- for translations (see translate.cpp) ----
    // Marks the page and counts the caller as a reader. Asks the vCPUs that may store to it to demote; `reader`'s own
    // entries are demoted at once.
    CodePage& begin_reading(uint64_t ram_offset, Vcpu& reader);
    // The counterpart. Clears the mark where nothing holds it.
    void end_reading(CodePage& page);
    // With the page's lock held: clears the mark where the page has neither TBs nor readers nor demotions.
    void release_mark(CodePage& page) WEFT_REQUIRES(page.lock);

    // In safe work, after all TBs are gone: no page holds code.
    void clear();

  private:
    struct PageState;
    struct Leaf;
    static constexpr unsigned kLeafBits = 12;
    static constexpr unsigned kRootBits = 16;  // 2^(16 + 12) pages: 1 TiB of RAM

    Leaf* leaf(uint64_t ram_offset) const;
    Leaf& make_leaf(uint64_t ram_offset);
    PageState* state(uint64_t ram_offset) const;
    PageState& make_state(uint64_t ram_offset);

    const uint32_t writer_words_;  // 64 vCPUs each
    TbCache* cache_ = nullptr;
    // Made on demand by any thread (compare-and-swap, release; read with acquire), freed with the object.
    std::unique_ptr<std::atomic<Leaf*>[]> root_;
};

}  // namespace weft::accel
