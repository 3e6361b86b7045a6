#include "emulator/backend/block/temporary_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/text_values.h"

namespace weft::backend {

namespace {

template <class Bytes, class Call>
Result<> transfer(const char* what, uint64_t offset, Bytes data, const Call& call) {
    while (!data.empty()) {
        const ssize_t count = call(data.data(), data.size(), static_cast<off_t>(offset));
        if (count > 0) {
            data = data.subspan(static_cast<size_t>(count));
            offset += static_cast<uint64_t>(count);
        } else if (count == 0 || errno != EINTR) {
            return fail_errno(fmt::format("cannot {} the temporary file", what), count == 0 ? EIO : errno);
        }
    }
    return {};
}

}  // namespace

Result<TemporaryFile> TemporaryFile::create() {
    const char* folder = std::getenv("TMPDIR");
    if (folder == nullptr || *folder == '\0') {
        folder = "/var/tmp";  // disks are large; /tmp is memory in many places
    }
    UniqueFd fd(::open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!fd && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        std::string name = fmt::format("{}/weft-XXXXXX", folder);
        fd.reset(mkostemp(name.data(), O_CLOEXEC));
        if (fd) {
            unlink(name.c_str());
        }
    }
    if (!fd) {
        return fail_errno(fmt::format("cannot make a temporary file in {}", in_quotes(folder)));
    }
    return TemporaryFile(std::move(fd));
}

Result<> TemporaryFile::read(uint64_t offset, std::span<uint8_t> data) const {
    return transfer("read", offset, data,
                    [this](void* to, size_t count, off_t at) { return pread(fd_.get(), to, count, at); });
}

Result<> TemporaryFile::write(uint64_t offset, std::span<const uint8_t> data) const {
    return transfer("write", offset, data, [this](const void* from, size_t count, off_t at) {
        return pwrite(fd_.get(), from, count, at);
    });
}

}  // namespace weft::backend
