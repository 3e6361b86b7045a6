#include "emulator/linux-user/debug/address.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/text_values.h"

namespace weft::user {

Result<DebugAddress> DebugAddress::parse(const std::string& text) {
    DebugAddress address;
    if (text.find('/') != std::string::npos) {
        address.path = text;
        return address;
    }
    const auto port = parse_uint(text);
    if (!port || *port == 0 || *port > 65535) {
        return fail(
            fmt::format("{} is neither a port (1 to 65535) nor a path with a slash", in_quotes(text)));
    }
    address.port = static_cast<uint16_t>(*port);
    return address;
}

std::string DebugAddress::text() const {
    if (path.empty()) {
        return fmt::format("127.0.0.1:{}", port);
    }
    std::string name = path;
    const size_t at = name.find("%d");
    if (at != std::string::npos) {
        name.replace(at, 2, std::to_string(::getpid()));
    }
    return name;
}

}  // namespace weft::user
