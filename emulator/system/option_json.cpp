#include "emulator/system/option_json.h"

#include <fmt/format.h>

#include <algorithm>

#include "emulator/control/qmp/json.h"

namespace weft::sys {

namespace {

using control::qmp::Json;

// No option has objects within each other so deep.
constexpr unsigned kMaxDepth = 16;

// Leaves below `value`, whose key is `key`.
Result<> flatten(const std::string& key, const Json& value, unsigned depth, std::vector<KeyValue>& items) {
    if (value.is_structured()) {
        if (depth == kMaxDepth) {
            return fail(fmt::format("more than {} objects within each other", kMaxDepth));
        }
        size_t number = 0;
        for (auto member = value.begin(); member != value.end(); ++member) {
            const std::string name = value.is_object() ? member.key() : std::to_string(number++);
            if (name.empty()) {
                return fail("a member without a name");
            }
            if (Result<> done = flatten(key.empty() ? name : key + "." + name, *member, depth + 1, items);
                !done) {
                return done;
            }
        }
        return {};
    }
    if (value.is_string()) {
        items.push_back({key, value.get<std::string>()});
    } else if (value.is_boolean()) {
        items.push_back({key, value.get<bool>() ? "on" : "off"});
    } else if (value.is_null()) {
        items.push_back({key, ""});
    } else {
        items.push_back({key, control::qmp::json_text(value, false)});
    }
    return {};
}

}  // namespace

Result<KeyValueList> parse_option(std::string_view text, std::string_view kind) {
    KeyValueList list;
    if (!text.starts_with('{')) {
        Result<KeyValueList> parsed = parse_key_values(text, true);
        if (!parsed) {
            return parsed;
        }
        list = std::move(*parsed);
    } else {
        const Json json = Json::parse(text, nullptr, false);
        if (!json.is_object()) {
            return fail(fmt::format("{} is no JSON object", in_quotes(text)));
        }
        if (Result<> done = flatten({}, json, 0, list.items); !done) {
            return std::unexpected(done.error());
        }
    }
    if (!list.head) {
        const auto item = std::ranges::find(list.items, kind, &KeyValue::key);
        if (item != list.items.end() && item->value) {
            list.head = item->value;
            list.items.erase(item);
        }
    }
    return list;
}

}  // namespace weft::sys
