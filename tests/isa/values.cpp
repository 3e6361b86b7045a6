#include "tests/isa/values.h"

#include <array>
#include <bit>
#include <string_view>

namespace weft::isa_test {
namespace {

constexpr uint64_t kBox = 0xffffffff00000000;

constexpr std::array kFewIntegers = {
    uint64_t{0},
    uint64_t{1},
    ~uint64_t{0},
    uint64_t{2},
    uint64_t{31},
    uint64_t{63},
    uint64_t{64},
    uint64_t{0x80},
    uint64_t{0x8000},
    uint64_t{0x7fffffff},
    uint64_t{0x80000000},
    uint64_t{0xffffffff},
    uint64_t{0x100000000},
    uint64_t{0xffffffff80000000},
    uint64_t{0xffffffff7fffffff},
    uint64_t{0x7fffffffffffffff},
    uint64_t{0x8000000000000000},
    uint64_t{0x8000000000000001},
    uint64_t{0x5555555555555555},
    uint64_t{0x0123456789abcdef},
};

// All powers of two with both neighbours and negated, and the few from above.
constexpr auto kIntegers = [] {
    std::array<uint64_t, 64 * 4 + kFewIntegers.size()> values{};
    size_t n = 0;
    for (unsigned bit = 0; bit < 64; ++bit) {
        const uint64_t power = uint64_t{1} << bit;
        values[n++] = power;
        values[n++] = power - 1;
        values[n++] = power + 1;
        values[n++] = -power;
    }
    for (const uint64_t value : kFewIntegers) {
        values[n++] = value;
    }
    return values;
}();

constexpr std::array<uint32_t, 20> kFewSinglesRaw = {
    0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000,
    0x7f800001, 0xffc12345, 0x00000001, 0x007fffff, 0x80800000, 0x7f7fffff, 0xff7fffff,
    0x3f800001, 0x34000000, 0x4effffff, 0xcf000000, 0x3fc00000, 0x5f000000};

constexpr std::array<uint32_t, 40> kMoreSinglesRaw = {
    0x80000001, 0x00800000, 0x00800001, 0x807fffff, 0xffbfffff, 0x7fffffff, 0x3effffff, 0x3f000000,
    0xbf000000, 0x3f000001, 0xbfc00000, 0x40200000, 0x40600000, 0x3f7fffff, 0x33800000, 0x33800001,
    0xb3800000, 0x4b000000, 0x4b000001, 0x4b7fffff, 0x4effffff, 0x4f000000, 0x4f7fffff, 0x4f800000,
    0x5effffff, 0x5f7fffff, 0x5f800000, 0xdf000000, 0xdf000001, 0xcf000001, 0x7e800000, 0x7f000000,
    0x01000000, 0x00ffffff, 0x1f800000, 0x20000000, 0x40490fdb, 0xc02df854, 0x0da24260, 0x00400000};

constexpr uint64_t kHalfBox = 0xffffffffffff0000;

constexpr std::array<uint64_t, 21> kFewHalves = {
    kHalfBox | 0x0000, kHalfBox | 0x8000, kHalfBox | 0x3c00, kHalfBox | 0xbc00, kHalfBox | 0x7c00,
    kHalfBox | 0xfc00, kHalfBox | 0x7e00, kHalfBox | 0x7c01, kHalfBox | 0xfe12, kHalfBox | 0x0001,
    kHalfBox | 0x03ff, kHalfBox | 0x8400, kHalfBox | 0x7bff, kHalfBox | 0xfbff, kHalfBox | 0x3c01,
    kHalfBox | 0x1400, kHalfBox | 0x63ff, kHalfBox | 0xe400, kHalfBox | 0x3e00, kHalfBox | 0x7800,
    0xfffffffffffe3c00};

constexpr std::array<uint64_t, 31> kMoreHalves = {
    kHalfBox | 0x8001, kHalfBox | 0x0400, kHalfBox | 0x0401,  kHalfBox | 0x83ff,  kHalfBox | 0xfdff,
    kHalfBox | 0x7fff, kHalfBox | 0x37ff, kHalfBox | 0x3800,  kHalfBox | 0xb800,  kHalfBox | 0x3801,
    kHalfBox | 0xbe00, kHalfBox | 0x4100, kHalfBox | 0x4300,  kHalfBox | 0x3bff,  kHalfBox | 0x1000,
    kHalfBox | 0x1001, kHalfBox | 0x6400, kHalfBox | 0x67ff,  kHalfBox | 0x6800,  kHalfBox | 0x0800,
    kHalfBox | 0x07ff, kHalfBox | 0x2200, kHalfBox | 0x4248,  kHalfBox | 0xc170,  kHalfBox | 0x7400,
    kHalfBox | 0x0200, kHalfBox | 0xc000, 0x0000000000003c00, 0xffffffff00003c00, 0xffffffff3f800000,
    0x7fffffffffff7c00};

// Single and double values around the limits of half precision: overflow, subnormals, halfway cases.
constexpr std::array<uint64_t, 24> kNearHalves = {
    kBox | 0x477fe000,  kBox | 0x477fefff,  kBox | 0x477ff000,  kBox | 0x477ff001,  kBox | 0x47800000,
    kBox | 0x38800000,  kBox | 0x387fffff,  kBox | 0x387fe000,  kBox | 0x387ff000,  kBox | 0x33800000,
    kBox | 0x33000000,  kBox | 0x33000001,  kBox | 0xb3000000,  kBox | 0x3f801000,  kBox | 0x3f803000,
    0x40effc0000000000, 0x40effe0000000000, 0x40effdffffffffff, 0x3f10000000000000, 0x3f0fffffffffffff,
    0x3f0ffe0000000000, 0x3e60000000000000, 0x3e60000000000001, 0x3ff0020000000000};

constexpr std::array<uint64_t, 20> kFewDoubles = {
    0x0000000000000000, 0x8000000000000000, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000,
    0xfff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001, 0xfff8123456789abc, 0x0000000000000001,
    0x000fffffffffffff, 0x8010000000000000, 0x7fefffffffffffff, 0xffefffffffffffff, 0x3ff0000000000001,
    0x3cb0000000000000, 0x41dfffffffe00000, 0xc3e0000000000000, 0x3ff8000000000000, 0x47efffffe0000000};

constexpr std::array<uint64_t, 52> kMoreDoubles = {
    0x8000000000000001, 0x0010000000000000, 0x0010000000000001, 0x800fffffffffffff, 0xfff7ffffffffffff,
    0x7fffffffffffffff, 0x3fdfffffffffffff, 0x3fe0000000000000, 0xbfe0000000000000, 0x3fe0000000000001,
    0xbff8000000000000, 0x4004000000000000, 0x400c000000000000, 0x3fefffffffffffff, 0x3ca0000000000000,
    0x3ca0000000000001, 0xbca0000000000000, 0x4330000000000000, 0x4330000000000001, 0x433fffffffffffff,
    0x41e0000000000000, 0x41dfffffffc00000, 0xc1e0000000000000, 0xc1e0000000200000, 0xc1e0000000100000,
    0x41efffffffe00000, 0x41effffffff00000, 0x41f0000000000000, 0x43dfffffffffffff, 0x43e0000000000000,
    0x43efffffffffffff, 0x43f0000000000000, 0xc3e0000000000001, 0xbfefffffffffffff, 0x7fd0000000000000,
    0x7fe0000000000000, 0x0020000000000000, 0x001fffffffffffff, 0x1ff0000000000000, 0x2000000000000000,
    0x400921fb54442d18, 0xc005bf0a8b145769,
    // Around the limits of single precision: overflow, subnormals and halfway cases of fcvt.s.d.
    0x47effffff0000000, 0x47efffffefffffff, 0x47f0000000000000, 0x3810000000000000, 0x380fffffffffffff,
    0x380fffffe0000000, 0x36a0000000000000, 0x3690000000000000, 0x3690000000000001, 0x3ff0000010000000};

constexpr std::array<uint64_t, 5> kNotBoxed = {0x000000003f800000, 0xfffffffe3f800000, 0x7fffffff00000000,
                                               0x3ff0000000000000, 0xffff0000ffc00000};

template <size_t kSize>
constexpr auto boxed(const std::array<uint32_t, kSize>& raw) {
    std::array<uint64_t, kSize> values{};
    for (size_t i = 0; i < kSize; ++i) {
        values[i] = kBox | raw[i];
    }
    return values;
}

template <size_t kFirst, size_t kSecond>
constexpr auto joined(const std::array<uint64_t, kFirst>& first,
                      const std::array<uint64_t, kSecond>& second) {
    std::array<uint64_t, kFirst + kSecond> values{};
    for (size_t i = 0; i < kFirst; ++i) {
        values[i] = first[i];
    }
    for (size_t i = 0; i < kSecond; ++i) {
        values[kFirst + i] = second[i];
    }
    return values;
}

constexpr std::array<uint64_t, 1> kOneNotBoxed = {kNotBoxed[1]};
constexpr auto kFewSingles = joined(boxed(kFewSinglesRaw), kOneNotBoxed);
constexpr auto kSingles =
    joined(joined(joined(boxed(kFewSinglesRaw), boxed(kMoreSinglesRaw)), kNotBoxed), kNearHalves);
constexpr auto kHalves = joined(kFewHalves, kMoreHalves);
constexpr auto kDoubles = joined(joined(kFewDoubles, kMoreDoubles), kNearHalves);

uint64_t any_of(std::span<const uint64_t> values, test::Random& random) {
    return values[random.below(values.size())];
}

// With an exponent near zero's, so that sums of two of them round rather than drop one.
uint64_t ordinary_double(test::Random& random) {
    const uint64_t exponent = 1023 - 20 + random.below(40);
    return (random.next() & 0x800fffffffffffff) | exponent << 52;
}

uint64_t ordinary_single(test::Random& random) {
    const uint64_t exponent = 127 - 12 + random.below(24);
    return kBox | (random.next() & 0x807fffff) | exponent << 23;
}

uint64_t ordinary_half(test::Random& random) {
    const uint64_t exponent = 15 - 6 + random.below(12);
    return kHalfBox | (random.next() & 0x83ff) | exponent << 10;
}

}  // namespace

uint64_t random_ordinary_fp(test::Random& random) {
    constexpr uint64_t kLowHalf = 0xffffffff;
    return (ordinary_double(random) & ~kLowHalf) | (ordinary_single(random) & kLowHalf);
}

std::span<const uint64_t> integer_corners() { return kIntegers; }
std::span<const uint64_t> few_integer_corners() { return kFewIntegers; }
std::span<const uint64_t> single_corners() { return kSingles; }
std::span<const uint64_t> few_single_corners() { return kFewSingles; }
std::span<const uint64_t> half_corners() { return kHalves; }
std::span<const uint64_t> few_half_corners() { return kFewHalves; }
std::span<const uint64_t> double_corners() { return kDoubles; }
std::span<const uint64_t> few_double_corners() { return kFewDoubles; }

// The last part of a mnemonic says it: fadd.d, fcvt.s.d, fcvt.w.h.
char operand_precision(const riscv::InsnDesc& desc) {
    const std::string_view last = desc.mnemonic.substr(desc.mnemonic.rfind('.') + 1);
    return last == "h" ? 'h' : last == "d" ? 'd' : 's';
}

uint64_t random_integer(test::Random& random) {
    switch (random.below(4)) {
        case 0:
            return any_of(kFewIntegers, random);
        case 1:
            return any_of(kIntegers, random);
        case 2:
            return random.next() >> random.below(64);
        default:
            return random.next();
    }
}

uint64_t random_fp(test::Random& random) {
    switch (random.below(11)) {
        case 8:
            return any_of(kHalves, random);
        case 9:
            return kHalfBox | (random.next() & 0xffff);
        case 10:
            return ordinary_half(random);
        case 0:
            return any_of(kDoubles, random);
        case 1:
            return any_of(kSingles, random);
        case 2:
            return kBox | (random.next() & 0xffffffff);
        case 3:
            return random.next();
        case 4:
        case 5:
            return ordinary_single(random);
        default:
            return ordinary_double(random);
    }
}

}  // namespace weft::isa_test
