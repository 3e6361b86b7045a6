// The device tree of the `virt` board.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "emulator/guest/riscv/isa/cpu_model.h"
#include "emulator/hw/boot/boot_config.h"

namespace weft::hw::virt {

inline constexpr size_t kRngSeedSize = 32;

struct DeviceTreeConfig {
    unsigned harts = 1;
    riscv::CpuModel cpu = riscv::kRv64;
    uint64_t ram_size = 0;
    std::vector<NumaNode> nodes = {};  // as BootConfig::nodes
    std::string bootargs = {};
    bool aclint = false;  // in the place of the CLINT
    struct Initrd {
        uint64_t start, end;
    };
    std::optional<Initrd> initrd = {};
};

// With a /chosen/rng-seed of zeros, to be filled in.
std::vector<uint8_t> make_device_tree(const DeviceTreeConfig& config);

}  // namespace weft::hw::virt
