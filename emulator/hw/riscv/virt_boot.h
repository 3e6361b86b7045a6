// What the `virt` board puts into memory before its harts start, and where.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/error.h"
#include "emulator/guest/riscv/isa/cpu_model.h"
#include "emulator/hw/boot/boot_config.h"
#include "emulator/hw/boot/boot_image.h"
#include "emulator/hw/fw_cfg/fw_cfg.h"

namespace weft::hw::virt {

struct BootPlan {
    std::vector<LoadSegment> segments;  // firmware, kernel, initrd; all within RAM
    std::vector<uint8_t>
        device_tree;  // goes to device_tree_address; its /chosen/rng-seed is to be filled in, if there
    uint64_t device_tree_address = 0;
    std::vector<uint8_t> reset_rom;  // the first bytes of virt::kResetRom
    FwCfgItems fw_cfg;               // finished
    riscv::CpuModel cpu = riscv::kRv64;
    std::map<uint64_t, uint64_t> beginnings;  // by hart, of those that do not begin in the reset ROM
};

// Firmware at the start of RAM (or where its ELF file says), the kernel after it at a multiple of 2 MiB (or where its ELF file
// says), the initial RAM disk further up, the device tree near the end. Errors say what does not fit or cannot be read.
Result<BootPlan> plan_boot(const BootConfig& config);

}  // namespace weft::hw::virt
