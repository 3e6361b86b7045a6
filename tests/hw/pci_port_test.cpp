// Root ports: what is behind them, and the slot in which it is exchanged (PCI-to-PCI Bridge Architecture Specification 1.2; PCI Express
// Base Specification 5.0, 6.7 and 7.5.3). What a driver does with one is in tests/directed/pcie_port.c.
#include <catch2/catch.hpp>

#include "emulator/hw/device_types.h"
#include "emulator/hw/pci/placement.h"
#include "emulator/hw/pci/root_port.h"
#include "tests/hw/pci_bench.h"

namespace weft::hw {
namespace {

using namespace test;

DeviceConfig config_of(const char* type, std::initializer_list<KeyValue> items) {
    const auto config = DeviceConfig::parse(*find_device_type(type), std::vector<KeyValue>(items));
    REQUIRE(config);
    return *config;
}

struct Counting : FakeControl {
    unsigned released = 0;
    void devices_released() override { ++released; }
};

// A port in slot 3, and its registers.
struct PortBench : PciBench {
    static constexpr PciAddress kPort{3, 0};
    enum : unsigned { kLinkControl = 0x10, kLinkStatus = 0x12, kSlotControl = 0x18, kSlotStatus = 0x1a };
    enum : unsigned { kButton = 1, kPresence = 8, kPresent = 0x40, kLink = 0x100 };
    Counting machine;
    unsigned express = 0;

    void add_port(bool hotplug = true) {
        host.plug({}, kPort,
                  {std::make_unique<PciRootPort>(
                       host.site(), machine,
                       PciRootPort::Config{.name = "p", .port = 0, .slot = 9, .hotplug = hotplug}),
                   config_of("pcie-root-port", {{"id", "p"}})},
                  false);
        for (unsigned cap = config(kPort, 0x34, 1); cap != 0; cap = config(kPort, cap + 1, 1)) {
            express = config(kPort, cap, 1) == 0x10 ? cap : express;
        }
        REQUIRE(express != 0);
    }
    PciBus::Plugged disk_for_port(const char* id) {
        return {std::make_unique<VirtioPci>(
                    *host.site_of("p"), machine,
                    std::make_unique<VirtioBlk>(disk, machine, BlkSettings{.serial = "serial"}), false),
                config_of("virtio-blk-pci", {{"drive", "d"}, {"bus", "p"}, {"id", id}})};
    }
    void open_windows() {
        set_config(kPort, 0x18, 0x00010100);
        set_config(kPort, 0x20, 0x40004000);
        set_config(kPort, 0x24, 0x0001fff1);
        set_config(kPort, 4, 6, 2);
    }
    static uint64_t behind(unsigned offset) { return kEcam + (1 << 20) + offset; }
    bool answers() { return read(behind(0)) == 0x10421af4; }
    uint64_t slot(unsigned reg) { return config(kPort, express + reg, 2); }
    void set_slot(unsigned reg, uint64_t value) { set_config(kPort, express + reg, value, 2); }
    bool interrupts() { return sink.level(3); }
    // Of the disk behind the port, where place_disk() puts it.
    static constexpr uint64_t kDiskBar = kMemory + 0x4000;
    void place_disk() {
        write(behind(0x20), kDiskBar);
        write(behind(0x24), 0);
        write(behind(4), 6, 2);
    }
    // Reads a sector, by a driver that begins anew; whether the disk answers.
    bool request(uint64_t sector) {
        constexpr uint64_t bar = kDiskBar;
        write(bar + 0x14, 0, 1);
        write(bar + 0x14, 3, 1);
        write(bar + 0x08, 1, 4);
        write(bar + 0x0c, 1, 4);
        write(bar + 0x14, 11, 1);
        write(bar + 0x18, 8, 2);
        using Layout = VirtioBench;
        write(bar + 0x20, Layout::kDescriptors, 4);
        write(bar + 0x24, Layout::kDescriptors >> 32, 4);
        write(bar + 0x28, Layout::kAvailable, 4);
        write(bar + 0x2c, Layout::kAvailable >> 32, 4);
        write(bar + 0x30, Layout::kUsed, 4);
        write(bar + 0x34, Layout::kUsed >> 32, 4);
        write(bar + 0x1c, 1, 2);
        write(bar + 0x14, 15, 1);
        const auto put = [&](uint64_t at, uint64_t value, unsigned size) {
            for (unsigned i = 0; i < size; ++i) {
                REQUIRE(memory.store<uint8_t>(at + i, static_cast<uint8_t>(value >> 8 * i)) ==
                        DeviceStatus::ok);
            }
        };
        put(Layout::kData, 0, 8);
        put(Layout::kData + 8, sector, 8);
        put(Layout::kData + 0x100, 0xff, 1);
        for (const auto& [index, address, size, flags, next] : {std::tuple{0u, Layout::kData, 16u, 1u, 1u},
                                                                {1u, Layout::kData + 0x1000, 512u, 3u, 2u},
                                                                {2u, Layout::kData + 0x100, 1u, 2u, 0u}}) {
            put(Layout::kDescriptors + 16 * index, address, 8);
            put(Layout::kDescriptors + 16 * index + 8, size, 4);
            put(Layout::kDescriptors + 16 * index + 12, flags, 2);
            put(Layout::kDescriptors + 16 * index + 14, next, 2);
        }
        put(Layout::kAvailable + 4, 0, 2);
        put(Layout::kAvailable + 2, 1, 2);
        write(bar + 0x3000, 0, 2);
        machine.work();
        uint8_t result = 0xff;
        REQUIRE(memory.load<uint8_t>(Layout::kData + 0x100, &result) == DeviceStatus::ok);
        return result == 0;
    }
};

TEST_CASE_METHOD(PortBench, "a bus master behind a port that is none reaches no memory") {
    add_port();
    host.plug("p", {0, 0}, disk_for_port("d"), false);
    open_windows();
    place_disk();
    constexpr uint64_t bar = kDiskBar;
    CHECK(request(3));
    // The wire is the port's: INTA of slot 0 behind slot 3.
    CHECK(sink.level(3));
    CHECK(read(bar + 0x1000, 1) == 1);
    CHECK(!sink.level(3));
    set_config(kPort, 4, 2, 2);
    CHECK(!request(4));
    set_config(kPort, 4, 6, 2);
    CHECK(request(4));
}

TEST_CASE_METHOD(PortBench, "windows that are closed, and one of the whole space") {
    add_port();
    host.plug("p", {0, 0}, disk_for_port("d"), false);
    open_windows();
    place_disk();
    CHECK(read(kMemory + 0x4012, 2) == 1);
    // The limit below the base.
    set_config(kPort, 0x20, 0x40004010);
    CHECK(read(kMemory + 0x4012, 2) == 0xffff);
    set_config(kPort, 0x24, 0x40014001);
    CHECK(read(kMemory + 0x4012, 2) == 1);
    // From 0 to the last byte there is no window.
    set_config(kPort, 0x24, 0xfff10001);
    set_config(kPort, 0x28, 0);
    set_config(kPort, 0x2c, UINT32_MAX);
    CHECK(read(kMemory + 0x4012, 2) == 0xffff);
    set_config(kPort, 0x2c, 0xff);
    CHECK(read(kMemory + 0x4012, 2) == 1);
    host.reset();
    CHECK(read(kMemory + 0x4012, 2) == 0xffff);
    CHECK(config(kPort, 0x18) == 0);
    CHECK(status == DeviceStatus::ok);
}

TEST_CASE_METHOD(PortBench, "a device comes, and goes when the guest lets it") {
    add_port();
    open_windows();
    CHECK(slot(kSlotStatus) == 0);
    CHECK((slot(kLinkStatus) & 0x2000) == 0);
    // Interrupts are off: events stand until they are on.
    REQUIRE(host.hot_plug("p", disk_for_port("d1")));
    CHECK(slot(kSlotStatus) == (kPresence | kPresent | kLink));
    CHECK(answers());
    CHECK(!interrupts());
    set_slot(kSlotControl, 0x28);
    CHECK(interrupts());
    set_slot(kSlotStatus, kPresence);
    CHECK(!interrupts());
    set_slot(kSlotControl, 0x1028);
    CHECK(interrupts());
    set_slot(kSlotStatus, kLink);
    CHECK(!interrupts());
    CHECK(slot(kSlotStatus) == kPresent);

    const auto second = host.hot_plug("p", disk_for_port("d2"));
    REQUIRE(!second);
    CHECK(second.error().message() == "bus 'p' has a device already");
    CHECK(host.hot_plug("q", disk_for_port("d2")).error().message() == "there is no bus 'q'");
    REQUIRE(host.device("d1"));
    CHECK(host.device("d1")->bus() == "p");
    CHECK(!host.device("d2"));

    // Without power it does not answer, and comes back as after a reset.
    write(behind(4), 6, 2);
    set_slot(kSlotControl, 0x1428);
    CHECK(!answers());
    CHECK(slot(kSlotStatus) == (kPresent | kLink));
    set_slot(kSlotControl, 0x1028);
    CHECK(answers());
    CHECK(read(behind(4), 2) == 0);
    // So with a link that is disabled.
    set_slot(kLinkControl, 0x10);
    CHECK(!answers());
    CHECK((slot(kLinkStatus) & 0x2000) == 0);
    set_slot(kLinkControl, 0);
    CHECK(answers());
    set_slot(kSlotStatus, kLink);

    REQUIRE(host.ask_to_release("d1"));
    CHECK(slot(kSlotStatus) == (kButton | kPresent));
    CHECK(!interrupts());
    set_slot(kSlotControl, 0x21);
    CHECK(interrupts());
    set_slot(kSlotStatus, kButton);
    CHECK(machine.released == 0);
    CHECK(host.take_released().empty());
    set_slot(kSlotControl, 0x721);
    CHECK(machine.released == 1);
    CHECK(!answers());
    CHECK(slot(kSlotStatus) == (kPresence | kLink));
    const auto gone = host.take_released();
    REQUIRE(gone.size() == 1);
    CHECK(gone[0].config->id() == "d1");
    CHECK(host.take_released().empty());
    CHECK(!host.device("d1"));

    // Into a slot without power: present alone. Taken out of it, it goes at once.
    set_slot(kSlotStatus, 0x109);
    REQUIRE(host.hot_plug("p", disk_for_port("d3")));
    CHECK(slot(kSlotStatus) == (kPresence | kPresent));
    CHECK(!answers());
    REQUIRE(host.ask_to_release("d3"));
    CHECK(machine.released == 2);
    CHECK(host.take_released().size() == 1);

    // The one that comes next is not to go: it stays without power.
    REQUIRE(host.hot_plug("p", disk_for_port("d4")));
    set_slot(kSlotControl, 0x100);
    CHECK(answers());
    set_slot(kSlotControl, 0x700);
    CHECK(machine.released == 2);
    CHECK((slot(kSlotStatus) & kPresent) != 0);
    CHECK(host.device("d4"));
}

TEST_CASE_METHOD(PortBench, "a device that goes leaves nothing behind") {
    add_port();
    host.plug("p", {0, 0}, disk_for_port("d"), false);
    open_windows();
    place_disk();
    const auto wire = [&] { return sink.level(3); };
    // Its interrupt and its registers, by each way out: no power, no link, a reset of the bus, the button.
    REQUIRE(request(3));
    CHECK(wire());
    set_slot(kSlotControl, 0x400);
    CHECK(!wire());
    CHECK(read(kDiskBar + 0x12, 2) == 0xffff);
    set_slot(kSlotControl, 0);
    place_disk();
    REQUIRE(request(4));
    CHECK(wire());
    set_slot(kLinkControl, 0x10);
    CHECK(!wire());
    set_slot(kLinkControl, 0);
    place_disk();
    REQUIRE(request(5));
    CHECK(wire());
    set_config(kPort, 0x3e, 0x40, 2);
    CHECK(!wire());
    CHECK(!answers());
    set_config(kPort, 0x3e, 0, 2);
    place_disk();
    REQUIRE(request(6));
    CHECK(wire());
    REQUIRE(host.ask_to_release("d"));
    set_slot(kSlotControl, 0x700);
    CHECK(!wire());
    CHECK(read(kDiskBar + 0x12, 2) == 0xffff);
    CHECK(host.take_released().size() == 1);
    CHECK(!wire());
}

TEST_CASE_METHOD(PortBench, "a reset keeps the device that was to go, with power") {
    add_port();
    host.plug("p", {0, 0}, disk_for_port("d"), false);
    CHECK(slot(kSlotStatus) == kPresent);
    CHECK(slot(kSlotControl) == 0x1c0);
    open_windows();
    set_slot(kSlotControl, 0x1029);
    REQUIRE(host.ask_to_release("d"));
    REQUIRE(host.ask_to_release("d"));
    CHECK(interrupts());
    host.reset();
    CHECK(!interrupts());
    CHECK(slot(kSlotStatus) == kPresent);
    open_windows();
    CHECK(answers());
    // Power alone takes nothing out.
    set_slot(kSlotControl, 0x700);
    CHECK(host.take_released().empty());
    REQUIRE(host.ask_to_release("d"));
    CHECK(host.take_released().size() == 1);
    host.reset();
    CHECK(slot(kSlotStatus) == 0);
    CHECK(slot(kSlotControl) == 0x3c0);
}

TEST_CASE_METHOD(PortBench, "a port without hot plug, and devices on the host bridge's bus") {
    add_port(false);
    CHECK(config(kPort, express + 0x14) == 9u << 19);
    CHECK(host.hot_plug("p", disk_for_port("d")).error().message() ==
          "bus 'p' takes no devices while the machine is there (hotplug=off)");
    host.plug("p", {0, 0}, disk_for_port("d"), false);
    open_windows();
    CHECK(answers());
    CHECK(host.ask_to_release("d").error().message() ==
          "bus 'p' keeps its device while the machine is there (hotplug=off)");
    set_slot(kSlotControl, 0x700);
    CHECK(answers());
    // Nor are there events of a slot.
    set_slot(kLinkControl, 0x10);
    CHECK(!answers());
    CHECK(slot(kSlotStatus) == kPresent);
    CHECK(host.ask_to_release("p").error().message() ==
          "the device is on bus 'pcie.0', which devices stay on (they leave a pcie-root-port)");
}

std::string placed(std::initializer_list<DeviceConfig> devices) {
    std::vector<const DeviceConfig*> list;
    for (const DeviceConfig& device : devices) {
        list.push_back(&device);
    }
    const auto places = place_on_pci(list);
    if (!places) {
        return places.error().message();
    }
    std::string text;
    for (const PciPlace& place : *places) {
        text += place.bus + "/" + std::to_string(place.address.slot) + "." +
                std::to_string(place.address.function) + (place.several ? "+ " : " ");
    }
    return text;
}

TEST_CASE("places on buses behind ports") {
    const auto port = [](const char* id, const char* addr) {
        return config_of("pcie-root-port", {{"id", id}, {"addr", addr}});
    };
    const auto rng = [](const char* bus) { return config_of("virtio-rng-pci", {{"bus", bus}}); };
    const auto rng_at = [](const char* bus, const char* addr) {
        return config_of("virtio-rng-pci", {{"bus", bus}, {"addr", addr}});
    };
    // As libvirt has it; a device may come before its port.
    CHECK(placed({rng("b"), port("a", "0x1"), port("b", "0x1.0x1"), rng_at("a", "0x0")}) ==
          "/1.0+ /1.1 a/0.0 b/0.0 ");
    CHECK(placed({rng("pcie.0"), port("a", "2"), rng_at("a", "0.1"), rng_at("a", "0.0")}) ==
          "/1.0 /2.0 a/0.0+ a/0.1 ");
    CHECK(placed({port("a", "1"), rng_at("a", "1")}) == "device 'virtio-rng-pci': bus 'a' has slot 00 alone");
    CHECK(placed({port("a", "1"), rng("a"), rng("a")}) == "bus 'a' takes one device");
    CHECK(placed({port("a", "1"), rng_at("a", "0.1")}) == "PCI slot 00 has function 1, but no function 0");
    CHECK(placed({port("a", "1"), rng("b")}) ==
          "device 'virtio-rng-pci': the board has no bus 'b' (there is pcie.0, a)");
    CHECK(placed({port("a", "1"), port("a", "2")}) == "device 'pcie-root-port': there is a bus 'a' already");
    CHECK(placed({port("a", "1"), config_of("pcie-root-port", {{"id", "b"}, {"bus", "a"}})}) ==
          "device 'pcie-root-port' goes on bus pcie.0, not 'a'");
    CHECK(placed({port("pcie.0", "1")}) == "device 'pcie-root-port': there is a bus 'pcie.0' already");

    CHECK(check_hot_place(rng("a")));
    CHECK(check_hot_place(rng_at("a", "0x0")));
    CHECK(check_hot_place(rng_at("a", "0.1")).error().message() ==
          "device 'virtio-rng-pci': bus 'a' takes a device at 00.0 alone");
    CHECK(check_hot_place(rng_at("a", "x")).error().message().find("addr is SLOT[.FN]") != std::string::npos);
    CHECK(check_hot_place(rng("pcie.0")).error().message().find("takes no devices while") !=
          std::string::npos);
    CHECK(check_hot_place(port("c", "3")).error().message() ==
          "device 'pcie-root-port' is there from the start, or not at all");
    CHECK(check_hot_place(config_of("virtio-rng-device", {})).error().message() ==
          "device 'virtio-rng-device' is there from the start, or not at all");
}

}  // namespace
}  // namespace weft::hw
