#include "base/text_values.h"

#include <fmt/format.h>

#include <charconv>

namespace weft {

namespace {

// The elements of a comma list, ",," being a literal comma.
std::vector<std::string> split_escaped(std::string_view text) {
    std::vector<std::string> elements(1);
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != ',') {
            elements.back() += text[i];
        } else if (i + 1 < text.size() && text[i + 1] == ',') {
            elements.back() += ',';
            ++i;
        } else {
            elements.emplace_back();
        }
    }
    return elements;
}

}  // namespace

Result<KeyValueList> parse_key_values(std::string_view text, bool first_is_value) {
    KeyValueList list;
    bool first = true;
    for (std::string& element : split_escaped(text)) {
        if (element.empty()) {
            return fail(fmt::format("{} has an empty element", in_quotes(text)));
        }
        const size_t equals = element.find('=');
        if (equals == std::string::npos) {
            if (first && first_is_value) {
                list.head = std::move(element);
            } else {
                list.items.push_back({std::move(element), std::nullopt});
            }
        } else if (equals == 0) {
            return fail(fmt::format("{} has a value without a name", in_quotes(text)));
        } else {
            list.items.push_back({element.substr(0, equals), element.substr(equals + 1)});
        }
        first = false;
    }
    return list;
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    size_t begin = 0;
    while (true) {
        const size_t end = text.find(separator, begin);
        parts.emplace_back(text.substr(begin, end == std::string_view::npos ? end : end - begin));
        if (end == std::string_view::npos) {
            return parts;
        }
        begin = end + 1;
    }
}

std::optional<uint64_t> parse_uint(std::string_view text) {
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) {
        base = 16;
        text.remove_prefix(2);
    }
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

std::optional<bool> parse_bool(std::string_view text) {
    if (text == "on" || text == "yes" || text == "true") {
        return true;
    }
    if (text == "off" || text == "no" || text == "false") {
        return false;
    }
    return std::nullopt;
}

std::optional<uint64_t> parse_size(std::string_view text, uint64_t default_unit) {
    uint64_t unit = default_unit;
    if (!text.empty()) {
        unsigned shift = 0;
        switch (text.back()) {
            case 'k':
            case 'K':
                shift = 10;
                break;
            case 'm':
            case 'M':
                shift = 20;
                break;
            case 'g':
            case 'G':
                shift = 30;
                break;
            case 't':
            case 'T':
                shift = 40;
                break;
            default:
                break;
        }
        if (shift != 0) {
            unit = uint64_t{1} << shift;
            text.remove_suffix(1);
        }
    }
    const std::optional<uint64_t> number = parse_uint(text);
    uint64_t bytes = 0;
    if (!number || __builtin_mul_overflow(*number, unit, &bytes)) {
        return std::nullopt;
    }
    return bytes;
}

std::string format_size(uint64_t bytes) {
    static constexpr char kSuffixes[] = {'T', 'G', 'M', 'K'};
    unsigned shift = 40;
    for (char suffix : kSuffixes) {
        if (bytes != 0 && (bytes & ((uint64_t{1} << shift) - 1)) == 0) {
            return fmt::format("{}{}", bytes >> shift, suffix);
        }
        shift -= 10;
    }
    return fmt::format("{}", bytes);
}

std::string in_quotes(std::string_view text) {
    std::string result = "'";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            result += fmt::format("\\x{:02x}", byte);
        } else {
            result += c;
        }
    }
    return result + "'";
}

}  // namespace weft
