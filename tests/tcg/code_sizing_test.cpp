#include <catch2/catch.hpp>

#include "tcg/code/sizing.h"
#include "tests/support/random.h"

namespace weft::tcg {
namespace {

constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;
constexpr size_t kGiB = 1024 * kMiB;

BufferSize automatic(std::optional<uint64_t> memory, unsigned contexts = 1,
                     size_t default_size = kDefaultSystemBufferSize) {
    return choose_buffer_size(
        {.memory_available = memory, .contexts = contexts, .default_size = default_size});
}

BufferSize requested(uint64_t mib, unsigned contexts = 1) {
    return choose_buffer_size({.requested_mib = mib, .memory_available = 64 * kGiB, .contexts = contexts});
}

TEST_CASE("the buffer's size where none is asked for is an eighth of the memory, at most the default") {
    CHECK(automatic(std::nullopt).size == kGiB);
    CHECK(automatic(std::nullopt, 1, kDefaultUserBufferSize).size == 128 * kMiB);
    CHECK(automatic(64 * kGiB).size == kGiB);
    CHECK(automatic(8 * kGiB).size == kGiB);
    CHECK(automatic(4 * kGiB).size == 512 * kMiB);
    CHECK(automatic(2 * kGiB, 1, kDefaultUserBufferSize).size == 128 * kMiB);
    CHECK(automatic(512 * kMiB, 1, kDefaultUserBufferSize).size == 64 * kMiB);
    SECTION("rounded down to a page") {
        CHECK(automatic(512 * kMiB + 8 * 4096 + 8).size == 64 * kMiB + 4096);
        CHECK(automatic(512 * kMiB + 8 * 4096 - 8).size == 64 * kMiB);
    }
    SECTION("never below what the contexts need") {
        CHECK(automatic(uint64_t{0}).size == kMiB);
        CHECK(automatic(7 * kMiB).size == kMiB);
        CHECK(automatic(16 * kMiB, 64).size == 4 * kMiB);
    }
    SECTION("a chosen size needs no warning") {
        CHECK_FALSE(automatic(uint64_t{0}).warning);
        CHECK_FALSE(automatic(std::nullopt).warning);
        CHECK_FALSE(automatic(64 * kGiB).warning);
    }
}

TEST_CASE("a requested buffer size is in MiB and clamped with a warning") {
    for (const uint64_t mib : {1, 2, 3, 32, 256, 1024, 2047, 2048}) {
        const BufferSize result = requested(mib);
        CHECK(result.size == mib * kMiB);
        CHECK_FALSE(result.warning);
    }
    for (const uint64_t mib : {uint64_t{2049}, uint64_t{8192}, uint64_t{0xffffffff}, ~uint64_t{0}}) {
        const BufferSize result = requested(mib);
        CHECK(result.size == 2 * kGiB);
        REQUIRE(result.warning);
        CHECK_THAT(*result.warning, Catch::Contains("tb-size=" + std::to_string(mib)));
        CHECK_THAT(*result.warning, Catch::Contains("2048 MiB"));
    }
    const BufferSize raised = requested(1, 17);
    CHECK(raised.size == 17 * 64 * kKiB);
    REQUIRE(raised.warning);
    CHECK_THAT(*raised.warning, Catch::Contains("17"));
    CHECK_FALSE(requested(1, 16).warning);
    CHECK(requested(2, 33).size == 33 * 64 * kKiB);
}

struct CountRow {
    size_t size;
    unsigned vcpus;
    unsigned contexts;
    unsigned count;
    size_t stride;
};

TEST_CASE("evict=flush: regions of 2 MiB and more, between one and eight a vCPU, one for a single context") {
    const CountRow rows[] = {
        {kGiB, 1, 1, 1, kGiB},
        {kMiB, 1, 1, 1, kMiB},
        {kGiB, 8, 8, 64, 16 * kMiB},
        {kGiB, 3, 3, 24, 42 * kMiB},
        {256 * kMiB, 4, 4, 32, 8 * kMiB},
        {32 * kMiB, 8, 8, 16, 2 * kMiB},
        {18 * kMiB, 8, 8, 9, 2 * kMiB},
        {16 * kMiB, 8, 8, 8, 2 * kMiB},
        {8 * kMiB, 8, 8, 8, kMiB},
        {kMiB, 16, 16, 16, 64 * kKiB},
        {kMiB, 3, 3, 3, 348160},  // 1 MiB / 3 = 349525, a multiple of 4096 below
        {2 * kGiB, 128, 128, 1024, 2 * kMiB},
        {128 * kMiB, 1, 3, 8, 16 * kMiB},
        {8 * kMiB, 4, 6, 6, 1396736},  // each context needs one of its own
        // A process: few contexts, and as many vCPUs as it may have threads.
        {128 * kMiB, 4096, 2, 1024, 128 * kKiB},
        {kMiB, 4096, 2, 8, 128 * kKiB},
        {kMiB, 4096, 16, 16, 64 * kKiB},
    };
    for (const CountRow& row : rows) {
        INFO(row.size << " bytes, " << row.vcpus << " vCPUs, " << row.contexts << " contexts");
        const RegionLayout layout =
            lay_out_regions({.size = row.size, .vcpus = row.vcpus, .contexts = row.contexts});
        CHECK(layout.count == row.count);
        CHECK(layout.stride == row.stride);
    }
}

TEST_CASE("evict=region: at least four regions a context and a reserve, 128 KiB to 2 MiB each") {
    const CountRow rows[] = {
        {4 * kMiB, 1, 1, 16, 256 * kKiB}, {4 * kMiB, 2, 2, 16, 256 * kKiB},  {4 * kMiB, 3, 3, 16, 256 * kKiB},
        {4 * kMiB, 4, 4, 32, 128 * kKiB}, {32 * kMiB, 8, 8, 64, 512 * kKiB}, {kGiB, 8, 8, 512, 2 * kMiB},
        {2 * kGiB, 1, 1, 1024, 2 * kMiB}, {64 * kMiB, 4, 4, 32, 2 * kMiB},   {kMiB, 1, 1, 16, 64 * kKiB},
    };
    for (const CountRow& row : rows) {
        INFO(row.size << " bytes, " << row.vcpus << " vCPUs, " << row.contexts << " contexts");
        const RegionLayout layout = lay_out_regions(
            {.size = row.size, .vcpus = row.vcpus, .contexts = row.contexts, .evict = EvictMode::region});
        CHECK(layout.count == row.count);
        CHECK(layout.stride == row.stride);
    }
}

// Walks over a layout byte range by byte range; the sums are taken here, not by the code under test.
void check_layout(const RegionLayout& layout, const RegionLayoutRequest& request) {
    const size_t page = request.page_size;
    size_t at = request.prologue;
    size_t usable = 0;
    size_t guards = 0;
    for (unsigned i = 0; i < layout.count; ++i) {
        const RegionLayout::Range region = layout.region(i);
        REQUIRE(region.start == at);  // no gap, no overlap
        REQUIRE(region.end > region.start + kHighwaterMargin);
        REQUIRE(region.end % page == 0);
        REQUIRE((i == 0 || region.start % page == 0));
        REQUIRE(layout.region_of(region.start) == i);
        REQUIRE(layout.region_of(region.end - 1) == i);
        const RegionLayout::Range guard = layout.guard(i);
        const bool guarded = request.guards == GuardPages::each_region || i + 1 == layout.count;
        REQUIRE(guard.start == region.end);
        REQUIRE(guard.size() == (guarded ? page : 0));
        REQUIRE(layout.pages(i).start == i * layout.stride);
        REQUIRE(layout.pages(i).end == region.end);
        if (guarded) {
            REQUIRE(layout.region_of(guard.start) == i);
        }
        usable += region.size();
        guards += guard.size();
        at = guard.end;
    }
    REQUIRE(at == request.size);
    REQUIRE(request.prologue + usable + guards == request.size);
    REQUIRE(layout.capacity() == request.size - guards - layout.count * kHighwaterMargin);
    REQUIRE(layout.stride % page == 0);
    REQUIRE(layout.stride >= 2 * page);
    // The last region has at least its share.
    REQUIRE(layout.guard(layout.count - 1).end - layout.pages(layout.count - 1).start >= layout.stride);
    if (layout.stride >= 2 * kMiB) {
        REQUIRE(layout.stride % (2 * kMiB) == 0);
    }
    REQUIRE(layout.count >= request.contexts);
    REQUIRE(layout.region_of(0) == 0);
    REQUIRE(layout.region_of(request.size - 1) == layout.count - 1);
}

TEST_CASE("regions cover the buffer without gaps or overlaps, for any size and number of processors") {
    INFO("WEFT_TEST_SEED=" << test::test_seed());
    test::Random random(test::test_seed());
    for (unsigned round = 0; round < 500; ++round) {
        const auto vcpus = static_cast<unsigned>(1 + random.below(round % 8 == 0 ? 512 : 16));
        const auto contexts = static_cast<unsigned>(vcpus + random.below(4));
        BufferSizeRequest size_request{.contexts = contexts};
        if (round % 2 == 0) {
            size_request.requested_mib = 1 + random.below(round % 4 == 0 ? 2048 : 16);
        } else {
            size_request.memory_available = random.below(round % 4 == 1 ? 16 * kGiB : 256 * kMiB);
        }
        const size_t size = choose_buffer_size(size_request).size;
        REQUIRE(size % 4096 == 0);
        RegionLayoutRequest request{.size = size, .vcpus = vcpus, .contexts = contexts};
        for (const EvictMode evict : {EvictMode::flush, EvictMode::region}) {
            for (const GuardPages guards : {GuardPages::each_region, GuardPages::buffer_end}) {
                for (const size_t prologue : {size_t{0}, size_t{64}, size_t{1984}}) {
                    INFO(size << " bytes, " << vcpus << " vCPUs, " << contexts << " contexts, evict "
                              << static_cast<int>(evict) << ", guards " << static_cast<int>(guards));
                    request.evict = evict;
                    request.guards = guards;
                    request.prologue = prologue;
                    const RegionLayout layout = lay_out_regions(request);
                    check_layout(layout, request);
                    if (evict == EvictMode::region) {
                        REQUIRE((layout.count > 4 * contexts || layout.stride == 2 * request.page_size));
                        if (size / layout.count > 2 * kMiB) {
                            REQUIRE(size < 4 * kMiB * layout.count);
                        }
                    }
                }
            }
        }
    }
}

TEST_CASE("regions on hosts with large pages are at least two pages") {
    RegionLayoutRequest request{.size = 4 * kMiB, .vcpus = 8, .contexts = 8, .evict = EvictMode::region};
    request.page_size = 64 * kKiB;
    for (const GuardPages guards : {GuardPages::each_region, GuardPages::buffer_end}) {
        request.guards = guards;
        check_layout(lay_out_regions(request), request);
    }
    CHECK(lay_out_regions(request).stride == 128 * kKiB);
}

}  // namespace
}  // namespace weft::tcg
