#include "accel/tcg/blocks/page_states.h"

#include <algorithm>

#include "base/assert.h"

namespace weft::accel {

struct PageStates::PageState {
    std::atomic<uint32_t> has_code{0};
    std::atomic<CodePage*> code{nullptr};  // set once, by compare-and-swap (seq_cst)
};

struct PageStates::Leaf {
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

struct PageStates::Middle {
    ~Middle() {
        for (size_t i = 0; i < kLeaves; ++i) {
            delete leaves[i].load(std::memory_order_relaxed);
        }
    }

    std::atomic<Leaf*>& leaf(uint64_t ram_offset) {
        return leaves[(ram_offset >> (kPageBits + kLeafBits)) & (kLeaves - 1)];
    }

    static constexpr size_t kLeaves = size_t{1} << kMiddleBits;
    const ZeroedArray<std::atomic<Leaf*>> leaves{kLeaves};
};

namespace {

// What stands at `place`, made by make() where there is nothing.
template <class T, class Make>
T& get_or_make(std::atomic<T*>& place, Make&& make) {
    if (T* const known = place.load(std::memory_order_acquire); known != nullptr) {
        return *known;
    }
    std::unique_ptr<T> fresh = make();
    T* expected = nullptr;
    if (place.compare_exchange_strong(expected, fresh.get(), std::memory_order_seq_cst)) {
        return *fresh.release();
    }
    return *expected;
}

// Null: nobody has asked for a page of it. A read-modify-write then, as has_code() is: what the caller has stored is seen by
// whoever makes it.
template <class T>
T* get_if_any(std::atomic<T*>& place) {
    T* const known = place.load(std::memory_order_acquire);
    return known != nullptr ? known : place.fetch_add(0, std::memory_order_seq_cst);
}

}  // namespace

PageStates::PageStates(uint32_t vcpus) : writer_words_((vcpus + 63) / 64), root_(size_t{1} << kRootBits) {}

PageStates::~PageStates() {
    for (size_t i = 0; i < size_t{1} << kRootBits; ++i) {
        delete root_[i].load(std::memory_order_relaxed);
    }
}

std::atomic<PageStates::Middle*>& PageStates::place_of_middle(uint64_t ram_offset) const {
    const uint64_t number = ram_offset >> (kPageBits + kLeafBits + kMiddleBits);
    WEFT_ASSERT(number >> kRootBits == 0);
    return root_[number];
}

PageStates::Leaf& PageStates::leaf(uint64_t ram_offset) {
    Middle& middle = get_or_make(place_of_middle(ram_offset), [] { return std::make_unique<Middle>(); });
    return get_or_make(middle.leaf(ram_offset), [this] { return std::make_unique<Leaf>(writer_words_); });
}

PageStates::Leaf* PageStates::leaf_if_any(uint64_t ram_offset) const {
    Middle* const middle = get_if_any(place_of_middle(ram_offset));
    return middle != nullptr ? get_if_any(middle->leaf(ram_offset)) : nullptr;
}

// The page at *start, if it is marked, or null. Moves *start on, past what nobody has asked for.
CodePage* PageStates::next_marked(uint64_t* start, uint64_t end) {
    const uint64_t page = *start;
    const auto skip = [&](unsigned bits) {
        const uint64_t next = ((page >> bits) + 1) << bits;
        *start = std::min(next, end);
    };
    Middle* const middle = get_if_any(place_of_middle(page));
    if (middle == nullptr) {
        skip(kPageBits + kLeafBits + kMiddleBits);
        return nullptr;
    }
    Leaf* const leaf = get_if_any(middle->leaf(page));
    if (leaf == nullptr) {
        skip(kPageBits + kLeafBits);
        return nullptr;
    }
    skip(kPageBits);
    PageState& state = leaf->state(page);
    return state.has_code.fetch_add(0, std::memory_order_seq_cst) != 0
               ? state.code.load(std::memory_order_acquire)
               : nullptr;
}

CodePage* PageStates::find(uint64_t ram_offset) const {
    Leaf* const leaf = leaf_if_any(ram_offset);
    return leaf != nullptr ? leaf->state(ram_offset).code.load(std::memory_order_acquire) : nullptr;
}

CodePage& PageStates::page(uint64_t ram_offset) {
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
CodePage& PageStates::known_page(uint64_t ram_offset) const {
    CodePage* const page = find(ram_offset);
    WEFT_ASSERT(page != nullptr);
    return *page;
}

bool PageStates::has_code(uint64_t ram_offset) const {
    Leaf* const leaf = leaf_if_any(ram_offset);
    return leaf != nullptr && leaf->state(ram_offset).has_code.fetch_add(0, std::memory_order_seq_cst) != 0;
}

bool PageStates::may_store_directly(uint64_t ram_offset, uint32_t vcpu_index) {
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

bool PageStates::marked(uint64_t ram_offset) const {
    Leaf* const leaf = leaf_if_any(ram_offset);
    return leaf != nullptr && leaf->state(ram_offset).has_code.load(std::memory_order_seq_cst) != 0;
}

std::span<std::atomic<uint64_t>> PageStates::direct_writers(uint64_t ram_offset) {
    return {leaf(ram_offset).writers(ram_offset), writer_words_};
}

size_t PageStates::count() const {
    MutexLock lock(list_mutex_);
    return static_cast<size_t>(std::ranges::count_if(
        pages_, [](const auto& page) { return page->has_code.load(std::memory_order_relaxed) != 0; }));
}

std::vector<CodePage*> PageStates::all() const {
    std::vector<CodePage*> pages;
    MutexLock lock(list_mutex_);
    for (const std::unique_ptr<CodePage>& page : pages_) {
        pages.push_back(page.get());
    }
    return pages;
}

}  // namespace weft::accel
