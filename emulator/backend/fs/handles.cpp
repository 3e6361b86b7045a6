#include "emulator/backend/fs/handles.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <climits>

namespace weft::backend {

FsResult<UniqueFd> open_beneath(int folder, const char* path, int flags) {
    open_how how{};
    how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    while (true) {
        // glibc has no function for it.
        const long fd = syscall(SYS_openat2, folder, path, &how, sizeof(how));
        if (fd >= 0) {
            return UniqueFd(static_cast<int>(fd));
        }
        // EAGAIN: the kernel cannot tell whether a rename meanwhile led outside (openat2(2)).
        if (errno != EINTR && errno != EAGAIN) {
            return last_error();
        }
    }
}

std::string handle_path(int handle) { return fmt::format("/proc/self/fd/{}", handle); }

FsResult<UniqueFd> reopen(int handle, int flags) {
    const int fd = ::open(handle_path(handle).c_str(), flags | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? FsResult<UniqueFd>(last_error()) : FsResult<UniqueFd>(UniqueFd(fd));
}

FsResult<struct stat> handle_attributes(int handle) {
    struct stat attributes{};
    if (fstat(handle, &attributes) < 0) {
        return last_error();
    }
    return attributes;
}

FsResult<> change_handle(int handle, const FsChanges& changes) {
    const std::string path = handle_path(handle);
    if (changes.uid || changes.gid) {
        const auto id = [](const std::optional<uint32_t>& one) { return one.value_or(UINT32_MAX); };
        if (fchownat(handle, "", id(changes.uid), id(changes.gid), AT_EMPTY_PATH) < 0) {
            return last_error();
        }
    }
    // After the owner, whose change takes away the set-user-id bit.
    if (changes.mode && ::chmod(path.c_str(), *changes.mode & 07777) < 0) {
        return last_error();
    }
    if (changes.size) {
        const FsResult<struct stat> attributes = handle_attributes(handle);
        if (!attributes) {
            return std::unexpected(attributes.error());
        }
        if (!S_ISREG(attributes->st_mode)) {
            return std::unexpected(S_ISDIR(attributes->st_mode) ? EISDIR : EINVAL);
        }
        if (*changes.size > INT64_MAX) {
            return std::unexpected(EFBIG);
        }
        if (truncate(path.c_str(), static_cast<off_t>(*changes.size)) < 0) {
            return last_error();
        }
    }
    if (changes.accessed.tv_nsec != UTIME_OMIT || changes.modified.tv_nsec != UTIME_OMIT) {
        const timespec times[] = {changes.accessed, changes.modified};
        return done(utimensat(AT_FDCWD, path.c_str(), times, 0));
    }
    return {};
}

namespace {

// Calls `get` with room that grows until all fits.
template <class Get>
FsResult<std::vector<uint8_t>> whole(const Get& get) {
    std::vector<uint8_t> bytes(256);
    while (true) {
        const ssize_t size = get(bytes.data(), bytes.size());
        if (size >= 0) {
            bytes.resize(static_cast<size_t>(size));
            return bytes;
        }
        // Both limits of the kernel are 64 KiB (limits.h of linux).
        if (errno != ERANGE || bytes.size() >= XATTR_SIZE_MAX) {
            return last_error();
        }
        bytes.resize(XATTR_SIZE_MAX);
    }
}

}  // namespace

FsResult<std::vector<uint8_t>> handle_xattr(int handle, const char* name) {
    const std::string path = handle_path(handle);
    return whole([&](void* to, size_t size) { return getxattr(path.c_str(), name, to, size); });
}

FsResult<std::vector<uint8_t>> handle_xattr_list(int handle) {
    const std::string path = handle_path(handle);
    return whole(
        [&](void* to, size_t size) { return listxattr(path.c_str(), static_cast<char*>(to), size); });
}

}  // namespace weft::backend
