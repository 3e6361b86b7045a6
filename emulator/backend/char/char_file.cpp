#include "emulator/backend/char/char_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/messages.h"
#include "base/open_path.h"
#include "base/text_values.h"

namespace weft::backend {

Result<std::unique_ptr<CharFile>> CharFile::open(const std::string& path, bool append) {
    UniqueFd fd = open_path(path, O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC) | O_NOCTTY, 0666);
    if (!fd) {
        return fail_errno(fmt::format("-serial: cannot open {}", in_quotes(path)));
    }
    return std::unique_ptr<CharFile>(new CharFile(path, std::move(fd)));
}

void CharFile::write(std::span<const uint8_t> data) {
    MutexLock lock(mutex_);
    while (!data.empty() && !failed_) {
        const ssize_t count = ::write(fd_.get(), data.data(), data.size());
        if (count >= 0) {
            data = data.subspan(static_cast<size_t>(count));
        } else if (errno != EINTR) {
            print_warning(fail_errno(fmt::format("cannot write to {}", in_quotes(path_))).error().message());
            failed_ = true;
        }
    }
}

}  // namespace weft::backend
