// The board's device tree as a file, as a guest with a command line and an initial RAM disk gets it.
//
//   write-tree HARTS MIB FILE [aclint]
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>

#include "emulator/hw/riscv/virt_fdt.h"
#include "emulator/hw/riscv/virt_map.h"

int main(int argc, char** argv) {
    if (argc != 4 && argc != 5) {
        fmt::print(stderr, "usage: write-tree HARTS MIB FILE [aclint]\n");
        return 2;
    }
    const uint64_t ram_size = std::strtoull(argv[2], nullptr, 10) << 20;
    const uint64_t ram_end = weft::hw::virt::kRamBase + ram_size;
    const std::vector<uint8_t> tree = weft::hw::virt::make_device_tree(
        {.harts = static_cast<unsigned>(std::strtoul(argv[1], nullptr, 10)),
         .ram_size = ram_size,
         .bootargs = "console=ttyS0 root=/dev/vda",
         .aclint = argc == 5,
         .initrd = weft::hw::virt::DeviceTreeConfig::Initrd{ram_end - 0x300000, ram_end - 0x200123}});
    std::ofstream file(argv[3], std::ios::binary);
    file.write(reinterpret_cast<const char*>(tree.data()), static_cast<std::streamsize>(tree.size()));
    return file.flush() ? 0 : 1;
}
