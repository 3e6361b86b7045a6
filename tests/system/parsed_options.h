// The command line as tests of options give it.
#pragma once

#include <catch2/catch.hpp>

#include <initializer_list>
#include <span>
#include <string>

#include "emulator/system/options.h"

namespace weft::test {

inline Result<sys::Options> parse(std::initializer_list<const char*> arguments) {
    return sys::parse_options(std::span(arguments.begin(), arguments.size()));
}

inline sys::Options good(std::initializer_list<const char*> arguments) {
    Result<sys::Options> options = parse(arguments);
    INFO((options ? "" : options.error().message()));
    REQUIRE(options);
    return *options;
}

// The message.
inline std::string bad(std::initializer_list<const char*> arguments) {
    const Result<sys::Options> options = parse(arguments);
    return options ? "(accepted)" : options.error().message();
}

}  // namespace weft::test
