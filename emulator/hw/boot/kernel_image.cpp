#include "emulator/hw/boot/kernel_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "emulator/hw/boot/elf_image.h"
#include "emulator/hw/boot/gzip.h"

namespace weft::hw {

namespace {

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
    const auto offset = read_field<uint32_t>(bytes, 8);
    const auto size = read_field<uint32_t>(bytes, 12);
    if (!lies_within(offset, size, bytes.size())) {
        return fail(fmt::format("{}: EFI zboot payload lies outside the file", file.name));
    }
    return unpack_gzip(file.name, bytes.subspan(offset, size), limit);
}

}  // namespace

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
    return is_elf(file.bytes) ? load_elf_from(file, base) : load_raw(file, base);
}

Result<LoadedImage> load_kernel(const BootFile& file, uint64_t base, uint64_t limit) {
    const bool gzip = is_gzip(file.bytes);
    if (gzip || (has_text(file.bytes, 0, "MZ") && has_text(file.bytes, kZbootMagicOffset, kZbootMagic))) {
        auto unpacked = gzip ? unpack_gzip(file.name, file.bytes, limit) : unpack_zboot(file, limit);
        if (!unpacked) {
            return std::unexpected(unpacked.error());
        }
        const BootFile plain{file.name, std::move(*unpacked)};
        // Once only: what is packed twice is data.
        return is_elf(plain.bytes) || !is_gzip(plain.bytes) ? load_kernel(plain, base, limit)
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
        const auto claimed = read_field<uint64_t>(file.bytes, kImageSizeOffset);
        if (base > UINT64_MAX - claimed) {
            return fail(fmt::format("{}: its Image header claims {:#x} bytes", file.name, claimed));
        }
        // Not cleared, only kept free: the kernel clears its own bss.
        image->high = std::max(image->high, base + claimed);
    }
    return image;
}

}  // namespace weft::hw
