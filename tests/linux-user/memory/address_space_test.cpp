// The interval map against an array of pages: contents, merging, holes; versions for readers; what an operation costs.
#include "emulator/linux-user/memory/address_space.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <thread>

#include "tests/support/random.h"

using namespace weft;
using namespace weft::user;
using weft::test::Random;
using weft::test::test_seed;

namespace {

constexpr uint64_t kPages = 64;

uint64_t page(uint64_t number) { return number * kGuestPage; }

Attributes with(uint8_t protection) {
    Attributes attributes;
    attributes.protection = protection;
    return attributes;
}

struct PageModel {
    bool mapped = false;
    uint8_t protection = 0;
    uint64_t object = 0;  // 0: none
    uint64_t offset = 0;
};

// The maximal runs of pages that belong together: what the map must hold, interval by interval.
std::vector<std::pair<uint64_t, uint64_t>> runs_of(const std::vector<PageModel>& pages) {
    std::vector<std::pair<uint64_t, uint64_t>> runs;
    for (uint64_t i = 0; i < pages.size(); i++) {
        if (!pages[i].mapped) {
            continue;
        }
        const bool goes_on = i > 0 && pages[i - 1].mapped && pages[i - 1].protection == pages[i].protection &&
                             pages[i - 1].object == pages[i].object &&
                             (pages[i].object == 0 || pages[i - 1].offset + kGuestPage == pages[i].offset);
        if (goes_on) {
            runs.back().second = page(i + 1);
        } else {
            runs.emplace_back(page(i), page(i + 1));
        }
    }
    return runs;
}

}  // namespace

TEST_CASE("random edits leave what an array of pages holds, merged", "[user][P7]") {
    INFO("WEFT_TEST_SEED=" << test_seed());
    Random random(test_seed());
    AddressSpace space;
    std::vector<PageModel> model(kPages);
    std::vector<std::shared_ptr<const Backing>> objects;
    for (uint64_t i = 1; i <= 3; i++) {
        objects.push_back(std::make_shared<Backing>(Backing{.number = i}));
    }
    for (int step = 0; step < 20000; step++) {
        const uint64_t first = random.below(kPages);
        const uint64_t last = first + 1 + random.below(kPages - first);
        const auto protection = static_cast<uint8_t>(random.below(3));
        const uint64_t action = random.below(4);
        MutexLock lock(space.mutex());
        AddressSpace::Change change(space);
        std::vector<PageModel> next = model;
        if (action == 0) {
            change->update(page(first), page(last), [&](Attributes& a) { a.protection = protection; });
            for (uint64_t i = first; i < last; i++) {
                next[i].protection = protection;
            }
        } else {
            change->erase(page(first), page(last));
            for (uint64_t i = first; i < last; i++) {
                next[i] = {};
            }
        }
        if (action >= 2) {
            Attributes attributes = with(protection);
            const uint64_t object = random.below(4);
            if (object != 0) {
                attributes.backing = objects[object - 1];
                attributes.offset = page(first + random.below(2));
            }
            change->insert({page(first), page(last), attributes});
            for (uint64_t i = first; i < last; i++) {
                next[i] = {true, protection, object, attributes.offset + page(i - first)};
            }
        }
        if (random.below(8) != 0) {  // otherwise it is given up
            change.commit();
            model = next;
        }
        std::vector<std::pair<uint64_t, uint64_t>> found;
        bool same = true;
        space.tree().visit(0, page(kPages), [&](const Interval& interval) {
            found.emplace_back(interval.start, interval.end);
            for (uint64_t at = interval.start; at < interval.end; at += kGuestPage) {
                const PageModel& expected = model[at / kGuestPage];
                same &= expected.mapped && expected.protection == interval.attributes.protection;
                if (expected.object != 0) {
                    same &= interval.attributes.backing == objects[expected.object - 1] &&
                            interval.part(at, at + kGuestPage).attributes.offset == expected.offset;
                }
            }
            return true;
        });
        REQUIRE(same);
        REQUIRE(found == runs_of(model));
    }
}

TEST_CASE("holes are those of a search page by page", "[user][A4][A7][A8]") {
    INFO("WEFT_TEST_SEED=" << test_seed());
    Random random(test_seed());
    for (int round = 0; round < 3000; round++) {
        AddressSpace space;
        std::vector<bool> used(kPages);
        MutexLock lock(space.mutex());
        AddressSpace::Change change(space);
        for (uint64_t i = 0; i < random.below(20); i++) {
            const uint64_t first = random.below(kPages);
            const uint64_t last = first + 1 + random.below(std::min<uint64_t>(4, kPages - first));
            change->erase(page(first), page(last));
            change->insert({page(first), page(last), with(1)});
            for (uint64_t p = first; p < last; p++) {
                used[p] = true;
            }
        }
        const uint64_t unit = uint64_t{1} << random.below(3);
        const uint64_t alignment = unit << random.below(2);
        const HoleRequest request{.size = page(1 + random.below(6)),
                                  .low = page(random.below(8)),
                                  .high = page(kPages - random.below(8)),
                                  .alignment = page(alignment),
                                  .phase = page(random.below(unit)),
                                  .unit = page(unit),
                                  .top_down = random.below(2) != 0};
        std::optional<uint64_t> lowest, highest;
        for (uint64_t p = 0; p < kPages; p++) {
            if (p % alignment != request.phase / kGuestPage) {
                continue;
            }
            const uint64_t from = p / unit * unit;
            const uint64_t to = (p + request.size / kGuestPage + unit - 1) / unit * unit;
            bool fits = page(from) >= request.low && page(to) <= request.high;
            for (uint64_t i = from; fits && i < to; i++) {
                fits = !used[i];
            }
            if (fits) {
                lowest = lowest.value_or(page(p));
                highest = page(p);
            }
        }
        const auto found = change->tree().find_hole(request);
        REQUIRE(found.has_value() == highest.has_value());
        if (found && alignment == 1) {
            REQUIRE(*found == (request.top_down ? *highest : *lowest));
        } else if (found) {
            REQUIRE(*found % page(alignment) == request.phase);
            REQUIRE(change->tree().empty(round_down(*found, request.unit),
                                         round_up(*found + request.size, request.unit)));
        }
    }
}

TEST_CASE("a choice looks at as many nodes as the logarithm says", "[user][A8][C7]") {
    AddressSpace space;
    MutexLock lock(space.mutex());
    AddressSpace::Change change(space);
    constexpr uint64_t kCount = 100000;
    // Every second page, so that a million holes of one page are in the way of one of two.
    for (uint64_t i = 0; i < kCount; i++) {
        change->insert({page(8 + 2 * i), page(9 + 2 * i), with(1)});
    }
    std::size_t steps = 0;
    HoleRequest request{.size = page(2), .low = page(4), .high = page(8 + 2 * kCount)};
    CHECK(IntervalTree::find_hole_counted(change->tree(), request, &steps) == page(6));
    CHECK(steps < 200);
    steps = 0;
    request.low = page(10);
    CHECK_FALSE(IntervalTree::find_hole_counted(change->tree(), request, &steps));
    CHECK(steps < 200);
    steps = 0;
    request.size = page(1);
    CHECK(IntervalTree::find_hole_counted(change->tree(), request, &steps) == page(7 + 2 * kCount));
    CHECK(steps < 200);
}

TEST_CASE("a node fits the room that one mapping may cost", "[user][C6]") {
    // malloc adds 8 bytes and rounds to 16.
    CHECK(round_up(sizeof(IntervalNode) + 8, 16) <= 200);
}

TEST_CASE("readers without a lock see one version or the next, and a lookup notices changes", "[user][C3]") {
    AddressSpace space;
    // All of these pages always have the same protection; what is mapped comes and goes.
    constexpr uint64_t kFirst = 16, kLast = 48;
    {
        MutexLock lock(space.mutex());
        AddressSpace::Change change(space);
        change->insert({page(kFirst), page(kLast), with(0)});
        change.commit();
    }
    std::atomic<bool> stop{false};
    std::atomic<unsigned> wrong{0}, looks{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < 2; i++) {
        readers.emplace_back([&] {
            EpochDomain::Reader reader(space.epochs());
            Lookup lookup(space);
            while (!stop.load()) {
                {
                    const AddressSpace::Reading reading(space, reader);
                    const Interval* first = reading.tree().at(page(kFirst));
                    const Interval* last = reading.tree().at(page(kLast - 1));
                    if (first == nullptr || last == nullptr ||
                        first->attributes.protection != last->attributes.protection) {
                        wrong++;
                    }
                }
                if (!lookup.allows(page(kFirst), page(kLast - kFirst), 0)) {
                    wrong++;
                }
                looks++;
            }
        });
    }
    for (int i = 0; i < 20000 || looks.load() < 1000; i++) {
        MutexLock lock(space.mutex());
        AddressSpace::Change change(space);
        change->erase(page(kFirst + 4), page(kFirst + 8));
        change->insert({page(kFirst + 4), page(kFirst + 8), with(static_cast<uint8_t>(i % 8))});
        change->update(page(kFirst), page(kLast),
                       [&](Attributes& a) { a.protection = static_cast<uint8_t>(i % 8); });
        change.commit();
    }
    stop.store(true);
    for (std::thread& reader : readers) {
        reader.join();
    }
    CHECK(wrong.load() == 0);

    Lookup lookup(space);
    REQUIRE(lookup.find(page(kFirst)) != nullptr);
    CHECK(lookup.find(page(kFirst))->end == page(kLast));
    CHECK(lookup.find(page(kLast)) == nullptr);
    CHECK_FALSE(lookup.allows(page(kFirst), ~uint64_t{0}, 0));
    {
        MutexLock lock(space.mutex());
        AddressSpace::Change change(space);
        change->erase(page(kFirst), page(kFirst + 1));
        change.commit();
    }
    CHECK(lookup.find(page(kFirst)) == nullptr);
    CHECK(lookup.find(page(kFirst + 1)) != nullptr);
}
