// A saved machine: the format, and what reader and writer agree on. docs/saved-machines.md describes it for others.
//
// emulator/saved owns the format. emulator/machine saves and loads by it, the tests and whoever keeps machines in files of their own
// may; it knows base alone, and neither boards nor where the bytes go.
//
//   magic, 8 bytes
//   version of the format, 32 bits
//   sections, each: a 32-bit length of the name, the name, the section's version (32 bits), the length of the payload (32 bits), the
//   payload, and the CRC-32 of all of this
//
// The first section is "facts", the last one "end"; "memory" comes as often as it takes; all others are parts. All numbers are
// little-endian.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace weft::saved {

inline constexpr std::array<uint8_t, 8> kMagic = {'w', 'e', 'f', 't', 'v', 'm', '\r', '\n'};
inline constexpr uint32_t kFormatVersion = 1;

inline constexpr const char* kFactsSection = "facts";
inline constexpr const char* kMemorySection = "memory";
inline constexpr const char* kEndSection = "end";
inline constexpr uint32_t kFactsVersion = 1;
inline constexpr uint32_t kMemoryVersion = 1;
inline constexpr uint32_t kEndVersion = 1;

// Greatest lengths, in bytes: what is longer is refused before memory is taken for it.
inline constexpr uint32_t kMaxName = 255;
inline constexpr uint32_t kMaxFacts = 64 << 10;
inline constexpr uint32_t kMaxPart = 16 << 20;

// Memory goes in chunks of so many pages. A chunk's payload: 32 bits for the length of the block's name, the name, 64 bits for the
// number of the chunk's first page in the block, a bit a page for those that follow, then these, compressed as one frame of zstd. Pages that
// are all zeros do not follow, and chunks of which none follows are left out.
inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kChunkPages = 256;
inline constexpr uint64_t kChunkBitmap = kChunkPages / 8;

// Pairs of a name and a value that must be the same where the machine is loaded.
using Facts = std::vector<std::pair<std::string, std::string>>;

// The fields of a CPU or device.
struct Part {
    std::string name;
    uint32_t version = 1;
    std::vector<uint8_t> fields;
};

}  // namespace weft::saved
