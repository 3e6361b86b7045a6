#include "emulator/semihosting/file.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace weft::semihosting {

namespace {

// How long an access waits for the other end before it says that it has to.
constexpr int kPatienceMs = 1;

FileAccess outcome_of(ssize_t count) {
    if (count >= 0) {
        return {FileAccess::Outcome::done, static_cast<size_t>(count), 0};
    }
    if (errno == EAGAIN || errno == EINTR) {
        return {FileAccess::Outcome::wait, 0, 0};
    }
    return {FileAccess::Outcome::failed, 0, errno};
}

bool is_regular(int fd) {
    struct stat info{};
    return fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

// SH_EXT_EXIT_EXTENDED and SH_EXT_STDOUT_STDERR, behind the magic number (4.1, 4.2).
constexpr std::array<uint8_t, 5> kFeatures = {'S', 'H', 'F', 'B', 0x03};

}  // namespace

HostFile::Opened HostFile::open(const std::string& path, uint64_t mode) {
    static constexpr int kFlags[kOpenModes / 2] = {O_RDONLY,
                                                   O_RDWR,
                                                   O_WRONLY | O_CREAT | O_TRUNC,
                                                   O_RDWR | O_CREAT | O_TRUNC,
                                                   O_WRONLY | O_CREAT | O_APPEND,
                                                   O_RDWR | O_CREAT | O_APPEND};
    // A pipe without another end must not keep the CPU.
    UniqueFd fd(::open(path.c_str(), kFlags[mode / 2] | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644));
    if (!fd) {
        return {nullptr, errno};
    }
    const int number = fd.get();
    return {std::make_shared<HostFile>(number, std::move(fd)), 0};
}

HostFile::HostFile(int fd, UniqueFd owned) : fd_(fd), owned_(std::move(owned)), regular_(is_regular(fd)) {}

bool HostFile::ready(short events) const {
    pollfd state{fd_, events, 0};
    return regular_ || poll(&state, 1, kPatienceMs) > 0;
}

FileAccess HostFile::read(std::span<uint8_t> bytes) {
    if (!ready(POLLIN)) {
        return {FileAccess::Outcome::wait, 0, 0};
    }
    return outcome_of(::read(fd_, bytes.data(), bytes.size()));
}

FileAccess HostFile::write(std::span<const uint8_t> bytes) {
    if (!ready(POLLOUT)) {
        return {FileAccess::Outcome::wait, 0, 0};
    }
    // A pipe that polls writable takes PIPE_BUF bytes without blocking (pipe(7)).
    return outcome_of(
        ::write(fd_, bytes.data(), regular_ ? bytes.size() : std::min<size_t>(bytes.size(), PIPE_BUF)));
}

int HostFile::seek(int64_t offset, bool from_here) {
    return lseek(fd_, offset, from_here ? SEEK_CUR : SEEK_SET) < 0 ? errno : 0;
}

int64_t HostFile::length() {
    struct stat info{};
    return fstat(fd_, &info) == 0 ? int64_t{info.st_size} : -int64_t{errno};
}

int HostFile::terminal() { return isatty(fd_) != 0 ? 0 : errno; }

FileAccess FeaturesFile::read(std::span<uint8_t> bytes) {
    size_t from = position_.load();
    size_t count = 0;
    do {
        count = std::min(bytes.size(), kFeatures.size() - from);
    } while (!position_.compare_exchange_weak(from, from + count));
    std::copy_n(kFeatures.begin() + static_cast<ptrdiff_t>(from), count, bytes.begin());
    return {FileAccess::Outcome::done, count, 0};
}

FileAccess FeaturesFile::write(std::span<const uint8_t>) { return {FileAccess::Outcome::failed, 0, EBADF}; }

// What was read and could not be handed over is given back: `offset` is negative then.
int FeaturesFile::seek(int64_t offset, bool from_here) {
    size_t from = position_.load();
    int64_t to = 0;
    do {
        to = offset + (from_here ? static_cast<int64_t>(from) : 0);
        if (to < 0 || to > static_cast<int64_t>(kFeatures.size())) {
            return EINVAL;
        }
    } while (!position_.compare_exchange_weak(from, static_cast<size_t>(to)));
    return 0;
}

int64_t FeaturesFile::length() { return kFeatures.size(); }

int FeaturesFile::terminal() { return ENOTTY; }

}  // namespace weft::semihosting
