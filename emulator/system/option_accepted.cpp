// Options that ask for what is so anyway. Whoever asks for something else is told that it is missing.
#include <fmt/format.h>

#include <algorithm>

#include "emulator/system/option_values.h"

namespace weft::sys {

namespace {

Result<> only_none(const std::string& value, const char* missing) {
    if (value != "none") {
        return fail(fmt::format("{} is not supported: {} ('none' is accepted)", in_quotes(value), missing));
    }
    return {};
}

struct Key {
    const char* name;
    const char* values;  // with | between them; nullptr: any
};

// A list of keys, each with one of its values; the first key's name may be left out.
Result<> accept_keys(const std::string& value, std::span<const Key> keys) {
    const Result<KeyValueList> list = parse_key_values(value, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    std::vector<KeyValue> items = list->items;
    if (list->head) {
        items.insert(items.begin(), {keys.front().name, list->head});
    }
    for (const KeyValue& item : items) {
        const auto key = std::ranges::find(keys, item.key, &Key::name);
        if (key == keys.end()) {
            return fail(
                fmt::format("unknown parameter {} (there are {})", in_quotes(item.key), names_of(keys)));
        }
        const std::string given = item.value.value_or("on");
        if (key->values != nullptr) {
            const std::vector<std::string> values = split(key->values, '|');
            if (std::ranges::find(values, given) == values.end()) {
                return fail(fmt::format("{}={} is not supported (only {})", item.key, given, key->values));
            }
        }
    }
    return {};
}

}  // namespace

Result<> accept_display(RawOptions&, const std::string& value) {
    return only_none(value, "there is no display");
}

Result<> accept_vga(RawOptions&, const std::string& value) { return only_none(value, "there is no display"); }

Result<> accept_parallel(RawOptions&, const std::string& value) {
    return value == "null" ? Result<>() : only_none(value, "the board has no parallel port");
}

Result<> accept_name(RawOptions& raw, const std::string& value) {
    static constexpr Key kKeys[] = {{"guest", nullptr}, {"process", nullptr}, {"debug-threads", "on|off"}};
    if (Result<> accepted = accept_keys(value, kKeys); !accepted) {
        return accepted;
    }
    const Result<KeyValueList> list = parse_key_values(value, true);
    raw.options.name = list->head.value_or("");
    for (const KeyValue& item : list->items) {
        if (item.key == "guest") {
            raw.options.name = item.value.value_or("");
        }
    }
    return {};
}

Result<> accept_uuid(RawOptions& raw, const std::string& value) {
    constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    const auto fits = [](char form, char given) {
        return form == '-' ? given == '-' : std::isxdigit(static_cast<unsigned char>(given)) != 0;
    };
    if (value.size() != kForm.size() || !std::ranges::equal(kForm, value, fits)) {
        return fail(fmt::format("{} is no UUID", in_quotes(value)));
    }
    raw.options.uuid = value;
    return {};
}

Result<> accept_rtc(RawOptions&, const std::string& value) {
    static constexpr Key kKeys[] = {{"base", "utc"}, {"clock", "host"}, {"driftfix", "none|slew"}};
    return accept_keys(value, kKeys);
}

Result<> accept_boot(RawOptions&, const std::string& value) {
    static constexpr Key kKeys[] = {{"order", nullptr},       {"once", nullptr},
                                    {"menu", "on|off"},       {"splash", nullptr},
                                    {"splash-time", nullptr}, {"reboot-timeout", nullptr},
                                    {"reboot-time", nullptr}, {"strict", "on|off"}};
    return accept_keys(value, kKeys);
}

Result<> accept_overcommit(RawOptions&, const std::string& value) {
    static constexpr Key kKeys[] = {{"mem-lock", "off"}, {"cpu-pm", "off"}};
    return accept_keys(value, kKeys);
}

Result<> accept_msg(RawOptions&, const std::string& value) {
    static constexpr Key kKeys[] = {{"timestamp", "on|off"}, {"guest-name", "on|off"}};
    return accept_keys(value, kKeys);
}

}  // namespace weft::sys
