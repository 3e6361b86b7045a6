#include "arguments.h"

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "fixtures.h"

namespace differential {

namespace {

// Addresses that no program has, each for another reason.
struct Nowhere {
    const char* label;
    uint64_t address;
};
constexpr Nowhere kNowhere[] = {
    {"null", 0},
    {"hole", kHole},
    {"forbidden", kForbidden},
    {"behind", 0x7fff'ffff'f000},
    {"half", 0x8000'0000'0000},
    {"uncanonical", 0x0123'4567'89ab'c000},
    {"kernel", 0xffff'8880'0000'0000},
    {"top", ~uint64_t{0}},
    {"wraps", 0xffff'ffff'ffff'f000},
};

[[noreturn]] void refuse(const std::string& specification) {
    std::fprintf(stderr, "no argument: %s\n", specification.c_str());
    std::exit(2);
}

std::vector<std::string> split(const std::string& text, char by) {
    std::vector<std::string> parts(1);
    for (const char c : text) {
        c == by ? parts.emplace_back() : parts.back() += c;
    }
    return parts;
}

uint64_t parse_number(const std::string& text) {
    char* end = nullptr;
    const uint64_t value = text[0] == '-' ? static_cast<uint64_t>(std::strtoll(text.c_str(), &end, 0))
                                          : std::strtoull(text.c_str(), &end, 0);
    if (text.empty() || *end != '\0') {
        refuse(text);
    }
    return value;
}

std::string hex(uint64_t value) {
    char text[32];
    std::snprintf(text, sizeof(text), "%#llx", static_cast<unsigned long long>(value));
    return text;
}

Value literal(uint64_t number) { return {.label = hex(number), .number = number}; }

void add(Argument& argument, Value value) {
    const bool known = std::ranges::any_of(argument.values, [&](const Value& other) {
        return other.source == Source::number && other.number == value.number;
    });
    if (!known) {
        argument.values.push_back(std::move(value));
    }
}

void add_numbers(Argument& argument, std::initializer_list<uint64_t> numbers) {
    for (const uint64_t number : numbers) {
        add(argument, literal(number));
    }
}

constexpr uint64_t kHigh = uint64_t{1} << 32, kSign = uint64_t{1} << 63;
constexpr uint64_t kIntMax = INT_MAX, kIntMin = static_cast<uint64_t>(int64_t{INT_MIN});

// Bytes of words; "@+N" leaves its place in `links`.
std::vector<uint8_t> words(const std::string& text, size_t width, std::vector<uint32_t>& links) {
    std::vector<uint8_t> bytes;
    for (const std::string& word : split(text, ',')) {
        const bool link = word[0] == '@';
        const uint64_t number =
            link ? (word.size() > 1 ? parse_number(word.substr(2)) : 0) : parse_number(word);
        if (link) {
            links.push_back(static_cast<uint32_t>(bytes.size()));
        }
        bytes.resize(bytes.size() + width);
        std::memcpy(&bytes[bytes.size() - width], &number, width);
    }
    return bytes;
}

std::vector<uint8_t> text_bytes(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.c_str()),
            reinterpret_cast<const uint8_t*>(text.c_str()) + text.size() + 1};
}

void add_places(Argument& argument, const Value& base) {
    for (const auto& [label, address] : kNowhere) {
        argument.values.push_back({.label = label, .number = address});
    }
    for (const auto& [label, place] :
         {std::pair{"zeros", Place::zeros}, std::pair{"end", Place::end}, std::pair{"cut", Place::cut},
          std::pair{"odd", Place::odd}, std::pair{"read-only", Place::read_only}}) {
        if (place == Place::zeros && base.only_extent) {
            continue;  // what is zero there would not be seen
        }
        Value value = base;
        value.label = label;
        value.place = place;
        argument.values.push_back(std::move(value));
    }
    argument.bad.push_back({.label = "hole", .number = kHole});
    argument.bad.push_back({.label = "kernel", .number = 0xffff'8880'0000'0000});
}

void add_texts(Argument& argument, const std::vector<std::pair<std::string, std::string>>& texts) {
    for (const auto& [label, text] : texts) {
        argument.values.push_back(
            {.label = "'" + label + "'", .source = Source::memory, .bytes = text_bytes(text)});
    }
}

// Each field of a struct in turn is something else.
void add_fields(Argument& argument, const Value& base, const std::vector<Field>& fields) {
    const std::vector<uint64_t> all = {0, 1, ~uint64_t{0}, 0x8000'0000, 1'000'000'000, kHigh, kSign, kHole};
    for (size_t field = 0; field < fields.size(); ++field) {
        const auto [name, at, width] = fields[field];
        for (size_t i = 0; i < all.size(); ++i) {
            if ((fields.size() > 16 && i != 2) || (width < 8 && (i == 5 || i == 6))) {
                continue;
            }
            Value value = base;
            value.label = "[" + std::to_string(field) + "]" + hex(all[i]);
            std::memcpy(&value.bytes[at], &all[i], width);
            std::erase(value.links, at);
            argument.values.push_back(std::move(value));
        }
    }
}

std::vector<Field> words_of(const Value& base, size_t width) {
    std::vector<Field> fields;
    for (size_t at = 0; at + width <= base.bytes.size(); at += width) {
        fields.push_back({nullptr, at, width});
    }
    return fields;
}

// The first fields of the struct.
void put_fields(Value& value, const std::string& base) {
    value.bytes.assign(value.layout->size, base.empty() ? kFiller : 0);
    if (base.empty()) {
        return;
    }
    size_t field = 0;
    for (const std::string& word : split(base, ',')) {
        const uint64_t number = parse_number(word);
        std::memcpy(&value.bytes[value.layout->fields[field].at], &number, value.layout->fields[field].size);
        ++field;
    }
}

void parse_memory(Argument& argument, const std::string& kind, const std::string& base) {
    Value value{.label = base, .source = Source::memory};
    value.layout = find_layout(kind);
    value.only_extent = kind == "some";
    if (value.layout != nullptr) {
        put_fields(value, base);
    } else if (kind == "path" || kind == "str") {
        value.bytes = text_bytes(base);
    } else if (kind == "buf" || kind == "out" || kind == "some") {
        value.bytes.resize(parse_number(base));
        for (size_t i = 0; i < value.bytes.size(); ++i) {
            value.bytes[i] = static_cast<uint8_t>(kind == "buf" ? 'a' + i % 26 : kFiller);
        }
    } else {
        const std::vector<std::string> parts = split(base, ';');
        value.bytes = words(parts[0], kind == "h" ? 4 : 8, value.links);
        if (parts.size() > 1) {
            value.nested = words(parts[1], 8, value.nested_links);
        }
    }
    argument.values.push_back(value);
    add_places(argument, value);
    if (kind == "path") {
        add_texts(argument, {{"", ""},
                             {"missing", "missing"},
                             {"dir", "dir"},
                             {"link", "link"},
                             {"dangling", "dangling"},
                             {"loop", "loop"},
                             {"file/x", "file/x"},
                             {"file/", "file/"},
                             {"missing/x", "missing/x"},
                             {"locked/x", "locked/x"},
                             {"fifo", "fifo"},
                             {".", "."},
                             {"/", "/"},
                             {"dir/..", "dir/.."},
                             {"n*255", std::string(255, 'n')},
                             {"n*256", std::string(256, 'n')},
                             {"./*4095", std::string(4091, '/') + "file"},
                             {"/*4096", std::string(4092, '/') + "file"}});
    } else if (kind == "str") {
        add_texts(argument, {{"", ""},
                             {"x", "x"},
                             {"n*255", std::string(255, 'n')},
                             {"n*256", std::string(256, 'n')},
                             {"n*4095", std::string(4095, 'n')},
                             {"n*5000", std::string(5000, 'n')}});
    } else if (kind == "w" || kind == "h" || kind == "ext") {
        add_fields(argument, value, words_of(value, kind == "h" ? 4 : 8));
    } else if (value.layout != nullptr && !base.empty()) {
        add_fields(argument, value, {value.layout->fields.begin(), value.layout->fields.end()});
    }
    argument.extensible = kind == "ext";
}

void parse_named(Argument& argument, const std::string& kind, const std::string& base) {
    const Source source = kind == "pid"    ? Source::process
                          : kind == "addr" ? Source::address
                                           : Source::descriptor;
    const auto named = [source](const std::string& name) {
        return Value{.label = name, .source = source, .text = name};
    };
    argument.values.push_back(named(base));
    for (const std::string& name : source == Source::process   ? process_names()
                                   : source == Source::address ? address_names()
                                                               : descriptor_names()) {
        if (name != base) {
            argument.values.push_back(named(name));
        }
    }
    if (source == Source::address) {
        for (const auto& [label, address] : kNowhere) {
            argument.values.push_back({.label = label, .number = address});
        }
        argument.bad = {{.label = "hole", .number = kHole}, {.label = "top", .number = ~uint64_t{0} - 4095}};
    } else if (source == Source::process) {
        add_numbers(argument, {0, 1, 0x3fff'ffff, kIntMax, kIntMin});
        argument.bad = {literal(0x3fff'ffff)};
    } else {
        add_numbers(argument,
                    {~uint64_t{0}, 900, kIntMax, kIntMin, static_cast<uint64_t>(int64_t{-100}), 0x3fff'ffff});
        Value high = named(base);
        high.label += "+2^32";
        high.number = kHigh;
        argument.values.push_back(std::move(high));
        argument.bad = {literal(~uint64_t{0}), named("path-only")};
    }
}

void parse_numeric(Argument& argument, const std::string& kind, uint64_t base) {
    argument.values.push_back(literal(base));
    if (kind == "flags") {
        for (unsigned bit = 0; bit < 64; ++bit) {
            add(argument, literal(base ^ (uint64_t{1} << bit)));
        }
        add_numbers(argument, {0, 0xffff'ffff, ~uint64_t{0}});
        argument.bad = {literal(0x4000'0000), literal(~uint64_t{0})};
        return;
    }
    if (kind == "op") {
        for (uint64_t op = 0; op <= 40; ++op) {
            add(argument, literal(op));
        }
        add_numbers(argument, {~uint64_t{0}, kIntMax, kIntMin, kHigh | base, kSign | base});
        argument.bad = {literal(999)};
        return;
    }
    if (kind == "sig") {
        for (uint64_t sig = 0; sig <= 66; ++sig) {
            add(argument, literal(sig));
        }
        add_numbers(argument, {~uint64_t{0}, kIntMin, kHigh | base});
        argument.bad = {literal(65)};
        return;
    }
    if (kind == "off") {
        add_numbers(argument, {0, 1, base + 1, 4096, ~uint64_t{0}, static_cast<uint64_t>(int64_t{-4096}),
                               0x8000'0000, kHigh, uint64_t{1} << 62, kSign - 1, kSign});
        argument.bad = {literal(~uint64_t{0})};
        return;
    }
    if (kind == "uid") {
        add_numbers(argument,
                    {0, 1, 65534, 65535, 70000, 0xffff'ffff, ~uint64_t{0}, 0xffff'fffe, kHigh | base});
        argument.bad = {literal(70000)};
        return;
    }
    if (kind == "size") {
        add_numbers(
            argument,
            {0,           1,           base - 8, base - 1,     base + 1,  base + 8, base * 2,
             127,         255,         4095,     4096,         4097,      65536,    kIntMax,
             0x8000'0000, 0xffff'ffff, kHigh,    kHigh | base, kSign - 1, kSign,    ~uint64_t{0} - 4095,
             ~uint64_t{0}});
        argument.bad = {literal(~uint64_t{0}), literal(1)};
        return;
    }
    if (kind == "mode") {
        add_numbers(argument, {0, 0777, 01777, 07777, 010644, 020644, 040755, 0100644, 0120777, 0140755,
                               0170000, ~uint64_t{0}, kHigh | base});
        argument.bad = {literal(0170000)};
        return;
    }
    if (kind != "num" && kind != "lit") {
        refuse(kind);
    }
    if (kind == "num") {
        add_numbers(argument, {0,
                               1,
                               2,
                               3,
                               4,
                               7,
                               8,
                               10,
                               15,
                               16,
                               31,
                               32,
                               33,
                               64,
                               65,
                               99,
                               100,
                               127,
                               128,
                               255,
                               256,
                               999,
                               1000,
                               1024,
                               1025,
                               4096,
                               65536,
                               kIntMax,
                               kIntMin,
                               0xffff'ffff,
                               ~uint64_t{0},
                               static_cast<uint64_t>(int64_t{-2}),
                               kHigh,
                               kHigh | base,
                               kSign});
        argument.bad = {literal(~uint64_t{0}), literal(0x7777)};
    }
}

}  // namespace

Argument parse_argument(const std::string& specification) {
    if (specification[0] == '=') {
        Argument argument = parse_argument(specification.substr(1));
        argument.values.resize(1);
        argument.bad.clear();
        argument.extensible = false;
        return argument;
    }
    const size_t colon = specification.find(':');
    const bool null = specification[0] == '?';
    if (colon == std::string::npos) {
        refuse(specification);
    }
    const std::string kind = specification.substr(null, colon - null), base = specification.substr(colon + 1);
    Argument argument;
    constexpr std::string_view kMemory[] = {"path", "str", "buf", "out", "some", "w", "h", "ext"};
    if (std::ranges::find(kMemory, kind) != std::end(kMemory) || find_layout(kind) != nullptr) {
        parse_memory(argument, kind, base);
        if (null) {
            argument.values.insert(argument.values.begin(), Value{.label = "null"});
        }
    } else if (kind == "fd" || kind == "dirfd" || kind == "pid" || kind == "addr") {
        parse_named(argument, kind, base);
    } else {
        parse_numeric(argument, kind, parse_number(base));
    }
    return argument;
}

}  // namespace differential
