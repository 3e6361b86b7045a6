// Files that a machine boots: ELF, RISC-V Image, raw, packed with gzip.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace weft::hw {

// A file as the user named it and as it was read.
struct BootFile {
    std::string name;  // for messages
    std::vector<uint8_t> bytes;
};

// Where bytes go in guest-physical memory; zeros follow them up to memory_size.
struct LoadSegment {
    uint64_t paddr = 0;
    uint64_t memory_size = 0;  // at least bytes.size()
    std::vector<uint8_t> bytes;

    bool operator==(const LoadSegment&) const = default;
};

struct LoadedImage {
    std::vector<LoadSegment> segments;
    uint64_t entry = 0;
    uint64_t low = 0;   // lowest address in memory
    uint64_t high = 0;  // above the highest; no segment wraps
};

bool is_elf(std::span<const uint8_t> bytes);

// The PT_LOAD segments of a 64-bit little-endian RISC-V executable, at their physical addresses (ELF gABI; RISC-V ELF psABI).
Result<LoadedImage> load_elf(const BootFile& file);

// The bytes as one segment at `base`.
Result<LoadedImage> load_raw(const BootFile& file, uint64_t base);

// Firmware: ELF (entered at its entry point) or raw, at `base`.
Result<LoadedImage> load_firmware(const BootFile& file, uint64_t base);

// A kernel: ELF (entered at its lowest address, as an Image is), or raw at `base`. Files packed with gzip, and EFI zboot images
// whose payload is, are unpacked first; to no more than `limit` bytes. An Image (Documentation/arch/riscv/boot-image-header.rst)
// takes the memory that its header claims.
Result<LoadedImage> load_kernel(const BootFile& file, uint64_t base, uint64_t limit);

// Unpacks one gzip member (RFC 1952). Fails if that gives more than `limit` bytes.
Result<std::vector<uint8_t>> unpack_gzip(const std::string& name, std::span<const uint8_t> packed,
                                         uint64_t limit);

}  // namespace weft::hw
