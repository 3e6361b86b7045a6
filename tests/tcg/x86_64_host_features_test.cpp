// The oracle is the kernel's own reading of the processor: the flags of /proc/cpuinfo.
#include <cpuid.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "tcg/x86_64/host_features.h"

using namespace weft::tcg::x86_64;

namespace {

std::set<std::string> kernel_flags() {
    std::ifstream cpuinfo("/proc/cpuinfo");
    for (std::string line; std::getline(cpuinfo, line);) {
        if (!line.starts_with("flags"))
            continue;
        std::istringstream words(line.substr(line.find(':') + 1));
        std::set<std::string> flags;
        for (std::string word; words >> word;)
            flags.insert(word);
        return flags;
    }
    return {};
}

constexpr uint32_t kOsXsave = 1U << 27;
// Everything the processor could have.
constexpr CpuidWords kAll{~0U, ~0U, ~0U, ~uint64_t{0}};

}  // namespace

TEST_CASE("the host's features are those the kernel lists") {
    const std::set<std::string> flags = kernel_flags();
    if (flags.empty()) {
        WARN("no flags in /proc/cpuinfo");
        return;
    }
    const HostFeatures host = HostFeatures::detect();
    for (const HostFeatureName& feature : kHostFeatureNames) {
        std::string flag(feature.name);
        if (flag == "sse4.1")
            flag = "sse4_1";
        else if (flag == "lzcnt")
            continue;  // "abm", which not every kernel lists: see below
        CAPTURE(flag);
        CHECK(host.*feature.flag == flags.contains(flag));
    }
}

TEST_CASE("the host has lzcnt where the instruction does what lzcnt does") {
    uint64_t result = 0;
    // A processor without it ignores the prefix and does bsr.
    asm volatile("lzcnt %1, %0" : "=r"(result) : "r"(uint64_t{1}) : "cc");
    CHECK(HostFeatures::detect().lzcnt == (result == 63));
}

TEST_CASE("nothing is decoded from nothing, everything from everything") {
    CHECK(HostFeatures::decode({}) == HostFeatures{});
    const HostFeatures all = HostFeatures::decode(kAll);
    for (const HostFeatureName& feature : kHostFeatureNames) {
        CAPTURE(feature.name);
        CHECK(all.*feature.flag);
    }
}

TEST_CASE("each feature is read from its bit") {
    struct Row {
        bool HostFeatures::* flag;
        uint32_t CpuidWords::* word;
        unsigned bit;
    };
    const std::array<Row, 14> rows = {{
        {&HostFeatures::sse41, &CpuidWords::leaf1_ecx, bit_SSE4_1},
        {&HostFeatures::popcnt, &CpuidWords::leaf1_ecx, bit_POPCNT},
        {&HostFeatures::movbe, &CpuidWords::leaf1_ecx, bit_MOVBE},
        {&HostFeatures::cx16, &CpuidWords::leaf1_ecx, bit_CMPXCHG16B},
        {&HostFeatures::lzcnt, &CpuidWords::extended1_ecx, bit_LZCNT},
        {&HostFeatures::bmi1, &CpuidWords::leaf7_ebx, bit_BMI},
        {&HostFeatures::bmi2, &CpuidWords::leaf7_ebx, bit_BMI2},
        {&HostFeatures::avx, &CpuidWords::leaf1_ecx, bit_AVX},
        {&HostFeatures::avx2, &CpuidWords::leaf7_ebx, bit_AVX2},
        {&HostFeatures::fma, &CpuidWords::leaf1_ecx, bit_FMA},
        {&HostFeatures::avx512f, &CpuidWords::leaf7_ebx, bit_AVX512F},
        {&HostFeatures::avx512dq, &CpuidWords::leaf7_ebx, bit_AVX512DQ},
        {&HostFeatures::avx512bw, &CpuidWords::leaf7_ebx, bit_AVX512BW},
        {&HostFeatures::avx512vl, &CpuidWords::leaf7_ebx, bit_AVX512VL},
    }};
    for (size_t i = 0; i < rows.size(); ++i) {
        CAPTURE(kHostFeatureNames[i].name);
        CHECK(rows[i].flag == kHostFeatureNames[i].flag);
        CpuidWords words = kAll;
        words.*rows[i].word &= ~rows[i].bit;
        CHECK_FALSE(HostFeatures::decode(words).*rows[i].flag);
    }
}

TEST_CASE("vector features need the operating system to keep their registers") {
    const auto with_state = [](uint64_t xcr0) {
        CpuidWords words = kAll;
        words.xcr0 = xcr0;
        return HostFeatures::decode(words);
    };
    for (const uint64_t xcr0 : {0x0U, 0x1U, 0x3U, 0x5U, 0xe3U}) {
        CAPTURE(xcr0);
        const HostFeatures host = with_state(xcr0);
        CHECK_FALSE(host.avx);
        CHECK_FALSE(host.avx2);
        CHECK_FALSE(host.fma);
        CHECK_FALSE(host.avx512f);
        CHECK(host.bmi1);
        CHECK(host.bmi2);
    }
    for (const uint64_t xcr0 : {0x7U, 0x27U, 0x67U, 0xc7U}) {
        CAPTURE(xcr0);
        const HostFeatures host = with_state(xcr0);
        CHECK(host.avx2);
        CHECK_FALSE(host.avx512f);
        CHECK_FALSE(host.avx512vl);
    }
    CHECK(with_state(0xe7).avx512vl);

    CpuidWords no_xsave = kAll;
    no_xsave.leaf1_ecx &= ~kOsXsave;
    CHECK_FALSE(HostFeatures::decode(no_xsave).avx);
}

TEST_CASE("features can be switched off, with what needs them") {
    const HostFeatures all = HostFeatures::decode(kAll);
    CHECK(all.without("").value() == all);
    const HostFeatures no_bmi2 = all.without("bmi2").value();
    CHECK_FALSE(no_bmi2.bmi2);
    CHECK(no_bmi2.bmi1);
    const HostFeatures no_avx = all.without("movbe,avx").value();
    CHECK_FALSE(no_avx.movbe);
    CHECK_FALSE(no_avx.avx2);
    CHECK_FALSE(no_avx.fma);
    CHECK_FALSE(no_avx.avx512bw);
    CHECK(no_avx.names() == "sse4.1,popcnt,cx16,lzcnt,bmi1,bmi2");
    CHECK(all.without("avx512f").value().fma);
    CHECK_FALSE(all.without("avx512f").value().avx512dq);

    const auto unknown = all.without("bmi2,bmi3");
    REQUIRE_FALSE(unknown.has_value());
    CHECK(unknown.error().message() == "unknown host feature 'bmi3'");
    CHECK_FALSE(all.without(",").has_value());
}
