#include "emulator/backend/block/image_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "base/open_path.h"
#include "base/text_values.h"

namespace weft::backend {

std::string disk_image(const std::string& path) { return fmt::format("disk image {}", in_quotes(path)); }

Error about(const std::string& name, const Error& error) {
    return error.message().starts_with(name) ? error : error.within(name);
}

Result<> check_writable(const std::string& path) {
    if (const std::optional<int> fd = descriptor_of_path(path)) {
        const int access = fcntl(*fd, F_GETFL);
        return access >= 0 && (access & O_ACCMODE) == O_RDWR
                   ? Result<>()
                   : fail(disk_image(path) + ": the descriptor is not for reading and writing");
    }
    if (faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) {
        return fail_errno(disk_image(path) + ": cannot write to it (readonly=on does not)");
    }
    return {};
}

Result<std::unique_ptr<HostFile>> HostFile::open(const std::string& path, bool read_only,
                                                 bool write_through) {
    const int flags = read_only ? O_RDONLY : O_RDWR | (write_through ? O_DSYNC : 0);
    // Opening must not wait for the other end of a FIFO, which is refused below.
    UniqueFd fd = open_path(path, flags | O_NONBLOCK | O_NOCTTY);
    struct stat info{};
    if (!fd || fstat(fd.get(), &info) != 0) {
        return fail_errno(disk_image(path));
    }
    if (const int has = fcntl(fd.get(), F_GETFL); (flags & O_DSYNC) != 0 && (has & O_DSYNC) == 0) {
        return fail(disk_image(path) +
                    ": the descriptor was opened without O_DSYNC, which writing through needs");
    }
    if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode)) {
        return fail(fmt::format("{}: neither a file nor a block device", disk_image(path)));
    }
    std::unique_ptr<HostFile> file(new HostFile(path, std::move(fd), read_only, write_through));
    file->regular_ = S_ISREG(info.st_mode);
    // All nodes of a block device are the same device.
    file->identity_ = file->regular_ ? std::pair<uint64_t, uint64_t>(info.st_dev, info.st_ino)
                                     : std::pair<uint64_t, uint64_t>(info.st_rdev, 0);
    return file;
}

HostFile::~HostFile() {
    if (locked_) {
        struct flock lock{};
        lock.l_type = F_UNLCK;
        lock.l_whence = SEEK_SET;
        static_cast<void>(fcntl(fd_.get(), F_OFD_SETLK, &lock));
    }
}

Result<> HostFile::lock() {
    struct flock lock{};
    lock.l_type = static_cast<short>(read_only_ ? F_RDLCK : F_WRLCK);
    lock.l_whence = SEEK_SET;  // the whole file, however it grows
    if (fcntl(fd_.get(), F_OFD_SETLK, &lock) == 0) {
        locked_ = true;
        return {};
    }
    if (errno == EAGAIN || errno == EACCES) {
        return fail(fmt::format("{}: locked by another instance{}", disk_image(path_),
                                read_only_ ? " that writes to it" : ""));
    }
    return fail_errno(disk_image(path_) + ": cannot lock it");
}

Result<uint64_t> HostFile::size() const {
    struct stat info{};
    uint64_t size = 0;
    if (fstat(fd_.get(), &info) != 0 || (!regular_ && ioctl(fd_.get(), BLKGETSIZE64, &size) != 0)) {
        return fail_errno(disk_image(path_));
    }
    return regular_ ? static_cast<uint64_t>(info.st_size) : size;
}

Result<size_t> HostFile::read(uint64_t offset, std::span<uint8_t> data) {
    size_t done = 0;
    while (done != data.size()) {
        const ssize_t count =
            pread(fd_.get(), data.data() + done, data.size() - done, static_cast<off_t>(offset + done));
        if (count > 0) {
            done += static_cast<size_t>(count);
        } else if (count == 0) {
            break;
        } else if (errno != EINTR) {
            return fail_errno(disk_image(path_));
        }
    }
    return done;
}

Result<> HostFile::write(uint64_t offset, std::span<const uint8_t> data) {
    while (!data.empty()) {
        const ssize_t count = pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset));
        if (count >= 0) {
            data = data.subspan(static_cast<size_t>(count));
            offset += static_cast<uint64_t>(count);
        } else if (errno != EINTR) {
            return fail_errno(disk_image(path_));
        }
    }
    return {};
}

Result<> HostFile::sync() {
    if (!read_only_ && fdatasync(fd_.get()) != 0) {
        return fail_errno(disk_image(path_));
    }
    return {};
}

bool HostFile::read_at_once(uint64_t offset, std::span<uint8_t> data) {
    if (!reads_at_once_.load(std::memory_order_relaxed)) {
        return false;
    }
    const iovec place{data.data(), data.size()};
    const ssize_t count = preadv2(fd_.get(), &place, 1, static_cast<off_t>(offset), RWF_NOWAIT);
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
        reads_at_once_.store(false, std::memory_order_relaxed);
    }
    return count == static_cast<ssize_t>(data.size());
}

bool HostFile::write_at_once(uint64_t offset, std::span<const uint8_t> data) {
    if (write_through_ || !writes_at_once_.load(std::memory_order_relaxed)) {
        return false;
    }
    const iovec place{const_cast<uint8_t*>(data.data()), data.size()};
    const ssize_t count = pwritev2(fd_.get(), &place, 1, static_cast<off_t>(offset), RWF_NOWAIT);
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
        writes_at_once_.store(false, std::memory_order_relaxed);
    }
    return count == static_cast<ssize_t>(data.size());
}

Result<bool> HostFile::allocate(int mode, uint64_t offset, uint64_t length) {
    int done = 0;
    do {
        done = fallocate(fd_.get(), mode | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                         static_cast<off_t>(length));
    } while (done != 0 && errno == EINTR);
    if (done == 0) {
        return true;
    }
    // ENOSYS, ENODEV, EINVAL: of file systems and devices that know nothing of it, or not of such places.
    if (errno == EOPNOTSUPP || errno == ENOSYS || errno == ENODEV || errno == EINVAL) {
        return false;
    }
    return fail_errno(disk_image(path_));
}

Result<bool> HostFile::punch(uint64_t offset, uint64_t length) {
    return allocate(FALLOC_FL_PUNCH_HOLE, offset, length);
}

Result<bool> HostFile::zero(uint64_t offset, uint64_t length) {
    return allocate(FALLOC_FL_ZERO_RANGE, offset, length);
}

}  // namespace weft::backend
