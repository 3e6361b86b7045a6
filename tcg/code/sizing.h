// How large the code buffer is and how it is cut: pure functions of what was asked for and what the host has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/assert.h"

namespace weft::tcg {

// What a unit's translation may write past the point at which it is declared too large: the space check comes
// after each op, out-of-line stub, constant and table row, and none of these is larger.
inline constexpr size_t kHighwaterMargin = 1024;

// Direct branches reach any byte of the buffer from any other: x86-64's have 32-bit displacements.
inline constexpr size_t kMaxBufferSize = size_t{2} << 30;
inline constexpr size_t kMinBufferSize = size_t{1} << 20;
inline constexpr size_t kMinBytesPerContext = size_t{64} << 10;

inline constexpr size_t kDefaultSystemBufferSize = size_t{1} << 30;
inline constexpr size_t kDefaultUserBufferSize = size_t{128} << 20;

struct BufferSizeRequest {
    uint64_t requested_mib = 0;  // tb-size; 0: choose
    std::optional<uint64_t> memory_available =
        std::nullopt;       // bytes (weft::available_memory()); nullopt: unknown
    unsigned contexts = 1;  // translation contexts there will be at most
    size_t default_size = kDefaultSystemBufferSize;
    size_t page_size = 4096;  // the host's
};

struct BufferSize {
    size_t size;                         // bytes, a multiple of the page size
    std::optional<std::string> warning;  // what to tell the user once: a requested size was changed
};

// The buffer's size: as requested, within kMinBufferSize or kMinBytesPerContext a context and kMaxBufferSize;
// not requested: an eighth of the memory available, at most the default (the default where the memory is
// unknown), within the same limits.
BufferSize choose_buffer_size(const BufferSizeRequest& request);

enum class EvictMode : uint8_t {
    flush,   // a full buffer is emptied at once
    region,  // the oldest region is retired
};

enum class GuardPages : uint8_t {
    each_region,  // a page without write access behind every region: an overflow is caught where it happens
    buffer_end,   // one at the end: huge pages stay whole, overflows are caught by the bounds check of
                  // emission
};
inline constexpr GuardPages kDefaultGuardPages =
    WEFT_DEBUG ? GuardPages::each_region : GuardPages::buffer_end;

struct RegionLayoutRequest {
    size_t size = 0;        // of the buffer
    unsigned vcpus = 1;     // at least 1
    unsigned contexts = 1;  // at least 1: vCPUs (1 where one thread takes them in turn) and workers
    EvictMode evict = EvictMode::flush;
    GuardPages guards = kDefaultGuardPages;
    size_t prologue = 0;  // bytes at the buffer's start that belong to no region
    size_t page_size = 4096;
};

// Where the regions are. Offsets from the buffer's start.
struct RegionLayout {
    struct Range {
        size_t start;
        size_t end;  // exclusive; the guard page, where there is one, begins here
        size_t size() const { return end - start; }
        bool operator==(const Range&) const = default;
    };

    size_t size;    // of the buffer
    size_t stride;  // from one region's first page to the next one's
    unsigned count;
    size_t prologue;  // the first region begins after it
    GuardPages guards;
    size_t page_size;

    // The bytes of a region, without prologue and guard.
    Range region(unsigned index) const;
    // Whole pages of a region, the prologue's included: what is opened.
    Range pages(unsigned index) const;
    // The guard page behind a region; empty where it has none.
    Range guard(unsigned index) const;
    // The region an offset belongs to: the prologue to the first, the guards and leftovers to the one before
    // them.
    unsigned region_of(size_t offset) const {
        const size_t index = offset / stride;
        return index < count ? static_cast<unsigned>(index) : count - 1;
    }
    // What translations can fill at most: everything but guards and highwater margins.
    size_t capacity() const;
};

// Cuts a buffer of at least the size that choose_buffer_size() gives for these contexts.
//
// evict=flush: one region where there is one context. Else one for every 2 MiB, but at least one a vCPU as
// far as that leaves 128 KiB a region, and at most eight a vCPU; never fewer than contexts, since each has
// one of its own. evict=region: the largest of 2 MiB, 1 MiB ... 128 KiB a region that gives at least four
// regions a context, a reserve of one and another for every four contexts, and sixteen in all. Where not even
// 128 KiB does, the number holds and regions get smaller. Both: a stride is at least two pages; from 2 MiB on
// it is a multiple of 2 MiB. The last region gets what rounding left.
RegionLayout lay_out_regions(const RegionLayoutRequest& request);

}  // namespace weft::tcg
