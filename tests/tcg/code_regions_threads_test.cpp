// Regions and slots under many threads; run under ThreadSanitizer too.
#include <atomic>
#include <barrier>
#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "tests/support/random.h"
#include "tests/tcg/code_fixture.h"

namespace weft::tcg {
namespace {

using test_code::add_unit;
using test_code::make_memory;

// Runs body(0) ... body(count - 1), each on a thread of its own.
template <class Body>
void run_threads(unsigned count, Body body) {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < count; ++i) {
        threads.emplace_back([&body, i] { body(i); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

TEST_CASE(
    "threads allocate until nothing is left: each region is handed out once, sizes stay below capacity") {
    INFO("WEFT_TEST_SEED=" << test::test_seed());
    constexpr unsigned kThreads = 8;
    const auto memory = make_memory(64 << 20, kThreads);
    REQUIRE(memory);
    RegionAllocator& regions = *memory->regions;
    REQUIRE(regions.layout().count == 32);
    for (unsigned flush = 0; flush < 3; ++flush) {
        std::vector<std::vector<RegionId>> had(kThreads);
        std::vector<std::unique_ptr<CodeContext>> contexts(kThreads);
        std::atomic<bool> failed{false};
        std::atomic<bool> done{false};
        std::thread reader([&] {
            size_t last = 0;
            while (!done) {
                const size_t size = regions.code_size();
                if (size > regions.capacity() || size < last) {
                    failed = true;
                }
                last = size;
            }
        });
        std::barrier all_claimed(kThreads);
        run_threads(kThreads, [&](unsigned thread) {
            test::Random random(test::test_seed() + thread);
            auto claimed = regions.claim();
            // Before any takes a second one: then none is kept back at the end.
            all_claimed.arrive_and_wait();
            if (!claimed) {
                failed = true;
                return;
            }
            CodeContext& context = **claimed;
            contexts[thread] = std::move(*claimed);
            had[thread].push_back(context.region().id());
            const auto fill = static_cast<uint8_t>(thread + 1);
            for (;;) {
                TranslationBlock* tb = add_unit(context, 1000 + random.below(20000), fill);
                if (tb != nullptr) {
                    regions.trees().insert(*tb);
                    // Look-ups by others' indices, while they add.
                    const TranslationBlock* other = regions.block(static_cast<UnitIndex>(
                        regions.unit_indices().make(static_cast<RegionId>(random.below(32)),
                                                    static_cast<uint32_t>(random.below(60)))));
                    if (other != nullptr && (other->code_size < 1000 || other->hash != 99)) {
                        failed = true;
                    }
                } else if (context.next_region()) {
                    had[thread].push_back(context.region().id());
                } else {
                    break;
                }
            }
        });
        done = true;
        reader.join();
        CHECK_FALSE(failed);
        std::vector<RegionId> all;
        for (const auto& some : had) {
            all.insert(all.end(), some.begin(), some.end());
        }
        CHECK(all.size() == 32);
        CHECK(std::set<RegionId>(all.begin(), all.end()).size() == 32);
        CHECK(regions.code_size() <= regions.capacity());
        // Nobody wrote into another's region.
        size_t blocks = 0;
        for (unsigned thread = 0; thread < kThreads; ++thread) {
            for (const RegionId id : had[thread]) {
                blocks += regions.block_count(id);
                bool own = true;
                regions.trees().visit_region(id, [&](TranslationBlock& tb) {
                    const auto* code = tb.code.as<uint8_t>();
                    own = own && code[0] == thread + 1 && code[tb.code_size - 1] == thread + 1;
                });
                CHECK(own);
            }
        }
        CHECK(regions.trees().count() == blocks);
        regions.reset_all();
        CHECK(regions.code_size() == 0);
        contexts.clear();
    }
}

TEST_CASE("threads claim slots at once: each slot once, the others get an error") {
    for (unsigned round = 0; round < 20; ++round) {
        const auto memory = make_memory(4 << 20, 5);
        REQUIRE(memory);
        constexpr unsigned kThreads = 12;
        std::vector<std::unique_ptr<CodeContext>> contexts(kThreads);
        std::atomic<unsigned> refused{0};
        std::barrier start(kThreads);
        run_threads(kThreads, [&](unsigned thread) {
            start.arrive_and_wait();
            auto claimed = memory->regions->claim();
            if (claimed) {
                contexts[thread] = std::move(*claimed);
            } else {
                ++refused;
            }
        });
        CHECK(refused == kThreads - 5);
        std::set<unsigned> slots;
        std::set<RegionId> ids;
        for (const auto& context : contexts) {
            if (context) {
                slots.insert(context->slot());
                ids.insert(context->region().id());
            }
        }
        CHECK(slots.size() == 5);
        CHECK(ids.size() == 5);
    }
}

TEST_CASE("slots that come and go are never owned twice, and their regions neither") {
    constexpr unsigned kThreads = 6;
    constexpr unsigned kSlots = 4;
    const auto memory = make_memory(8 << 20, kSlots);
    REQUIRE(memory);
    RegionAllocator& regions = *memory->regions;
    std::atomic<int> slot_owners[kSlots] = {};
    std::vector<std::atomic<int>> region_owners(regions.layout().count);
    std::atomic<bool> wrong{false};
    std::atomic<bool> done{false};
    std::thread reader([&] {
        while (!done) {
            if (regions.code_size() > regions.capacity()) {
                wrong = true;
            }
        }
    });
    std::atomic<unsigned> claims{0};
    run_threads(kThreads, [&](unsigned thread) {
        test::Random random(test::test_seed() + thread);
        for (unsigned i = 0; i < 2000; ++i) {
            auto claimed = regions.claim();
            if (!claimed) {
                std::this_thread::yield();
                continue;
            }
            ++claims;
            CodeContext& context = **claimed;
            std::atomic<int>& region = region_owners[context.region().id()];
            if (slot_owners[context.slot()]++ != 0 || region++ != 0) {
                wrong = true;
            }
            add_unit(context, 64);
            --region;
            if (random.below(100) == 0) {
                context.next_region();
            }
            --slot_owners[context.slot()];
        }
    });
    done = true;
    reader.join();
    CHECK_FALSE(wrong);
    CHECK(claims > kSlots);
    // All four can be had in the end.
    std::vector<std::unique_ptr<CodeContext>> contexts;
    for (unsigned i = 0; i < kSlots; ++i) {
        auto claimed = regions.claim();
        REQUIRE(claimed);
        contexts.push_back(std::move(*claimed));
    }
    CHECK_FALSE(regions.claim());
}

TEST_CASE("one thread retires and reuses regions while others fill them") {
    constexpr unsigned kThreads = 3;
    const auto memory = make_memory(4 << 20, kThreads, EvictMode::region);
    REQUIRE(memory);
    RegionAllocator& regions = *memory->regions;
    std::atomic<bool> wrong{false};
    std::atomic<unsigned> running{kThreads};
    std::thread evictor([&] {
        while (running != 0) {
            const auto victim = regions.choose_victim();
            if (!victim) {
                std::this_thread::yield();
                continue;
            }
            const auto retired = regions.retire(*victim);
            // Nobody here keeps a TB of a region it has left, so that every moment ends a grace period.
            if (!retired || !regions.reuse(*retired)) {
                wrong = true;
            }
            if (regions.code_size() > regions.capacity()) {
                wrong = true;
            }
        }
    });
    std::vector<unsigned> taken(kThreads);
    run_threads(kThreads, [&](unsigned thread) {
        {
            auto claimed = regions.claim();
            if (!claimed) {
                wrong = true;
            } else {
                CodeContext& context = **claimed;
                while (taken[thread] < 60) {
                    TranslationBlock* tb = add_unit(context, 9000, static_cast<uint8_t>(thread));
                    if (tb != nullptr) {
                        regions.trees().insert(*tb);
                        if (!regions.current(*tb) || regions.trees().find(tb->code.value()) != tb) {
                            wrong = true;
                        }
                    } else if (context.next_region()) {
                        ++taken[thread];
                    } else {
                        std::this_thread::yield();
                    }
                }
            }
        }
        --running;
    });
    evictor.join();
    CHECK_FALSE(wrong);
    CHECK(regions.code_size() <= regions.capacity());
}

}  // namespace
}  // namespace weft::tcg
