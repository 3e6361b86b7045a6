#include "accel/tcg/observe/listing_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace weft::accel {

Result<ListingFile> ListingFile::open(std::string path) {
    // Readable, because perf wants a jitdump mapped.
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!fd) {
        return fail_errno(path);
    }
    // What is there may be of an earlier process with this number, or of another machine in this one, which has a lock.
    const bool first = ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0;
    if (!first && errno != EWOULDBLOCK) {
        return fail_errno(path);
    }
    if (first && ::ftruncate(fd.get(), 0) != 0) {
        return fail_errno(path);
    }
    if (::flock(fd.get(), LOCK_SH) != 0) {
        return fail_errno(path);
    }
    return ListingFile(std::move(path), std::move(fd), first);
}

bool ListingFile::write(std::string_view record) const {
    while (!record.empty()) {
        const ssize_t written = ::write(fd_.get(), record.data(), record.size());
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return false;
        }
        record.remove_prefix(static_cast<size_t>(written));
    }
    return true;
}

}  // namespace weft::accel
