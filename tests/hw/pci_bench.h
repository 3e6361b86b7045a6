// A host bridge with its windows where the virt board has them, and disks on it.
#pragma once

#include <memory>

#include "emulator/hw/pci/host.h"
#include "emulator/hw/virtio/blk.h"
#include "emulator/hw/virtio/pci.h"
#include "tests/hw/virtio_driver.h"

namespace weft::hw::test {

inline constexpr uint64_t kEcam = 0x30000000;
inline constexpr uint64_t kMemory = 0x40000000;
inline constexpr uint64_t kHigh = 0x400000000;
inline constexpr uint64_t kIo = 0x3000000;

struct PciBench : Bench {
    PciHost host{topology, root, {IrqLine(sink, 0), IrqLine(sink, 1), IrqLine(sink, 2), IrqLine(sink, 3)}};
    FakeDisk disk{64 * 512};
    std::shared_ptr<mem::RamBlock> ram = topology.allocate_ram("ram", kGuestRamSize).value();
    mem::Reader memory{space};

    PciBench() {
        for (size_t i = 0; i < disk.data.size(); ++i) {
            disk.data[i] = static_cast<uint8_t>(i / 512 + i);
        }
        root->add_subregion(kGuestRam, topology.ram(ram));
        root->add_subregion(kEcam, host.ecam());
        root->add_subregion(kMemory, topology.alias("low", host.memory_bars(), kMemory, 0x40000000));
        root->add_subregion(kHigh, topology.alias("high", host.memory_bars(), kHigh, kHigh));
        root->add_subregion(kIo, topology.alias("io", host.io_bars(), 0, PciHost::kIoSize));
        plug(topology.container("nothing", 0x1000));
    }
    void add_disk(PciAddress address, bool transitional = true) {
        host.plug(
            address,
            std::make_unique<VirtioPci>(
                host.site(), control,
                std::make_unique<VirtioBlk>(disk, control, BlkSettings{.serial = "serial"}), transitional),
            false);
    }
    static uint64_t at(PciAddress where, unsigned offset) { return kEcam + (where.index() << 12) + offset; }
    uint64_t config(PciAddress where, unsigned offset, unsigned size = 4) {
        return read(at(where, offset), size);
    }
    void set_config(PciAddress where, unsigned offset, uint64_t value, unsigned size = 4) {
        write(at(where, offset), value, size);
    }
};

}  // namespace weft::hw::test
