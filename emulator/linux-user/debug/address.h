// Where to wait for a debugger.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace weft::user {

struct DebugAddress {
    uint16_t port = 0;  // of 127.0.0.1
    std::string path;   // a Unix socket; "": the port

    // "PORT", or "PATH" with a slash in it, in which %d becomes the process's number.
    static Result<DebugAddress> parse(const std::string& text);
    // For people.
    std::string text() const;
};

}  // namespace weft::user
