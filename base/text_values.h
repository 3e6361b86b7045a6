// Values as users write them on a command line: numbers, sizes, switches, and lists "first,key=value,...".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace weft {

// One element of a comma list. `value` is absent where no '=' was written.
struct KeyValue {
    std::string key;
    std::optional<std::string> value;
};

// A comma list. The first element may stand alone, without a key: it is `head` then.
struct KeyValueList {
    std::optional<std::string> head;
    std::vector<KeyValue> items;
};

// Splits "head,key=value,key". Two commas in a row stand for one comma within a value (as in file names). Refused: empty
// elements and empty keys. With `first_is_value` an element without '=' in first place becomes the head.
Result<KeyValueList> parse_key_values(std::string_view text, bool first_is_value);

// Splits "a,b,c" without any escapes; empty elements stay.
std::vector<std::string> split(std::string_view text, char separator);

// A decimal or 0x-prefixed hexadecimal number without sign, blanks or suffix.
std::optional<uint64_t> parse_uint(std::string_view text);

// on, yes, true / off, no, false.
std::optional<bool> parse_bool(std::string_view text);

// A size: a number and an optional suffix K, M, G or T (powers of 1024, either case); without one `default_unit` bytes.
// Nothing if it is malformed or exceeds 64 bits.
std::optional<uint64_t> parse_size(std::string_view text, uint64_t default_unit);

// The size in the largest unit that divides it: "512M".
std::string format_size(uint64_t bytes);

// For messages: 'text', with bytes that would break the line shown as \xNN.
std::string in_quotes(std::string_view text);

}  // namespace weft
