// Which instructions the host executes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace weft::tcg::x86_64 {

// The registers that the features are read from; a leaf the processor does not have reads as zeros.
struct CpuidWords {
    uint32_t leaf1_ecx = 0;
    uint32_t leaf7_ebx = 0;
    uint32_t extended1_ecx = 0;  // leaf 80000001h
    uint64_t xcr0 = 0;           // zero unless leaf 1 says OSXSAVE

    // This processor's.
    static CpuidWords read();
};

// A plain value: ask once, hand it down. A set feature may be used: the processor has it and the operating
// system keeps its registers.
struct HostFeatures {
    bool sse41 = false;  // roundss, insertps, pinsrd, pextrd, pcmpeqq
    bool popcnt = false;
    bool movbe = false;
    bool cx16 = false;  // cmpxchg16b
    bool lzcnt = false;
    bool bmi1 = false;  // andn, bextr, blsr, tzcnt
    bool bmi2 = false;  // shlx, rorx, mulx, pdep
    bool avx = false;
    bool avx2 = false;
    bool fma = false;
    bool avx512f = false;
    bool avx512dq = false;
    bool avx512bw = false;
    bool avx512vl = false;

    // What CPUID and XCR0 promise (SDM volume 1, 14.3 and 15.2-15.4).
    static HostFeatures decode(const CpuidWords& words);
    // This host's.
    static HostFeatures detect() { return decode(CpuidWords::read()); }

    // Without the features named in a comma-separated list ("bmi2,avx512f"), nor those that need them. An
    // empty list switches nothing off. Error: an unknown name.
    Result<HostFeatures> without(std::string_view names) const;

    // Names of the set features, separated by commas.
    std::string names() const;

    friend bool operator==(const HostFeatures&, const HostFeatures&) = default;

  private:
    // Clears what needs a feature that is not set.
    void close();
};

struct HostFeatureName {
    std::string_view name;
    bool HostFeatures::* flag;
};
inline constexpr std::array<HostFeatureName, 14> kHostFeatureNames = {{
    {"sse4.1", &HostFeatures::sse41},
    {"popcnt", &HostFeatures::popcnt},
    {"movbe", &HostFeatures::movbe},
    {"cx16", &HostFeatures::cx16},
    {"lzcnt", &HostFeatures::lzcnt},
    {"bmi1", &HostFeatures::bmi1},
    {"bmi2", &HostFeatures::bmi2},
    {"avx", &HostFeatures::avx},
    {"avx2", &HostFeatures::avx2},
    {"fma", &HostFeatures::fma},
    {"avx512f", &HostFeatures::avx512f},
    {"avx512dq", &HostFeatures::avx512dq},
    {"avx512bw", &HostFeatures::avx512bw},
    {"avx512vl", &HostFeatures::avx512vl},
}};

}  // namespace weft::tcg::x86_64
