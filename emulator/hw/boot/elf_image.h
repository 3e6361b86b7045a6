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

// The same, but a position-independent executable (ET_DYN) that begins at address 0, as Debian 13 builds OpenSBI, is
// moved up to `base`. It relocates itself when it is run.
Result<LoadedImage> load_elf_from(const BootFile& file, uint64_t base);

}  // namespace weft::hw
