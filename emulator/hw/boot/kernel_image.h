// Kernels and firmware as files: RISC-V Image, EFI zboot, ELF, raw, packed with gzip.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "emulator/hw/boot/boot_image.h"

namespace weft::hw {

// The bytes as one segment at `base`.
Result<LoadedImage> load_raw(const BootFile& file, uint64_t base);

// Firmware: ELF (entered at its entry point) or raw, at `base`.
Result<LoadedImage> load_firmware(const BootFile& file, uint64_t base);

// A kernel: ELF (entered at its lowest address, as an Image is), or raw at `base`. Files packed with gzip, and EFI zboot images
// whose payload is, are unpacked first; to no more than `limit` bytes. An Image (Documentation/arch/riscv/boot-image-header.rst)
// takes the memory that its header claims.
Result<LoadedImage> load_kernel(const BootFile& file, uint64_t base, uint64_t limit);

}  // namespace weft::hw
