#include "emulator/linux-user/riscv/hwprobe.h"

#include <algorithm>
#include <cerrno>
#include <optional>

namespace weft::user {

namespace {

using riscv::Extension;
using riscv::ExtensionSet;

constexpr uint64_t kBaseBehaviorIma = 1;
constexpr uint64_t kMisalignedFast = 3;         // RISCV_HWPROBE_MISALIGNED_SCALAR_FAST, and _FAST of key 5
constexpr uint64_t kMisalignedUnsupported = 4;  // RISCV_HWPROBE_MISALIGNED_VECTOR_UNSUPPORTED: there is no V

// Bits of kImaExt0, and what has to be there for each.
struct ExtBit {
    unsigned bit;
    ExtensionSet needs;
};
constexpr ExtBit kExtBits[] = {
    {0, {Extension::f, Extension::d}},  // RISCV_HWPROBE_IMA_FD
    {1, {Extension::c}},                // RISCV_HWPROBE_IMA_C
    {3, {Extension::zba}},              // RISCV_HWPROBE_EXT_ZBA
    {4, {Extension::zbb}},              // ... and so on
    {5, {Extension::zbs}},              //
    {6, {Extension::zicboz}},           //
    {7, {Extension::zbc}},              //
    {8, {Extension::zbkb}},             //
    {9, {Extension::zbkc}},             //
    {10, {Extension::zbkx}},            //
    {11, {Extension::zknd}},            //
    {12, {Extension::zkne}},            //
    {13, {Extension::zknh}},            //
    {14, {Extension::zksed}},           //
    {15, {Extension::zksh}},            //
    {27, {Extension::zfh}},             //
    {28, {Extension::zfhmin}},          //
    {29, {Extension::zihintntl}},       //
    {32, {Extension::zfa}},             //
    {34, {Extension::zacas}},           //
    {35, {Extension::zicond}},          //
    {36, {Extension::zihintpause}},     //
    {42, {Extension::zimop}},           //
    {43, {Extension::zca}},             //
    {44, {Extension::zcb}},             //
    {45, {Extension::zcd}},             //
    {47, {Extension::zcmop}},           //
    {48, {Extension::zawrs}},           //
    {49, {Extension::supm}},            //
    {50, {Extension::zicntr}},          //
    {51, {Extension::zihpm}},           //
    {55, {Extension::zicbom}},          //
    {56, {Extension::zaamo}},           //
    {57, {Extension::zalrsc}},          //
    {58, {Extension::zabha}},           //
    {60, {Extension::zicbop}},          //
};

uint64_t ima_ext_0(const ExtensionSet& has) {
    uint64_t value = 0;
    for (const ExtBit& row : kExtBits) {
        value |= has.has_all(row.needs) ? uint64_t{1} << row.bit : 0;
    }
    return value;
}

uint64_t block_size(const HwprobeFacts& facts, Extension extension) {
    return facts.model.extensions.has(extension) ? riscv::kCacheBlockSize : 0;
}

// Nothing for an unknown key.
std::optional<uint64_t> value_of(int64_t key, const HwprobeFacts& facts) {
    switch (key) {
        case hwprobe_key::kMvendorid:
        case hwprobe_key::kMarchid:
        case hwprobe_key::kMimpid:
            return 0;  // as the CSRs read: not implemented
        case hwprobe_key::kBaseBehavior:
            return kBaseBehaviorIma;
        case hwprobe_key::kImaExt0:
            return ima_ext_0(facts.model.extensions);
        case hwprobe_key::kCpuperf0:
        case hwprobe_key::kMisalignedScalarPerf:
            return kMisalignedFast;  // they are the host's own accesses
        case hwprobe_key::kMisalignedVectorPerf:
            return kMisalignedUnsupported;
        case hwprobe_key::kHighestVirtAddress:
            return facts.highest_address;
        case hwprobe_key::kTimeCsrFreq:
            return facts.time_frequency;
        // 0 where the extension is not there.
        case hwprobe_key::kZicbozBlockSize:
            return block_size(facts, Extension::zicboz);
        case hwprobe_key::kZicbomBlockSize:
            return block_size(facts, Extension::zicbom);
        case hwprobe_key::kZicbopBlockSize:
            return block_size(facts, Extension::zicbop);
        case hwprobe_key::kVendorExtThead0:
        case hwprobe_key::kVendorExtSifive0:
        case hwprobe_key::kVendorExtMips0:
            return 0;
        default:
            return std::nullopt;
    }
}

bool is_bit_mask(int64_t key) {
    switch (key) {
        case hwprobe_key::kBaseBehavior:
        case hwprobe_key::kImaExt0:
        case hwprobe_key::kCpuperf0:
        case hwprobe_key::kVendorExtThead0:
        case hwprobe_key::kVendorExtSifive0:
        case hwprobe_key::kVendorExtMips0:
            return true;
        default:
            return false;
    }
}

bool is_empty(std::span<const uint8_t> cpus, std::span<const uint8_t> online) {
    for (size_t i = 0; i < std::min(cpus.size(), online.size()); ++i) {
        if ((cpus[i] & online[i]) != 0) {
            return false;
        }
    }
    return true;
}

}  // namespace

int hwprobe_values(std::span<abi::HwprobePair> pairs, bool no_set, std::span<const uint8_t> cpus,
                   std::span<const uint8_t> online, uint32_t flags, const HwprobeFacts& facts) {
    if (flags != 0 || (!no_set && is_empty(cpus, online))) {
        return -EINVAL;
    }
    for (abi::HwprobePair& pair : pairs) {
        const std::optional<uint64_t> value = value_of(pair.key, facts);
        pair = {.key = value ? pair.key : -1, .value = value.value_or(0)};
    }
    return 0;
}

int hwprobe_which_cpus(std::span<abi::HwprobePair> pairs, std::span<uint8_t> cpus,
                       std::span<const uint8_t> online, uint32_t flags, const HwprobeFacts& facts) {
    if (flags != kHwprobeWhichCpus || cpus.empty()) {
        return -EINVAL;
    }
    bool hold = true;
    for (abi::HwprobePair& pair : pairs) {
        const std::optional<uint64_t> value = value_of(pair.key, facts);
        if (!value) {
            pair = {.key = -1, .value = 0};
            hold = false;
        } else {
            hold =
                hold && (is_bit_mask(pair.key) ? (*value & pair.value) == pair.value : *value == pair.value);
        }
    }
    // Emptiness is that of the set as given: one of offline CPUs alone is not empty, and none of it is left.
    const bool all = std::ranges::all_of(cpus, [](uint8_t byte) { return byte == 0; });
    for (size_t i = 0; i < cpus.size(); ++i) {
        const uint8_t is_online = i < online.size() ? online[i] : 0;
        cpus[i] = !hold ? 0 : all ? is_online : cpus[i] & is_online;
    }
    return 0;
}

}  // namespace weft::user
