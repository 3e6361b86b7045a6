// Opening a file by its name, where the name may be that of a descriptor that the process has.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/unique_fd.h"

namespace weft {

// As open(2), closed on exec. "/proc/self/fd/N" is a copy of that descriptor, with its place in the file and its locks, and not another
// look at what it is a descriptor of: that may be a socket, or belong to a user whose files are closed to this process. Then O_TRUNC and
// O_APPEND change nothing, and EACCES is that it was opened for less than is asked for. On failure none, and errno.
UniqueFd open_path(const std::string& path, int flags, mode_t mode = 0);

// N of "/proc/self/fd/N".
std::optional<int> descriptor_of_path(const std::string& path);

}  // namespace weft
