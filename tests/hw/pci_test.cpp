// The host bridge and virtio on PCI, from the PCI Local Bus Specification 3.0 (chapter 6), the PCI Express Base Specification (ECAM)
// and virtio 1.2 (section 4.1). Values of identities and places are QEMU 11's ("info qtree", "info pci").
#include <catch2/catch.hpp>

#include "tests/hw/pci_bench.h"

namespace weft::hw {
namespace {

using namespace test;

TEST_CASE_METHOD(PciBench, "the bridge is function 00.0; where nothing is, reads give ones") {
    CHECK(config({0, 0}, 0) == 0x00081b36);
    CHECK(config({0, 0}, 4) == 0);
    CHECK(config({0, 0}, 8) == 0x06000000);
    CHECK(config({0, 0}, 0x2c) == 0x11001af4);
    CHECK(config({0, 0}, 0x0e, 1) == 0);
    CHECK(config({0, 0}, 0x3c) == 0);
    for (unsigned offset = 0x10; offset < 0x28; offset += 4) {
        set_config({0, 0}, offset, UINT32_MAX);
        CHECK(config({0, 0}, offset) == 0);
    }
    // Its own numbers cannot be written.
    set_config({0, 0}, 0, 0);
    CHECK(config({0, 0}, 0, 2) == 0x1b36);
    CHECK(config({0, 0}, 2, 2) == 0x0008);
    CHECK(config({0, 0}, 3, 1) == 0x00);
    CHECK(config({0, 0}, 0, 8) == 0x0000000000081b36);
    // Behind the 256 bytes, other functions, other buses, the last byte of the window.
    CHECK(config({0, 0}, 0x100) == UINT32_MAX);
    CHECK(config({0, 1}, 0) == UINT32_MAX);
    CHECK(config({1, 0}, 0, 1) == 0xff);
    CHECK(config({31, 7}, 0, 2) == 0xffff);
    CHECK(read(kEcam + (1 << 20)) == UINT32_MAX);
    CHECK(read(kEcam + PciHost::kEcamSize - 1, 1) == 0xff);
    write(kEcam + PciHost::kEcamSize - 4, 1);
    CHECK(status == DeviceStatus::ok);
    // Misaligned accesses cross registers.
    read(kEcam + 1, 2);
    CHECK(status == DeviceStatus::bus_error);
    // The windows without anything behind them.
    CHECK(read(kMemory + 0x1234560) == UINT32_MAX);
    CHECK(read(kHigh + 8, 8) == UINT64_MAX);
    CHECK(read(kIo + 3, 1) == 0xff);
    write(kMemory, 1);
    CHECK(status == DeviceStatus::ok);
}

TEST_CASE("addresses of -device") {
    CHECK(parse_pci_address("1") == PciAddress{1, 0});
    CHECK(parse_pci_address("1f.7") == PciAddress{31, 7});
    CHECK(parse_pci_address("0x03.0") == PciAddress{3, 0});
    for (const char* wrong : {"", "20", "1.8", "1.", ".1", "x", "1.0.0", "-1", "1 ", "0x", "1.-1"}) {
        INFO(wrong);
        CHECK(!parse_pci_address(wrong));
    }
}

TEST_CASE_METHOD(PciBench, "base addresses tell their sizes and move regions") {
    const PciAddress where{4, 0};
    add_disk(where);
    CHECK(config(where, 0) == 0x10011af4);
    CHECK(config(where, 8) == 0x01000000);
    CHECK(config(where, 0x2c) == 0x00021af4);
    CHECK(config(where, 0x10) == 1);
    CHECK(config(where, 0x14) == 0);
    CHECK(config(where, 0x20) == 0xc);
    CHECK(config(where, 0x24) == 0);
    for (unsigned offset = 0x10; offset < 0x28; offset += 4) {
        set_config(where, offset, UINT32_MAX);
    }
    CHECK(config(where, 0x10) == 0xffffff81);
    CHECK(config(where, 0x14) == 0);
    CHECK(config(where, 0x18) == 0);
    CHECK(config(where, 0x1c) == 0);
    CHECK(config(where, 0x20) == 0xffffc00c);
    CHECK(config(where, 0x24) == UINT32_MAX);
    // Decoded: but nothing can be at all ones.
    set_config(where, 4, 7, 2);
    CHECK(config(where, 4, 2) == 7);
    const auto is_there = [&](uint64_t base) { return read(base + VirtioPci::kCommon + 0x12, 2) == 1; };
    set_config(where, 0x24, 4);
    set_config(where, 0x20, 0x00008000);
    CHECK(is_there(kHigh + 0x8000));
    set_config(where, 0x20, 0x00010000);
    CHECK(!is_there(kHigh + 0x8000));
    CHECK(is_there(kHigh + 0x10000));
    // A 64-bit one may lie below 4 GiB, but not at zero.
    set_config(where, 0x24, 0);
    set_config(where, 0x20, kMemory + 0x4000);
    CHECK(is_there(kMemory + 0x4000));
    set_config(where, 0x20, 0);
    CHECK(!is_there(kMemory + 0x4000));
    set_config(where, 0x20, kMemory);
    // I/O.
    set_config(where, 0x10, 0x1000);
    CHECK(read(kIo + 0x100c, 2) == 256);
    set_config(where, 0x10, 0xffffff80);
    CHECK(read(kIo + 0xff8c, 2) == 0xffff);
    set_config(where, 0x10, 0xff00);
    CHECK(read(kIo + 0xff0c, 2) == 256);
    // At zero as well, where EDK2 puts it.
    set_config(where, 0x10, 0);
    CHECK(read(kIo + 0x0c, 2) == 256);
    set_config(where, 0x10, 0xff00);
    CHECK(read(kIo + 0x0c, 2) == 0xffff);
    // Bits of the command register turn each off.
    set_config(where, 4, 2, 2);
    CHECK(is_there(kMemory));
    CHECK(read(kIo + 0xff0c, 2) == 0xffff);
    set_config(where, 4, 1, 2);
    CHECK(!is_there(kMemory));
    CHECK(read(kIo + 0xff0c, 2) == 256);
    set_config(where, 4, 0xffff, 2);
    CHECK(config(where, 4, 2) == 0x547);
    host.reset();
    CHECK(config(where, 4, 2) == 0);
    CHECK(config(where, 0x20) == 0xc);
    CHECK(!is_there(kMemory));
}

TEST_CASE_METHOD(PciBench, "without the legacy interface a function has other numbers and no I/O") {
    const PciAddress where{1, 0};
    add_disk(where, false);
    CHECK(config(where, 0) == 0x10421af4);
    CHECK(config(where, 8) == 0x01000001);
    CHECK(config(where, 0x2c) == 0x11001af4);
    set_config(where, 0x10, UINT32_MAX);
    CHECK(config(where, 0x10) == 0);
}

// The driver of 3.1.1 over the registers of 4.1.
struct VirtioPciBench : PciBench {
    using Layout = test::VirtioBench;
    static constexpr PciAddress kWhere{5, 0};
    static constexpr uint64_t kBar = kHigh + 0x4000;
    static constexpr unsigned kWire = 5 % 4;
    unsigned used_seen = 0;

    VirtioPciBench() {
        add_disk(kWhere);
        enable();
    }
    void enable() {
        set_config(kWhere, 0x20, kBar & UINT32_MAX);
        set_config(kWhere, 0x24, kBar >> 32);
        set_config(kWhere, 0x10, 0x200);
        set_config(kWhere, 4, 7, 2);
    }
    uint64_t common(unsigned offset, unsigned size) { return read(kBar + offset, size); }
    void set_common(unsigned offset, uint64_t value, unsigned size) { write(kBar + offset, value, size); }
    bool irq() { return sink.level(kWire); }

    template <class T>
    void store(uint64_t address, T value) {
        REQUIRE(memory.store<T>(address, value) == DeviceStatus::ok);
    }
    void descriptor(unsigned index, uint64_t address, uint32_t length, uint16_t flags, uint16_t next) {
        const uint64_t entry = Layout::kDescriptors + 16 * index;
        store<uint64_t>(entry, address);
        store<uint32_t>(entry + 8, length);
        store<uint16_t>(entry + 12, flags);
        store<uint16_t>(entry + 14, next);
    }
    // Reads a sector by descriptors 0 to 2.
    void offer(uint64_t sector) {
        store<uint32_t>(Layout::kData, 0);
        store<uint64_t>(Layout::kData + 8, sector);
        store<uint8_t>(Layout::kData + 0x100, 0xff);
        descriptor(0, Layout::kData, 16, 1, 1);
        descriptor(1, Layout::kData + 0x1000, 512, 3, 2);
        descriptor(2, Layout::kData + 0x100, 1, 2, 0);
        store<uint16_t>(Layout::kAvailable + 4, 0);
        store<uint16_t>(Layout::kAvailable + 2, 1);
    }
    bool has_sector(uint64_t sector) {
        std::vector<uint8_t> bytes(512);
        uint8_t result = 0xff;
        REQUIRE(memory.read(Layout::kData + 0x1000, bytes) == DeviceStatus::ok);
        REQUIRE(memory.load<uint8_t>(Layout::kData + 0x100, &result) == DeviceStatus::ok);
        return result == 0 && std::equal(bytes.begin(), bytes.end(),
                                         disk.data.begin() + static_cast<ptrdiff_t>(sector * 512));
    }
    void start() {
        set_common(0x14, 0, 1);
        CHECK(common(0x14, 1) == 0);
        set_common(0x14, 3, 1);
        set_common(0x08, 1, 4);
        set_common(0x0c, 1, 4);  // VERSION_1
        set_common(0x14, 0xb, 1);
        REQUIRE(common(0x14, 1) == 0xb);
        set_common(0x16, 0, 2);
        set_common(0x18, 8, 2);
        for (const auto& [offset, address] :
             {std::pair{0x20u, Layout::kDescriptors}, {0x28u, Layout::kAvailable}, {0x30u, Layout::kUsed}}) {
            set_common(offset, address & UINT32_MAX, 4);
            set_common(offset + 4, address >> 32, 4);
        }
        set_common(0x1c, 1, 2);
        set_common(0x14, 0xf, 1);
    }
};

TEST_CASE_METHOD(VirtioPciBench, "capabilities say where the registers are") {
    CHECK((config(kWhere, 6, 2) & 0x10) != 0);
    CHECK(config(kWhere, 0x3d, 1) == 1);
    struct Part {
        unsigned type, bar, offset, length, size;
        bool operator==(const Part&) const = default;
    };
    std::vector<Part> parts;
    unsigned window = 0;
    unsigned multiplier = 0;
    for (unsigned at = config(kWhere, 0x34, 1); at != 0; at = config(kWhere, at + 1, 1)) {
        REQUIRE(parts.size() < 5);
        CHECK(config(kWhere, at, 1) == 9);
        parts.push_back({static_cast<unsigned>(config(kWhere, at + 3, 1)),
                         static_cast<unsigned>(config(kWhere, at + 4, 1)),
                         static_cast<unsigned>(config(kWhere, at + 8)),
                         static_cast<unsigned>(config(kWhere, at + 12)),
                         static_cast<unsigned>(config(kWhere, at + 2, 1))});
        if (parts.back().type == 2) {
            multiplier = static_cast<unsigned>(config(kWhere, at + 16));
        } else if (parts.back().type == 5) {
            window = at;
        }
    }
    CHECK(parts == std::vector<Part>{{1, 4, 0, 0x1000, 16},
                                     {3, 4, 0x1000, 0x1000, 16},
                                     {4, 4, 0x2000, 0x1000, 16},
                                     {2, 4, 0x3000, 0x1000, 20},
                                     {5, 0, 0, 0, 20}});
    CHECK(multiplier == 4);

    // 4.1.4.9: the window reaches the registers without memory.
    REQUIRE(window != 0);
    set_config(kWhere, 4, 4, 2);
    set_config(kWhere, window + 4, 4, 1);
    set_config(kWhere, window + 8, 0x12);
    set_config(kWhere, window + 12, 2);
    CHECK(config(kWhere, window + 16, 2) == 1);
    set_config(kWhere, window + 8, 0x14);
    set_config(kWhere, window + 12, 1);
    set_config(kWhere, window + 16, 3);
    CHECK(config(kWhere, window + 16, 1) == 3);
    set_config(kWhere, 4, 7, 2);
    CHECK(common(0x14, 1) == 3);
    // What it does not reach: lengths and places that are none, other base addresses.
    for (const auto& [bar, offset, length] : {std::tuple{4u, 0x3ffeu, 4u},
                                              {4u, 0x13u, 2u},
                                              {4u, UINT32_MAX, 4u},
                                              {4u, 0x14u, 3u},
                                              {4u, 0x14u, 0u},
                                              {0u, 0x14u, 1u},
                                              {9u, 0x14u, 1u}}) {
        set_config(kWhere, window + 4, bar, 1);
        set_config(kWhere, window + 8, offset);
        set_config(kWhere, window + 12, length);
        set_config(kWhere, window + 16, 0);
        CHECK(config(kWhere, window + 16) == 0);
    }
    CHECK(common(0x14, 1) == 3);
    CHECK(control.errors.empty());
}

TEST_CASE_METHOD(VirtioPciBench, "the common registers, each of its width") {
    set_common(0x00, 1, 4);
    CHECK(common(0x00, 4) == 1);
    CHECK(common(0x04, 4) == 1);  // VERSION_1
    set_common(0x00, 0, 4);
    CHECK(common(0x04, 4) == (1u << 29 | 1u << 28 | 1u << 27 | 1u << 14 | 1u << 13 | 1u << 11 | 1u << 10 |
                              1u << 9 | 1u << 6 | 1u << 2));
    set_common(0x00, 2, 4);
    CHECK(common(0x04, 4) == 0);
    set_common(0x08, 1, 4);
    set_common(0x0c, 1, 4);
    CHECK(common(0x08, 4) == 1);
    CHECK(common(0x0c, 4) == 1);
    set_common(0x10, 0, 2);
    CHECK(common(0x10, 2) == 0xffff);
    CHECK(common(0x12, 2) == 1);
    CHECK(common(0x15, 1) == 0);
    CHECK(common(0x18, 2) == 256);
    CHECK(common(0x1a, 2) == 0xffff);
    CHECK(common(0x1c, 2) == 0);
    CHECK(common(0x1e, 2) == 0);
    set_common(0x20, 0x89abcdef, 4);
    set_common(0x24, 0x1234567, 4);
    CHECK(common(0x20, 8) == 0x0123456789abcdef);
    set_common(0x28, 0x1122334455667788, 8);
    CHECK(common(0x28, 4) == 0x55667788);
    CHECK(common(0x2c, 4) == 0x11223344);
    set_common(0x30, 0x1000, 4);
    CHECK(common(0x30, 4) == 0x1000);
    set_common(0x16, 1, 2);
    CHECK(common(0x16, 2) == 1);
    for (unsigned offset : {0x18u, 0x1cu, 0x1eu}) {
        CHECK(common(offset, 2) == 0);
    }
    CHECK(common(0x20, 4) == 0);
    // The device's own part: 64 sectors.
    CHECK(read(kBar + 0x2000, 8) == 64);
    CHECK(read(kBar + 0x2014, 4) == 512);
    CHECK(control.errors.empty());
    // A queue that there is not, wrong widths, no register.
    set_common(0x18, 4, 2);
    common(0x14, 4);
    common(0x04, 2);
    common(0x38, 4);
    set_common(0x15, 1, 1);
    write(kBar + 0x3004, 1, 2);
    CHECK(control.errors.size() == 6);
}

TEST_CASE_METHOD(VirtioPciBench, "requests, with the slot's wire, which reading the ISR releases") {
    start();
    offer(7);
    write(kBar + 0x3000, 0, 2);
    control.work();
    CHECK(has_sector(7));
    CHECK(irq());
    CHECK((config(kWhere, 6, 2) & 8) != 0);
    // The command register's bit keeps it from the wire.
    set_config(kWhere, 4, 0x407, 2);
    CHECK(!irq());
    CHECK((config(kWhere, 6, 2) & 8) != 0);
    set_config(kWhere, 4, 7, 2);
    CHECK(irq());
    CHECK(read(kBar + 0x1000, 1) == 1);
    CHECK(!irq());
    CHECK(read(kBar + 0x1000, 1) == 0);
    CHECK((config(kWhere, 6, 2) & 8) == 0);
    CHECK(control.errors.empty());
    // In use: its registers stay.
    set_common(0x18, 4, 2);
    CHECK(common(0x18, 2) == 8);
    CHECK(control.errors.size() == 1);
    start();
    CHECK(common(0x1c, 2) == 1);
    host.reset();
    enable();
    CHECK(common(0x14, 1) == 0);
    CHECK(common(0x1c, 2) == 0);
}

TEST_CASE_METHOD(VirtioPciBench, "who is no bus master reaches no memory") {
    start();
    offer(7);
    set_config(kWhere, 4, 3, 2);
    write(kBar + 0x3000, 0, 2);
    control.work();
    CHECK(!has_sector(7));
    CHECK((common(0x14, 1) & 0x40) != 0);
    CHECK(read(kBar + 0x1000, 1) == 2);
    CHECK(control.errors.size() == 1);
}

TEST_CASE_METHOD(VirtioPciBench, "two functions share a wire") {
    const PciAddress other{9, 0};
    add_disk(other);
    set_config(other, 0x20, 0x20000);
    set_config(other, 0x24, kHigh >> 32);
    set_config(other, 4, 7, 2);
    // A broken rule (misaligned descriptors) after DRIVER_OK raises the other's interrupt.
    write(kHigh + 0x20014, 4, 1);
    write(kHigh + 0x20020, 1, 4);
    write(kHigh + 0x2001c, 1, 2);
    start();
    offer(3);
    write(kBar + 0x3000, 0, 2);
    control.work();
    CHECK(irq());
    CHECK(read(kHigh + 0x21000, 1) == 2);
    CHECK(irq());
    read(kBar + 0x1000, 1);
    CHECK(!irq());
}

TEST_CASE_METHOD(VirtioPciBench, "the legacy interface") {
    constexpr uint64_t kLegacy = kIo + 0x200;
    CHECK((read(kLegacy, 4) & (1u << 27)) != 0);
    write(kLegacy + 0x12, 0, 1);
    write(kLegacy + 0x12, 3, 1);
    write(kLegacy + 4, 1u << 9, 4);
    CHECK(read(kLegacy + 4, 4) == 1u << 9);
    write(kLegacy + 0xe, 1, 2);
    CHECK(read(kLegacy + 0xc, 2) == 0);
    write(kLegacy + 0xe, 0, 2);
    CHECK(read(kLegacy + 0xe, 2) == 0);
    CHECK(read(kLegacy + 0xc, 2) == 256);
    CHECK(read(kLegacy + 8, 4) == 0);
    // For 256 entries the rings are where the constants say.
    write(kLegacy + 8, Layout::kDescriptors >> 12, 4);
    CHECK(read(kLegacy + 8, 4) == Layout::kDescriptors >> 12);
    write(kLegacy + 0x12, 7, 1);
    CHECK(read(kLegacy + 0x12, 1) == 7);
    offer(9);
    write(kLegacy + 0x10, 0, 2);
    control.work();
    CHECK(has_sector(9));
    CHECK(irq());
    CHECK(read(kLegacy + 0x13, 1) == 1);
    CHECK(!irq());
    // The configuration follows.
    CHECK(read(kLegacy + 0x14, 4) == 64);
    CHECK(control.errors.empty());
    write(kLegacy, 0, 4);
    write(kLegacy + 0xe, 3, 2);
    write(kLegacy + 8, 1, 4);
    read(kLegacy + 0x10, 2);
    CHECK(control.errors.size() == 3);
    write(kLegacy + 0x12, 0, 1);
    CHECK(read(kLegacy + 8, 4) == 0);
}

}  // namespace
}  // namespace weft::hw
