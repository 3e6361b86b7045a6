// What a board is to start with: its size, and the files that the user gave for its first instructions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "emulator/hw/boot/boot_image.h"

namespace weft::hw {

struct BootConfig {
    unsigned cpus = 1;
    std::string cpu = {};   // their model: one of MachineType::cpu_models(); empty: the first
    uint64_t ram_size = 0;  // bytes, a positive multiple of the page size
    std::optional<BootFile> firmware =
        {};  // -bios; none: the kernel, or what is at the start of RAM, runs first
    std::optional<BootFile> kernel = {};
    std::optional<BootFile> initrd = {};
    std::optional<BootFile> dtb = {};  // replaces the board's own device tree
    std::string append = {};           // the kernel's command line
};

}  // namespace weft::hw
