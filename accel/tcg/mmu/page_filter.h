// Which pages a cache of translations may hold something of, by the size of their mappings: so that forgetting one address
// looks at no more entries than it must.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>

#include "base/hash.h"

namespace weft::accel {

// A set of (page, size) that may contain too much, never too little. Belongs to the thread that runs the vCPU.
class PageFilter {
  public:
    // `page_shift`: log2 of the size of the mapping, 12 or more.
    void note(uint64_t vaddr, unsigned page_shift) {
        for (unsigned i = 0; i < count_; ++i) {
            if (sizes_[i].page_shift == page_shift) {
                sizes_[i].note(vaddr >> page_shift);
                return;
            }
        }
        // An architecture with more sizes than there is space for: the last one stands for all that are left.
        if (count_ == sizes_.size()) {
            sizes_.back() = {
                .page_shift = std::max(sizes_.back().page_shift, page_shift), .first = 0, .last = UINT64_MAX};
            sizes_.back().pages.set();
            return;
        }
        sizes_[count_] = {.page_shift = page_shift};
        sizes_[count_++].note(vaddr >> page_shift);
    }

    // Calls fn(page_shift) for every size of mapping that may have been noted for `vaddr`.
    template <class Fn>
    void for_each_size_at(uint64_t vaddr, Fn&& fn) const {
        for (unsigned i = 0; i < count_; ++i) {
            if (sizes_[i].may_hold(vaddr >> sizes_[i].page_shift)) {
                fn(sizes_[i].page_shift);
            }
        }
    }
    // The largest of them, or 0.
    unsigned largest_at(uint64_t vaddr) const {
        unsigned largest = 0;
        for_each_size_at(vaddr, [&](unsigned page_shift) { largest = std::max(largest, page_shift); });
        return largest;
    }

    void clear() { count_ = 0; }

  private:
    static constexpr size_t kBits = 2048;
    static size_t place(uint64_t page) { return hash_words(page) % kBits; }

    struct Size {
        unsigned page_shift = 0;
        // Kernels have their large mappings and their small ones in different parts of the address space.
        uint64_t first = UINT64_MAX;
        uint64_t last = 0;
        std::bitset<kBits> pages{};

        void note(uint64_t page) {
            first = std::min(first, page);
            last = std::max(last, page);
            pages.set(place(page));
        }
        bool may_hold(uint64_t page) const {
            return page >= first && page <= last && pages.test(place(page));
        }
    };
    std::array<Size, 5> sizes_{};
    unsigned count_ = 0;
};

}  // namespace weft::accel
