// CPU models: what -cpu names, and all that follows from a model's extensions.
//
// There is one. Decoder and CSR table are cut to it when weft is compiled (isa/decode.cpp, cpu/csr.cpp): an extension that is
// taken out of it takes its instructions, its CSRs, its bit of misa and its place in the device tree along.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/guest/riscv/isa/extensions.h"

namespace weft::riscv {

struct CpuModel {
    const char* name;
    ExtensionSet extensions;
    const char* mmu_type;  // the device tree's mmu-type: the largest of its translation schemes
};

inline constexpr CpuModel kRv64 = {
    .name = "rv64",
    .extensions = {Extension::i, Extension::m, Extension::a, Extension::f, Extension::d, Extension::c,
                   Extension::zicntr, Extension::zicsr, Extension::zifencei, Extension::zihintpause,
                   Extension::zba, Extension::zbb, Extension::zbs, Extension::sstc, Extension::svinval,
                   Extension::b, Extension::s, Extension::u, Extension::priv},
    .mmu_type = "riscv,sv48",
};

// The models, the default first; one by name, null where there is none.
std::span<const CpuModel> cpu_models();
const CpuModel* find_cpu_model(std::string_view name);

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

}  // namespace weft::riscv
