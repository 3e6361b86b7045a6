#include "tcg/code/sizing.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bits.h"

namespace weft::tcg {

namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kFlushRegion = 2 * kMiB;
constexpr size_t kLargestEvictRegion = 2 * kMiB;
constexpr size_t kSmallestRegion = size_t{128} << 10;
// From this stride on regions begin at huge pages.
constexpr size_t kHugePage = 2 * kMiB;

size_t flush_region_count(const RegionLayoutRequest& request) {
    if (request.contexts == 1) {
        return 1;
    }
    const size_t by_size = request.size / kFlushRegion;
    // A process may have thousands of vCPUs: one region for each would hold neither the runtime's code nor a
    // unit.
    const size_t by_vcpus = std::min<size_t>(request.vcpus, request.size / kSmallestRegion);
    const size_t count =
        by_size <= request.vcpus ? by_vcpus : std::min<size_t>(by_size, size_t{8} * request.vcpus);
    return std::max<size_t>(count, request.contexts);
}

size_t evict_region_count(const RegionLayoutRequest& request) {
    const size_t contexts = request.contexts;
    const size_t wanted = std::max<size_t>(16, 4 * contexts + 1 + contexts / 4);
    for (size_t region = kLargestEvictRegion; region >= kSmallestRegion; region /= 2) {
        if (request.size / region >= wanted) {
            return request.size / region;
        }
    }
    // Without regions to spare every eviction would wait for the one before; small regions only cost space.
    return wanted;
}

}  // namespace

BufferSize choose_buffer_size(const BufferSizeRequest& request) {
    const size_t page = request.page_size;
    const size_t minimum = std::min(
        kMaxBufferSize, align_up(std::max(kMinBufferSize, kMinBytesPerContext * request.contexts), page));
    if (request.requested_mib == 0) {
        uint64_t size = request.default_size;
        if (request.memory_available) {
            size = std::min<uint64_t>(size, *request.memory_available / 8);
        }
        return {std::clamp<size_t>(align_down(static_cast<size_t>(size), page), minimum, kMaxBufferSize), {}};
    }
    // Compared in MiB, where nothing overflows.
    const size_t asked =
        request.requested_mib > kMaxBufferSize / kMiB ? kMaxBufferSize + 1 : request.requested_mib * kMiB;
    const size_t size = std::clamp(asked, minimum, kMaxBufferSize);
    if (size == asked) {
        return {size, {}};
    }
    if (asked > size) {
        return {size, fmt::format("tb-size={} is more than the host's direct branches reach: using {} MiB",
                                  request.requested_mib, size / kMiB)};
    }
    return {size, fmt::format("tb-size={} is too small for {} translation contexts: using {} KiB",
                              request.requested_mib, request.contexts, size >> 10)};
}

RegionLayout lay_out_regions(const RegionLayoutRequest& request) {
    const size_t page = request.page_size;
    WEFT_ASSERT(request.vcpus >= 1 && request.contexts >= 1);
    WEFT_ASSERT(is_aligned(request.size, page));
    size_t count =
        request.evict == EvictMode::flush ? flush_region_count(request) : evict_region_count(request);
    count = std::min(count, request.size / (2 * page));
    WEFT_ASSERT(count >= request.contexts);
    size_t stride = align_down(request.size / count, page);
    if (stride >= kHugePage) {
        stride = align_down(stride, kHugePage);
    }
    const RegionLayout layout{request.size,     stride,         static_cast<unsigned>(count),
                              request.prologue, request.guards, page};
    WEFT_ASSERT(layout.region(0).size() > kHighwaterMargin);
    return layout;
}

RegionLayout::Range RegionLayout::pages(unsigned index) const {
    WEFT_DEBUG_ASSERT(index < count);
    return {index * stride, guard(index).start};
}

RegionLayout::Range RegionLayout::region(unsigned index) const {
    const Range range = pages(index);
    const size_t start = index == 0 ? prologue : range.start;
    WEFT_ASSERT(start <= range.end);
    return {start, range.end};
}

RegionLayout::Range RegionLayout::guard(unsigned index) const {
    const bool last = index + 1 == count;
    const size_t end = last ? size : (index + 1) * stride;
    return {last || guards == GuardPages::each_region ? end - page_size : end, end};
}

size_t RegionLayout::capacity() const {
    const size_t guard_count = guards == GuardPages::each_region ? count : 1;
    return size - guard_count * page_size - count * kHighwaterMargin;
}

}  // namespace weft::tcg
