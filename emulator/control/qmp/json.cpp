#include "emulator/control/qmp/json.h"

namespace weft::control::qmp {

namespace {

void append(std::string& text, const Json& value, bool pretty, size_t depth) {
    if (!value.is_structured() || value.empty()) {
        text += value.dump(-1, ' ', true, Json::error_handler_t::replace);
        return;
    }
    const auto line = [&](size_t indent) {
        if (pretty) {
            text += '\n';
            text.append(4 * indent, ' ');
        }
    };
    const bool object = value.is_object();
    text += object ? '{' : '[';
    bool first = true;
    for (auto item = value.begin(); item != value.end(); ++item) {
        if (!first) {
            text += pretty ? "," : ", ";
        }
        first = false;
        line(depth + 1);
        if (object) {
            text += Json(item.key()).dump(-1, ' ', true, Json::error_handler_t::replace) + ": ";
        }
        append(text, *item, pretty, depth + 1);
    }
    line(depth);
    text += object ? '}' : ']';
}

}  // namespace

std::string json_text(const Json& value, bool pretty) {
    std::string text;
    append(text, value, pretty, 0);
    return text;
}

}  // namespace weft::control::qmp
