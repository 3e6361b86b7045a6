#include "base/open_path.h"

#include <fcntl.h>

#include <cerrno>
#include <climits>

#include "base/text_values.h"

namespace weft {

std::optional<int> descriptor_of_path(const std::string& path) {
    constexpr std::string_view kFolder = "/proc/self/fd/";
    if (!path.starts_with(kFolder)) {
        return std::nullopt;
    }
    const std::optional<uint64_t> number = parse_uint(std::string_view(path).substr(kFolder.size()));
    return number && *number <= INT_MAX ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

UniqueFd open_path(const std::string& path, int flags, mode_t mode) {
    const std::optional<int> number = descriptor_of_path(path);
    if (!number) {
        return UniqueFd(::open(path.c_str(), flags | O_CLOEXEC, mode));
    }
    const int has = fcntl(*number, F_GETFL);
    if (has < 0) {
        return {};
    }
    if ((has & O_ACCMODE) != O_RDWR && (has & O_ACCMODE) != (flags & O_ACCMODE)) {
        errno = EACCES;
        return {};
    }
    return UniqueFd(fcntl(*number, F_DUPFD_CLOEXEC, 0));
}

}  // namespace weft
