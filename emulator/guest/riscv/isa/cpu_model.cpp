#include "emulator/guest/riscv/isa/cpu_model.h"

namespace weft::riscv {

namespace {

// What extensions ask of each other (unprivileged specification, the extensions' chapters).
constexpr bool is_consistent(const CpuModel& model) {
    const ExtensionSet& has = model.extensions;
    const bool all_of_b = has.has(Extension::zba) && has.has(Extension::zbb) && has.has(Extension::zbs);
    return has.has(Extension::i) && has.has(Extension::priv) && has.has(Extension::b) == all_of_b &&
           (!has.has(Extension::d) || has.has(Extension::f)) &&
           (!has.has(Extension::f) || has.has(Extension::zicsr)) &&
           (!has.has(Extension::s) || has.has(Extension::u)) &&
           (!has.has(Extension::sstc) || has.has(Extension::s)) &&
           (!has.has(Extension::svinval) || has.has(Extension::s));
}
static_assert(is_consistent(kRv64));

}  // namespace

std::span<const CpuModel> cpu_models() { return {&kRv64, 1}; }

const CpuModel* find_cpu_model(std::string_view name) {
    for (const CpuModel& model : cpu_models()) {
        if (name == model.name) {
            return &model;
        }
    }
    return nullptr;
}

std::vector<std::string_view> isa_extensions(const CpuModel& model) {
    std::vector<std::string_view> names;
    for (const ExtensionDesc& extension : kExtensions) {
        if (extension.listed && model.extensions.has(extension.id)) {
            names.push_back(extension.name);
        }
    }
    return names;
}

std::string isa_string(const CpuModel& model) {
    std::string text = "rv64";
    for (const std::string_view name : isa_extensions(model)) {
        // Single letters come first and stand together.
        text += name.size() > 1 ? "_" : "";
        text += name;
    }
    return text;
}

}  // namespace weft::riscv
