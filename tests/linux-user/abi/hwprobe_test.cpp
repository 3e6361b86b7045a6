// riscv_hwprobe against the kernel's documentation. Numbers of keys and bits are those of asm/hwprobe.h, written out.
#include "emulator/linux-user/riscv/hwprobe.h"

#include <catch2/catch.hpp>
#include <cerrno>
#include <vector>

namespace weft::user {
namespace {

using abi::HwprobePair;
using Bytes = std::vector<uint8_t>;

constexpr HwprobeFacts kFacts = {riscv::kRv64, 0x3fffffffffff, 10'000'000};
constexpr uint8_t kOnline[128] = {0x0f};

uint64_t value(int64_t key, const HwprobeFacts& facts = kFacts) {
    HwprobePair pair = {.key = key, .value = 0x5555};
    CHECK(hwprobe_values({&pair, 1}, true, {}, kOnline, 0, facts) == 0);
    CHECK(pair.key == key);
    return pair.value;
}

TEST_CASE("values") {
    CHECK(value(0) == 0);
    CHECK(value(1) == 0);
    CHECK(value(2) == 0);
    CHECK(value(3) == 1);
    // FD, C, Zba, Zbb, Zbs, Zihintpause, Zca, Zcd, Zicntr, Zaamo, Zalrsc; neither V nor Zicboz nor Zihpm.
    // Of rv64: FD, C, Zba, Zbb, Zbs, Zicboz, Zbc; Zihintntl; Zfa; Zihintpause; Zca; Zcd; Zawrs; Zicntr, Zihpm; Zicbom; Zaamo, Zalrsc;
    // Zicbop.
    uint64_t expected = 0xfb;
    for (const unsigned bit : {29, 32, 36, 43, 45, 48, 50, 51, 55, 56, 57, 60}) {
        expected |= uint64_t{1} << bit;
    }
    CHECK(value(4) == expected);
    CHECK(value(5) == 3);
    CHECK(value(6) == 64);
    CHECK(value(7) == 0x3fffffffffff);
    CHECK(value(8) == 10'000'000);
    CHECK(value(9) == 3);
    CHECK(value(10) == 4);
    for (const int64_t key : {11, 13, 14}) {
        CHECK(value(key) == 0);
    }
    CHECK(value(12) == 64);
    CHECK(value(15) == 64);
    CHECK(value(6, {riscv::kRva22u64, 0, 0}) == 64);
}

TEST_CASE("bits follow the model") {
    const riscv::CpuModel small = {
        "small",
        {riscv::Extension::i, riscv::Extension::m, riscv::Extension::a, riscv::Extension::f,
         riscv::Extension::c, riscv::Extension::zca, riscv::Extension::zaamo, riscv::Extension::zalrsc}};
    for (const int64_t key : {6, 12, 15}) {
        CHECK(value(key, {small, 0, 0}) == 0);
    }
    // RVA22U64's own: Zfhmin.
    CHECK((value(4, {riscv::kRva22u64, 0, 0}) & uint64_t{1} << 28) != 0);
    CHECK((value(4, {riscv::kMax, 0, 0}) &
           (uint64_t{1} << 27 | uint64_t{1} << 34 | uint64_t{1} << 49 | uint64_t{1} << 58)) ==
          (uint64_t{1} << 27 | uint64_t{1} << 34 | uint64_t{1} << 49 | uint64_t{1} << 58));
    constexpr uint64_t kCiphers = uint64_t{31} << 11;  // Zknd, Zkne, Zknh, Zksed, Zksh
    CHECK((value(4, {riscv::kMax, 0, 0}) & kCiphers) == kCiphers);
    // Without D: neither FD nor Zcd.
    CHECK(value(4, {small, 0, 0}) == (2 | uint64_t{1} << 43 | uint64_t{3} << 56));
}

TEST_CASE("unknown keys do not fail the call") {
    HwprobePair pairs[] = {{9, 7}, {16, 7}, {-1, 7}, {3, 7}, {int64_t{1} << 40, 7}};
    CHECK(hwprobe_values(pairs, true, {}, kOnline, 0, kFacts) == 0);
    const HwprobePair expected[] = {{9, 3}, {-1, 0}, {-1, 0}, {3, 1}, {-1, 0}};
    for (size_t i = 0; i < std::size(pairs); ++i) {
        CHECK(pairs[i].key == expected[i].key);
        CHECK(pairs[i].value == expected[i].value);
    }
    CHECK(hwprobe_values({}, true, {}, kOnline, 0, kFacts) == 0);
}

TEST_CASE("a set has to hold an online CPU") {
    HwprobePair pair = {3, 0};
    const auto with = [&](const Bytes& cpus) {
        return hwprobe_values({&pair, 1}, false, cpus, kOnline, 0, kFacts);
    };
    CHECK(with({0x01}) == 0);
    CHECK(with({0xf8}) == 0);
    pair.value = 77;
    CHECK(with({0xf0}) == -EINVAL);
    CHECK(with({}) == -EINVAL);
    CHECK(with(Bytes(128)) == -EINVAL);
    CHECK(pair.value == 77);
}

TEST_CASE("flags") {
    HwprobePair pair = {3, 0};
    Bytes cpus = {1};
    for (const uint32_t flags : {2u, 3u, 0x80000000u}) {
        CHECK(hwprobe_values({&pair, 1}, true, {}, kOnline, flags, kFacts) == -EINVAL);
        CHECK(hwprobe_which_cpus({&pair, 1}, cpus, kOnline, flags, kFacts) == -EINVAL);
    }
    CHECK(hwprobe_which_cpus({&pair, 1}, {}, kOnline, 1, kFacts) == -EINVAL);
    CHECK(cpus == Bytes{1});
}

Bytes which(std::vector<HwprobePair> pairs, Bytes cpus) {
    CHECK(hwprobe_which_cpus(pairs, cpus, kOnline, 1, kFacts) == 0);
    return cpus;
}

TEST_CASE("which CPUs") {
    CHECK(which({}, {0x05, 0xff}) == Bytes{0x05, 0});
    CHECK(which({}, {0, 0}) == Bytes{0x0f, 0});
    CHECK(which({}, {0xf0}) == Bytes{0});  // offline ones only: not empty
    CHECK(which({}, Bytes(200)).size() == 200);
    // Values match as a whole, bits where they are asked for.
    CHECK(which({{9, 3}}, {0}) == Bytes{0x0f});
    CHECK(which({{9, 1}}, {0}) == Bytes{0});
    CHECK(which({{4, 3}}, {0x06}) == Bytes{0x06});
    CHECK(which({{4, 0}}, {0x06}) == Bytes{0x06});
    CHECK(which({{4, 7}}, {0x06}) == Bytes{0});
    CHECK(which({{5, 1}}, {0x06}) == Bytes{0x06});
    CHECK(which({{8, 10'000'000}, {9, 2}}, {0x06}) == Bytes{0});
    CHECK(which({{9, 2}, {8, 10'000'000}}, {0x06}) == Bytes{0});
}

TEST_CASE("which CPUs have an unknown key: none") {
    HwprobePair pairs[] = {{99, 5}, {9, 3}, {100, 6}};
    Bytes cpus = {0x03};
    CHECK(hwprobe_which_cpus(pairs, cpus, kOnline, 1, kFacts) == 0);
    CHECK(cpus == Bytes{0});
    CHECK(pairs[0].key == -1);
    CHECK(pairs[0].value == 0);
    CHECK(pairs[1].key == 9);
    CHECK(pairs[1].value == 3);
    CHECK(pairs[2].key == -1);
}

}  // namespace
}  // namespace weft::user
