// The driver's side of a split virtqueue, written from the specification: what tests drive virtio devices with.
#pragma once

#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "emulator/hw/virtio/mmio.h"
#include "tests/hw/support.h"

namespace weft::hw::test {

inline constexpr uint64_t kGuestRam = 0x80000000;
inline constexpr uint64_t kGuestRamSize = 4 << 20;

// A board with RAM and one virtio slot at address 0.
class VirtioBench : public Bench {
  public:
    static constexpr unsigned kIrq = 8;
    static constexpr uint64_t kDescriptors = kGuestRam + 0x1000;
    static constexpr uint64_t kAvailable = kGuestRam + 0x2000;
    static constexpr uint64_t kUsed = kGuestRam + 0x3000;
    static constexpr uint64_t kData = kGuestRam + 0x10000;

    std::shared_ptr<mem::RamBlock> ram = topology.allocate_ram("ram", kGuestRamSize).value();
    mem::Reader memory{space};
    std::unique_ptr<VirtioMmio> slot;
    // The legacy layout needs a size of 256: then its ring is where the constants say.
    VirtioMmioLayout layout = VirtioMmioLayout::modern;
    uint16_t size = 8;

    VirtioBench() { root->add_subregion(kGuestRam, topology.ram(ram)); }

    void install(std::unique_ptr<VirtioDevice> device) {
        slot = std::make_unique<VirtioMmio>(space, control, std::move(device), IrqLine(sink, kIrq), layout);
        plug(slot->region());
    }

    uint64_t features() {
        write(0x14, 0);
        const uint64_t low = read(0x10);
        write(0x14, 1);
        return low | read(0x10) << 32;
    }
    void accept(uint64_t wanted) {
        write(0x24, 0);
        write(0x20, wanted & 0xffffffff);
        write(0x24, 1);
        write(0x20, wanted >> 32);
    }
    void set_up_queue(unsigned index = 0) {
        write(0x30, index);
        write(0x38, size);
        if (layout == VirtioMmioLayout::legacy) {
            REQUIRE(size == 256);
            write(0x28, 4096);
            write(0x3c, 4096);
            write(0x40, kDescriptors / 4096);
            return;
        }
        for (const auto& [at, value] :
             {std::pair{0x80u, kDescriptors}, {0x90u, kAvailable}, {0xa0u, kUsed}}) {
            write(at, value & 0xffffffff);
            write(at + 4, value >> 32);
        }
        write(0x44, 1);
    }
    // The whole initialisation of 3.1.1.
    void start(uint64_t wanted = uint64_t{1} << 32) {
        available_index = 0;
        used_seen = 0;
        const std::vector<uint8_t> zeros(0x3000);
        store_bytes(kDescriptors, zeros);
        write(0x70, 0);
        CHECK(read(0x70) == 0);
        write(0x70, 1);
        write(0x70, 3);
        accept(wanted);
        write(0x70, 0xb);
        REQUIRE(read(0x70) == 0xb);
        set_up_queue();
        write(0x70, 0xf);
    }

    template <class T>
    void store(uint64_t address, T value) {
        REQUIRE(memory.store<T>(address, value) == DeviceStatus::ok);
    }
    template <class T>
    T load(uint64_t address) {
        T value{};
        REQUIRE(memory.load<T>(address, &value) == DeviceStatus::ok);
        return value;
    }
    void store_bytes(uint64_t address, std::span<const uint8_t> bytes) {
        REQUIRE(memory.write(address, bytes) == DeviceStatus::ok);
    }
    std::vector<uint8_t> load_bytes(uint64_t address, size_t count) {
        std::vector<uint8_t> bytes(count);
        REQUIRE(memory.read(address, bytes) == DeviceStatus::ok);
        return bytes;
    }

    static constexpr uint16_t kNext = 1, kWrite = 2, kIndirect = 4;
    void descriptor(uint64_t table, unsigned index, uint64_t address, uint32_t length, uint16_t flags,
                    uint16_t next = 0) {
        store<uint64_t>(table + 16 * index, address);
        store<uint32_t>(table + 16 * index + 8, length);
        store<uint16_t>(table + 16 * index + 12, flags);
        store<uint16_t>(table + 16 * index + 14, next);
    }
    void offer(uint16_t head) {
        store<uint16_t>(kAvailable + 4 + 2 * (available_index % size), head);
        store<uint16_t>(kAvailable + 2, ++available_index);
    }
    void notify(unsigned index = 0) { write(0x50, index); }

    struct Used {
        uint32_t id, length;
        bool operator==(const Used&) const = default;
    };
    std::vector<Used> used() {
        std::vector<Used> result;
        while (used_seen != load<uint16_t>(kUsed + 2)) {
            const uint64_t entry = kUsed + 4 + 8 * (used_seen++ % size);
            result.push_back(Used{load<uint32_t>(entry), load<uint32_t>(entry + 4)});
        }
        return result;
    }
    bool irq() { return sink.level(kIrq); }
    bool needs_reset() { return (read(0x70) & 64) != 0; }

    uint16_t available_index = 0;
    uint16_t used_seen = 0;
};

}  // namespace weft::hw::test
