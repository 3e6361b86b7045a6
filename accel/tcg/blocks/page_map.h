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
//
// In process mode (weft/user_memory.h) there are no direct writers: process_code.cpp tells what stands for them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "accel/tcg/blocks/code_page.h"
#include "accel/tcg/blocks/code_users.h"
#include "accel/tcg/blocks/exposed_pages.h"
#include "accel/tcg/blocks/page_states.h"
#include "accel/tcg/blocks/writes_under_way.h"
#include "tcg/code/tb.h"
#include "weft/user_memory.h"

namespace weft::accel {

class BlockTable;

class PageMap {
  public:
    static constexpr uint32_t kMaxVcpus = 1024;

    // `users` outlives it, and in a machine has at most kMaxVcpus. `user`: null in a machine; outlives it.
    explicit PageMap(const CodeUsers& users, const UserMemoryOps* user = nullptr);
    PageMap(const PageMap&) = delete;
    PageMap& operator=(const PageMap&) = delete;

    bool in_process() const { return user_ != nullptr; }
    // The cache that TBs are invalidated in. Once, before any other use.
    void attach(BlockTable& cache) { cache_ = &cache; }

    // Whether the page at `ram_offset` may hold code. Any thread. A read-modify-write: what the caller stored to the page
    // before is seen by a translation that this call has missed.
    bool has_code(uint64_t ram_offset) const { return states_.has_code(ram_offset); }

    // Before a vCPU installs a TLB entry for stores to the page, and before it stores by another one: true where it may
    // store directly, false where it needs kTlbNotDirty. The vCPU's thread.
    bool may_store_directly(uint64_t ram_offset, uint32_t vcpu_index) {
        return states_.may_store_directly(ram_offset, vcpu_index);
    }

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
    // In process mode, for a page that the caller counts as a reader of: sees to it that no write passes unnoticed, or that the
    // page is a checked one. False: nothing may be fetched from it by now.
    bool watch(CodePage& page);
    // Does what begin_reading() has asked of `user` up to now (see CodeUser::ask_to_write_protect). Its thread.
    void write_protect_for(CodeUser& user);
    // Whether the TB's bytes are what is in memory now. With the locks of its pages held: their memory stays.
    bool bytes_match(const tcg::TranslationBlock& tb, const uint8_t* bytes) const;
    // Whether a vCPU has not yet done what it was asked.
    bool any_exposed() const { return exposed_.any(); }
    // With the locks of its pages held (see PagePairLock), after its bytes were compared under them: puts a TB in their lists.
    // `second` is null where it is the first, or where there is none.
    void enlist(tcg::TranslationBlock& tb, CodePage& first, CodePage* second);

    // ---- process mode ----
    // ProcessOps::code_gone: ends all TBs of the pages of [start, end), and what is being translated from them. Returns whether
    // there was anything. Any thread, holding no page or TB lock, as an online reader.
    bool gone(uint64_t start, uint64_t end);
    // As fence(), for the checked pages of [start, end) alone. An online reader.
    void recheck(uint64_t start, uint64_t end);

    // A TB of a retired region (see RegionEvictor): takes it out of everything. Returns whether it was still valid. An
    // online reader's thread, holding no page or TB lock.
    bool retire(tcg::TranslationBlock& tb);

    // In an exclusive section, when all TBs are about to be forgotten: no page holds code.
    void clear();

    // Pages that hold code, by their marks; any thread.
    size_t count() const { return states_.count(); }
    // Calls visit(page) for every page that holds or held code: for checks of invariants. `visit` may take the page's
    // lock.
    template <class Visit>
    void for_each(Visit&& visit) {
        for (CodePage* page : states_.all()) {
            visit(*page);
        }
    }

  private:
    class OtherPages;

    bool is_checked(CodePage& page) const;
    void check_from_now_on(CodePage& page);
    void announce_under_way();
    void recheck_provisional();
    void recheck(CodePage& page);
    // Invalidates the TBs made of bytes in the range, which is the whole page where its mapping ends: what is there next may be
    // of another kind (process_code.cpp). Returns whether the page still holds code.
    enum class Mapping : bool { stays, ends };
    bool changed(CodePage& page, uint64_t ram_offset, uint64_t size, Mapping mapping = Mapping::stays);
    void write_protected(CodePage& page, uint32_t vcpu_index);
    bool still_right(const tcg::TranslationBlock& tb) const;
    // Calls deal(tb) for the page's TBs, which may invalidate them. False: it has to be called again, after unlist().
    template <class Deal>
    bool deal_with_blocks(CodePage& page, OtherPages& others, Deal&& deal) WEFT_REQUIRES(page.lock);
    void invalidate(CodePage& page, tcg::TranslationBlock& tb, OtherPages& others) WEFT_REQUIRES(page.lock);
    void unlist(OtherPages& others);
    void unlist(uint64_t ram_offset);
    void release_mark(CodePage& page) WEFT_REQUIRES(page.lock);

    const CodeUsers& users_;
    const UserMemoryOps* const user_;
    BlockTable* cache_ = nullptr;
    PageStates states_;
    ExposedPages exposed_;
    WritesUnderWay under_way_;
};

}  // namespace weft::accel
