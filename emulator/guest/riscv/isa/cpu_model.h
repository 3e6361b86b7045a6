// CPU models: what -cpu names, and all that follows from a model's extensions.
//
// A machine's harts, or a process's, share one model, which is fixed before they are made. Decoder, translator and CSRs ask it for
// the extension that an instruction or a register belongs to; misa, the device tree and what programs are told follow from it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "emulator/guest/riscv/isa/extension_rules.h"
#include "emulator/guest/riscv/isa/extensions.h"

namespace weft::riscv {

// Programmable counters are 3 to 31: bit n of a mask is counter n.
inline constexpr uint32_t kPmuCounterMask = 0xffff'fff8;
// As QEMU's models have them: 16.
inline constexpr uint32_t kDefaultPmuMask = 0x0007'fff8;

struct CpuModel {
    std::string_view name;    // of the row that it was made from
    ExtensionSet extensions;  // complete (extension_rules.h)
    uint32_t pmu_mask =
        kDefaultPmuMask;  // programmable counters that there are; the others are read-only zero (3.1.10)
};

namespace detail {

constexpr CpuModel make_model(std::string_view name, std::initializer_list<ExtensionSet> wished) {
    ExtensionSet all;
    for (const ExtensionSet& some : wished) {
        all.add(some);
    }
    return {name, complete(all).extensions};
}

}  // namespace detail

// What all models have.
inline constexpr ExtensionSet kCommonExtensions = {
    Extension::i,      Extension::m,           Extension::a,       Extension::f,       Extension::d,
    Extension::c,      Extension::u,           Extension::zic64b,  Extension::zicbom,  Extension::zicbop,
    Extension::zicboz, Extension::ziccamoa,    Extension::zicclsm, Extension::ziccrse, Extension::zicntr,
    Extension::zicsr,  Extension::zihintpause, Extension::zihpm,   Extension::za64rs,  Extension::zba,
    Extension::zbb,    Extension::zbs};
// Those with S mode.
inline constexpr ExtensionSet kSupervisorExtensions = {
    Extension::s,       Extension::sv39,    Extension::zifencei, Extension::ssccptr, Extension::sscounterenw,
    Extension::sstvala, Extension::sstvecd, Extension::ssu64xl,  Extension::svinval, Extension::ssstrict};

inline constexpr CpuModel kRv64 =
    detail::make_model("rv64", {kCommonExtensions,
                                kSupervisorExtensions,
                                {Extension::zihintntl, Extension::zawrs, Extension::zfa, Extension::zbc,
                                 Extension::sstc, Extension::svadu, Extension::svvptc, Extension::sv57}});
// RVA22 profiles (riscv-profiles, "RVA22U64" and "RVA22S64"), as far as weft has their parts.
inline constexpr CpuModel kRva22u64 =
    detail::make_model("rva22u64", {kCommonExtensions, {Extension::zfhmin}});
inline constexpr CpuModel kRva22s64 = detail::make_model(
    "rva22s64",
    {kCommonExtensions, kSupervisorExtensions, {Extension::zfhmin, Extension::svade, Extension::svpbmt}});
// All that weft has, but for Svade: with both, menvcfg.ADUE would begin with 0; and Smdbltrp, with which M mode has no interrupts until
// firmware that knows of it asks for them.
inline constexpr CpuModel kMax = [] {
    ExtensionSet extensions = kAllExtensions;
    extensions.remove(Extension::svade);
    extensions.remove(Extension::smdbltrp);
    return CpuModel{"max", extensions};
}();

// Of Zicbom, Zicbop and Zicboz (and Zic64b), in bytes.
inline constexpr uint32_t kCacheBlockSize = 64;

// The models, the default first.
std::span<const CpuModel> cpu_models();

// The model of "NAME[,PROPERTY=on|off...]": -cpu's value. Properties are named as extensions; the last of a name counts. Errors, one
// line each: an unknown name or property, one that weft cannot have on or off, one that asks for what is off.
Result<CpuModel> parse_cpu_model(std::string_view text);

// misa's value: RV64 and a bit for each letter (privileged specification 3.1.1).
constexpr uint64_t misa(const CpuModel& model) {
    uint64_t value = uint64_t{2} << 62;  // MXL
    for (const ExtensionDesc& extension : kExtensions) {
        if (extension.misa_letter != 0 && model.extensions.has(extension.id)) {
            value |= uint64_t{1} << (extension.misa_letter - 'A');
        }
    }
    return value;
}

// The extensions that ISA strings name, in their order: the device tree's riscv,isa-extensions.
std::vector<std::string_view> isa_extensions(const CpuModel& model);
// The same in one word, "rv64im_zicsr": the device tree's riscv,isa.
std::string isa_string(const CpuModel& model);
// The device tree's mmu-type: the largest of the model's translation schemes; "riscv,none" without S mode.
const char* mmu_type(const CpuModel& model);
// Equal for models between which translated code may be exchanged, and no others but by chance (1 in 2^64). For this build alone.
uint64_t model_id(const CpuModel& model);

}  // namespace weft::riscv
