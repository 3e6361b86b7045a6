// Numbers as the monitor's user writes them: "$pc + 4 * (3 & 1)", as QEMU's monitor takes them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace weft::control {

// The value of a register by its name without `$`, if there is one.
using RegisterLookup = std::function<std::optional<uint64_t>(std::string_view name)>;

// Operators, the weakest first: + and -; & | ^; * / %; then - + ~ before a value. Values: numbers in decimal, hexadecimal (0x) and
// octal (0), 'c', $register, parentheses. 64 bits, wrapping; / and % are signed.
Result<uint64_t> evaluate(std::string_view text, const RegisterLookup& lookup);

}  // namespace weft::control
