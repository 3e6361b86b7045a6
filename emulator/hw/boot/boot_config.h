// What a board is to start with: its size, and the files that the user gave for its first instructions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "emulator/hw/boot/boot_image.h"

namespace weft::hw {

// Bytes that go into memory as they are, or as an ELF file says, and where a CPU begins (-device loader).
struct BootLoad {
    BootFile file = {};                    // without bytes: a beginning only
    std::optional<uint64_t> address = {};  // of what is no ELF file; none: 0
    std::optional<uint64_t> cpu = {};      // begins at the address, or at the ELF file's entry
    bool force_raw = false;                // ELF files are bytes like others
};

// A node of RAM and the CPUs that are near to it.
struct NumaNode {
    uint64_t size = 0;  // bytes of RAM, behind those of the nodes before
    std::vector<unsigned> cpus = {};
};

struct BootConfig {
    unsigned cpus = 1;
    std::string cpu = {};              // their model, as MachineType::check_cpu takes it; empty: the first
    uint64_t ram_size = 0;             // bytes, a positive multiple of the page size
    std::vector<NumaNode> nodes = {};  // all of the RAM and each CPU once; empty: nothing is said of nodes
    // The board's switches (MachineType::switches). RISC-V: three ACLINT devices in the place of the CLINT.
    bool aclint = false;
    std::optional<BootFile> firmware =
        {};  // -bios; none: the kernel, or what is at the start of RAM, runs first
    std::optional<BootFile> kernel = {};
    std::optional<BootFile> initrd = {};
    std::optional<BootFile> dtb = {};  // replaces the board's own device tree
    std::string append = {};           // the kernel's command line
    std::vector<BootLoad> loads = {};
    // Flash memory 0 has an image: what that begins with runs after the firmware, or first where there is none. With firmware, the
    // kernel, its RAM disk and its command line are for what is there to load (fw_cfg).
    bool flash = false;
    std::vector<BootFile> fw_cfg = {};  // -fw_cfg: files by the names that the guest sees
};

}  // namespace weft::hw
