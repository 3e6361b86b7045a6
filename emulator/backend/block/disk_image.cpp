#include "emulator/backend/block/disk_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>
#include <vector>

#include "base/bits.h"
#include "base/text_values.h"
#include "emulator/backend/block/image_file.h"
#include "emulator/backend/block/image_format.h"
#include "emulator/backend/block/qcow2/image.h"
#include "emulator/backend/block/raw.h"
#include "emulator/backend/block/sparse_disk.h"

namespace weft::backend {

namespace {

constexpr size_t kMaxChain = 64;
constexpr std::string_view kQcow2 = "qcow2";

// A raw file under an image: of any size, also none.
class RawBytes final : public BlockBackend {
  public:
    RawBytes(std::unique_ptr<HostFile> file, uint64_t size) : file_(std::move(file)), size_(size) {}

    uint64_t size() const override { return size_; }
    bool read_only() const override { return true; }
    Result<> read(uint64_t offset, std::span<uint8_t> data) override {
        const Result<size_t> count = file_->read(offset, data);
        if (!count) {
            return std::unexpected(count.error());
        }
        std::ranges::fill(data.subspan(*count), uint8_t{0});
        return {};
    }
    Result<> write(uint64_t, std::span<const uint8_t>) override {
        return fail("a backing file is only read");
    }
    Result<> flush() override { return {}; }

  private:
    const std::unique_ptr<HostFile> file_;
    const uint64_t size_;
};

Result<const char*> signature(HostFile& file) {
    std::array<uint8_t, kProbeSize> head;
    std::array<uint8_t, kProbeSize> tail;
    const Result<uint64_t> size = file.size();
    if (!size) {
        return std::unexpected(size.error());
    }
    const Result<size_t> first = file.read(0, head);
    const Result<size_t> last =
        first ? file.read(*size - std::min<uint64_t>(*size, kProbeSize), tail) : first;
    if (!last) {
        return std::unexpected(last.error());
    }
    return signed_format(std::span(head).first(*first), std::span(tail).first(*last));
}

bool is_qcow2(const char* format) { return format != nullptr && format == kQcow2; }

// The path of a backing file, as the image at `path` names it.
Result<std::string> backing_path(const std::string& path, const std::string& name) {
    const size_t colon = name.find(':');
    const size_t slash = name.find('/');
    // QEMU's names with a protocol; a slash before the colon makes it a path.
    if (colon != std::string::npos && (slash == std::string::npos || colon < slash)) {
        if (name.substr(0, colon) != "file") {
            return fail(fmt::format("{}: the backing file {} is not a path, which is not supported",
                                    disk_image(path), in_quotes(name)));
        }
        return name.substr(colon + 1);  // from the working folder, as QEMU takes it
    }
    const size_t folder = path.rfind('/');
    return name.starts_with('/') || folder == std::string::npos ? name : path.substr(0, folder + 1) + name;
}

class Chain {
  public:
    // `alone`: the first image is not over another one.
    Chain(bool lock, bool alone) : lock_(lock), alone_(alone) {}

    // The image that the user names.
    Result<std::unique_ptr<BlockBackend>> open_qcow2(const std::string& path, std::unique_ptr<HostFile> file,
                                                     qcow2::ImageSettings settings) {
        const Result<qcow2::Header> header = qcow2::read_header(*file);
        if (!header) {
            return std::unexpected(about(disk_image(path), header.error()));
        }
        if (Result<> allowed = settings.read_only ? Result<>() : qcow2::check_writing(*header); !allowed) {
            return std::unexpected(about(disk_image(path), allowed.error()));
        }
        files_.push_back(file->identity());
        Result<std::unique_ptr<BlockBackend>> backing = nullptr;
        if (!header->backing_file.empty() && !alone_) {
            backing = open_backing(path, *header);
            if (!backing) {
                return backing;
            }
        }
        Result<std::unique_ptr<qcow2::Image>> image =
            qcow2::Image::open(disk_image(path), std::move(file), *header, std::move(*backing), settings);
        if (!image) {
            return std::unexpected(about(disk_image(path), image.error()));
        }
        return std::move(*image);
    }

  private:
    Result<std::unique_ptr<BlockBackend>> open_backing(const std::string& path, const qcow2::Header& header) {
        const std::string& format = header.backing_format.value_or("");
        if (!format.empty() && format != kQcow2 && format != "raw" && format != "file" &&
            format != "host_device") {
            return fail(fmt::format("{}: its backing file {} is a {} image, which is not supported",
                                    disk_image(path), in_quotes(header.backing_file), in_quotes(format)));
        }
        if (files_.size() == kMaxChain) {
            return fail(
                fmt::format("{}: more than {} images lie on each other", disk_image(path), kMaxChain));
        }
        const Result<std::string> below = backing_path(path, header.backing_file);
        if (!below) {
            return std::unexpected(below.error());
        }
        Result<std::unique_ptr<HostFile>> file = HostFile::open(*below, true, false);
        if (!file) {
            return std::unexpected(file.error().within(disk_image(path) + ": its backing file"));
        }
        if (std::ranges::find(files_, (*file)->identity()) != files_.end()) {
            return fail(fmt::format("{}: its backing file {} lies on it, in a circle", disk_image(path),
                                    in_quotes(header.backing_file)));
        }
        if (Result<> locked = lock_ ? (*file)->lock() : Result<>(); !locked) {
            return std::unexpected(locked.error());
        }
        if (format == kQcow2) {
            return open_qcow2(*below, std::move(*file), {.read_only = true});
        }
        return format.empty() ? open_probed(path, *below, std::move(*file)) : open_raw(std::move(*file));
    }

    Result<std::unique_ptr<BlockBackend>> open_probed(const std::string& path, const std::string& below,
                                                      std::unique_ptr<HostFile> file) {
        const Result<const char*> signed_as = signature(*file);
        if (!signed_as) {
            return std::unexpected(signed_as.error());
        }
        if (*signed_as == nullptr) {
            return open_raw(std::move(file));
        }
        const Result<qcow2::Header> header =
            is_qcow2(*signed_as) ? qcow2::read_header(*file) : Result<qcow2::Header>(qcow2::Header());
        if (!header) {
            return std::unexpected(about(disk_image(below), header.error()));
        }
        if (!is_qcow2(*signed_as) || !header->backing_file.empty()) {
            return fail(
                fmt::format("{}: it does not say which format its backing file {} has, which looks like {} "
                            "(qemu-img rebase -u -F tells it)",
                            disk_image(path), in_quotes(below), *signed_as));
        }
        return open_qcow2(below, std::move(file), {.read_only = true});
    }

    static Result<std::unique_ptr<BlockBackend>> open_raw(std::unique_ptr<HostFile> file) {
        constexpr uint64_t kSectorSize = 512;
        const Result<uint64_t> size = file->size();
        if (!size) {
            return std::unexpected(size.error());
        }
        return std::make_unique<RawBytes>(std::move(file), align_up(*size, kSectorSize));
    }

    const bool lock_;
    const bool alone_;
    std::vector<std::pair<uint64_t, uint64_t>> files_;  // of the images above
};

Result<std::unique_ptr<BlockBackend>> open_file(const std::string& path, std::unique_ptr<HostFile> file,
                                                DiskAccess access, bool lock) {
    if (access.format == ImageFormat::probe) {
        const Result<const char*> signed_as = signature(*file);
        if (!signed_as) {
            return std::unexpected(signed_as.error());
        }
        if (is_qcow2(*signed_as)) {
            access.format = ImageFormat::qcow2;
        }
    }
    if (access.format == ImageFormat::qcow2) {
        return Chain(lock, access.no_backing)
            .open_qcow2(path, std::move(file), {access.read_only, access.write_through});
    }
    Result<std::unique_ptr<RawImage>> raw = RawImage::open(
        path, std::move(file), {access.read_only, access.format == ImageFormat::probe, access.write_through});
    return raw ? Result<std::unique_ptr<BlockBackend>>(std::move(*raw)) : std::unexpected(raw.error());
}

}  // namespace

Result<std::unique_ptr<BlockBackend>> open_disk(const std::string& path, DiskAccess access) {
    Result<std::unique_ptr<HostFile>> file = HostFile::open(path, access.read_only, access.write_through);
    if (!file) {
        return std::unexpected(file.error());
    }
    if (Result<> locked = (*file)->lock(); !locked) {
        return std::unexpected(locked.error());
    }
    Result<std::unique_ptr<BlockBackend>> image = open_file(path, std::move(*file), access, true);
    if (!image || access.read_only) {
        return image;
    }
    return std::make_unique<SparseDisk>(std::move(*image), access.unmap, access.detect_zeroes);
}

Result<> check_disk(const std::string& path, DiskAccess access) {
    Result<std::unique_ptr<HostFile>> file = HostFile::open(path, true, false);
    if (!file) {
        return std::unexpected(file.error());
    }
    // An image that is to be written to is opened as one, and not written to: its file is not open for that.
    const Result<std::unique_ptr<BlockBackend>> image = open_file(path, std::move(*file), access, false);
    if (!image) {
        return std::unexpected(image.error());
    }
    return access.read_only ? Result<>() : check_writable(path);
}

}  // namespace weft::backend
