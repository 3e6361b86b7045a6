// Files that a machine boots, and what becomes of them: bytes at places in guest-physical memory.
//
// hw/boot makes boot images and device trees out of bytes: elf_image, kernel_image and gzip read files' formats, device_tree
// writes and changes trees. It is pure: it opens no file and knows no device, board or CPU.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/shared_bytes.h"

namespace weft::hw {

// A file as the user named it and as it was read.
struct BootFile {
    std::string name;  // for messages
    SharedBytes bytes;
};

// Where bytes go in guest-physical memory; zeros follow them up to memory_size.
struct LoadSegment {
    uint64_t paddr = 0;
    uint64_t memory_size = 0;  // at least bytes.size()
    SharedBytes bytes;

    bool operator==(const LoadSegment&) const = default;
};

struct LoadedImage {
    std::vector<LoadSegment> segments;
    uint64_t entry = 0;
    uint64_t low = 0;   // lowest address in memory
    uint64_t high = 0;  // above the highest; no segment wraps
};

// For readers of formats. Whether the bytes have `text` at `offset`.
inline bool has_text(std::span<const uint8_t> bytes, size_t offset, std::string_view text) {
    return bytes.size() >= offset && bytes.size() - offset >= text.size() &&
           std::memcmp(bytes.data() + offset, text.data(), text.size()) == 0;
}

// Whether `size` bytes from `offset` on lie within `total`.
constexpr bool lies_within(uint64_t offset, uint64_t size, uint64_t total) {
    return offset <= total && size <= total - offset;
}

// A little-endian field or structure of the host's layout; the caller has checked that it lies within the bytes.
template <class T>
T read_field(std::span<const uint8_t> bytes, size_t offset) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
}

}  // namespace weft::hw
