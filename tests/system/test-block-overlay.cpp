// A disk whose writes are forgotten, against a plain array of bytes.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>

#include "emulator/backend/block/overlay.h"
#include "emulator/backend/block/raw.h"
#include "tests/support/random.h"
#include "tests/support/subprocess.h"

using namespace weft;

TEST_CASE("writes are seen, and the image keeps its bytes", "[block-overlay]") {
    const uint64_t seed = test::test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    test::Random random(seed);
    const test::TempDir dir;
    // Two clusters and a part of a third.
    const size_t size = 2 * 65536 + 5 * 512;
    std::string original(size, '\0');
    std::ranges::generate(original, [&] { return static_cast<char>(random.next()); });
    const std::string path = dir.write("disk", original);
    {
        auto image = backend::RawImage::open(path, {.read_only = true, .probe = false});
        REQUIRE(image);
        const auto overlay = backend::Overlay::create(std::move(*image));
        REQUIRE(overlay);
        CHECK((*overlay)->size() == size);
        CHECK_FALSE((*overlay)->read_only());
        std::vector<uint8_t> expected(original.begin(), original.end());
        for (int round = 0; round < 200; ++round) {
            const size_t offset = random.below(size);
            const size_t count = std::min<size_t>(size - offset, random.below(round % 10 == 0 ? size : 3000));
            if (round % 2 == 0) {
                std::vector<uint8_t> data(count);
                std::ranges::generate(data, [&] { return static_cast<uint8_t>(random.next()); });
                REQUIRE((*overlay)->write(offset, data));
                std::ranges::copy(data, expected.begin() + static_cast<ptrdiff_t>(offset));
            }
            std::vector<uint8_t> back(count);
            REQUIRE((*overlay)->read(offset, back));
            REQUIRE(std::equal(back.begin(), back.end(), expected.begin() + static_cast<ptrdiff_t>(offset)));
        }
        REQUIRE((*overlay)->flush());
        std::vector<uint8_t> all(size);
        REQUIRE((*overlay)->read(0, all));
        CHECK(all == expected);
    }
    CHECK(test::read_file(path) == original);
}

TEST_CASE("snapshots of an overlay come, are applied and go", "[block-overlay]") {
    const test::TempDir dir;
    const std::string path = dir.write("disk", std::string(3 * 65536 + 512, '.'));
    auto image = backend::RawImage::open(path, {.read_only = true, .probe = false});
    REQUIRE(image);
    const auto made = backend::Overlay::create(std::move(*image));
    REQUIRE(made);
    backend::BlockBackend& overlay = **made;
    REQUIRE(overlay.snapshots() != nullptr);
    backend::DiskSnapshots& snapshots = *overlay.snapshots();
    const auto put = [&](uint64_t offset, uint8_t byte) {
        REQUIRE(overlay.write(offset, std::vector<uint8_t>(512, byte)));
    };
    const auto get = [&](uint64_t offset) {
        std::vector<uint8_t> bytes(512);
        REQUIRE(overlay.read(offset, bytes));
        return static_cast<char>(bytes[0]);
    };
    put(0, 'a');
    auto state = snapshots.begin_state();
    REQUIRE(state);
    REQUIRE((*state)->write(std::vector<uint8_t>{1, 2, 3}));
    REQUIRE(snapshots.create({.id = {}, .name = "one"}, std::move(*state)));
    put(0, 'b');
    put(3 * 65536, 'b');
    REQUIRE(snapshots.create({.id = {}, .name = "two"}, nullptr));
    REQUIRE(snapshots.apply("one"));
    CHECK(get(0) == 'a');
    CHECK(get(512) == '.');
    CHECK(get(3 * 65536) == '.');
    put(512, 'c');
    REQUIRE(snapshots.apply("two"));
    CHECK(get(0) == 'b');
    CHECK(get(512) == '.');
    CHECK(get(3 * 65536) == 'b');
    std::vector<uint8_t> read(8);
    CHECK(snapshots.read_state("one", 1, read) == 2);
    CHECK(read[0] == 2);
    const auto list = snapshots.list();
    REQUIRE(list);
    CHECK(list->size() == 2);
    CHECK(list->front().vm_state_bytes == 3);
    REQUIRE(snapshots.remove("one"));
    CHECK_FALSE(snapshots.apply("one"));
    CHECK(test::read_file(path) == std::string(3 * 65536 + 512, '.'));
}

TEST_CASE("an overlay without a place for its file is an error", "[block-overlay]") {
    const test::TempDir dir;
    auto image = backend::RawImage::open(dir.write("disk", std::string(512, '.')), {.read_only = true});
    REQUIRE(image);
    REQUIRE(setenv("TMPDIR", "/nonexistent/folder", 1) == 0);
    const auto overlay = backend::Overlay::create(std::move(*image));
    unsetenv("TMPDIR");
    REQUIRE_FALSE(overlay);
    CHECK(overlay.error().message() ==
          "cannot make a temporary file in '/nonexistent/folder': No such file or directory");
}
