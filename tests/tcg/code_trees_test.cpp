#include <atomic>
#include <barrier>
#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <thread>

#include "tcg/code/trees.h"
#include "tests/support/random.h"
#include "tests/tcg/code_fixture.h"

namespace weft::tcg {
namespace {

constexpr size_t kSize = 1 << 20;

struct Fixture {
    explicit Fixture(unsigned contexts = 4, SplitWx split = SplitWx::on)
        : buffer(*CodeBuffer::create(kSize, split, true)),
          layout(lay_out_regions({.size = kSize,
                                  .vcpus = contexts,
                                  .contexts = contexts,
                                  .guards = GuardPages::each_region,
                                  .prologue = 512})),
          trees(buffer, layout) {}

    TranslationBlock& make(size_t offset, uint32_t size) {
        TranslationBlock& tb = blocks.emplace_back();
        tb.code = buffer.rx() + offset;
        tb.code_size = size;
        tb.region = layout.region_of(offset);
        return tb;
    }
    TranslationBlock* find_rx(size_t offset) const { return trees.find(buffer.rx().value() + offset); }
    TranslationBlock* find_rw(size_t offset) const { return trees.find(buffer.rw().value() + offset); }

    CodeBuffer buffer;
    RegionLayout layout;
    RegionTrees trees;
    std::deque<TranslationBlock> blocks;
};

TEST_CASE("a TB is found by any address inside it, of either view, and by no other") {
    INFO("WEFT_TEST_SEED=" << test::test_seed());
    test::Random random(test::test_seed());
    Fixture fixture;
    std::map<size_t, TranslationBlock*> oracle;
    for (unsigned region = 0; region < fixture.layout.count; ++region) {
        size_t at = fixture.layout.region(region).start;
        for (;;) {
            at += random.below(200);
            const auto size = static_cast<uint32_t>(1 + random.below(600));
            if (at + size > fixture.layout.region(region).end) {
                break;
            }
            oracle[at] = &fixture.make(at, size);
            at += size;
        }
    }
    std::vector<TranslationBlock*> shuffled;
    for (const auto& [offset, tb] : oracle) {
        shuffled.insert(shuffled.begin() + static_cast<ptrdiff_t>(random.below(shuffled.size() + 1)), tb);
    }
    for (TranslationBlock* tb : shuffled) {
        fixture.trees.insert(*tb);
    }
    CHECK(fixture.trees.count() == oracle.size());
    const auto check_all = [&] {
        for (size_t offset = 0; offset < kSize; offset += 1 + random.below(9)) {
            auto after = oracle.upper_bound(offset);
            TranslationBlock* expected = nullptr;
            if (after != oracle.begin()) {
                const auto& [start, tb] = *std::prev(after);
                expected = offset < start + tb->code_size ? tb : nullptr;
            }
            REQUIRE(fixture.find_rx(offset) == expected);
            REQUIRE(fixture.find_rw(offset) == expected);
        }
        for (const auto& [offset, tb] : oracle) {
            REQUIRE(fixture.find_rx(offset) == tb);
            REQUIRE(fixture.find_rw(offset + tb->code_size - 1) == tb);
            REQUIRE(fixture.find_rx(offset + tb->code_size) != tb);
        }
    };
    check_all();

    std::vector<TranslationBlock*> visited;
    fixture.trees.visit([&](TranslationBlock& tb) { visited.push_back(&tb); });
    std::vector<TranslationBlock*> in_order;
    for (const auto& [offset, tb] : oracle) {
        in_order.push_back(tb);
    }
    CHECK(visited == in_order);

    for (size_t i = 0; i < shuffled.size(); i += 2) {
        fixture.trees.remove(*shuffled[i]);
        oracle.erase(static_cast<size_t>(shuffled[i]->code - fixture.buffer.rx()));
    }
    CHECK(fixture.trees.count() == oracle.size());
    check_all();

    const size_t before = fixture.trees.count();
    size_t in_region = 0;
    fixture.trees.visit_region(1, [&](TranslationBlock&) { ++in_region; });
    CHECK(in_region != 0);
    fixture.trees.clear(1);
    CHECK(fixture.trees.count() == before - in_region);
    CHECK(fixture.find_rx(fixture.layout.region(1).start + 5000) == nullptr);
}

TEST_CASE("outside the buffer there is no TB") {
    for (const SplitWx split : {SplitWx::off, SplitWx::on}) {
        Fixture fixture(4, split);
        fixture.trees.insert(fixture.make(512, 100));
        const RegionLayout::Range last = fixture.layout.region(fixture.layout.count - 1);
        fixture.trees.insert(fixture.make(last.end - 100, 100));
        for (const uintptr_t base : {fixture.buffer.rx().value(), fixture.buffer.rw().value()}) {
            CHECK(fixture.trees.find(base + 512) == &fixture.blocks[0]);
            CHECK(fixture.trees.find(base + last.end - 1) == &fixture.blocks[1]);
            CHECK(fixture.trees.find(base + last.end) == nullptr);  // its guard
            CHECK(fixture.trees.find(base + 511) == nullptr);       // the prologue
            CHECK(fixture.trees.find(base) == nullptr);
        }
        const uintptr_t low = std::min(fixture.buffer.rx().value(), fixture.buffer.rw().value());
        const uintptr_t high = std::max(fixture.buffer.rx().value(), fixture.buffer.rw().value());
        CHECK(fixture.trees.find(low - 1) == nullptr);
        CHECK(fixture.trees.find(high + kSize) == nullptr);
        CHECK(fixture.trees.find(0) == nullptr);
        CHECK(fixture.trees.find(~uintptr_t{0}) == nullptr);
        CHECK(fixture.trees.find(reinterpret_cast<uintptr_t>(&fixture)) == nullptr);
    }
}

TEST_CASE("what rounding left over belongs to the last region, what precedes the first to the first") {
    // 1 MiB in 3: one page is left over.
    Fixture fixture(3);
    REQUIRE(fixture.layout.count == 3);
    const size_t leftover = 3 * fixture.layout.stride;
    REQUIRE(leftover < kSize);
    CHECK(fixture.layout.region_of(leftover) == 2);
    CHECK(fixture.layout.region_of(kSize - 1) == 2);
    CHECK(fixture.layout.region_of(100) == 0);
    TranslationBlock& tb = fixture.make(leftover - 50, 100);
    fixture.trees.insert(tb);
    CHECK(fixture.find_rx(leftover + 10) == &tb);
    size_t found = 0;
    fixture.trees.visit_region(2, [&](TranslationBlock&) { ++found; });
    CHECK(found == 1);
}

TEST_CASE("threads insert, find and remove at once") {
    Fixture fixture(4);
    constexpr unsigned kThreads = 4;
    constexpr unsigned kBlocks = 300;
    // So many that threads meet in a tree also where they rarely run at the same time.
    constexpr unsigned kRounds = 3000;
    std::vector<std::vector<TranslationBlock*>> mine(kThreads);
    for (unsigned thread = 0; thread < kThreads; ++thread) {
        for (unsigned i = 0; i < kBlocks; ++i) {
            // Interleaved, so that threads share each tree.
            const size_t offset = (i * kThreads + thread) * 208 + 4096;
            mine[thread].push_back(&fixture.make(offset, 200));
        }
    }
    std::atomic<unsigned> wrong{0};
    std::atomic<bool> done{false};
    std::thread counter([&] {
        while (!done) {
            if (fixture.trees.count() > kThreads * kBlocks) {
                ++wrong;
            }
            fixture.trees.visit([&](TranslationBlock& tb) {
                if (tb.code_size != 200) {
                    ++wrong;
                }
            });
        }
    });
    std::barrier start(kThreads);
    std::vector<std::thread> threads;
    for (unsigned thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&, thread] {
            start.arrive_and_wait();
            for (unsigned round = 0; round < kRounds; ++round) {
                for (TranslationBlock* tb : mine[thread]) {
                    fixture.trees.insert(*tb);
                    if (fixture.trees.find(tb->code.value() + 199) != tb) {
                        ++wrong;
                    }
                }
                for (TranslationBlock* tb : mine[thread]) {
                    fixture.trees.remove(*tb);
                    if (fixture.trees.find(tb->code.value()) != nullptr) {
                        ++wrong;
                    }
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    done = true;
    counter.join();
    CHECK(wrong == 0);
    CHECK(fixture.trees.count() == 0);
}

TEST_CASE("each tree has a lock of its own, and a walk holds one at a time") {
    Fixture fixture(4);
    REQUIRE(fixture.layout.count == 4);
    std::vector<TranslationBlock*> blocks;
    for (unsigned region = 0; region < 4; ++region) {
        blocks.push_back(&fixture.make(fixture.layout.region(region).start + 4096, 200));
        fixture.trees.insert(*blocks.back());
    }
    // While the walk stands in one region, under its lock, another thread does everything in the others; and comes back.
    std::vector<unsigned> worked(4);
    fixture.trees.visit([&](TranslationBlock& here) {
        std::thread([&] {
            for (TranslationBlock* other : blocks) {
                if (other->region != here.region) {
                    fixture.trees.remove(*other);
                    fixture.trees.insert(*other);
                    worked[here.region] += fixture.trees.find(other->code.value()) == other ? 1 : 0;
                }
            }
        }).join();
    });
    CHECK(worked == std::vector<unsigned>(4, 3));
    CHECK(fixture.trees.count() == 4);
}

}  // namespace
}  // namespace weft::tcg
