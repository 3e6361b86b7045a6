// What is known of each page of the machine's space of RAM pages: a table of two levels, which grows on demand.
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

namespace weft::accel {

// The protocol between `has_code` and `direct_writers` of a page is told in page_map.h.
class PageStates {
  public:
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
    static constexpr unsigned kLeafBits = 12;
    static constexpr unsigned kRootBits = 16;  // 2^(16 + 12) pages: 1 TiB of RAM

    std::atomic<Leaf*>& place_of_leaf(uint64_t ram_offset) const;
    Leaf& leaf(uint64_t ram_offset);
    Leaf* leaf_if_any(uint64_t ram_offset) const;

    const uint32_t writer_words_;  // 64 vCPUs each
    // Made on demand by any thread (compare-and-swap; sequentially consistent), freed with the object.
    std::unique_ptr<std::atomic<Leaf*>[]> root_;
    mutable Mutex list_mutex_;  // a leaf, but for what for_each() calls
    std::vector<std::unique_ptr<CodePage>> pages_ WEFT_GUARDED_BY(list_mutex_);
};

}  // namespace weft::accel
