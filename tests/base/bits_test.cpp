#include "base/bits.h"

#include <catch2/catch.hpp>
#include <set>

#include "base/hash.h"
#include "tests/support/random.h"

using namespace weft;

namespace {

// Bit by bit, as the definitions say it.
std::uint64_t slow_extract(std::uint64_t value, unsigned start, unsigned length) {
    std::uint64_t out = 0;
    for (unsigned i = 0; i < length; ++i) {
        out |= ((value >> (start + i)) & 1) << i;
    }
    return out;
}

}  // namespace

TEST_CASE("alignment") {
    STATIC_REQUIRE(align_up(std::uint64_t{4097}, 4096) == 8192);
    STATIC_REQUIRE(align_up(std::uint32_t{4096}, 4096) == 4096);
    STATIC_REQUIRE(align_up(std::uint8_t{0}, 16) == 0);
    STATIC_REQUIRE(align_down(std::uint64_t{0xffff'ffff'ffff'ffff}, 4096) == 0xffff'ffff'ffff'f000);
    STATIC_REQUIRE(is_aligned(std::uint16_t{0x1000}, 0x1000));
    STATIC_REQUIRE_FALSE(is_aligned(std::uint16_t{0x1800}, 0x1000));
    STATIC_REQUIRE(would_align_overflow(std::uint8_t{0xf1}, 16));
    STATIC_REQUIRE_FALSE(would_align_overflow(std::uint8_t{0xf0}, 16));
    STATIC_REQUIRE(align_up(std::uint8_t{0xf1}, 16) == 0);
    STATIC_REQUIRE(div_round_up(~std::uint64_t{0}, 2) == std::uint64_t{1} << 63);
    STATIC_REQUIRE(div_round_up(std::uint32_t{9}, 3) == 3);
    STATIC_REQUIRE(is_power_of_two(64u));
    STATIC_REQUIRE_FALSE(is_power_of_two(0u));
}

TEST_CASE("fields at the edges of their type") {
    STATIC_REQUIRE(low_mask<std::uint64_t>(0) == 0);
    STATIC_REQUIRE(low_mask<std::uint64_t>(64) == ~std::uint64_t{0});
    STATIC_REQUIRE(low_mask<std::uint8_t>(8) == 0xff);
    STATIC_REQUIRE(low_mask<std::uint16_t>(5) == 0x1f);
    STATIC_REQUIRE(sign_extend(std::uint64_t{0x800}, 12) == -2048);
    STATIC_REQUIRE(sign_extend(std::uint64_t{0xf7ff}, 12) == 2047);
    STATIC_REQUIRE(sign_extend(std::uint32_t{1}, 1) == -1);
    STATIC_REQUIRE(sign_extend(~std::uint64_t{0}, 64) == -1);
    STATIC_REQUIRE(sign_extract(std::uint32_t{0xfff00000}, 20, 12) == -1);
    STATIC_REQUIRE(deposit(std::uint64_t{0}, 0, 64, ~std::uint64_t{0}) == ~std::uint64_t{0});
    STATIC_REQUIRE(deposit(std::uint8_t{0xff}, 7, 1, 0) == 0x7f);
    STATIC_REQUIRE(deposit(std::uint32_t{0x12345678}, 8, 8, 0xffab) == 0x1234ab78);
}

TEST_CASE("fields against a bit-by-bit definition") {
    INFO("WEFT_TEST_SEED=" << test::test_seed());
    test::Random random(test::test_seed());
    for (int round = 0; round < 20000; ++round) {
        const std::uint64_t value = random.next();
        const std::uint64_t field = random.next();
        const unsigned start = static_cast<unsigned>(random.below(64));
        const unsigned length = 1 + static_cast<unsigned>(random.below(64 - start));
        const std::uint64_t expected = slow_extract(value, start, length);
        REQUIRE(extract(value, start, length) == expected);
        const std::uint64_t merged = deposit(value, start, length, field);
        for (unsigned bit = 0; bit < 64; ++bit) {
            const bool inside = bit >= start && bit - start < length;
            REQUIRE(((merged >> bit) & 1) == (inside ? (field >> (bit - start)) & 1 : (value >> bit) & 1));
        }
        const bool negative = ((expected >> (length - 1)) & 1) != 0;
        const std::int64_t extended = sign_extract(value, start, length);
        REQUIRE((extended < 0) == negative);
        REQUIRE(slow_extract(static_cast<std::uint64_t>(extended), 0, length) == expected);
    }
}

TEST_CASE("every input bit reaches every bit of a hash") {
    INFO("WEFT_TEST_SEED=" << test::test_seed());
    test::Random random(test::test_seed());
    constexpr int kRounds = 2000;
    const auto hash = [](const std::uint64_t(&w)[4]) { return hash_words(w[0], w[1], w[2], w[3]); };
    for (unsigned in = 0; in < 256; in += 5) {
        int flips[64] = {};
        for (int round = 0; round < kRounds; ++round) {
            std::uint64_t words[4] = {random.next(), random.next(), random.next(), random.next()};
            const std::uint64_t before = hash(words);
            words[in / 64] ^= std::uint64_t{1} << (in % 64);
            const std::uint64_t changed = before ^ hash(words);
            for (unsigned out = 0; out < 64; ++out) {
                flips[out] += static_cast<int>((changed >> out) & 1);
            }
        }
        for (unsigned out = 0; out < 64; ++out) {
            // Half of 2000 with a standard deviation of 22: ten of those leave room for any seed.
            INFO("input bit " << in << ", output bit " << out);
            REQUIRE(std::abs(flips[out] - kRounds / 2) < 224);
        }
    }
}

TEST_CASE("keys like those of translation blocks spread over buckets") {
    // Sequential pages and small steps of offset: 2^16 keys into 2^16 buckets leave about 1/e of them empty
    // when the hash is as good as random.
    constexpr unsigned kBuckets = 1u << 16;
    std::set<std::uint32_t> used;
    for (std::uint64_t page = 0; page < 256; ++page) {
        for (std::uint64_t offset = 0; offset < 512; offset += 2) {
            used.insert(hash_fold(hash_words(0x80000000 + page * 4096, offset, 3u, ~std::uint64_t{0})) %
                        kBuckets);
        }
    }
    const double empty = 1.0 - static_cast<double>(used.size()) / kBuckets;
    REQUIRE(empty > 0.35);
    REQUIRE(empty < 0.39);
    STATIC_REQUIRE(hash_words(1, 2) != hash_words(2, 1));
    STATIC_REQUIRE(hash_words(1) != hash_words(1, 0));
}
