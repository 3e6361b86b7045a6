#include "emulator/backend/block/raw.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/messages.h"
#include "emulator/backend/block/image_format.h"

namespace weft::backend {

namespace {

constexpr uint64_t kSectorSize = 512;

Result<> read_fully(HostFile& file, const std::string& path, uint64_t offset, std::span<uint8_t> data) {
    const Result<size_t> count = file.read(offset, data);
    if (!count) {
        return std::unexpected(count.error());
    }
    return *count == data.size() ? Result<>() : fail(disk_image(path) + ": it was truncated");
}

Result<> check_format(HostFile& file, const std::string& path, uint64_t size) {
    std::array<uint8_t, kProbeSize> head{};
    std::array<uint8_t, kProbeSize> tail{};
    const auto part = static_cast<size_t>(std::min<uint64_t>(size, kProbeSize));
    const auto first = std::span(head).first(part);
    const auto last = std::span(tail).first(part);
    for (const auto& [offset, bytes] : {std::pair(uint64_t{0}, first), std::pair(size - part, last)}) {
        if (Result<> done = read_fully(file, path, offset, bytes); !done) {
            return done;
        }
    }
    if (const char* format = signed_format(first, last); format != nullptr) {
        return fail(
            fmt::format("{}: this is a {} image, which has to be converted to raw first (format=raw takes "
                        "the file's own bytes for the disk)",
                        disk_image(path), format));
    }
    return {};
}

// The size of an image that can be attached.
Result<uint64_t> checked_size(HostFile& file, const std::string& path, bool probe) {
    const Result<uint64_t> known = file.size();
    if (!known) {
        return known;
    }
    const uint64_t size = *known;
    // First, since files of other formats may have any size.
    if (probe) {
        if (Result<> raw = check_format(file, path, size); !raw) {
            return std::unexpected(raw.error());
        }
    }
    if (size == 0 || size % kSectorSize != 0) {
        return fail(fmt::format("{}: its size, {} bytes, is not a multiple of {} above 0", disk_image(path),
                                size, kSectorSize));
    }
    return size;
}

}  // namespace

Result<> RawImage::check(const std::string& path, ImageAccess access) {
    const Result<std::unique_ptr<HostFile>> file = HostFile::open(path, true, false);
    if (!file) {
        return std::unexpected(file.error());
    }
    if (const Result<uint64_t> size = checked_size(**file, path, access.probe); !size) {
        return std::unexpected(size.error());
    }
    return access.read_only ? Result<>() : check_writable(path);
}

Result<std::unique_ptr<RawImage>> RawImage::open(const std::string& path, ImageAccess access) {
    Result<std::unique_ptr<HostFile>> file = HostFile::open(path, access.read_only, access.write_through);
    if (!file) {
        return std::unexpected(file.error());
    }
    if (Result<> locked = (*file)->lock(); !locked) {
        return std::unexpected(locked.error());
    }
    return open(path, std::move(*file), access);
}

Result<std::unique_ptr<RawImage>> RawImage::open(const std::string& path, std::unique_ptr<HostFile> file,
                                                 ImageAccess access) {
    const Result<uint64_t> size = checked_size(*file, path, access.probe);
    if (!size) {
        return std::unexpected(size.error());
    }
    return std::unique_ptr<RawImage>(new RawImage(path, std::move(file), *size, access));
}

Result<> RawImage::read(uint64_t offset, std::span<uint8_t> data) {
    WEFT_ASSERT(data.size() <= size_ && offset <= size_ - data.size());
    return read_fully(*file_, path_, offset, data);
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
            if (Result<> done = read_fully(*file_, path_, place, bytes); !done) {
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
                disk_image(path_), format, at_start ? "first" : "last");
            if (!warned_.exchange(true, std::memory_order_relaxed)) {
                print_warning(message);
            }
            return fail(message);
        }
    }
    return {};
}

Result<> RawImage::check_writing() const {
    return access_.read_only ? fail(disk_image(path_) + ": opened read-only") : Result<>();
}

Result<> RawImage::write(uint64_t offset, std::span<const uint8_t> data) {
    WEFT_ASSERT(data.size() <= size_ && offset <= size_ - data.size());
    if (Result<> allowed = check_writing(); !allowed) {
        return allowed;
    }
    if (access_.probe) {
        if (Result<> allowed = keep_unsigned(offset, data); !allowed) {
            return allowed;
        }
    }
    return file_->write(offset, data);
}

Result<> RawImage::flush() { return file_->sync(); }

bool RawImage::read_at_once(uint64_t offset, std::span<uint8_t> data) {
    WEFT_ASSERT(data.size() <= size_ && offset <= size_ - data.size());
    return file_->read_at_once(offset, data);
}

bool RawImage::write_at_once(uint64_t offset, std::span<const uint8_t> data) {
    WEFT_ASSERT(data.size() <= size_ && offset <= size_ - data.size());
    // Near the ends there is more to look at, see keep_unsigned().
    const bool watched = access_.probe && (offset < kProbeSize || offset + data.size() > size_ - kProbeSize);
    return !access_.read_only && !watched && file_->write_at_once(offset, data);
}

Result<> RawImage::discard(uint64_t offset, uint64_t length) {
    WEFT_ASSERT(length <= size_ && offset <= size_ - length);
    Result<> allowed = check_writing();
    const Result<bool> done = allowed ? file_->punch(offset, length) : std::unexpected(allowed.error());
    return done ? Result<>() : std::unexpected(done.error());
}

Result<> RawImage::write_zeroes(uint64_t offset, uint64_t length, bool unmap) {
    WEFT_ASSERT(length <= size_ && offset <= size_ - length);
    Result<> allowed = check_writing();
    Result<bool> done = allowed ? Result<bool>(false) : std::unexpected(allowed.error());
    if (done && unmap) {
        done = file_->punch(offset, length);
    }
    if (done && !*done) {
        done = file_->zero(offset, length);
    }
    if (!done) {
        return std::unexpected(done.error());
    }
    // Those are no writes, so O_DSYNC does not hold for them.
    if (*done) {
        return file_->write_through() ? file_->sync() : Result<>();
    }
    return BlockBackend::write_zeroes(offset, length, unmap);
}

}  // namespace weft::backend
