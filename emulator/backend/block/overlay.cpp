#include "emulator/backend/block/overlay.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/text_values.h"

namespace weft::backend {

namespace {

Result<UniqueFd> temporary_file() {
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
    return fd;
}

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

Result<std::unique_ptr<Overlay>> Overlay::create(std::unique_ptr<BlockBackend> base) {
    Result<UniqueFd> file = temporary_file();
    if (!file) {
        return std::unexpected(file.error());
    }
    return std::unique_ptr<Overlay>(new Overlay(std::move(base), std::move(*file)));
}

Overlay::Overlay(std::unique_ptr<BlockBackend> base, UniqueFd file)
    : base_(std::move(base)),
      file_(std::move(file)),
      written_(static_cast<size_t>((base_->size() + kCluster - 1) / kCluster)) {}

Result<> Overlay::read(uint64_t offset, std::span<uint8_t> data) {
    const MutexLock lock(mutex_);
    while (!data.empty()) {
        const uint64_t cluster = offset / kCluster;
        const auto size =
            static_cast<size_t>(std::min<uint64_t>(data.size(), (cluster + 1) * kCluster - offset));
        const auto piece = data.first(size);
        Result<> done = written_[cluster] ? transfer("read", offset, piece,
                                                     [this](void* to, size_t count, off_t at) {
                                                         return pread(file_.get(), to, count, at);
                                                     })
                                          : base_->read(offset, piece);
        if (!done) {
            return done;
        }
        data = data.subspan(size);
        offset += size;
    }
    return {};
}

// Copies a cluster before a part of it is written.
Result<> Overlay::fill(uint64_t cluster) {
    std::vector<uint8_t> bytes(static_cast<size_t>(std::min(kCluster, base_->size() - cluster * kCluster)));
    if (Result<> done = base_->read(cluster * kCluster, bytes); !done) {
        return done;
    }
    return transfer(
        "write", cluster * kCluster, std::span<const uint8_t>(bytes),
        [this](const void* from, size_t count, off_t at) { return pwrite(file_.get(), from, count, at); });
}

Result<> Overlay::write(uint64_t offset, std::span<const uint8_t> data) {
    const MutexLock lock(mutex_);
    while (!data.empty()) {
        const uint64_t cluster = offset / kCluster;
        const uint64_t end = std::min((cluster + 1) * kCluster, base_->size());
        const auto size = static_cast<size_t>(std::min<uint64_t>(data.size(), end - offset));
        const bool whole = offset == cluster * kCluster && offset + size == end;
        Result<> done = written_[cluster] || whole ? Result<>() : fill(cluster);
        done = done ? transfer("write", offset, data.first(size),
                               [this](const void* from, size_t count, off_t at) {
                                   return pwrite(file_.get(), from, count, at);
                               })
                    : done;
        if (!done) {
            return done;
        }
        written_[cluster] = true;
        data = data.subspan(size);
        offset += size;
    }
    return {};
}

}  // namespace weft::backend
