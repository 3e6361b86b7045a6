// A virtio disk and the requests that tests make of it.
#pragma once

#include <memory>

#include "emulator/hw/virtio/blk.h"
#include "tests/hw/virtio_driver.h"

namespace weft::hw::test {

// A board with a disk of 64 sectors in its slot.
struct BlkBench : VirtioBench {
    FakeDisk disk{64 * 512};
    explicit BlkBench(VirtioMmioLayout with = VirtioMmioLayout::modern) {
        layout = with;
        size = with == VirtioMmioLayout::legacy ? 256 : 8;
        for (size_t i = 0; i < disk.data.size(); ++i) {
            disk.data[i] = static_cast<uint8_t>(i / 512 + i);
        }
        install(std::make_unique<VirtioBlk>(disk, control, BlkSettings{.serial = "weft-serial-0123456789"}));
    }

    // A request with its header at kData, its data at kData + 0x1000, its status at kData + 0x100, from descriptor 0 on.
    void request(uint32_t type, uint64_t sector, uint32_t size_of_data) {
        store<uint32_t>(kData, type);
        store<uint32_t>(kData + 4, 0);
        store<uint64_t>(kData + 8, sector);
        store<uint8_t>(kData + 0x100, 0xff);
        const bool out = type == 1;
        if (size_of_data != 0) {
            descriptor(kDescriptors, 0, kData, 16, kNext, 1);
            descriptor(kDescriptors, 1, kData + 0x1000, size_of_data, kNext | (out ? 0 : kWrite), 2);
        } else {
            descriptor(kDescriptors, 0, kData, 16, kNext, 2);
        }
        descriptor(kDescriptors, 2, kData + 0x100, 1, kWrite);
        offer(0);
    }
    unsigned result() { return load<uint8_t>(kData + 0x100); }
    // Has another device in the slot, over the same disk.
    void install_with(const BlkSettings& settings) {
        control.work();
        install(std::make_unique<VirtioBlk>(disk, control, settings));
    }
    void go() {
        notify();
        control.work();
    }
};

}  // namespace weft::hw::test
