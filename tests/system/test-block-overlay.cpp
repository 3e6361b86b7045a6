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
