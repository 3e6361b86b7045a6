// The softmmu TLB and what stands beside it: which entries go at a flush, and which stay.
#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "accel/tcg/mmu/fetch_contexts.h"
#include "accel/tcg/mmu/page_filter.h"
#include "accel/tcg/mmu/tlb.h"
#include "base/hash.h"
#include "tests/support/random.h"

using namespace weft;
using namespace weft::accel;
using tcg::TlbEntry;

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kSuperpage = uint64_t{1} << 21;

struct Fixture {
    VcpuCounters counters;
    Tlb tlb;

    void insert(uint64_t vaddr, unsigned page_shift = 12, uint64_t marks = 0) {
        const uint64_t tag = tcg::tlb_tag(vaddr);
        tlb.insert(vaddr, TlbEntry{tag, tag, 0x1000, ((tag << 12) + 0x10000000) | marks}, page_shift,
                   counters);
    }
    void insert_global(uint64_t vaddr, unsigned page_shift = 12) {
        insert(vaddr, page_shift, tcg::kTlbGlobal);
    }
    bool holds(uint64_t vaddr) { return tlb.find(vaddr, false, counters) != nullptr; }
};

}  // namespace

TEST_CASE("a flush of one address forgets its page and no other", "[tlb]") {
    Fixture f;
    for (uint64_t i = 0; i < 64; ++i) {
        f.insert(0x40000000 + i * kPage);
    }
    f.tlb.flush_page(0x40000000 + 5 * kPage + 123, Tlb::Global::goes);
    for (uint64_t i = 0; i < 64; ++i) {
        INFO(i);
        CHECK(f.holds(0x40000000 + i * kPage) == (i != 5));
    }
}

TEST_CASE("a flush of an address in a larger mapping forgets all of the mapping", "[tlb]") {
    for (const unsigned shift : {16u, 21u, 30u, 39u}) {
        INFO("2^" << shift);
        Fixture f;
        const uint64_t size = uint64_t{1} << shift;
        const uint64_t base = 5 * size;
        const uint64_t step = size / 16;
        for (uint64_t i = 0; i < 16; ++i) {
            f.insert(base + i * step + i % 3 * kPage % step, shift);
        }
        f.insert(base - kPage);
        f.insert(base + size);
        f.tlb.flush_page(base + size / 2, Tlb::Global::goes);
        for (uint64_t i = 0; i < 16; ++i) {
            CHECK_FALSE(f.holds(base + i * step + i % 3 * kPage % step));
        }
        CHECK(f.holds(base - kPage));
        CHECK(f.holds(base + size));
    }
}

TEST_CASE("victims are forgotten too", "[tlb]") {
    Fixture f;
    const uint64_t stride = f.tlb.size() * kPage;  // all of one slot
    for (uint64_t i = 0; i < 4; ++i) {
        f.insert(i * stride);
    }
    f.tlb.flush_page(stride, Tlb::Global::goes);
    CHECK_FALSE(f.holds(stride));
    CHECK(f.holds(0));
    CHECK(f.holds(2 * stride));

    f.insert(kSuperpage * 1000, 21);
    f.insert(kSuperpage * 1000 + stride, 21);  // throws the first one out
    f.tlb.flush_page(kSuperpage * 1000 + 7 * kPage, Tlb::Global::goes);
    CHECK_FALSE(f.holds(kSuperpage * 1000));
}

// Where two pages share an entry and the one in the table goes, the other is all there is.
TEST_CASE("victims are forgotten too where the table has nothing", "[tlb]") {
    constexpr uint64_t kOther = 0x40000000 + (kPage << Tlb::kMinBits);
    Fixture f;
    f.insert(0x40000000);
    f.insert(kOther);
    f.tlb.flush_page(kOther, Tlb::Global::goes);
    REQUIRE(f.tlb.used() == 0);
    SECTION("by a flush of their address") { f.tlb.flush_page(0x40000000, Tlb::Global::goes); }
    SECTION("by a flush of everything") { f.tlb.flush(f.counters); }
    SECTION("but only by that") {
        f.tlb.flush_page(0x40000000 + kPage, Tlb::Global::goes);
        unsigned seen = 0;
        f.tlb.for_each([&](TlbEntry& entry) { seen += entry.read == tcg::tlb_tag(0x40000000) ? 1 : 0; });
        CHECK(seen == 1);
        CHECK(f.holds(0x40000000));
        return;
    }
    CHECK_FALSE(f.holds(0x40000000));
}

// Against a map of what every page was mapped to last: a TLB may have forgotten it, and must not know anything else.
TEST_CASE("whatever comes in whatever order, nothing that was flushed is found", "[tlb]") {
    Fixture f;
    std::map<uint64_t, uint64_t> mapped;  // page to host address
    INFO("WEFT_TEST_SEED=" << test::test_seed());
    test::Random random(test::test_seed());
    const auto below = [&random](uint64_t bound) { return random.below(bound); };
    // Few pages of few slots, so that a table is often without entries and its victims are not.
    const auto any_page = [&] { return (below(5) << Tlb::kMaxBits | below(3)) * kPage; };
    uint64_t found = 0;
    for (int step = 0; step < 300000; ++step) {
        const uint64_t page = any_page();
        switch (below(8)) {
            case 0:
            case 1:
            case 2: {
                const uint64_t tag = tcg::tlb_tag(page);
                const bool writable = below(2) != 0;
                f.tlb.insert(page,
                             TlbEntry{tag, writable ? tag : tcg::kTlbInvalid, static_cast<uint64_t>(step), 0},
                             12, f.counters);
                mapped[page] = static_cast<uint64_t>(step);
                break;
            }
            case 3:
            case 4:
            case 5:
                f.tlb.flush_page(page + below(kPage), Tlb::Global::goes);
                mapped.erase(page);
                break;
            case 6:
                if (below(50) == 0) {
                    f.tlb.flush(f.counters);
                    mapped.clear();
                }
                break;
            default:
                break;
        }
        const uint64_t wanted = any_page();
        if (const TlbEntry* const entry = f.tlb.find(wanted, below(2) != 0, f.counters)) {
            ++found;
            const auto known = mapped.find(wanted);
            REQUIRE(known != mapped.end());
            REQUIRE(entry->addend == known->second);
        }
    }
    CHECK(found > 10000);
}

// As above, with mappings that all spaces share, and much or little between two flushes of what they do not.
TEST_CASE("a flush of an address space takes all that is its own, however much that is", "[tlb]") {
    struct Mapped {
        uint64_t host;
        bool global;
    };
    INFO("WEFT_TEST_SEED=" << test::test_seed());
    test::Random random(test::test_seed());
    const auto below = [&random](uint64_t bound) { return random.below(bound); };
    const auto any_page = [&] { return (below(3) << Tlb::kMaxBits | below(700)) * kPage; };
    uint64_t found_global = 0;
    // Tables grow in the first steps, most of them while little is cached.
    Fixture f;
    std::map<uint64_t, Mapped> mapped;
    for (uint64_t step = 0; step < 6000; ++step) {
        if (step % 60 == 0) {
            f.tlb = Tlb();
            mapped.clear();
        }
        for (uint64_t inserts = below(step % 60 < 50 ? 150 : 1500); inserts > 0; --inserts) {
            const uint64_t page = any_page();
            const bool global = below(3) == 0;
            const uint64_t tag = tcg::tlb_tag(page);
            f.tlb.insert(page, TlbEntry{tag, tag, step, page | (global ? tcg::kTlbGlobal : 0)}, 12,
                         f.counters);
            mapped[page] = {step, global};
            f.tlb.find(any_page(), false, f.counters);  // victims come back
        }
        if (below(200) == 0) {
            f.tlb.flush(f.counters);
            mapped.clear();
        } else {
            f.tlb.flush_but_global(f.counters);
            std::erase_if(mapped, [](const auto& page) { return !page.second.global; });
        }
        const auto entries = f.tlb.entries();
        REQUIRE(f.tlb.used() == static_cast<size_t>(std::ranges::count_if(entries, [](const TlbEntry& entry) {
                    return entry.read != tcg::kTlbInvalid;
                })));
        for (unsigned look = 0; look < 40; ++look) {
            const uint64_t wanted = any_page();
            if (const TlbEntry* const entry = f.tlb.find(wanted, false, f.counters)) {
                const auto known = mapped.find(wanted);
                REQUIRE(known != mapped.end());
                REQUIRE(entry->addend == known->second.host);
                ++found_global;
            }
        }
    }
    CHECK(found_global > 10000);
}

TEST_CASE("after a flush of everything no larger mapping is remembered", "[tlb]") {
    Fixture f;
    f.insert(kSuperpage, 21);
    f.tlb.flush(f.counters);
    CHECK(f.tlb.empty());
    f.insert(kSuperpage);
    f.insert(kSuperpage + kPage);
    f.tlb.flush_page(kSuperpage, Tlb::Global::goes);
    CHECK(f.holds(kSuperpage + kPage));
}

TEST_CASE("a flush of an address space leaves what all spaces share", "[tlb]") {
    Fixture f;
    const uint64_t stride = f.tlb.size() * kPage;  // all of one slot: most become victims
    for (uint64_t i = 0; i < 6; ++i) {
        f.insert(2 * i * stride + i % 2 * kPage);
        f.insert_global((2 * i + 1) * stride + i % 2 * kPage);
    }
    f.insert_global(kSuperpage * 100 + 7 * kPage, 21);
    f.tlb.flush_but_global(f.counters);
    for (uint64_t i = 0; i < 6; ++i) {
        INFO(i);
        CHECK_FALSE(f.holds(2 * i * stride + i % 2 * kPage));
    }
    // The last of each slot in the table, and at least those that came to the victims last.
    for (uint64_t i = 3; i < 6; ++i) {
        INFO(i);
        CHECK(f.holds((2 * i + 1) * stride + i % 2 * kPage));
    }
    CHECK(f.holds(kSuperpage * 100 + 7 * kPage));
    CHECK_FALSE(f.tlb.empty());
    // Other flushes take these as well, a flush of an address in one space does not.
    f.tlb.flush_page(kSuperpage * 100, Tlb::Global::stays);
    f.tlb.flush_page(kSuperpage * 100 + 7 * kPage, Tlb::Global::stays);
    CHECK(f.holds(kSuperpage * 100 + 7 * kPage));
    f.insert(kSuperpage * 100 + 9 * kPage, 21);
    f.tlb.flush_page(kSuperpage * 100, Tlb::Global::stays);
    CHECK(f.holds(kSuperpage * 100 + 7 * kPage));
    CHECK_FALSE(f.holds(kSuperpage * 100 + 9 * kPage));
    f.tlb.flush_page(kSuperpage * 100, Tlb::Global::goes);
    CHECK_FALSE(f.holds(kSuperpage * 100 + 7 * kPage));
    f.tlb.flush(f.counters);
    CHECK_FALSE(f.holds(11 * stride + kPage));
    CHECK(f.tlb.empty());
    CHECK(f.tlb.used() == 0);
    f.insert(0);
    f.tlb.flush_but_global(f.counters);
    CHECK(f.tlb.empty());
}

TEST_CASE("a table that has to grow again after each time it shrank comes to rest", "[tlb]") {
    Fixture f;
    for (int round = 0; round < 20000; ++round) {
        // Few pages, in pairs that meet in the smallest table alone.
        for (int use = 0; use < 4; ++use) {
            for (uint64_t i = 0; i < 50; ++i) {
                f.insert((i + i / 25 * (256 - 25)) * kPage + (uint64_t{1} << 30));
            }
        }
        f.tlb.flush_but_global(f.counters);
    }
    CHECK(f.counters.tlb_resizes.get() < 40);
    // It shrinks once they are used no more.
    for (unsigned i = 0; i <= Tlb::kMaxPatience; ++i) {
        f.insert(0);
        f.tlb.flush_but_global(f.counters);
    }
    CHECK(f.tlb.size() == size_t{1} << Tlb::kMinBits);
}

TEST_CASE("the filter never misses what was noted", "[tlb]") {
    // More sizes than it keeps apart as well.
    PageFilter filter;
    std::set<std::pair<uint64_t, unsigned>> noted;
    constexpr unsigned kShifts[] = {12, 21, 30, 16, 39, 25, 34, 48};
    for (uint64_t i = 0; i < 400; ++i) {
        const unsigned shift = kShifts[i / 50];
        const uint64_t vaddr = hash_words(i);
        filter.note(vaddr, shift);
        noted.insert({vaddr >> shift, shift});
        for (const auto& [page, its_shift] : noted) {
            REQUIRE(filter.largest_at(page << its_shift) >= its_shift);
        }
    }
    filter.clear();
    for (const auto& [page, shift] : noted) {
        CHECK(filter.largest_at(page << shift) == 0);
    }
}

TEST_CASE("the filter tells most of what was not noted", "[tlb]") {
    PageFilter filter;
    for (uint64_t i = 0; i < 100; ++i) {
        filter.note(i << 21, 21);
    }
    unsigned wrong = 0;
    for (uint64_t i = 100; i < 1100; ++i) {
        wrong += filter.largest_at(i << 21) != 0 ? 1 : 0;
    }
    CHECK(wrong < 100);  // 5 % expected
}

TEST_CASE("a mode shares its contexts until it fetched from mappings of one address space", "[tlb]") {
    FetchContexts contexts;
    const AddressSpaceKey first{0x1000, 1};
    const AddressSpaceKey second{0x2000, 2};
    CHECK_FALSE(contexts.own(1, first));
    CHECK(contexts.note_own(1, first));
    CHECK_FALSE(contexts.note_own(1, first));
    CHECK(contexts.own(1, first));
    CHECK_FALSE(contexts.own(1, second));
    CHECK_FALSE(contexts.own(0, first));
    // Many: all of them, for good.
    for (uint32_t i = 0; i < 10; ++i) {
        contexts.note_own(1, AddressSpaceKey{0x10000, i});
    }
    CHECK(contexts.own(1, second));
    CHECK_FALSE(contexts.own(0, second));
    contexts.clear();
    CHECK_FALSE(contexts.own(1, first));
}
