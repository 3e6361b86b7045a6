#include "emulator/backend/block/raw.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/assert.h"
#include "base/messages.h"
#include "base/text_values.h"
#include "emulator/backend/block/image_format.h"

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
    return size;
}

Result<> read_fully(int fd, const std::string& path, uint64_t offset, std::span<uint8_t> data) {
    while (!data.empty()) {
        const ssize_t count = pread(fd, data.data(), data.size(), static_cast<off_t>(offset));
        if (count > 0) {
            data = data.subspan(static_cast<size_t>(count));
            offset += static_cast<uint64_t>(count);
        } else if (count == 0) {
            return fail(disk(path) + ": it was truncated");
        } else if (errno != EINTR) {
            return fail_errno(disk(path));
        }
    }
    return {};
}

Result<> check_format(int fd, const std::string& path, uint64_t size) {
    std::array<uint8_t, kProbeSize> head{};
    std::array<uint8_t, kProbeSize> tail{};
    const auto part = static_cast<size_t>(std::min<uint64_t>(size, kProbeSize));
    const auto first = std::span(head).first(part);
    const auto last = std::span(tail).first(part);
    for (const auto& [offset, bytes] : {std::pair(uint64_t{0}, first), std::pair(size - part, last)}) {
        if (Result<> done = read_fully(fd, path, offset, bytes); !done) {
            return done;
        }
    }
    if (const char* format = signed_format(first, last); format != nullptr) {
        return fail(
            fmt::format("{}: this is a {} image, which has to be converted to raw first (format=raw takes "
                        "the file's own bytes for the disk)",
                        disk(path), format));
    }
    return {};
}

// The size of an image that can be attached.
Result<uint64_t> checked_size(int fd, const std::string& path, bool probe) {
    const Result<uint64_t> known = image_size(fd, path);
    if (!known) {
        return known;
    }
    const uint64_t size = *known;
    // First, since files of other formats may have any size.
    if (probe) {
        if (Result<> raw = check_format(fd, path, size); !raw) {
            return std::unexpected(raw.error());
        }
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

Result<> RawImage::check(const std::string& path, ImageAccess access) {
    const Result<UniqueFd> fd = open_image(path, O_RDONLY);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    if (const Result<uint64_t> size = checked_size(fd->get(), path, access.probe); !size) {
        return std::unexpected(size.error());
    }
    if (!access.read_only && faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) {
        return fail_errno(disk(path) + ": cannot write to it (readonly=on does not)");
    }
    return {};
}

Result<std::unique_ptr<RawImage>> RawImage::open(const std::string& path, ImageAccess access) {
    Result<UniqueFd> fd =
        open_image(path, access.read_only ? O_RDONLY : O_RDWR | (access.write_through ? O_DSYNC : 0));
    if (!fd) {
        return std::unexpected(fd.error());
    }
    if (Result<> locked = lock_image(fd->get(), path, access.read_only); !locked) {
        return std::unexpected(locked.error());
    }
    const Result<uint64_t> size = checked_size(fd->get(), path, access.probe);
    if (!size) {
        return std::unexpected(size.error());
    }
    return std::unique_ptr<RawImage>(new RawImage(path, std::move(*fd), *size, access));
}

Result<> RawImage::read(uint64_t offset, std::span<uint8_t> data) {
    WEFT_ASSERT(data.size() <= size_ && offset <= size_ - data.size());
    return read_fully(fd_.get(), path_, offset, data);
}

// What the first and the last bytes would be after writing `data` at `offset`. Writers of the same bytes at the same time are not
// covered: the interface forbids them.
Result<> RawImage::keep_unsigned(uint64_t offset, std::span<const uint8_t> data) {
    const uint64_t end = offset + data.size();
    for (const bool at_start : {true, false}) {
        const uint64_t place = at_start ? 0 : size_ - kProbeSize;
        const uint64_t from = std::max(offset, place);
        const uint64_t to = std::min(end, place + kProbeSize);
        if (from >= to) {
            continue;
        }
        std::array<uint8_t, kProbeSize> bytes;
        if (to - from < kProbeSize) {
            if (Result<> done = read_fully(fd_.get(), path_, place, bytes); !done) {
                return done;
            }
        }
        std::ranges::copy(data.subspan(static_cast<size_t>(from - offset), static_cast<size_t>(to - from)),
                          bytes.begin() + static_cast<ptrdiff_t>(from - place));
        const char* format = at_start ? signed_format(bytes, {}) : signed_format({}, bytes);
        if (format != nullptr) {
            const std::string message = fmt::format(
                "{}: the guest may not make a {} image of it by writing that format's signature to its {} "
                "sector (format=raw allows it)",
                disk(path_), format, at_start ? "first" : "last");
            if (!warned_.exchange(true, std::memory_order_relaxed)) {
                print_warning(message);
            }
            return fail(message);
        }
    }
    return {};
}

Result<> RawImage::write(uint64_t offset, std::span<const uint8_t> data) {
    WEFT_ASSERT(data.size() <= size_ && offset <= size_ - data.size());
    if (access_.read_only) {
        return fail(disk(path_) + ": opened read-only");
    }
    if (access_.probe) {
        if (Result<> allowed = keep_unsigned(offset, data); !allowed) {
            return allowed;
        }
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
    if (!access_.read_only && fdatasync(fd_.get()) != 0) {
        return fail_errno(disk(path_));
    }
    return {};
}

}  // namespace weft::backend
