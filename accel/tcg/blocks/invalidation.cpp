// The part of PageMap that takes TBs out of everything when their bytes change, or their region goes.
#include <optional>

#include "accel/tcg/blocks/block_table.h"
#include "accel/tcg/blocks/page_blocks.h"
#include "base/epoch.h"

namespace weft::accel {

using tcg::TranslationBlock;

bool PageMap::written(uint64_t ram_offset, uint64_t size, CodeUser* writer) {
    CodePage* page = states_.find(ram_offset);
    if (page == nullptr) {
        return false;
    }
    std::optional<EpochDomain::Reader> visitor;
    if (writer == nullptr) {
        visitor.emplace(cache_->epochs());
        visitor->go_online();
    } else {
        writer->counters.code_writes.add();
    }
    return changed(*page, ram_offset, size);
}

void PageMap::retranslate(uint64_t ram_offset) {
    if (CodePage* const page = states_.find(ram_offset)) {
        changed(*page, ram_offset, 1);
    }
}

bool PageMap::changed(CodePage& page, uint64_t ram_offset, uint64_t size, Mapping mapping) {
    const uint64_t begin = ram_offset & (kPageSize - 1);
    const Bytes range{begin, begin + size};
    OtherPages others;
    bool still = false;
    bool was_checked = false;
    bool done = false;
    while (!done) {
        {
            SpinLockGuard guard(page.lock);
            ++page.writes;
            if (mapping == Mapping::ends && page.checked) {
                page.checked = false;
                page.protections.fetch_sub(1, std::memory_order_seq_cst);
                was_checked = true;
            }
            uint64_t lines = 0;
            done = (page.lines & range.lines()) == 0 ||
                   deal_with_blocks(page, others, [&](TranslationBlock& tb) WEFT_NO_THREAD_SAFETY_ANALYSIS {
                       const Bytes bytes = bytes_in(tb, page);
                       if (bytes.meets(range)) {
                           invalidate(page, tb, others);
                       } else {
                           lines |= bytes.lines();
                       }
                   });
            if (done && (page.lines & range.lines()) != 0) {
                page.lines = lines;
            }
            release_mark(page);
            still = page.has_code.load(std::memory_order_relaxed) != 0;
        }
        unlist(others);
    }
    if (was_checked) {
        exposed_.remove(page);
    }
    return still;
}

void PageMap::invalidate(CodePage& page, TranslationBlock& tb, OtherPages& others) {
    cache_->invalidate(tb);
    if (link_in(tb, page).linked()) {
        link_in(tb, page).unlink();
    }
    if (has_two_pages(tb)) {
        others.add(tb.key.page0() == page.ram_offset ? tb.key.page1 : tb.key.page0());
    }
}

// Takes TBs of two pages out of the other page's list: the two locks are never held at once here, whatever their order.
// The TBs are not named: without the lock of a page that lists it, a TB may go, since the cache may be emptied beside a
// vCPU's work items and beside DMA. What is invalid in a page's list is being taken out, by us or by another.
void PageMap::unlist(OtherPages& others) {
    for (const uint64_t ram_offset : others.list()) {
        unlist(ram_offset);
    }
    others.clear();
}

void PageMap::unlist(uint64_t ram_offset) {
    CodePage& other = states_.known_page(ram_offset);
    SpinLockGuard guard(other.lock);
    for (tcg::PageLink* link = other.blocks; link != nullptr;) {
        TranslationBlock& tb = *link->tb;
        link = link->next;
        if (tb.invalid()) {
            link_in(tb, other).unlink();
        }
    }
    release_mark(other);
}

void PageMap::release_mark(CodePage& page) {
    if (page.blocks == nullptr && page.readers == 0) {
        page.lines = 0;
        page.host.store(nullptr, std::memory_order_relaxed);
        page.has_code.store(0, std::memory_order_seq_cst);
    }
}

bool PageMap::retire(TranslationBlock& tb) {
    bool was_valid = false;
    {
        CodePage& page = states_.known_page(tb.key.page0());
        SpinLockGuard guard(page.lock);
        was_valid = cache_->detach(tb);
        if (was_valid) {
            tb.state.fetch_or(tcg::kTbWithdrawn, std::memory_order_seq_cst);
        }
        if (tb.page_links[0].linked()) {
            tb.page_links[0].unlink();
            release_mark(page);
        }
    }
    if (has_two_pages(tb)) {
        unlist(tb.key.page1);
    }
    return was_valid;
}

void PageMap::clear() {
    states_.for_each([this](CodePage& page) {
        SpinLockGuard guard(page.lock);
        page.blocks = nullptr;
        release_mark(page);
    });
}

}  // namespace weft::accel
