#include "emulator/accel/accel_option.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text_values.h"

namespace weft::loader {

namespace {

bool is_help(const std::string& word) { return word == "help" || word == "?"; }

}  // namespace

bool is_accelerator_name(const std::string& name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-';
    });
}

Result<AccelOption> parse_accel_option(const std::string& text) {
    Result<KeyValueList> list = parse_key_values(text, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    if (!list->head) {
        return fail("the accelerator's name comes first: NAME[,property=value...]");
    }
    if (is_help(*list->head)) {
        return AccelOption{.help = AccelOption::Help::accelerators};
    }
    if (!is_accelerator_name(*list->head)) {
        return fail(fmt::format("invalid accelerator name {}", in_quotes(*list->head)));
    }
    const bool wants_help = std::ranges::any_of(
        list->items, [](const KeyValue& item) { return !item.value && is_help(item.key); });
    if (wants_help) {
        return AccelOption{.help = AccelOption::Help::properties, .choice = {std::move(*list->head), {}}};
    }
    return AccelOption{.choice = {std::move(*list->head), std::move(list->items)}};
}

}  // namespace weft::loader
