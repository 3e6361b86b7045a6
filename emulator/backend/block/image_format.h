// Formats of disk images, by their signatures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::backend {

// So many bytes at the start and at the end of an image decide.
inline constexpr size_t kProbeSize = 512;

// The name of the format whose signature the image has; null: none, so its bytes may be a disk's own. `head` and `tail` are its
// first and last kProbeSize bytes (all of it, if it is smaller); either may be empty, and is not looked at then. Pure.
const char* signed_format(std::span<const uint8_t> head, std::span<const uint8_t> tail);

}  // namespace weft::backend
