#include "emulator/hw/boot/loader.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <string_view>
#include <utility>

namespace weft::hw {

namespace {

// An unsigned little-endian field; the caller has checked that it lies within the bytes.
template <class T>
T field(std::span<const uint8_t> bytes, size_t offset) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
}

bool has_text(std::span<const uint8_t> bytes, size_t offset, std::string_view text) {
    return bytes.size() >= offset && bytes.size() - offset >= text.size() &&
           std::memcmp(bytes.data() + offset, text.data(), text.size()) == 0;
}

// Whether `size` bytes from `offset` on lie within `total`.
bool within(uint64_t offset, uint64_t size, uint64_t total) {
    return offset <= total && size <= total - offset;
}

// ELF gABI, chapter "Object Files"; e_machine from the RISC-V ELF psABI.
constexpr std::string_view kElfMagic = "\177ELF";
constexpr size_t kElfHeaderSize = 64;
constexpr size_t kProgramHeaderSize = 56;
constexpr uint8_t kClass64 = 2;
constexpr uint8_t kLittleEndian = 1;
constexpr uint16_t kTypeExecutable = 2;
constexpr uint16_t kTypeShared = 3;  // position-independent executables
constexpr uint16_t kMachineRiscv = 243;
constexpr uint32_t kLoad = 1;

Result<> check_elf_header(std::span<const uint8_t> bytes) {
    if (bytes.size() < kElfHeaderSize) {
        return fail("ELF header is truncated");
    }
    if (bytes[4] != kClass64) {
        return fail("not a 64-bit ELF file");
    }
    if (bytes[5] != kLittleEndian) {
        return fail("not a little-endian ELF file");
    }
    if (const auto machine = field<uint16_t>(bytes, 18); machine != kMachineRiscv) {
        return fail(fmt::format("ELF file for machine {}, not for RISC-V ({})", machine, kMachineRiscv));
    }
    if (const auto type = field<uint16_t>(bytes, 16); type != kTypeExecutable && type != kTypeShared) {
        return fail(fmt::format("ELF file of type {} is not an executable", type));
    }
    const auto entry_size = field<uint16_t>(bytes, 54);
    const auto count = field<uint16_t>(bytes, 56);
    if (count != 0 && entry_size != kProgramHeaderSize) {
        return fail(fmt::format("ELF program headers of {} bytes", entry_size));
    }
    if (!within(field<uint64_t>(bytes, 32), uint64_t{count} * kProgramHeaderSize, bytes.size())) {
        return fail("ELF program headers lie outside the file");
    }
    return {};
}

constexpr std::string_view kGzipMagic = "\x1f\x8b";

// Documentation/arch/riscv/boot-image-header.rst
constexpr std::string_view kImageMagic("RSC\x05", 4);
constexpr size_t kImageMagicOffset = 0x38;
constexpr size_t kImageSizeOffset = 0x10;

// Linux, drivers/firmware/efi/libstub/zboot-header.S: "MZ", then at 4 "zimg", offset and size of the
// payload as 32 bits, and at 24 the name of the compression.
constexpr std::string_view kZbootMagic = "zimg";
constexpr size_t kZbootMagicOffset = 4;
constexpr size_t kZbootCompression = 24;
constexpr size_t kZbootHeaderSize = 56;

Result<std::vector<uint8_t>> unpack_zboot(const BootFile& file, uint64_t limit) {
    const std::span<const uint8_t> bytes(file.bytes);
    if (bytes.size() < kZbootHeaderSize) {
        return fail(fmt::format("{}: EFI zboot header is truncated", file.name));
    }
    if (!has_text(bytes, kZbootCompression, std::string_view("gzip\0", 5))) {
        return fail(fmt::format("{}: EFI zboot image that is not packed with gzip", file.name));
    }
    const auto offset = field<uint32_t>(bytes, 8);
    const auto size = field<uint32_t>(bytes, 12);
    if (!within(offset, size, bytes.size())) {
        return fail(fmt::format("{}: EFI zboot payload lies outside the file", file.name));
    }
    return unpack_gzip(file.name, bytes.subspan(offset, size), limit);
}

struct InflateStream : z_stream {
    InflateStream() : z_stream{} {}
    ~InflateStream() { inflateEnd(this); }
    InflateStream(const InflateStream&) = delete;
    InflateStream& operator=(const InflateStream&) = delete;
};

}  // namespace

bool is_elf(std::span<const uint8_t> bytes) { return has_text(bytes, 0, kElfMagic); }

Result<std::vector<uint8_t>> unpack_gzip(const std::string& name, std::span<const uint8_t> packed,
                                         uint64_t limit) {
    constexpr int kGzipWindow = 15 + 16;  // the largest window, with gzip's framing
    InflateStream stream;
    if (inflateInit2(&stream, kGzipWindow) != Z_OK) {
        return fail(fmt::format("{}: no memory to unpack", name));
    }
    std::vector<uint8_t> result;
    int status = Z_OK;
    while (status == Z_OK) {
        if (stream.avail_in == 0 && !packed.empty()) {
            const size_t part = std::min<size_t>(packed.size(), INT_MAX);
            stream.next_in = const_cast<Bytef*>(packed.data());
            stream.avail_in = static_cast<uInt>(part);
            packed = packed.subspan(part);
        }
        const size_t used = result.size();
        if (used > limit) {
            return fail(fmt::format("{}: unpacks to more than {} MiB", name, limit >> 20));
        }
        const size_t part = std::clamp<size_t>(used, 1 << 20, 64 << 20);
        result.resize(used + part);
        stream.next_out = result.data() + used;
        stream.avail_out = static_cast<uInt>(part);
        status = inflate(&stream, Z_NO_FLUSH);
        result.resize(result.size() - stream.avail_out);
    }
    if (status != Z_STREAM_END) {
        return fail(
            fmt::format("{}: gzip data is {}", name, status == Z_BUF_ERROR ? "truncated" : "damaged"));
    }
    if (result.size() > limit) {
        return fail(fmt::format("{}: unpacks to more than {} MiB", name, limit >> 20));
    }
    return result;
}

Result<LoadedImage> load_elf(const BootFile& file) {
    const std::span<const uint8_t> bytes(file.bytes);
    if (!is_elf(bytes)) {
        return fail(fmt::format("{}: not an ELF file", file.name));
    }
    if (const auto header = check_elf_header(bytes); !header) {
        return std::unexpected(header.error().within(file.name));
    }
    LoadedImage image;
    image.entry = field<uint64_t>(bytes, 24);
    image.low = UINT64_MAX;
    const size_t table = static_cast<size_t>(field<uint64_t>(bytes, 32));
    const unsigned count = field<uint16_t>(bytes, 56);
    for (unsigned i = 0; i < count; ++i) {
        const auto entry = bytes.subspan(table + i * kProgramHeaderSize, kProgramHeaderSize);
        const auto memory_size = field<uint64_t>(entry, 40);
        if (field<uint32_t>(entry, 0) != kLoad || memory_size == 0) {
            continue;
        }
        const auto offset = field<uint64_t>(entry, 8);
        const auto paddr = field<uint64_t>(entry, 24);
        const auto file_size = field<uint64_t>(entry, 32);
        if (!within(offset, file_size, bytes.size())) {
            return fail(fmt::format("{}: ELF segment {} lies outside the file", file.name, i));
        }
        if (file_size > memory_size || paddr > UINT64_MAX - memory_size) {
            return fail(fmt::format("{}: ELF segment {} has impossible sizes", file.name, i));
        }
        const auto data = bytes.subspan(static_cast<size_t>(offset), static_cast<size_t>(file_size));
        image.segments.push_back(
            LoadSegment{paddr, memory_size, std::vector<uint8_t>(data.begin(), data.end())});
        image.low = std::min(image.low, paddr);
        image.high = std::max(image.high, paddr + memory_size);
    }
    if (image.segments.empty()) {
        return fail(fmt::format("{}: ELF file has nothing to load", file.name));
    }
    return image;
}

Result<LoadedImage> load_raw(const BootFile& file, uint64_t base) {
    const uint64_t size = file.bytes.size();
    if (size == 0) {
        return fail(fmt::format("{}: the file is empty", file.name));
    }
    if (base > UINT64_MAX - size) {
        return fail(fmt::format("{}: does not fit above {:#x}", file.name, base));
    }
    LoadedImage image;
    image.segments.push_back(LoadSegment{base, size, file.bytes});
    image.entry = base;
    image.low = base;
    image.high = base + size;
    return image;
}

Result<LoadedImage> load_firmware(const BootFile& file, uint64_t base) {
    return is_elf(file.bytes) ? load_elf(file) : load_raw(file, base);
}

Result<LoadedImage> load_kernel(const BootFile& file, uint64_t base, uint64_t limit) {
    const bool gzip = has_text(file.bytes, 0, kGzipMagic);
    if (gzip || (has_text(file.bytes, 0, "MZ") && has_text(file.bytes, kZbootMagicOffset, kZbootMagic))) {
        auto unpacked = gzip ? unpack_gzip(file.name, file.bytes, limit) : unpack_zboot(file, limit);
        if (!unpacked) {
            return std::unexpected(unpacked.error());
        }
        const BootFile plain{file.name, std::move(*unpacked)};
        // Once only: what is packed twice is data.
        return is_elf(plain.bytes) || !has_text(plain.bytes, 0, kGzipMagic) ? load_kernel(plain, base, limit)
                                                                            : load_raw(plain, base);
    }
    if (is_elf(file.bytes)) {
        auto image = load_elf(file);
        if (image) {
            image->entry = image->low;
        }
        return image;
    }
    auto image = load_raw(file, base);
    if (image && has_text(file.bytes, kImageMagicOffset, kImageMagic)) {
        const auto claimed = field<uint64_t>(file.bytes, kImageSizeOffset);
        if (base > UINT64_MAX - claimed) {
            return fail(fmt::format("{}: its Image header claims {:#x} bytes", file.name, claimed));
        }
        // Not cleared, only kept free: the kernel clears its own bss.
        image->high = std::max(image->high, base + claimed);
    }
    return image;
}

}  // namespace weft::hw
