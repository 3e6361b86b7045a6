// Going through the TBs of a page: for page_map.cpp and invalidation.cpp, which implement PageMap.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "accel/tcg/blocks/page_map.h"
#include "base/assert.h"
#include "tcg/code/tb.h"
#include "weft/memory.h"

namespace weft::accel {

inline constexpr unsigned kLineBits = 6;
static_assert(kPageSize >> kLineBits == 64);

// Bytes of a page, [begin, end).
struct Bytes {
    uint64_t begin;
    uint64_t end;
    bool meets(const Bytes& other) const { return begin < other.end && other.begin < end; }
    uint64_t lines() const {
        const uint64_t first = begin >> kLineBits;
        const uint64_t count = ((end - 1) >> kLineBits) - first + 1;
        return (~uint64_t{0} >> (64 - count)) << first;
    }
};

// What a TB holds of a page.
inline Bytes bytes_in(const tcg::TranslationBlock& tb, const CodePage& page) {
    if (tb.key.page0() == tb.key.page1) {
        return {0, kPageSize};  // from the page's end to its own start: rare enough to be coarse
    }
    const uint64_t end = tb.key.page_offset() + uint64_t{tb.guest_size};
    if (tb.key.page0() == page.ram_offset) {
        return {tb.key.page_offset(), std::min(end, kPageSize)};
    }
    return {0, end - kPageSize};
}

inline bool has_two_pages(const tcg::TranslationBlock& tb) {
    return tb.key.page1 != tcg::kNoPage && tb.key.page1 != tb.key.page0();
}

inline tcg::PageLink& link_in(tcg::TranslationBlock& tb, const CodePage& page) {
    return tb.page_links[tb.key.page0() == page.ram_offset ? 0 : 1];
}

// Pages in whose lists TBs that are gone may still be. Where there are more than it holds, the work is done in parts.
class PageMap::OtherPages {
  public:
    bool full() const { return count_ == kMost; }
    void add(uint64_t ram_offset) {
        if (std::ranges::find(list(), ram_offset) == list().end()) {
            WEFT_ASSERT(!full());
            pages_[count_++] = ram_offset;
        }
    }
    std::span<const uint64_t> list() const { return {pages_.data(), count_}; }
    void clear() { count_ = 0; }

  private:
    static constexpr size_t kMost = 16;
    std::array<uint64_t, kMost> pages_;
    size_t count_ = 0;
};

template <class Deal>
bool PageMap::deal_with_blocks(CodePage& page, OtherPages& others, Deal&& deal) {
    for (tcg::PageLink* link = page.blocks; link != nullptr;) {
        tcg::TranslationBlock& tb = *link->tb;
        link = link->next;
        deal(tb);
        if (others.full()) {
            return false;
        }
    }
    return true;
}

}  // namespace weft::accel
