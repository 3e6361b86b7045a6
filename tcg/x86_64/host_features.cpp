#include "tcg/x86_64/host_features.h"

#include <cpuid.h>

#include <algorithm>
#include <string>

namespace weft::tcg::x86_64 {
namespace {

constexpr bool bit(uint64_t word, unsigned number) { return (word >> number & 1) != 0; }

constexpr unsigned kOsXsave = 27;  // leaf 1, ecx

// XCR0: the register state that the operating system saves.
constexpr uint64_t kSseAndAvxState = 0x6;
constexpr uint64_t kAvx512State = 0xe0;  // opmask, upper halves of zmm0-15, zmm16-31

}  // namespace

CpuidWords CpuidWords::read() {
    CpuidWords words;
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0)
        words.leaf1_ecx = ecx;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0)
        words.leaf7_ebx = ebx;
    if (__get_cpuid(0x8000'0001U, &eax, &ebx, &ecx, &edx) != 0)
        words.extended1_ecx = ecx;
    if (bit(words.leaf1_ecx, kOsXsave)) {
        uint32_t low = 0;
        uint32_t high = 0;
        // The intrinsic would need this file compiled for processors that have the instruction.
        asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        words.xcr0 = uint64_t{high} << 32 | low;
    }
    return words;
}

HostFeatures HostFeatures::decode(const CpuidWords& words) {
    const uint64_t state = bit(words.leaf1_ecx, kOsXsave) ? words.xcr0 : 0;
    const bool avx_state = (state & kSseAndAvxState) == kSseAndAvxState;
    const bool avx512_state = avx_state && (state & kAvx512State) == kAvx512State;
    HostFeatures host;
    host.fma = bit(words.leaf1_ecx, 12) && avx_state;
    host.cx16 = bit(words.leaf1_ecx, 13);
    host.sse41 = bit(words.leaf1_ecx, 19);
    host.movbe = bit(words.leaf1_ecx, 22);
    host.popcnt = bit(words.leaf1_ecx, 23);
    host.avx = bit(words.leaf1_ecx, 28) && avx_state;
    // The VEX instructions on integer registers need no state of the operating system's.
    host.bmi1 = bit(words.leaf7_ebx, 3);
    host.avx2 = bit(words.leaf7_ebx, 5) && avx_state;
    host.bmi2 = bit(words.leaf7_ebx, 8);
    host.avx512f = bit(words.leaf7_ebx, 16) && avx512_state;
    host.avx512dq = bit(words.leaf7_ebx, 17) && avx512_state;
    host.avx512bw = bit(words.leaf7_ebx, 30) && avx512_state;
    host.avx512vl = bit(words.leaf7_ebx, 31) && avx512_state;
    host.lzcnt = bit(words.extended1_ecx, 5);
    host.close();
    return host;
}

void HostFeatures::close() {
    avx = avx && sse41;
    avx2 = avx2 && avx;
    fma = fma && avx;
    avx512f = avx512f && avx2 && fma;
    avx512dq = avx512dq && avx512f;
    avx512bw = avx512bw && avx512f;
    avx512vl = avx512vl && avx512f;
}

Result<HostFeatures> HostFeatures::without(std::string_view names) const {
    HostFeatures rest = *this;
    while (!names.empty()) {
        const std::string_view name = names.substr(0, names.find(','));
        names.remove_prefix(std::min(names.size(), name.size() + 1));
        const auto* const entry =
            std::find_if(kHostFeatureNames.begin(), kHostFeatureNames.end(),
                         [&](const HostFeatureName& known) { return known.name == name; });
        if (entry == kHostFeatureNames.end())
            return fail("unknown host feature '" + std::string(name) + "'");
        rest.*entry->flag = false;
    }
    rest.close();
    return rest;
}

std::string HostFeatures::names() const {
    std::string list;
    for (const HostFeatureName& feature : kHostFeatureNames) {
        if (!(this->*feature.flag))
            continue;
        if (!list.empty())
            list += ',';
        list += feature.name;
    }
    return list;
}

}  // namespace weft::tcg::x86_64
