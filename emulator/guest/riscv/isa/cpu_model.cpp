#include "emulator/guest/riscv/isa/cpu_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "base/hash.h"
#include "base/text_values.h"

namespace weft::riscv {

namespace {

// What a hart cannot be without: for those who say what else it has, by extensions or by a profile.
constexpr CpuModel kRv64i = detail::make_model("rv64i", {{Extension::i, Extension::zicsr, Extension::u}});

constexpr CpuModel kModels[] = {kRv64, kMax, kRv64i, kRva22s64, kRva22u64};

constexpr bool all_can_be() {
    for (const CpuModel& model : kModels) {
        const Completed completed = complete(model.extensions);
        if (completed.conflict || !(completed.extensions == model.extensions)) {
            return false;
        }
    }
    return true;
}
static_assert(all_can_be(), "a model's extensions have all that they ask for");

// Profiles that any model can be given, as properties. One with S mode leaves of the translation schemes Sv39, unless larger ones are
// asked for by their names.
constexpr const CpuModel* kProfiles[] = {&kRva22s64, &kRva22u64};

// Models, and profiles, that are known and cannot be had.
struct AbsentModel {
    std::string_view name;
    std::string_view reason;
};
constexpr AbsentModel kAbsentModels[] = {
    {"rva23s64", "it has the vector and the hypervisor extension, which weft does not have"},
    {"rva23u64", "it has the vector extension, which weft does not have"},
};

// Properties of QEMU's that are off, always.
constexpr std::string_view kAlwaysOff[] = {
    "e",        "h",       "v",        "q",        "zicfilp",     "zicfiss",  "zilsd",    "zclsd",  "zalasr",
    "zama16b",  "zfbfmin", "zce",      "zcf",      "zcmp",        "zcmt",     "zdinx",    "zfinx",  "zhinx",
    "zhinxmin", "zk",      "zkt",      "ztso",     "zvbb",        "zvbc",     "zve32f",   "zve32x", "zve64d",
    "zve64f",   "zve64x",  "zvfbfmin", "zvfbfwma", "zvfh",        "zvfhmin",  "zvkb",     "zvkg",   "zvkn",
    "zvknc",    "zvkned",  "zvkng",    "zvknha",   "zvknhb",      "zvks",     "zvksc",    "zvksed", "zvksg",
    "zvksh",    "zvkt",    "sdtrig",   "sha",      "smaia",       "smcdeleg", "smcsrind", "smctr",  "smrnmi",
    "ssaia",    "ssccfg",  "sscsrind", "ssctr",    "svrsw60t59b",
};
// Which programmable counters there are: a mask, and as QEMU had it before, how many.
constexpr std::string_view kPmuMask = "pmu-mask";
constexpr std::string_view kPmuNumber = "pmu-num";
// What it calls all schemes of translation: the others go with the first one.
constexpr std::string_view kMmu = "mmu";

// Without these there is no hart of weft's.
constexpr ExtensionSet kRequired = {Extension::i, Extension::u, Extension::zicsr};

// What -cpu NAME,whole=off takes along.
struct Part {
    Extension extension;
    Extension whole;
};
constexpr Part kParts[] = {
    {Extension::zmmul, Extension::m},
    {Extension::zaamo, Extension::a},
    {Extension::zalrsc, Extension::a},
    {Extension::zba, Extension::b},
    {Extension::zbb, Extension::b},
    {Extension::zbs, Extension::b},
    {Extension::sv39, Extension::s},
    {Extension::sv48, Extension::s},
    {Extension::sv57, Extension::s},
    {Extension::sv48, Extension::sv39},
    {Extension::sv57, Extension::sv39},
    {Extension::sv57, Extension::sv48},
    {Extension::smepmp, Extension::pmp},
    {Extension::ssstateen, Extension::smstateen},
    {Extension::smstateen, Extension::ssstateen},
    {Extension::zknd, Extension::zkn},
    {Extension::zkne, Extension::zkn},
    {Extension::zknh, Extension::zkn},
    {Extension::zksed, Extension::zks},
    {Extension::zksh, Extension::zks},
    {Extension::zca, Extension::c},
    {Extension::zcd, Extension::c},
    {Extension::zcb, Extension::c},
    {Extension::zcmop, Extension::c},
};

const ExtensionDesc* find_property(std::string_view name) {
    const auto* const found = std::ranges::find(
        kExtensions, name == kMmu ? extension_name(Extension::sv39) : name, &ExtensionDesc::name);
    return found == kExtensions.end() || found->naming == Naming::derived ? nullptr : found;
}

const CpuModel* find_profile(std::string_view name) {
    const auto* const found =
        std::ranges::find(kProfiles, name, [](const CpuModel* profile) { return profile->name; });
    return found == std::end(kProfiles) ? nullptr : *found;
}

const AbsentModel* find_absent(std::string_view name) {
    const auto* const found = std::ranges::find(kAbsentModels, name, &AbsentModel::name);
    return found == std::end(kAbsentModels) ? nullptr : found;
}

class Builder {
  public:
    explicit Builder(const CpuModel& base) : model_(base) {}

    Result<> apply(const KeyValue& item) {
        if (item.key == kPmuMask || item.key == kPmuNumber) {
            return set_counters(item);
        }
        const ExtensionDesc* const extension = find_property(item.key);
        const CpuModel* const profile = find_profile(item.key);
        if (const AbsentModel* const absent = find_absent(item.key)) {
            return fail(fmt::format("profile {} cannot be had: {}", in_quotes(absent->name), absent->reason));
        }
        if (extension == nullptr && profile == nullptr &&
            std::ranges::find(kAlwaysOff, item.key) == std::end(kAlwaysOff)) {
            return fail(
                fmt::format("CPU {} has no property {}", in_quotes(model_.name), in_quotes(item.key)));
        }
        const std::string value = item.value.value_or("");
        const std::optional<bool> parsed = parse_bool(value);
        if (!parsed) {
            return fail(
                fmt::format("property {} is 'on' or 'off', not {}", in_quotes(item.key), in_quotes(value)));
        }
        const bool on = *parsed;
        if (extension != nullptr) {
            return set(*extension, on);
        }
        if (profile != nullptr) {
            return set_profile(*profile, on);
        }
        if (on) {
            return fail(
                fmt::format("property {} cannot be on: weft does not have this", in_quotes(item.key)));
        }
        return {};
    }

    Result<CpuModel> finish() {
        const Completed completed = complete(wished(), off_);
        if (completed.conflict) {
            return fail(fmt::format("property {} needs {}, which is off",
                                    in_quotes(extension_name(completed.conflict->extension)),
                                    in_quotes(extension_name(completed.conflict->missing))));
        }
        model_.extensions = completed.extensions;
        return model_;
    }

  private:
    Result<> set_counters(const KeyValue& item) {
        const std::optional<uint64_t> value = parse_uint(item.value.value_or(""));
        if (item.key == kPmuMask) {
            if (!value || (*value & ~uint64_t{kPmuCounterMask}) != 0) {
                return fail(fmt::format("property {} is a mask of counters 3 to 31 ({:#x} for all), not {}",
                                        in_quotes(item.key), kPmuCounterMask,
                                        in_quotes(item.value.value_or(""))));
            }
            model_.pmu_mask = static_cast<uint32_t>(*value);
            return {};
        }
        constexpr unsigned kMost = std::popcount(kPmuCounterMask);
        if (!value || *value > kMost) {
            return fail(fmt::format("property {} is a number of counters up to {}, not {}",
                                    in_quotes(item.key), kMost, in_quotes(item.value.value_or(""))));
        }
        // The first ones.
        model_.pmu_mask = kPmuCounterMask & static_cast<uint32_t>((uint64_t{1} << (3 + *value)) - 1);
        return {};
    }

    Result<> set_profile(const CpuModel& profile, bool on) {
        if (!on) {
            return fail(fmt::format("property {} can only be on: what else goes with a profile is not said",
                                    in_quotes(profile.name)));
        }
        for (const ExtensionDesc& extension : kExtensions) {
            if (profile.extensions.has(extension.id)) {
                profile_.add(extension.id);
                off_.remove(extension.id);
            }
        }
        return {};
    }

    Result<> set(const ExtensionDesc& extension, bool on) {
        if (!on && kRequired.has(extension.id)) {
            return fail(fmt::format("property {} cannot be off: weft has no CPU without it",
                                    in_quotes(extension.name)));
        }
        (on ? on_ : off_).add(extension.id);
        (on ? off_ : on_).remove(extension.id);
        profile_.remove(extension.id);
        return {};
    }

    // The model's extensions and those that were turned on, without those that were turned off and what goes with them. What
    // follows from others is left out: it comes again where it still does.
    ExtensionSet wished() const {
        constexpr ExtensionSet kLarger = {Extension::sv48, Extension::sv57};
        ExtensionSet wished = on_;
        for (const ExtensionDesc& extension : kExtensions) {
            const bool follows =
                std::ranges::find(kDerivations, extension.id, &Derivation::extension) != kDerivations.end();
            const bool is_there =
                profile_.has(extension.id) || (model_.extensions.has(extension.id) &&
                                               !(profile_.has(Extension::s) && kLarger.has(extension.id)));
            if (is_there && !follows && !goes(extension.id)) {
                wished.add(extension.id);
            }
        }
        return wished;
    }

    // It is off, or a part of what is.
    bool goes(Extension extension) const {
        return off_.has(extension) || std::ranges::any_of(kParts, [&](const Part& part) {
                   return part.extension == extension && off_.has(part.whole);
               });
    }

    CpuModel model_;
    ExtensionSet profile_;  // of profiles that were asked for
    ExtensionSet on_;
    ExtensionSet off_;
};

}  // namespace

std::span<const CpuModel> cpu_models() { return kModels; }

Result<CpuModel> parse_cpu_model(std::string_view text) {
    const Result<KeyValueList> list = parse_key_values(text, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    if (!list->head) {
        return fail("the model's name comes first");
    }
    const auto* const model = std::ranges::find(kModels, *list->head, &CpuModel::name);
    if (model == std::end(kModels)) {
        if (const AbsentModel* const absent = find_absent(*list->head)) {
            return fail(fmt::format("CPU {} cannot be had: {}", in_quotes(absent->name), absent->reason));
        }
        return fail(fmt::format("unknown CPU {} ('help' lists them)", in_quotes(*list->head)));
    }
    Builder builder(*model);
    for (const KeyValue& item : list->items) {
        if (Result<> applied = builder.apply(item); !applied) {
            return std::unexpected(applied.error());
        }
    }
    return builder.finish();
}

std::vector<std::string_view> isa_extensions(const CpuModel& model) {
    std::vector<std::string_view> names;
    for (const ExtensionDesc& extension : kExtensions) {
        if (extension.listed() && model.extensions.has(extension.id)) {
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

const char* mmu_type(const CpuModel& model) {
    return model.extensions.has(Extension::sv57)   ? "riscv,sv57"
           : model.extensions.has(Extension::sv48) ? "riscv,sv48"
           : model.extensions.has(Extension::sv39) ? "riscv,sv39"
                                                   : "riscv,none";
}

uint64_t model_id(const CpuModel& model) {
    static_assert(ExtensionSet::kWords == 2);
    return hash_words(model.extensions.word(0), model.extensions.word(1));
}

}  // namespace weft::riscv
