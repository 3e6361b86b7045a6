// ELF executables (ELF gABI, chapters "Object Files" and "Program Loading"; RISC-V ELF psABI).
#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"
#include "emulator/hw/boot/boot_image.h"

namespace weft::hw {

bool is_elf(std::span<const uint8_t> bytes);

// The PT_LOAD segments of a 64-bit little-endian RISC-V executable, at their physical addresses, entered at e_entry.
Result<LoadedImage> load_elf(const BootFile& file);

}  // namespace weft::hw
