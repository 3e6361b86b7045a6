// Host pages that have lost the right to be written to, because code was made of what they hold; and how often that was in vain.
// Rules X3 and X4 of docs/user-memory.md.
//
// What is in the set is kept from being written to by the host, whatever the guest may do there; MemoryCore sees to that
// wherever it sets protections. Pages that the guest may not write to are in it as well: so they stay protected when it gets that
// right. All of it under the map's lock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>

namespace weft::user {

// Guest addresses of whole host pages. Cost by pages in it.
class ProtectedPages {
  public:
    explicit ProtectedPages(uint64_t host_page) : host_page_(host_page) {}

    bool contains(uint64_t page) const { return pages_.contains(page); }
    // The first page of the set in [start, end); `end` if there is none.
    uint64_t next(uint64_t start, uint64_t end) const;
    // The end of the run of pages that begins with `page`, which is in the set; at most `end`.
    uint64_t run_end(uint64_t page, uint64_t end) const;
    // The start of the run of pages that `page`, which is in the set, belongs to.
    uint64_t run_start(uint64_t page) const;

    // Throws std::bad_alloc.
    void insert(uint64_t page) { pages_.insert(page); }
    void erase(uint64_t start, uint64_t end);
    std::size_t size() const { return pages_.size(); }

  private:
    const uint64_t host_page_;
    std::set<uint64_t> pages_;
};

// Whether a page loses its protection so often that comparing what was made of it is cheaper: more than kMost times within
// kWindow. Counts are kept for a bounded number of pages, by their numbers; one that gives way to another begins anew, which
// costs time and nothing else.
class WriteFaults {
  public:
    static constexpr unsigned kMost = 16;
    static constexpr uint64_t kWindow = 10'000'000;  // nanoseconds

    // The page number `page` was written to at `now`, nanoseconds of a steady clock: whether it is hot.
    bool count(uint64_t page, uint64_t now);

  private:
    struct Row {
        uint64_t page = ~uint64_t{0};
        uint64_t since = 0;
        unsigned count = 0;
    };
    std::array<Row, 256> rows_;
};

}  // namespace weft::user
