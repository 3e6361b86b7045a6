#include <sys/mman.h>

#include <catch2/catch.hpp>
#include <set>

#include "tests/support/failing_host_calls.h"
#include "tests/tcg/code_fixture.h"
#include "tests/tcg/code_maps.h"

namespace weft::tcg {
namespace {

using test_code::add_unit;
using test_code::CodeMemory;
using test_code::fill_region;
using test_code::kPage;
using test_code::make_memory;

std::unique_ptr<CodeContext> claim(CodeMemory& memory) {
    auto context = memory.regions->claim();
    REQUIRE(context);
    return std::move(*context);
}

// Fills regions until none is left; all regions the context had.
std::vector<RegionId> exhaust(CodeContext& context) {
    std::vector<RegionId> had{context.region().id()};
    do {
        fill_region(context, 4000);
    } while (context.next_region() && (had.push_back(context.region().id()), true));
    return had;
}

TEST_CASE("debug layout: each region is open and has a guard behind it") {
    for (const SplitWx split : {SplitWx::off, SplitWx::on}) {
        const auto memory = make_memory(4 << 20, 4, EvictMode::flush, split);
        REQUIRE(memory);
        const RegionLayout& layout = memory->regions->layout();
        REQUIRE(layout.count == 4);
        const char* open = split == SplitWx::on ? "rw-s" : "rwxp";
        const char* closed = split == SplitWx::on ? "---s" : "---p";
        const auto maps = test::maps_in(memory->buffer.rw().value(), memory->buffer.size());
        REQUIRE(maps.size() == 8);
        for (unsigned i = 0; i < 4; ++i) {
            CHECK(maps[2 * i].access == open);
            CHECK(maps[2 * i].start == memory->buffer.rw().value() + i * layout.stride);
            CHECK(maps[2 * i].size() == layout.stride - kPage);
            CHECK(maps[2 * i + 1].access == closed);
            CHECK(maps[2 * i + 1].size() == kPage);
        }
        if (split == SplitWx::on) {
            const auto rx = test::maps_in(memory->buffer.rx().value(), memory->buffer.size());
            REQUIRE(rx.size() == 1);
            CHECK(rx[0].access == "r-xs");
        }
    }
}

TEST_CASE("release layout: one guard closes the buffer and huge pages stay whole") {
    for (const SplitWx split : {SplitWx::off, SplitWx::on}) {
        const auto memory = make_memory(32 << 20, 4, EvictMode::flush, split, GuardPages::buffer_end);
        REQUIRE(memory);
        CHECK(memory->regions->layout().count == 16);
        const auto maps = test::maps_in(memory->buffer.rw().value(), memory->buffer.size());
        REQUIRE(maps.size() == 2);
        CHECK(maps[0].size() == (32 << 20) - kPage);
        CHECK(maps[0].writable());
        CHECK(maps[0].has_flag("hg"));
        CHECK_FALSE(maps[1].writable());
        CHECK(maps[1].size() == kPage);
    }
}

TEST_CASE("the interpreter's regions are not executable") {
    auto buffer = CodeBuffer::create(4 << 20, SplitWx::automatic, false);
    REQUIRE(buffer);
    const auto regions = RegionAllocator::create(*buffer, {.size = 0, .vcpus = 2, .contexts = 2});
    REQUIRE(regions);
    for (const auto& entry : test::maps_in(buffer->rw().value(), buffer->size())) {
        CHECK_FALSE(entry.executable());
    }
}

TEST_CASE("the runtime comes first, and the first region after it") {
    const auto memory = make_memory(4 << 20, 2, EvictMode::flush, SplitWx::on, GuardPages::each_region,
                                    HostCalls::real(), 1000);
    REQUIRE(memory);
    auto context = claim(*memory);
    CHECK(context->region().id() == 0);
    const CodeWindow window = context->window();
    CHECK(window.rw == memory->buffer.rw() + 1024);
    CHECK(window.rx == memory->buffer.rx() + 1024);
    CHECK(window.size == memory->regions->layout().region(0).size() - kHighwaterMargin);
    CHECK(memory->regions->code_size() == 0);
}

TEST_CASE("a context writes from its cursor to the highwater, in aligned steps") {
    const auto memory = make_memory(4 << 20, 4);
    REQUIRE(memory);
    auto context = claim(*memory);
    const CodeWindow first = context->window();
    CHECK(context->region_empty());
    const TranslationBlock* tb = add_unit(*context, 100);
    REQUIRE(tb != nullptr);
    CHECK(tb->code == first.rx);
    CHECK_FALSE(context->region_empty());
    const CodeWindow second = context->window();
    CHECK(second.rx == first.rx + 112);
    CHECK(second.rx + second.size == first.rx + first.size);
    CHECK(second.rx.value() % kUnitAlignment == 0);
    CHECK(memory->regions->code_size() == 100);

    SECTION("up to the last byte") {
        REQUIRE(add_unit(*context, second.size) != nullptr);
        CHECK(context->window().size == 0);
        CHECK(context->window().rx == first.rx + first.size);
        // The margin belongs to the context too.
        std::memset(context->window().bytes(), 0xcc, kHighwaterMargin);
    }
    SECTION("an end that is not aligned leaves no window behind the highwater") {
        REQUIRE(add_unit(*context, second.size - 5) != nullptr);
        CHECK(context->window().size == 0);
    }
}

TEST_CASE("a first region can always be had; a later one until none is left, which changes nothing") {
    const auto memory = make_memory(32 << 20, 4);
    REQUIRE(memory);
    RegionAllocator& regions = *memory->regions;
    REQUIRE(regions.layout().count == 16);
    auto greedy = claim(*memory);
    std::vector<RegionId> had = exhaust(*greedy);
    // Three slots have not had their first region yet.
    CHECK(had.size() == 13);
    CHECK(regions.free_regions() == 3);

    const size_t size = regions.code_size();
    const UnitIndex next = greedy->next_unit();
    const CodeWindow window = greedy->window();
    CHECK_FALSE(greedy->next_region());
    CHECK(regions.code_size() == size);
    CHECK(greedy->next_unit() == next);
    CHECK(greedy->window().rx == window.rx);
    CHECK(regions.free_regions() == 3);

    std::vector<std::unique_ptr<CodeContext>> others;
    for (unsigned i = 0; i < 3; ++i) {
        others.push_back(claim(*memory));
        const std::vector<RegionId> its = exhaust(*others.back());
        CHECK(its.size() == 1);
        had.insert(had.end(), its.begin(), its.end());
    }
    CHECK(std::set<RegionId>(had.begin(), had.end()).size() == 16);
    CHECK(regions.free_regions() == 0);
    CHECK(regions.code_size() <= regions.capacity());
    // All but alignment and what is too short for another unit is in use; full regions count whole.
    CHECK(regions.code_size() >= regions.capacity() - 4 * 4096 - 512);
}

TEST_CASE("units lie behind the runtime code, to the buffer's end, by their addresses to execute at") {
    for (const SplitWx split : {SplitWx::off, SplitWx::on}) {
        const auto memory = make_memory(32 << 20, 4, EvictMode::flush, split);
        REQUIRE(memory);
        const RegionAllocator& regions = *memory->regions;
        const uintptr_t start = memory->buffer.rx().value();
        auto context = claim(*memory);
        const uintptr_t unit = context->window().rx.value();
        CHECK(regions.in_units(unit));
        CHECK_FALSE(regions.in_units(start));
        CHECK_FALSE(regions.in_units(start - 1));
        CHECK_FALSE(regions.in_units(unit - kUnitAlignment));
        CHECK(regions.in_units(start + (32 << 20) - 1));
        CHECK_FALSE(regions.in_units(start + (32 << 20)));
        CHECK_FALSE(regions.in_units(0));
        if (split == SplitWx::on) {
            CHECK_FALSE(regions.in_units(context->window().rw.value()));
        }
    }
}

TEST_CASE("full regions count whole less the margin, current ones what they hold") {
    const auto memory = make_memory(32 << 20, 4);
    REQUIRE(memory);
    auto context = claim(*memory);
    REQUIRE(add_unit(*context, 1000));
    CHECK(memory->regions->code_size() == 1000);
    REQUIRE(context->next_region());
    const size_t first = memory->regions->layout().region(0).size() - kHighwaterMargin;
    CHECK(memory->regions->code_size() == first);
    REQUIRE(add_unit(*context, 64));
    CHECK(memory->regions->code_size() == first + 64);
    auto other = claim(*memory);
    REQUIRE(add_unit(*other, 300));
    CHECK(memory->regions->code_size() == first + 364);
    other.reset();
    CHECK(memory->regions->code_size() == first + 364);
    other = claim(*memory);
    CHECK(memory->regions->code_size() == first + 364);
}

TEST_CASE("more claims than slots is an error; a released slot and its region are claimed again") {
    const auto memory = make_memory(4 << 20, 3);
    REQUIRE(memory);
    RegionAllocator& regions = *memory->regions;
    REQUIRE(regions.layout().count == 3);
    std::vector<std::unique_ptr<CodeContext>> contexts;
    for (unsigned i = 0; i < 3; ++i) {
        contexts.push_back(claim(*memory));
        CHECK(contexts[i]->slot() == i);
        CHECK(contexts[i]->region().id() == i);
        CHECK(regions.context(i) == contexts[i].get());
    }
    for (unsigned i = 0; i < 2; ++i) {
        const auto refused = regions.claim();
        REQUIRE_FALSE(refused);
        CHECK_THAT(refused.error().message(), Catch::Contains("all 3 slots"));
    }
    TranslationBlock* tb = add_unit(*contexts[1], 200);
    REQUIRE(tb != nullptr);
    regions.trees().insert(*tb);
    const RxAddress cursor = contexts[1]->window().rx;
    contexts[1].reset();
    CHECK(regions.context(1) == nullptr);
    CHECK(regions.trees().find(tb->code.value()) == tb);
    CHECK(regions.code_size() == 200);
    contexts[1] = claim(*memory);
    CHECK(contexts[1]->slot() == 1);
    CHECK(contexts[1]->region().id() == 1);
    CHECK(contexts[1]->window().rx == cursor);
    CHECK_FALSE(regions.claim());
    CHECK(regions.block(tb->unit_index) == tb);
    CHECK(regions.current(*tb));
    contexts[0].reset();
    contexts[2].reset();
    // A context that comes after others went does not take a later one's region away.
    contexts[0] = claim(*memory);
    exhaust(*contexts[0]);
    contexts[2] = claim(*memory);
    CHECK(contexts[0]->region().id() != contexts[2]->region().id());
}

TEST_CASE("the victim is the region, of the older half, whose code was found least; the oldest of equals") {
    const auto memory = make_memory(4 << 20, 1, EvictMode::region, SplitWx::off, GuardPages::buffer_end);
    REQUIRE(memory);
    RegionAllocator& regions = *memory->regions;
    REQUIRE(regions.layout().count == 16);
    auto context = claim(*memory);
    std::vector<TranslationBlock*> blocks;  // two in each region
    do {
        blocks.push_back(add_unit(*context, 1000));
        blocks.push_back(add_unit(*context, 3000));
        fill_region(*context, 4000);
    } while (context->next_region());
    REQUIRE(blocks.size() == 32);
    const auto use = [&](RegionId region, unsigned block) { regions.note_use(*blocks[2 * region + block]); };

    SECTION("nothing was found: by age") { CHECK(regions.choose_victim() == RegionId{0}); }
    SECTION("found code keeps its region") {
        use(0, 0);
        use(1, 0);
        CHECK(regions.choose_victim() == RegionId{2});
    }
    SECTION("by bytes, and each TB once a round however often it is found") {
        for (RegionId id = 0; id < 8; ++id) {
            use(id, id == 5 ? 0 : 1);
        }
        for (int i = 0; i < 100; ++i) {
            use(5, 0);
        }
        CHECK(regions.choose_victim() == RegionId{5});
        // The others count half of it from now on.
        use(5, 0);
        CHECK(regions.choose_victim() == RegionId{0});
    }
    SECTION("what was found long ago does not matter any more") {
        use(0, 1);
        CHECK(regions.choose_victim() == RegionId{1});
        for (int i = 0; i < 12; ++i) {
            regions.choose_victim();
        }
        CHECK(regions.choose_victim() == RegionId{0});
    }
    SECTION("younger regions are left alone") {
        for (RegionId id = 0; id < 8; ++id) {
            use(id, 1);
        }
        CHECK(regions.choose_victim() == RegionId{0});
    }
    SECTION("a region that was emptied begins cold") {
        // Found in an earlier round as well as in this one.
        for (int round = 0; round < 2; ++round) {
            use(0, 0);
            use(0, 1);
            if (round == 0) {
                regions.choose_victim();
            }
        }
        // All are emptied and filled again, so that the first is the oldest once more; of the others' code, some is found.
        for (RegionId id = 0; id < 16; ++id) {
            const auto retired = regions.retire(id);
            REQUIRE(retired);
            REQUIRE(regions.reuse(*retired));
            REQUIRE(context->next_region());
            REQUIRE(context->region().id() == id);
            TranslationBlock* const tb = add_unit(*context, 1000);
            if (id != 0) {
                regions.note_use(*tb);
            }
            fill_region(*context, 1000);
        }
        CHECK_FALSE(context->next_region());
        CHECK(regions.choose_victim() == RegionId{0});
    }
}

TEST_CASE("reset_all: every claimed context gets a fresh region in order of slots, everything else is gone") {
    for (const SplitWx split : {SplitWx::off, SplitWx::on}) {
        const auto memory = make_memory(32 << 20, 4, EvictMode::flush, split, GuardPages::buffer_end);
        REQUIRE(memory);
        RegionAllocator& regions = *memory->regions;
        std::vector<std::unique_ptr<CodeContext>> contexts;
        for (unsigned i = 0; i < 4; ++i) {
            contexts.push_back(claim(*memory));
        }
        std::vector<TranslationBlock*> blocks;
        for (unsigned i = 0; i < 40; ++i) {
            CodeContext& context = *contexts[3 - i % 4];
            blocks.push_back(add_unit(context, 5000));
            regions.trees().insert(*blocks.back());
            if (i % 9 == 0) {
                REQUIRE(context.next_region());
            }
        }
        std::vector<UnitIndex> units;
        for (const TranslationBlock* tb : blocks) {
            units.push_back(tb->unit_index);
            CHECK(regions.block(tb->unit_index) == tb);
        }
        contexts[1].reset();
        std::vector<uint32_t> generations;
        for (RegionId id = 0; id < regions.layout().count; ++id) {
            generations.push_back(regions.generation(id));
        }
        REQUIRE(test::resident_in(memory->buffer.rw().value(), memory->buffer.size()) > 100000);

        regions.reset_all();
        CHECK(regions.code_size() == 0);
        CHECK(regions.trees().count() == 0);
        CHECK(regions.free_regions() == 13);
        CHECK(contexts[0]->region().id() == 0);
        CHECK(contexts[2]->region().id() == 1);
        CHECK(contexts[3]->region().id() == 2);
        for (const UnitIndex unit : units) {
            CHECK(regions.block(unit) == nullptr);
        }
        for (RegionId id = 0; id < regions.layout().count; ++id) {
            CHECK(regions.generation(id) == generations[id] + 1);
            CHECK(regions.block_count(id) == 0);
        }
        // The first page keeps the runtime.
        CHECK(test::resident_in(memory->buffer.rw().value(), memory->buffer.size()) <= kPage);
        CHECK(*memory->buffer.rx().as<uint8_t>() == 0x90);
        for (const auto& context : contexts) {
            if (context) {
                CHECK(context->region_empty());
                CHECK(add_unit(*context, 3000) != nullptr);
            }
        }
        contexts[1] = claim(*memory);
        CHECK(contexts[1]->region().id() == 3);
        CHECK(contexts[1]->region_empty());
        CHECK(regions.code_size() == 9000);
        // All of it can be used again.
        size_t had = 0;
        for (const auto& context : contexts) {
            had += exhaust(*context).size();
        }
        CHECK(had == 16);
    }
}

TEST_CASE("one region is retired and used again; current and parked ones are left alone") {
    const SplitWx split = GENERATE(SplitWx::off, SplitWx::on);
    const auto memory = make_memory(4 << 20, 2, EvictMode::region, split, GuardPages::buffer_end);
    REQUIRE(memory);
    RegionAllocator& regions = *memory->regions;
    REQUIRE(regions.layout().count == 16);
    auto context = claim(*memory);
    auto parked = claim(*memory);
    CHECK_FALSE(regions.choose_victim());
    CHECK_FALSE(regions.retire(context->region().id()));
    TranslationBlock* first = add_unit(*context, 5000);
    REQUIRE(first != nullptr);
    regions.trees().insert(*first);
    REQUIRE(add_unit(*parked, 500) != nullptr);
    parked.reset();
    CHECK(exhaust(*context).size() == 15);
    const RegionId last = context->region().id();

    CHECK(regions.choose_victim() == RegionId{0});
    CHECK_FALSE(regions.retire(1));     // parked
    CHECK_FALSE(regions.retire(last));  // current
    CHECK_FALSE(regions.retire(999));
    const size_t size = regions.code_size();
    const uint32_t generation = regions.generation(0);
    const auto retired = regions.retire(0);
    REQUIRE(retired);
    CHECK(retired->id == 0);
    CHECK(retired->generation == generation + 1);
    CHECK(regions.generation(0) == generation + 1);
    CHECK_FALSE(regions.current(*first));
    CHECK(regions.code_size() == size - (regions.layout().region(0).size() - kHighwaterMargin));
    // Those who still run it find their way.
    CHECK(regions.trees().find(first->code.value()) == first);
    CHECK(regions.block(first->unit_index) == first);
    CHECK_FALSE(regions.retire(0));
    CHECK(regions.choose_victim() == RegionId{2});
    CHECK_FALSE(context->next_region());

    const UnitIndex unit = first->unit_index;
    const uintptr_t code = first->code.value();
    CHECK(regions.reuse(*retired));
    CHECK_FALSE(regions.reuse(*retired));
    CHECK(regions.trees().find(code) == nullptr);
    CHECK(regions.block(unit) == nullptr);
    CHECK(test::resident_in(memory->buffer.rw().value(), regions.layout().pages(0).size()) <= kPage);
    CHECK(regions.free_regions() == 1);
    // One is kept back for the other slot only while that one has none parked.
    CHECK(regions.spare_regions() == 1);
    REQUIRE(context->next_region());
    CHECK(regions.spare_regions() == 0);
    CHECK(context->region().id() == 0);
    CHECK(context->region_empty());
    const TranslationBlock* fresh = add_unit(*context, 100);
    CHECK(fresh->unit_index == unit);
    CHECK(fresh->generation == generation + 1);
    CHECK(regions.current(*fresh));

    SECTION("a reset meanwhile takes the place of the reuse") {
        const auto second = regions.retire(2);
        REQUIRE(second);
        regions.reset_all();
        CHECK(regions.free_regions() == 15);
        CHECK_FALSE(regions.reuse(*second));
        CHECK(regions.free_regions() == 15);
        CHECK(exhaust(*context).size() == 15);
    }
}

TEST_CASE("a region that cannot be given its access is an error that names it; a guard does not matter") {
    class NoOpening : public HostCalls {
      public:
        mutable int opened = 0;
        int protect(void* address, size_t size, int prot) const override {
            if (prot == PROT_NONE || opened++ == 2) {
                errno = EACCES;
                return -1;
            }
            return HostCalls::protect(address, size, prot);
        }
    };
    const RegionLayoutRequest request{
        .size = 0, .vcpus = 4, .contexts = 4, .guards = GuardPages::each_region};
    {
        const NoOpening calls;
        const auto buffer = CodeBuffer::create(4 << 20, SplitWx::off, true, calls);
        REQUIRE(buffer);
        const auto regions = RegionAllocator::create(*buffer, request, calls);
        REQUIRE_FALSE(regions);
        CHECK_THAT(regions.error().message(),
                   Catch::Contains("code region 3 of 4") && Catch::Contains("Permission denied"));
    }
    {
        const NoOpening calls;
        const auto buffer = CodeBuffer::create(4 << 20, SplitWx::on, true, calls);
        REQUIRE(buffer);
        CHECK(RegionAllocator::create(*buffer, request, calls));
    }
}

TEST_CASE("any system call may fail: errors or full regions, no leak, nothing lost") {
    const size_t maps = test::count_maps();
    const size_t descriptors = test::open_descriptors();
    for (int n = 0;; ++n) {
        const test::FailingHostCalls calls(n);
        {
            const auto memory =
                make_memory(4 << 20, 2, EvictMode::region, SplitWx::on, GuardPages::each_region, calls);
            if (memory) {
                auto context = claim(*memory);
                size_t bytes = 0;
                for (unsigned i = 0; i < 100; ++i) {
                    TranslationBlock* tb = add_unit(*context, 2000);
                    if (tb == nullptr) {
                        REQUIRE(context->next_region());
                        tb = add_unit(*context, 2000);
                    }
                    REQUIRE(tb != nullptr);
                    bytes += 2000;
                    memory->regions->trees().insert(*tb);
                }
                CHECK(memory->regions->code_size() >= bytes);
                CHECK(memory->regions->trees().count() == 100);
                memory->regions->reset_all();
                CHECK(add_unit(*context, 2000) != nullptr);
            }
        }
        REQUIRE(test::count_maps() == maps);
        REQUIRE(test::open_descriptors() == descriptors);
        if (!calls.failed()) {
            break;
        }
    }
}

TEST_CASE("a thousand rounds of making, using and destroying leave nothing behind") {
    const auto round = [](unsigned number) {
        const auto memory = make_memory(4 << 20, 4, number % 4 < 2 ? EvictMode::flush : EvictMode::region,
                                        number % 2 == 0 ? SplitWx::on : SplitWx::off,
                                        number % 8 < 4 ? GuardPages::each_region : GuardPages::buffer_end);
        if (!memory) {
            return false;
        }
        auto first = memory->regions->claim();
        auto second = memory->regions->claim();
        if (!first || !second) {
            return false;
        }
        bool good = true;
        for (unsigned i = 0; i < 100; ++i) {
            TranslationBlock* tb = add_unit(i % 2 == 0 ? **first : **second, 500);
            good = good && tb != nullptr;
            if (good) {
                memory->regions->trees().insert(*tb);
            }
        }
        if (number % 3 == 0) {
            memory->regions->reset_all();
        }
        return good;
    };
    // The C++ library's own memory settles first.
    REQUIRE(round(0));
    const size_t maps = test::count_maps();
    const size_t descriptors = test::open_descriptors();
    for (unsigned number = 0; number < 1000; ++number) {
        REQUIRE(round(number));
    }
    CHECK(test::count_maps() == maps);
    CHECK(test::open_descriptors() == descriptors);
}

TEST_CASE("a lease moves with its region") {
    static_assert(!std::is_copy_constructible_v<Region> && std::is_nothrow_move_constructible_v<Region>);
    static_assert(!std::is_copy_constructible_v<CodeContext>);
    Region none;
    CHECK_FALSE(none);
    Region moved = std::move(none);
    CHECK_FALSE(moved);
}

}  // namespace
}  // namespace weft::tcg
