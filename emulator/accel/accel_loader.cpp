#include "emulator/accel/accel_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "base/text_values.h"

namespace weft::loader {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "accel-";
constexpr std::string_view kSuffix = ".so";

// Names of folders may hold line breaks; weft's messages are one line.
std::string one_line(std::string_view text) {
    std::string line(text);
    std::ranges::replace(line, '\n', ' ');
    return line;
}

const char* sanitizer_name(SanitizerMode mode) {
    switch (mode) {
        case SanitizerMode::none:
            return "no sanitizer";
        case SanitizerMode::address:
            return "AddressSanitizer";
        case SanitizerMode::thread:
            return "ThreadSanitizer";
    }
    return "an unknown sanitizer";
}

Result<const AccelDescriptor*> open_module(ModuleSymbol open, const std::string& path,
                                           const std::string& name) {
    const Result<const void*> symbol = open(path, kAccelSymbol);
    if (!symbol) {
        return fail(fmt::format("accelerator {}: cannot open the module: {}", in_quotes(name),
                                one_line(symbol.error().message())));
    }
    if (*symbol == nullptr) {
        return fail(fmt::format("accelerator {}: {} is no accelerator module (it has no symbol {})",
                                in_quotes(name), path, kAccelSymbol));
    }
    const auto* descriptor = static_cast<const AccelDescriptor*>(*symbol);
    if (Result<> checked = check_descriptor(*descriptor, path, name); !checked) {
        return std::unexpected(checked.error());
    }
    return descriptor;
}

std::string module_file(const std::string& name) { return fmt::format("{}{}{}", kPrefix, name, kSuffix); }

}  // namespace

std::vector<std::string> module_folders(const std::optional<std::string>& module_dir,
                                        const std::optional<std::string>& environment,
                                        const std::string& program_dir) {
    std::vector<std::string> folders;
    const auto add = [&](std::string folder) {
        if (!folder.empty() && std::ranges::find(folders, folder) == folders.end()) {
            folders.push_back(std::move(folder));
        }
    };
    if (module_dir) {
        add(*module_dir);
    }
    if (environment) {
        for (std::string& folder : split(*environment, ':')) {
            add(std::move(folder));
        }
    }
    // The last is the build tree's: the program lies in emulator/system, the module in accel/tcg.
    for (const char* relative : {"", "accel", "../lib/weft", "../../accel/tcg"}) {
        fs::path folder = fs::path(program_dir) / relative;
        folder = folder.lexically_normal();
        add(folder.has_filename() ? folder.string() : folder.parent_path().string());
    }
    return folders;
}

Result<const AccelDescriptor*> load_accelerator(const AccelSources& sources, const std::string& name) {
    for (const AccelDescriptor* descriptor : sources.built_in) {
        if (name == descriptor->name) {
            return descriptor;
        }
    }
    for (const std::string& folder : sources.folders) {
        const std::string path = (fs::path(folder) / module_file(name)).string();
        std::error_code ignored;
        if (fs::exists(path, ignored)) {
            return open_module(sources.open, path, name);
        }
    }
    std::string list;
    for (const std::string& folder : sources.folders) {
        list += (list.empty() ? "" : ", ") + folder;
    }
    return fail(fmt::format("accelerator {}: there is no {} in {}", in_quotes(name), module_file(name),
                            one_line(list)));
}

Result<> check_descriptor(const AccelDescriptor& descriptor, const std::string& path,
                          const std::string& name) {
    const auto refuse = [&](const std::string& reason) {
        return fail(fmt::format("accelerator {}: {} {}", in_quotes(name), path, reason));
    };
    if (descriptor.abi_version != kAccelAbiVersion) {
        return refuse(fmt::format("has ABI version {}; this program speaks version {}",
                                  descriptor.abi_version, kAccelAbiVersion));
    }
    if (descriptor.descriptor_size != sizeof(AccelDescriptor)) {
        return refuse(fmt::format("has a descriptor of {} bytes; this program expects {}",
                                  descriptor.descriptor_size, sizeof(AccelDescriptor)));
    }
    if (descriptor.layout_hash != layout_hash()) {
        return refuse(fmt::format("was built with other data layouts ({:016x}) than this program ({:016x})",
                                  descriptor.layout_hash, layout_hash()));
    }
    if (descriptor.sanitizers != sanitizer_mode()) {
        return refuse(fmt::format("was built with {}; this program with {}",
                                  sanitizer_name(descriptor.sanitizers), sanitizer_name(sanitizer_mode())));
    }
    if (descriptor.name == nullptr || name != descriptor.name) {
        return refuse(
            fmt::format("says its name is {}", in_quotes(descriptor.name == nullptr ? "" : descriptor.name)));
    }
    if (descriptor.description == nullptr || descriptor.ops == nullptr || descriptor.create == nullptr ||
        (descriptor.property_count != 0 && descriptor.properties == nullptr)) {
        return refuse("has an incomplete descriptor");
    }
    return {};
}

std::string accelerators_text(const AccelSources& sources) {
    std::vector<std::string> names;
    for (const AccelDescriptor* descriptor : sources.built_in) {
        names.emplace_back(descriptor->name);
    }
    for (const std::string& folder : sources.folders) {
        std::error_code error;
        for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
             entry.increment(error)) {
            const std::string file = entry->path().filename().string();
            if (file.starts_with(kPrefix) && file.ends_with(kSuffix) &&
                file.size() > kPrefix.size() + kSuffix.size()) {
                names.push_back(file.substr(kPrefix.size(), file.size() - kPrefix.size() - kSuffix.size()));
            }
        }
    }
    std::ranges::sort(names);
    names.erase(std::ranges::unique(names).begin(), names.end());
    std::string text = names.empty() ? "There are no accelerators.\n" : "Accelerators:\n";
    for (const std::string& name : names) {
        const Result<const AccelDescriptor*> descriptor = load_accelerator(sources, name);
        text += fmt::format("  {}  {}\n", name,
                            descriptor ? (*descriptor)->description
                                       : fmt::format("(cannot be used: {})", descriptor.error().message()));
    }
    return text;
}

}  // namespace weft::loader
