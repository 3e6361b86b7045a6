#include "emulator/backend/block/raw.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/assert.h"
#include "base/text_values.h"

namespace weft::backend {

namespace {

constexpr uint64_t kSectorSize = 512;

std::string disk(const std::string& path) { return fmt::format("disk image {}", in_quotes(path)); }

Result<uint64_t> image_size(int fd, const std::string& path) {
    struct stat info{};
    if (fstat(fd, &info) != 0) {
        return fail_errno(disk(path));
    }
    uint64_t size = 0;
    if (S_ISREG(info.st_mode)) {
        size = static_cast<uint64_t>(info.st_size);
    } else if (S_ISBLK(info.st_mode)) {
        if (ioctl(fd, BLKGETSIZE64, &size) != 0) {
            return fail_errno(disk(path));
        }
    } else {
        return fail(fmt::format("{}: neither a file nor a block device", disk(path)));
    }
    if (size == 0 || size % kSectorSize != 0) {
        return fail(fmt::format("{}: its size, {} bytes, is not a multiple of {} above 0", disk(path), size,
                                kSectorSize));
    }
    return size;
}

Result<UniqueFd> open_image(const std::string& path, int flags) {
    // Opening must not wait for the other end of a FIFO, which image_size() refuses.
    UniqueFd fd(::open(path.c_str(), flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!fd) {
        return fail_errno(disk(path));
    }
    return fd;
}

Result<> lock_image(int fd, const std::string& path, bool read_only) {
    struct flock lock{};
    lock.l_type = static_cast<short>(read_only ? F_RDLCK : F_WRLCK);
    lock.l_whence = SEEK_SET;  // the whole file, however it grows
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
        return {};
    }
    if (errno == EAGAIN || errno == EACCES) {
        return fail(fmt::format("{}: locked by another instance{}", disk(path),
                                read_only ? " that writes to it" : ""));
    }
    return fail_errno(disk(path) + ": cannot lock it");
}

}  // namespace

Result<> RawImage::check(const std::string& path, bool read_only) {
    const Result<UniqueFd> fd = open_image(path, O_RDONLY);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    if (const Result<uint64_t> size = image_size(fd->get(), path); !size) {
        return std::unexpected(size.error());
    }
    if (!read_only && faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) {
        return fail_errno(disk(path) + ": cannot write to it (readonly=on does not)");
    }
    return {};
}

Result<std::unique_ptr<RawImage>> RawImage::open(const std::string& path, bool read_only) {
    Result<UniqueFd> fd = open_image(path, read_only ? O_RDONLY : O_RDWR);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    if (Result<> locked = lock_image(fd->get(), path, read_only); !locked) {
        return std::unexpected(locked.error());
    }
    const Result<uint64_t> size = image_size(fd->get(), path);
    if (!size) {
        return std::unexpected(size.error());
    }
    return std::unique_ptr<RawImage>(new RawImage(path, std::move(*fd), *size, read_only));
}

Result<> RawImage::read(uint64_t offset, std::span<uint8_t> data) {
    WEFT_ASSERT(data.size() <= size_ && offset <= size_ - data.size());
    while (!data.empty()) {
        const ssize_t count = pread(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset));
        if (count > 0) {
            data = data.subspan(static_cast<size_t>(count));
            offset += static_cast<uint64_t>(count);
        } else if (count == 0) {
            return fail(disk(path_) + ": it was truncated");
        } else if (errno != EINTR) {
            return fail_errno(disk(path_));
        }
    }
    return {};
}

Result<> RawImage::write(uint64_t offset, std::span<const uint8_t> data) {
    WEFT_ASSERT(data.size() <= size_ && offset <= size_ - data.size());
    if (read_only_) {
        return fail(disk(path_) + ": opened read-only");
    }
    while (!data.empty()) {
        const ssize_t count = pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset));
        if (count >= 0) {
            data = data.subspan(static_cast<size_t>(count));
            offset += static_cast<uint64_t>(count);
        } else if (errno != EINTR) {
            return fail_errno(disk(path_));
        }
    }
    return {};
}

Result<> RawImage::flush() {
    if (!read_only_ && fdatasync(fd_.get()) != 0) {
        return fail_errno(disk(path_));
    }
    return {};
}

}  // namespace weft::backend
