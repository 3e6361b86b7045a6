#include "accel/tcg/blocks/page_map.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <span>

#include "accel/tcg/blocks/block_table.h"
#include "base/assert.h"
#include "weft/guest_ram.h"

namespace weft::accel {

using tcg::kTbInvalid;
using tcg::kTbProvisional;
using tcg::TranslationBlock;

namespace {

constexpr unsigned kLineBits = 6;
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
Bytes bytes_in(const TranslationBlock& tb, const CodePage& page) {
    if (tb.key.page0() == tb.key.page1) {
        return {0, kPageSize};  // from the page's end to its own start: rare enough to be coarse
    }
    const uint64_t end = tb.key.page_offset() + uint64_t{tb.guest_size};
    if (tb.key.page0() == page.ram_offset) {
        return {tb.key.page_offset(), std::min(end, kPageSize)};
    }
    return {0, end - kPageSize};
}

bool has_two_pages(const TranslationBlock& tb) {
    return tb.key.page1 != tcg::kNoPage && tb.key.page1 != tb.key.page0();
}

tcg::PageLink& link_in(TranslationBlock& tb, const CodePage& page) {
    return tb.page_links[tb.key.page0() == page.ram_offset ? 0 : 1];
}

}  // namespace

struct PageMap::PageState {
    std::atomic<uint32_t> has_code{0};
    std::atomic<CodePage*> code{nullptr};  // set once, by compare-and-swap (seq_cst)
};

struct PageMap::Leaf {
    explicit Leaf(uint32_t words)
        : writer_words(words),
          states(std::make_unique<PageState[]>(kPages)),
          direct_writers(std::make_unique<std::atomic<uint64_t>[]>(kPages * words)) {}

    PageState& state(uint64_t ram_offset) const { return states[place(ram_offset)]; }
    std::atomic<uint64_t>* writers(uint64_t ram_offset) const {
        return &direct_writers[place(ram_offset) * writer_words];
    }

    static constexpr size_t kPages = size_t{1} << kLeafBits;
    static size_t place(uint64_t ram_offset) { return (ram_offset >> kPageBits) & (kPages - 1); }

    const uint32_t writer_words;
    const std::unique_ptr<PageState[]> states;
    const std::unique_ptr<std::atomic<uint64_t>[]> direct_writers;  // `writer_words` a page
};

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

PageMap::PageMap(const CodeUsers& users)
    : users_(users),
      writer_words_((users.capacity() + 63) / 64),
      under_way_(users.capacity()),
      root_(std::make_unique<std::atomic<Leaf*>[]>(size_t{1} << kRootBits)) {
    WEFT_ASSERT(users.capacity() <= kMaxVcpus);
}

PageMap::~PageMap() {
    for (size_t i = 0; i < size_t{1} << kRootBits; ++i) {
        delete root_[i].load(std::memory_order_relaxed);
    }
}

namespace {

constexpr uint64_t page_number(uint64_t ram_offset) { return ram_offset >> kPageBits; }

}  // namespace

std::atomic<PageMap::Leaf*>& PageMap::place_of_leaf(uint64_t ram_offset) const {
    const uint64_t number = page_number(ram_offset);
    WEFT_ASSERT(number >> (kLeafBits + kRootBits) == 0);
    return root_[number >> kLeafBits];
}

PageMap::Leaf& PageMap::leaf(uint64_t ram_offset) {
    std::atomic<Leaf*>& place = place_of_leaf(ram_offset);
    if (Leaf* const known = place.load(std::memory_order_acquire); known != nullptr) {
        return *known;
    }
    auto fresh = std::make_unique<Leaf>(writer_words_);
    Leaf* expected = nullptr;
    if (place.compare_exchange_strong(expected, fresh.get(), std::memory_order_seq_cst)) {
        return *fresh.release();
    }
    return *expected;
}

// Null: nobody has asked for a page of it. A read-modify-write then, as has_code() is: what the caller has stored is seen by
// whoever makes the leaf.
PageMap::Leaf* PageMap::leaf_if_any(uint64_t ram_offset) const {
    std::atomic<Leaf*>& place = place_of_leaf(ram_offset);
    Leaf* const known = place.load(std::memory_order_acquire);
    return known != nullptr ? known : place.fetch_add(0, std::memory_order_seq_cst);
}

CodePage* PageMap::find(uint64_t ram_offset) const {
    Leaf* const leaf = leaf_if_any(ram_offset);
    return leaf != nullptr ? leaf->state(ram_offset).code.load(std::memory_order_acquire) : nullptr;
}

CodePage& PageMap::page(uint64_t ram_offset) {
    PageState& place = leaf(ram_offset).state(ram_offset);
    CodePage* page = place.code.load(std::memory_order_acquire);
    if (page == nullptr) {
        auto fresh = std::make_unique<CodePage>(ram_offset & ~(kPageSize - 1), place.has_code, writer_words_);
        CodePage* const mine = fresh.get();
        MutexLock lock(list_mutex_);
        pages_.push_back(std::move(fresh));  // first: it may find no memory
        if (place.code.compare_exchange_strong(page, mine, std::memory_order_seq_cst)) {
            page = mine;
        } else {
            pages_.pop_back();
        }
    }
    return *page;
}

// Of a TB that was made.
CodePage& PageMap::known_page(uint64_t ram_offset) const {
    CodePage* const page = find(ram_offset);
    WEFT_ASSERT(page != nullptr);
    return *page;
}

bool PageMap::has_code(uint64_t ram_offset) {
    Leaf* const leaf = leaf_if_any(ram_offset);
    return leaf != nullptr && leaf->state(ram_offset).has_code.fetch_add(0, std::memory_order_seq_cst) != 0;
}

bool PageMap::may_store_directly(uint64_t ram_offset, uint32_t vcpu_index) {
    Leaf& leaf = this->leaf(ram_offset);
    PageState& place = leaf.state(ram_offset);
    if (place.has_code.load(std::memory_order_seq_cst) != 0) {
        return false;
    }
    std::atomic<uint64_t>& word = leaf.writers(ram_offset)[vcpu_index / 64];
    const uint64_t bit = uint64_t{1} << vcpu_index % 64;
    const bool was_writer = (word.fetch_or(bit, std::memory_order_seq_cst) & bit) != 0;
    if (place.has_code.load(std::memory_order_seq_cst) == 0) {
        return true;
    }
    if (!was_writer) {
        word.fetch_and(~bit, std::memory_order_seq_cst);  // nobody needs to ask for what was not installed
    }
    return false;
}

// ---- writes ----

bool PageMap::written(uint64_t ram_offset, uint64_t size, CodeUser* writer) {
    CodePage* page = find(ram_offset);
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
    if (CodePage* const page = find(ram_offset)) {
        changed(*page, ram_offset, 1);
    }
}

template <class Deal>
bool PageMap::deal_with_blocks(CodePage& page, OtherPages& others, Deal&& deal) {
    for (tcg::PageLink* link = page.blocks; link != nullptr;) {
        TranslationBlock& tb = *link->tb;
        link = link->next;
        deal(tb);
        if (others.full()) {
            return false;
        }
    }
    return true;
}

bool PageMap::changed(CodePage& page, uint64_t ram_offset, uint64_t size) {
    const uint64_t begin = ram_offset & (kPageSize - 1);
    const Bytes range{begin, begin + size};
    OtherPages others;
    bool still = false;
    bool done = false;
    while (!done) {
        {
            SpinLockGuard guard(page.lock);
            ++page.writes;
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
    CodePage& other = known_page(ram_offset);
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

// ---- reading ----

CodePage& PageMap::begin_reading(uint64_t ram_offset, const uint8_t* host, CodeUser& reader) {
    CodePage& page = this->page(ram_offset);
    std::atomic<uint64_t>* const words = leaf(ram_offset).writers(ram_offset);

    std::array<uint64_t, kMaxVcpus / 64> writers{};
    bool any = false;
    {
        SpinLockGuard guard(page.lock);
        ++page.readers;
        page.host.store(host, std::memory_order_relaxed);
        page.has_code.exchange(1, std::memory_order_seq_cst);
        for (uint32_t i = 0; i < writer_words_; ++i) {
            // Who was asked before protects what it has installed since as well.
            writers[i] = words[i].exchange(0, std::memory_order_seq_cst) & ~page.asked[i];
            page.asked[i] |= writers[i];
            for (uint64_t bits = writers[i]; bits != 0; bits &= bits - 1) {
                // Counted before the lock is given up: the next reader must not take the page for protected.
                page.protections.fetch_add(1, std::memory_order_seq_cst);
                exposed_.add(page);
                any = true;
            }
        }
    }
    if (!any) {
        return page;
    }
    for (uint32_t i = 0; i < writer_words_; ++i) {
        for (uint64_t bits = writers[i]; bits != 0; bits &= bits - 1) {
            const uint32_t index = i * 64 + static_cast<uint32_t>(std::countr_zero(bits));
            CodeUser* const user = users_.at(index);
            if (user == nullptr) {
                write_protected(page, index);
            } else if (user->same_thread(reader)) {
                user->write_protect(page.ram_offset);
                write_protected(page, index);
            } else {
                user->ask_to_write_protect();
            }
        }
    }
    return page;
}

void PageMap::write_protect_for(CodeUser& user) {
    const uint64_t bit = uint64_t{1} << user.index % 64;
    for (CodePage* page = exposed_.first(); page != nullptr; page = exposed_.next(*page)) {
        bool asked = false;
        {
            SpinLockGuard guard(page->lock);
            asked = (page->asked[user.index / 64] & bit) != 0;
        }
        if (asked) {
            user.write_protect(page->ram_offset);
            write_protected(*page, user.index);
        }
    }
}

// A vCPU has write-protected the page, which begin_reading() asked it for. Its thread, or any where there is no such vCPU.
void PageMap::write_protected(CodePage& page, uint32_t vcpu_index) {
    OtherPages others;
    bool counted = false;
    bool done = false;
    while (!done) {
        {
            SpinLockGuard guard(page.lock);
            if (!counted) {
                page.asked[vcpu_index / 64] &= ~(uint64_t{1} << vcpu_index % 64);
                page.protections.fetch_sub(1, std::memory_order_seq_cst);
                counted = true;
            }
            // Else another one is the last.
            done = page.protections.load(std::memory_order_seq_cst) != 0 ||
                   deal_with_blocks(page, others, [&](TranslationBlock& tb) WEFT_NO_THREAD_SAFETY_ANALYSIS {
                       if ((tb.state.load(std::memory_order_relaxed) & kTbProvisional) == 0) {
                           return;
                       }
                       if (still_right(tb)) {
                           tb.state.fetch_and(~uint32_t{kTbProvisional}, std::memory_order_seq_cst);
                       } else {
                           invalidate(page, tb, others);
                       }
                   });
            release_mark(page);
        }
        unlist(others);
    }
    exposed_.remove(page);
}

void PageMap::end_reading(CodePage& page) {
    SpinLockGuard guard(page.lock);
    --page.readers;
    release_mark(page);
}

bool PageMap::bytes_match(const TranslationBlock& tb, const uint8_t* bytes) const {
    const uint32_t offset = tb.key.page_offset();
    const auto in_first = static_cast<uint32_t>(std::min<uint64_t>(tb.guest_size, kPageSize - offset));
    const auto same = [](const CodePage& page, uint32_t from, uint32_t size, const uint8_t* expected) {
        std::array<uint8_t, kPageSize> now;
        guest_ram::read(now.data(), page.host.load(std::memory_order_relaxed) + from, size);
        return std::memcmp(now.data(), expected, size) == 0;
    };
    return same(known_page(tb.key.page0()), offset, in_first, bytes) &&
           (in_first == tb.guest_size ||
            same(known_page(tb.key.page1), 0, tb.guest_size - in_first, bytes + in_first));
}

// Under the lock of one of its pages. A TB of two is not compared: the other one's memory may be about to go.
bool PageMap::still_right(const TranslationBlock& tb) const {
    return !has_two_pages(tb) && bytes_match(tb, tb.saved_bytes);
}

void PageMap::fence() {
    announce_under_way();
    recheck_provisional();
}

void PageMap::announce_under_way() {
    under_way_.for_each([this](uint64_t ram_offset, uint64_t size) {
        while (size != 0) {
            const uint64_t here = std::min(size, kPageSize - (ram_offset & (kPageSize - 1)));
            // Who sets the mark after this reads the page's bytes after it, and so those that the vCPU has read.
            Leaf* const leaf = leaf_if_any(ram_offset);
            if (leaf != nullptr && leaf->state(ram_offset).has_code.load(std::memory_order_seq_cst) != 0) {
                changed(known_page(ram_offset), ram_offset, here);
            }
            ram_offset += here;
            size -= here;
        }
    });
}

void PageMap::recheck_provisional() {
    if (!exposed_.any()) {
        return;
    }
    for (CodePage* page = exposed_.first(); page != nullptr; page = exposed_.next(*page)) {
        OtherPages others;
        bool done = false;
        while (!done) {
            {
                SpinLockGuard guard(page->lock);
                done =
                    deal_with_blocks(*page, others, [&](TranslationBlock& tb) WEFT_NO_THREAD_SAFETY_ANALYSIS {
                        // Somebody may be invalidating it under its other page's lock; then that is waited for.
                        if ((tb.state.load(std::memory_order_relaxed) & kTbProvisional) != 0 &&
                            !still_right(tb)) {
                            invalidate(*page, tb, others);
                        }
                    });
                release_mark(*page);
            }
            unlist(others);
        }
    }
}

void PageMap::enlist(TranslationBlock& tb, CodePage& first, CodePage* second) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    tb.page_links[0].link_into(&first.blocks);
    first.lines |= bytes_in(tb, first).lines();
    bool exposed = first.protections.load(std::memory_order_seq_cst) != 0;
    if (second != nullptr) {
        exposed = exposed || second->protections.load(std::memory_order_seq_cst) != 0;
        tb.page_links[1].link_into(&second->blocks);
        second->lines |= bytes_in(tb, *second).lines();
    }
    if (!exposed) {
        // If the TB is provisional, the last vCPU has write-protected while it was made, and it was compared since.
        tb.state.fetch_and(~uint32_t{kTbProvisional}, std::memory_order_seq_cst);
    }
}

bool PageMap::retire(TranslationBlock& tb) {
    bool was_valid = false;
    {
        CodePage& page = known_page(tb.key.page0());
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
    MutexLock lock(list_mutex_);
    for (const std::unique_ptr<CodePage>& page : pages_) {
        SpinLockGuard guard(page->lock);
        page->blocks = nullptr;
        release_mark(*page);
    }
}

size_t PageMap::count() const {
    MutexLock lock(list_mutex_);
    return static_cast<size_t>(std::ranges::count_if(
        pages_, [](const auto& page) { return page->has_code.load(std::memory_order_relaxed) != 0; }));
}

std::vector<CodePage*> PageMap::all() const {
    std::vector<CodePage*> pages;
    MutexLock lock(list_mutex_);
    for (const std::unique_ptr<CodePage>& page : pages_) {
        pages.push_back(page.get());
    }
    return pages;
}

// ---- claims ----

PagePairLock::PagePairLock(CodePage& first, CodePage* second) WEFT_NO_THREAD_SAFETY_ANALYSIS : low_(&first),
                                                                                               high_(second) {
    if (high_ != nullptr && high_->ram_offset < low_->ram_offset) {
        std::swap(low_, high_);
    }
    low_->lock.lock();
    if (high_ != nullptr) {
        high_->lock.lock();
    }
}

PagePairLock::~PagePairLock() WEFT_NO_THREAD_SAFETY_ANALYSIS {
    if (high_ != nullptr) {
        high_->lock.unlock();
    }
    low_->lock.unlock();
}

void PageClaim::add(uint64_t ram_offset, const uint8_t* host, CodeUser& reader) {
    WEFT_ASSERT(count_ < 2);
    CodePage& page = pages_.begin_reading(ram_offset, host, reader);
    // Read before the bytes are.
    provisional_ = provisional_ || page.protections.load(std::memory_order_seq_cst) != 0;
    SpinLockGuard guard(page.lock);
    claims_[count_++] = {&page, page.writes};
}

bool PageClaim::written() const WEFT_NO_THREAD_SAFETY_ANALYSIS {
    for (unsigned i = 0; i < count_; ++i) {
        if (claims_[i].page->writes != claims_[i].writes) {
            return true;
        }
    }
    return false;
}

PageClaim::~PageClaim() {
    for (unsigned i = 0; i < count_; ++i) {
        pages_.end_reading(*claims_[i].page);
    }
}

}  // namespace weft::accel
