#include "base/shared_bytes.h"

#include <catch2/catch.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "tests/support/failing_host_calls.h"

using namespace weft;

namespace {

std::vector<uint8_t> counted(size_t size) {
    std::vector<uint8_t> bytes(size);
    std::iota(bytes.begin(), bytes.end(), uint8_t{1});
    return bytes;
}

void append(BytesCollector& collector, std::span<const uint8_t> bytes) {
    const auto room = collector.room(bytes.size());
    REQUIRE(room);
    REQUIRE(room->size() >= bytes.size());
    std::ranges::copy(bytes, room->begin());
    collector.add(bytes.size());
}

}  // namespace

TEST_CASE("shared bytes: copies and parts are the same memory, which outlives the first of them") {
    SharedBytes part, copy;
    {
        const SharedBytes all(counted(100));
        copy = all;
        part = all.part(10, 20);
        CHECK(copy.data() == all.data());
        CHECK(part.data() == all.data() + 10);
    }
    CHECK(copy == SharedBytes(counted(100)));
    CHECK(part.size() == 20);
    CHECK(part[0] == 11);
    CHECK(part.part(20, 0).empty());
    CHECK(SharedBytes({1, 2}) == SharedBytes({1, 2}));
    CHECK_FALSE(SharedBytes({1, 2}) == SharedBytes({1, 3}));
    CHECK_FALSE(SharedBytes({1, 2}) == SharedBytes({1}));
    CHECK(SharedBytes().empty());
}

TEST_CASE("bytes collector: what was added is there, wherever it had to be moved") {
    const std::vector<uint8_t> piece = counted(70'001);
    std::vector<uint8_t> expected;
    BytesCollector collector;
    for (int i = 0; i < 100; ++i) {  // past a huge page
        append(collector, piece);
        expected.insert(expected.end(), piece.begin(), piece.end());
    }
    CHECK(std::ranges::equal(collector.bytes(), expected));
    const SharedBytes bytes = collector.take();
    CHECK(std::ranges::equal(bytes, expected));
    CHECK(collector.bytes().empty());
    CHECK(collector.take().empty());
    append(collector, piece);
    CHECK(collector.take() == SharedBytes(piece));
}

TEST_CASE("bytes collector: room that was asked for at once is filled in place") {
    BytesCollector collector;
    REQUIRE(collector.room(100'000));
    append(collector, counted(50'000));
    const uint8_t* const first = collector.bytes().data();
    append(collector, counted(50'000));
    CHECK(collector.bytes().data() == first);
}

TEST_CASE("bytes collector: without memory it keeps what it has") {
    const test::FailingHostCalls calls(1);
    BytesCollector collector(calls);
    append(collector, counted(10));
    CHECK_FALSE(collector.room(1 << 20));
    CHECK(collector.take() == SharedBytes(counted(10)));
}
