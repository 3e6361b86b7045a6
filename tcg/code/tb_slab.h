// The ordinary memory beside a region: its TB descriptors and their tables, all gone at once when the region
// is emptied.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/host_calls.h"
#include "base/mapping.h"
#include "base/pages_ahead.h"
#include "tcg/code/tb.h"

namespace weft::tcg {

// Written by the thread that holds the region's lease; at() and count() are anybody's. A descriptor at an
// index below count() stays where it is until reset().
class TbSlab {
  public:
    // `max_units`: descriptors it may hold, at most 2^32 - 1. `pages_ahead`: see base/pages_ahead.h.
    TbSlab(uint32_t max_units, const HostCalls& calls, bool pages_ahead);
    TbSlab(const TbSlab&) = delete;
    TbSlab& operator=(const TbSlab&) = delete;

    // Published descriptors.
    uint32_t count() const {
        return count_.load(std::memory_order_acquire);  // pairs with the release in publish()
    }
    // Null where there is none (yet). O(1).
    TranslationBlock* at(uint32_t index) const { return index < count() ? slot(index) : nullptr; }

    // --- The lease holder's.

    // Makes sure that another descriptor has its memory. False: the numbers or the host's memory have run
    // out.
    bool prepare();
    // A descriptor with all fields zero, at index count(); nobody sees it before publish(). After prepare().
    TranslationBlock* next();
    void publish();
    // Takes back the last published descriptor, which nobody else knows, and the memory allocated since
    // `mark`.
    struct Mark {
        size_t chunk;
        size_t used;
    };
    Mark mark() const { return {chunk_, used_}; }
    void take_back(Mark mark);
    void rewind(Mark mark);

    // Memory for a descriptor's tables; null where the host has none. `alignment` is at most 16.
    void* allocate(size_t size, size_t alignment);
    // Gives back the end of the last allocation.
    void shrink_last(void* start, size_t size);

    // Forgets everything. Nobody uses anything of it, other threads' earlier uses happened before.
    void reset();

  private:
    // Chunk k holds kFirstChunk << k descriptors, so that a fixed array of chunks is enough and lookups are
    // two loads.
    static constexpr uint32_t kFirstChunk = 64;
    static constexpr unsigned kChunks = 23;
    static constexpr size_t kFirstTableChunk = size_t{32} << 10;
    static constexpr size_t kLargestTableChunk = size_t{1} << 20;

    static unsigned chunk_of(uint32_t index);
    static uint32_t first_of(unsigned chunk) { return kFirstChunk * ((uint32_t{1} << chunk) - 1); }
    TranslationBlock* slot(uint32_t index) const;

    const uint32_t max_units_;
    const HostCalls& calls_;
    // Written by the lease holder, before the count_ that makes it reachable.
    std::array<Mapping, kChunks> descriptors_;
    // Written (release) by the lease holder, read (acquire) by all.
    std::atomic<uint32_t> count_{0};

    // The lease holder's alone.
    PagesAhead descriptor_pages_;
    PagesAhead table_pages_;
    std::vector<Mapping> tables_;
    size_t chunk_ = 0;  // tables_ in use before this one are full
    size_t used_ = 0;   // of tables_[chunk_]
};

}  // namespace weft::tcg
