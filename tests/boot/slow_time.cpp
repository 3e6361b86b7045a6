// The board's device tree with another timebase: a guest that is told of FACTOR times as many ticks a second as there are
// takes its time to be as much slower. For boots in which weft itself is slow: clock ticks would leave the guest no time for
// anything else, and its watchdogs would find it hung.
//
//   slow-time HARTS MIB FACTOR FILE
#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>

#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/hw/boot/device_tree.h"
#include "emulator/hw/riscv/virt_fdt.h"

int main(int argc, char** argv) {
    const auto number = [&](int index) { return std::strtoull(argv[index], nullptr, 10); };
    if (argc != 5 || number(3) == 0 || number(3) > UINT32_MAX / weft::riscv::kTimebaseHz) {
        fmt::print(stderr, "usage: slow-time HARTS MIB FACTOR FILE\n");
        return 2;
    }
    std::vector<uint8_t> tree = weft::hw::virt::make_device_tree(
        {.harts = static_cast<unsigned>(number(1)), .ram_size = number(2) << 20});
    const std::span<uint8_t> timebase = weft::hw::device_tree_property(tree, "/cpus", "timebase-frequency");
    if (timebase.size() != 4) {
        fmt::print(stderr, "slow-time: no timebase in the board's device tree\n");
        return 1;
    }
    const uint64_t frequency = weft::riscv::kTimebaseHz * number(3);
    for (unsigned i = 0; i < 4; ++i) {
        timebase[i] = static_cast<uint8_t>(frequency >> 8 * (3 - i));
    }
    std::ofstream file(argv[4], std::ios::binary);
    file.write(reinterpret_cast<const char*>(tree.data()), static_cast<std::streamsize>(tree.size()));
    return file.flush() ? 0 : 1;
}
