#include "base/unique_fd.h"

#include <unistd.h>

#include <cerrno>

namespace weft {

void UniqueFd::reset(int fd) {
    const int old = std::exchange(fd_, fd);
    if (old >= 0) {
        const int saved_errno = errno;
        // Linux frees the descriptor even where close() fails, so there is nothing to retry.
        ::close(old);
        errno = saved_errno;
    }
}

}  // namespace weft
