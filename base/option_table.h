// A program's options as a table, which drives its parser and the text of -help. `Raw` is what they are collected in.
#pragma once

#include <fmt/format.h>

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/text_values.h"

namespace weft {

template <class Raw>
struct OptionDesc {
    const char* name;
    const char* alias;  // nullptr: none
    const char*
        argument;  // as -help shows it; nullptr: takes none; "[=...": may follow the name, or be left out
    const char* variable;  // that stands for it, without WEFT_ or QEMU_; nullptr: none
    Result<> (*apply)(Raw& raw, const std::string& value);
    const char* help;  // lines separated by '\n'

    bool has_optional_value() const {
        return argument != nullptr && std::string_view(argument).starts_with("[=");
    }
};

template <class Raw>
struct OptionGroup {
    const char* title;
    std::span<const OptionDesc<Raw>> options;
};

// By name or alias, without dashes; null: there is none.
template <class Raw>
const OptionDesc<Raw>* find_option(std::span<const OptionGroup<Raw>> groups, std::string_view name) {
    for (const OptionGroup<Raw>& group : groups) {
        for (const OptionDesc<Raw>& option : group.options) {
            if (name == option.name || (option.alias != nullptr && name == option.alias)) {
                return &option;
            }
        }
    }
    return nullptr;
}

// The part of -help that tells of them.
template <class Raw>
std::string options_text(std::span<const OptionGroup<Raw>> groups) {
    std::string text;
    for (const OptionGroup<Raw>& group : groups) {
        text += fmt::format("\n{}:\n", group.title);
        for (const OptionDesc<Raw>& option : group.options) {
            text += fmt::format("  -{}", option.name);
            if (option.alias != nullptr) {
                text += fmt::format(", -{}", option.alias);
            }
            if (option.argument != nullptr) {
                text += fmt::format("{}{}", option.has_optional_value() ? "" : " ", option.argument);
            }
            if (option.variable != nullptr) {
                text += fmt::format("  (QEMU_{})", option.variable);
            }
            text += '\n';
            for (const std::string& line : split(option.help, '\n')) {
                text += fmt::format("        {}\n", line);
            }
        }
    }
    return text;
}

}  // namespace weft
