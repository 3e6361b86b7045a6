// What is known of each page of the machine's space of RAM pages, or of a process's guest addresses: a table of three levels,
// which grows on demand.
//
// Any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "accel/tcg/blocks/code_page.h"
#include "base/mutex.h"
#include "base/zeroed_array.h"

namespace weft::accel {

// The protocol between `has_code` and `direct_writers` of a page is told in page_map.h.
class PageStates {
  public:
    // `vcpus`: those that may become direct writers; in process mode there are none.
    explicit PageStates(uint32_t vcpus);
    ~PageStates();
    PageStates(const PageStates&) = delete;
    PageStates& operator=(const PageStates&) = delete;

    // PageMap's functions of the same names.
    bool has_code(uint64_t ram_offset) const;
    bool may_store_directly(uint64_t ram_offset, uint32_t vcpu_index);
    // Whether the page is marked as one with code. For who has read its bytes: a mark that this call misses comes from a
    // reader that reads them later.
    bool marked(uint64_t ram_offset) const;
    // A bit for each vCPU, from bit 0 of the first word.
    std::span<std::atomic<uint64_t>> direct_writers(uint64_t ram_offset);
    uint32_t writer_words() const { return writer_words_; }

    // Null where the page never held code.
    CodePage* find(uint64_t ram_offset) const;
    // Makes it.
    CodePage& page(uint64_t ram_offset) WEFT_EXCLUDES(list_mutex_);
    // Of a TB that was made.
    CodePage& known_page(uint64_t ram_offset) const;

    // Pages that hold code, by their marks.
    size_t count() const WEFT_EXCLUDES(list_mutex_);
    // Calls fn(page) for each page of [start, end) that has_code(). A page that is marked after it was looked at is marked by who
    // sees what the caller did before.
    template <class Fn>
    void for_marked(uint64_t start, uint64_t end, Fn&& fn) {
        while (start < end) {
            if (CodePage* const page = next_marked(&start, end)) {
                fn(*page);
            }
        }
    }
    // Those that hold or held code, as of now.
    std::vector<CodePage*> all() const WEFT_EXCLUDES(list_mutex_);
    // Calls fn(page) for each of them; allocates nothing, and holds a mutex.
    template <class Fn>
    void for_each(Fn&& fn) WEFT_EXCLUDES(list_mutex_) {
        MutexLock lock(list_mutex_);
        for (const std::unique_ptr<CodePage>& page : pages_) {
            fn(*page);
        }
    }

  private:
    struct PageState;
    struct Leaf;
    struct Middle;
    static constexpr unsigned kLeafBits = 9;
    static constexpr unsigned kMiddleBits = 13;
    static constexpr unsigned kRootBits = 13;  // 2^(13 + 13 + 9) pages: 2^47 bytes

    std::atomic<Middle*>& place_of_middle(uint64_t ram_offset) const;
    CodePage* next_marked(uint64_t* start, uint64_t end);
    Leaf& leaf(uint64_t ram_offset);
    Leaf* leaf_if_any(uint64_t ram_offset) const;

    const uint32_t writer_words_;  // 64 vCPUs each
    // Made on demand by any thread (compare-and-swap; sequentially consistent), freed with the object.
    const ZeroedArray<std::atomic<Middle*>> root_;
    mutable Mutex list_mutex_;  // a leaf, but for what for_each() calls
    std::vector<std::unique_ptr<CodePage>> pages_ WEFT_GUARDED_BY(list_mutex_);
};

}  // namespace weft::accel
