#include "emulator/control/gdb/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <utility>

namespace weft::control::gdb {

Files::Outcome<uint64_t> HostFiles::open(const std::string& path) {
    if (open_.size() == kMostFiles) {
        return std::unexpected(EMFILE);
    }
    // A pipe would wait for its other end.
    UniqueFd file(::open(lookup_(path).c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!file) {
        return std::unexpected(errno);
    }
    open_.emplace(next_, std::move(file));
    return next_++;
}

Files::Outcome<std::string> HostFiles::read(uint64_t file, size_t size, uint64_t offset) {
    const auto found = open_.find(file);
    if (found == open_.end()) {
        return std::unexpected(EBADF);
    }
    if (offset > LLONG_MAX) {
        return std::unexpected(EINVAL);
    }
    std::string bytes(size, '\0');
    const ssize_t got = ::pread(found->second.get(), bytes.data(), size, static_cast<off_t>(offset));
    if (got < 0) {
        return std::unexpected(errno);
    }
    bytes.resize(static_cast<size_t>(got));
    return bytes;
}

Files::Outcome<Files::Status> HostFiles::status(uint64_t file) {
    const auto found = open_.find(file);
    if (found == open_.end()) {
        return std::unexpected(EBADF);
    }
    struct ::stat host{};
    if (::fstat(found->second.get(), &host) != 0) {
        return std::unexpected(errno);
    }
    return Status{.device = host.st_dev,
                  .inode = host.st_ino,
                  .mode = host.st_mode,
                  .links = host.st_nlink,
                  .owner = host.st_uid,
                  .group = host.st_gid,
                  .special_device = host.st_rdev,
                  .size = static_cast<uint64_t>(host.st_size),
                  .block_size = static_cast<uint64_t>(host.st_blksize),
                  .blocks = static_cast<uint64_t>(host.st_blocks),
                  .accessed = static_cast<uint64_t>(host.st_atime),
                  .modified = static_cast<uint64_t>(host.st_mtime),
                  .changed = static_cast<uint64_t>(host.st_ctime)};
}

Files::Outcome<void> HostFiles::close(uint64_t file) {
    if (open_.erase(file) == 0) {
        return std::unexpected(EBADF);
    }
    return {};
}

Files::Outcome<std::string> HostFiles::link(const std::string& path) {
    std::string target(PATH_MAX, '\0');
    const ssize_t length = ::readlink(lookup_(path).c_str(), target.data(), target.size());
    if (length < 0) {
        return std::unexpected(errno);
    }
    target.resize(static_cast<size_t>(length));
    return target;
}

}  // namespace weft::control::gdb
