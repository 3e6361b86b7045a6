// Numbers of contexts: which ones stay, and which goes when there are too many.
#include "accel/tcg/mmu/context_ids.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <vector>

#include "tests/support/random.h"

using weft::AddressSpaceKey;
using weft::accel::ContextIds;
using weft::test::Random;
using weft::test::test_seed;

namespace {

struct Context {
    uint64_t tb_flags;
    AddressSpaceKey space;

    size_t set() const { return ContextIds::set_of(tb_flags, space); }
};

uint32_t id(ContextIds& ids, const Context& context) {
    bool wrapped = false;
    const uint32_t result = ids.id(context.tb_flags, context.space, &wrapped);
    CHECK_FALSE(wrapped);
    return result;
}

// `count` contexts of one set.
std::vector<Context> one_set(size_t set, size_t count) {
    std::vector<Context> contexts;
    for (uint64_t root = 1; contexts.size() < count; ++root) {
        const Context context{0x14, {root << 12, static_cast<uint32_t>(root)}};
        if (context.set() == set) {
            contexts.push_back(context);
        }
    }
    return contexts;
}

// Of programs, each with a root table of its own and two sets of flags; the kernel is one more.
std::vector<Context> programs(size_t count) {
    std::vector<Context> contexts;
    for (uint64_t i = 0; i < count; ++i) {
        contexts.push_back({0x5 + (i & 1) * 0x40,
                            {uint64_t{8} << 60 | (0x80200 + i / 2 * 3), static_cast<uint32_t>(i / 2)}});
    }
    return contexts;
}

}  // namespace

TEST_CASE("contexts that fit keep their numbers, whatever their order", "[contexts]") {
    Random random(test_seed());
    INFO("WEFT_TEST_SEED=" << test_seed());
    for (size_t count = 2; count <= 32; ++count) {
        const std::vector<Context> contexts = programs(count);
        std::array<size_t, ContextIds::kSets> in_set{};
        for (const Context& context : contexts) {
            ++in_set[context.set()];
        }
        INFO(count << " contexts");
        REQUIRE(*std::max_element(in_set.begin(), in_set.end()) <= ContextIds::kWays);
        ContextIds ids;
        std::vector<uint32_t> known;
        for (const Context& context : contexts) {
            known.push_back(id(ids, context));
            CHECK(std::count(known.begin(), known.end(), known.back()) == 1);
        }
        size_t lost = 0;
        for (unsigned i = 0; i < 1000; ++i) {
            const size_t which = random.below(count);
            lost += id(ids, contexts[which]) == known[which] ? 0 : 1;
        }
        CHECK(lost == 0);
    }
}

TEST_CASE("a full set loses the context that was asked for least recently", "[contexts]") {
    const std::vector<Context> contexts = one_set(3, ContextIds::kWays + 1);
    const Context& last = contexts.back();
    for (size_t oldest = 0; oldest < ContextIds::kWays; ++oldest) {
        ContextIds ids;
        std::vector<uint32_t> known;
        for (size_t i = 0; i < ContextIds::kWays; ++i) {
            known.push_back(id(ids, contexts[i]));
        }
        for (size_t i = 0; i < ContextIds::kWays; ++i) {
            if (i != oldest) {
                id(ids, contexts[i]);
            }
        }
        const uint32_t fresh = id(ids, last);
        CHECK(fresh == known.back() + 1);
        for (size_t i = 0; i < ContextIds::kWays; ++i) {
            if (i != oldest) {
                CHECK(id(ids, contexts[i]) == known[i]);
            }
        }
        CHECK(id(ids, last) == fresh);
        CHECK(id(ids, contexts[oldest]) == fresh + 1);
    }
}

TEST_CASE("contexts as a list for each set keeps them", "[contexts]") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    Random random(seed);
    struct Known {
        Context context;
        uint32_t id;
    };
    ContextIds ids;
    std::array<std::vector<Known>, ContextIds::kSets> sets;  // the latest first
    uint32_t last = 0;
    uint64_t kept = 0;
    uint64_t lost = 0;
    for (unsigned i = 0; i < 200000; ++i) {
        if (random.below(2000) == 0) {
            ids.renew();
            std::ranges::for_each(sets, [](auto& set) { set.clear(); });
        }
        if (random.below(500) == 0) {
            const auto asid = static_cast<uint32_t>(random.below(40));
            ids.renew_asid(asid);
            for (std::vector<Known>& set : sets) {
                std::erase_if(set, [asid](const Known& each) { return each.context.space.asid == asid; });
            }
        }
        // A few often, many seldom; roots that share an ASID; flags that differ.
        const uint64_t root = random.below(random.below(3) == 0 ? 100 : 20);
        const Context context{random.below(3), {root, static_cast<uint32_t>(root % 40)}};
        std::vector<Known>& set = sets[context.set()];
        const auto found = std::ranges::find_if(set, [&](const Known& each) {
            return each.context.tb_flags == context.tb_flags && each.context.space == context.space;
        });
        Known now{context, 0};
        if (found != set.end()) {
            now.id = found->id;
            set.erase(found);
            ++kept;
        } else {
            now.id = ++last;
            if (set.size() == ContextIds::kWays) {
                set.pop_back();
                ++lost;
            }
        }
        set.insert(set.begin(), now);
        REQUIRE(id(ids, context) == now.id);
    }
    CHECK(kept > 10000);
    CHECK(lost > 10000);
}

TEST_CASE("after the last number they begin anew, and say so", "[contexts]") {
    ContextIds ids(ContextIds::kNobody - 3);
    const std::vector<Context> contexts = programs(3);
    CHECK(id(ids, contexts[0]) == ContextIds::kNobody - 2);
    ids.renew();
    CHECK(id(ids, contexts[1]) == ContextIds::kNobody - 1);
    bool wrapped = false;
    CHECK(ids.id(contexts[2].tb_flags, contexts[2].space, &wrapped) == 1);
    CHECK(wrapped);
    // The others have no number any more.
    CHECK(id(ids, contexts[1]) == 2);
    CHECK(id(ids, contexts[0]) == 3);
    CHECK(id(ids, contexts[2]) == 1);
}
