// How often code is cold.
#include "accel/tcg/vcpu/visits.h"

#include <catch2/catch.hpp>
#include <utility>

namespace weft::accel {
namespace {

bool cold(Visits& visits, uint64_t pc) { return visits.meet(pc) == Visit::cold; }

unsigned cold_visits(Visits& visits, uint64_t pc) {
    unsigned count = 0;
    while (cold(visits, pc)) {
        ++count;
    }
    return count;
}

TEST_CASE("code is cold as often as was asked for, each pc for itself", "[visits]") {
    for (const unsigned limit : {1u, 4u, unsigned{Visits::kMaxLimit}}) {
        Visits visits(static_cast<uint8_t>(limit), static_cast<uint8_t>(limit));
        CHECK(cold_visits(visits, 0x80000000) == limit);
        CHECK_FALSE(cold(visits, 0x80000000));
        CHECK(cold_visits(visits, 0x80000002) == limit);
    }
    Visits never(0, 0);
    CHECK_FALSE(cold(never, 0x80000000));
}

TEST_CASE("what is met first is cold more often, for the first codes that are hot", "[visits]") {
    Visits visits(4, 16);
    CHECK(cold(visits, 0x800));
    for (uint64_t code = 1; code <= 64; ++code) {
        CHECK(cold_visits(visits, code * 0x1000) == 16);
    }
    CHECK(cold_visits(visits, 0x900) == 4);
    CHECK(cold_visits(visits, 0x800) == 3);
    CHECK_FALSE(cold(visits, 0x1000));
}

TEST_CASE("code that was called hot is cold no more", "[visits]") {
    Visits visits(4, 4);
    CHECK(cold(visits, 0x1000));
    visits.set_hot(0x1000);
    CHECK_FALSE(cold(visits, 0x1000));
}

TEST_CASE("code that is due stays so until somebody was asked, and is waited for", "[visits]") {
    Visits visits(2, 2);
    CHECK(cold_visits(visits, 0x1000) == 2);
    CHECK(visits.meet(0x1000) == Visit::due);
    CHECK(visits.meet(0x1000) == Visit::due);
    visits.set_awaited(0x1000);
    unsigned waited = 0;
    while (visits.meet(0x1000) == Visit::awaited) {
        ++waited;
    }
    CHECK(waited > 0);
    CHECK(visits.meet(0x1000) == Visit::hot);
    visits.set_awaited(0x1000);
    CHECK(visits.meet(0x1000) == Visit::awaited);
}

TEST_CASE("a thread goes on with what another one has counted", "[visits]") {
    Visits first(4, 4);
    CHECK(cold(first, 0x1000));
    CHECK(cold(first, 0x1000));
    Visits second(4, 4, first.release_counts());
    CHECK(cold_visits(second, 0x1000) == 2);
}

TEST_CASE("however many threads there are, most code that is new is cold", "[visits]") {
    Visits::Counts counts = Visits::make_counts(4);
    constexpr unsigned kCodes = 200'000;
    unsigned cold_codes = 0;
    for (uint64_t pc = 0; pc < kCodes;) {
        Visits visits(4, 4, std::move(counts));
        for (const uint64_t end = pc + 1000; pc < end; ++pc) {
            cold_codes += cold(visits, pc * 24) && cold(visits, pc * 24) ? 1u : 0u;
        }
        counts = visits.release_counts();
    }
    CHECK(cold_codes > kCodes * 9 / 10);
}

TEST_CASE("however much code there is, most that is new is cold", "[visits]") {
    Visits visits(4, 4);
    constexpr unsigned kCodes = 200'000;
    unsigned cold_codes = 0;
    for (uint64_t pc = 0; pc < kCodes; ++pc) {
        cold_codes += cold(visits, pc * 24) && cold(visits, pc * 24) ? 1u : 0u;
    }
    CHECK(cold_codes > kCodes * 9 / 10);
}

}  // namespace
}  // namespace weft::accel
