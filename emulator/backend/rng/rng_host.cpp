#include "emulator/backend/rng/rng_host.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/text_values.h"

namespace weft::backend {

Result<size_t> RngKernel::fill(std::span<uint8_t> data) {
    const ssize_t got = getrandom(data.data(), data.size(), GRND_NONBLOCK);
    if (got >= 0) {
        return static_cast<size_t>(got);
    }
    if (errno == EAGAIN || errno == EINTR) {
        return 0;
    }
    return fail_errno("no random numbers from the kernel");
}

Result<std::unique_ptr<RngFile>> RngFile::open(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat info{};
    if (!fd || fstat(fd.get(), &info) != 0) {
        return fail_errno(fmt::format("cannot open {}", in_quotes(path)));
    }
    if (S_ISDIR(info.st_mode)) {
        return fail_errno(fmt::format("cannot open {}", in_quotes(path)), EISDIR);
    }
    return std::unique_ptr<RngFile>(new RngFile(path, std::move(fd), S_ISREG(info.st_mode)));
}

Result<size_t> RngFile::fill(std::span<uint8_t> data) {
    const ssize_t got = ::read(fd_.get(), data.data(), data.size());
    if (got > 0 || (got == 0 && !ends_)) {
        return static_cast<size_t>(got);
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    if (got == 0) {
        return fail(fmt::format("{} has no random bytes left", in_quotes(path_)));
    }
    return fail_errno(fmt::format("cannot read {}", in_quotes(path_)));
}

}  // namespace weft::backend
