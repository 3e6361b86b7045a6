// Devices that are saved after random accesses, and loaded into others: these then save the same, and behave the same.
#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>

#include "emulator/hw/char/uart16550.h"
#include "emulator/hw/flash/cfi_flash.h"
#include "emulator/hw/fw_cfg/fw_cfg.h"
#include "emulator/hw/pci/root_port.h"
#include "emulator/hw/riscv/clint.h"
#include "emulator/hw/riscv/plic.h"
#include "emulator/hw/riscv/virt.h"
#include "emulator/hw/rtc/goldfish.h"
#include "emulator/hw/virtio/balloon.h"
#include "emulator/hw/virtio/blk.h"
#include "emulator/hw/virtio/net.h"
#include "emulator/hw/virtio/pci.h"
#include "emulator/hw/virtio/rng.h"
#include "emulator/hw/virtio/serial.h"
#include "emulator/saved/fields.h"
#include "tests/hw/pci_bench.h"
#include "tests/hw/virtio_driver.h"
#include "tests/support/random.h"

using namespace weft;
using namespace weft::hw;
using namespace weft::hw::test;
using weft::test::Random;
using weft::test::test_seed;
using Bytes = std::vector<uint8_t>;

namespace {

template <class Device>
Bytes fields_of(Device& device) {
    saved::FieldWriter writer;
    device.visit_state(writer);
    auto bytes = writer.take();
    INFO((bytes ? "" : bytes.error().message()));
    REQUIRE(bytes.has_value());
    return std::move(*bytes);
}

template <class Device>
std::string loaded(Device& device, const Bytes& bytes,
                   StateVisitor::Purpose purpose = StateVisitor::Purpose::load) {
    saved::FieldReader reader(purpose, bytes);
    device.visit_state(reader);
    const Result<> done = reader.finish();
    return done ? "" : done.error().message();
}

// Of each width that registers are accessed in, at places where there are some and where there are none.
void access_at_random(Bench& bench, Random& random, uint64_t size, unsigned width, unsigned rounds) {
    for (unsigned i = 0; i < rounds; ++i) {
        const uint64_t at = random.below(size / width) * width;
        if (random.below(3) == 0) {
            bench.read(at, width);
        } else {
            bench.write(at, random.below(2) == 0 ? random.below(256) : random.next(), width);
        }
        bench.control.advance(random.below(2'000'000));
    }
}

// A line that was never driven is low.
bool same_levels(FakeSink& one, FakeSink& other) {
    for (unsigned line = 0; line < 64; ++line) {
        if (one.level(line) != other.level(line)) {
            return false;
        }
    }
    return true;
}

// A World is a bench with a device that is plugged in; `stir` uses it.
template <class World>
void check(const std::function<void(World&, Random&)>& stir) {
    const uint64_t seed = test_seed();
    for (unsigned round = 0; round < 40; ++round) {
        INFO("WEFT_TEST_SEED=" << seed << " round " << round);
        Random random(seed * 1000 + round);
        World one;
        World other;
        stir(one, random);
        stir(other, random);
        // The time is the machine's.
        other.control.advance(
            one.control.clock > other.control.clock ? one.control.clock - other.control.clock : 0);
        one.control.advance(other.control.clock > one.control.clock ? other.control.clock - one.control.clock
                                                                    : 0);
        const Bytes bytes = fields_of(one.device());
        const Bytes before = fields_of(other.device());
        CHECK(loaded(other.device(), bytes, StateVisitor::Purpose::check) == "");
        CHECK((fields_of(other.device()) == before));
        CHECK(loaded(other.device(), bytes) == "");
        CHECK((fields_of(other.device()) == bytes));
        CHECK((fields_of(one.device()) == bytes));
        CHECK(same_levels(one.sink, other.sink));
        // What is cut off or is another device's is refused, and nothing is done.
        for (size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 50) {
            CHECK(loaded(other.device(), Bytes(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size)),
                         StateVisitor::Purpose::check) != "");
        }
        CHECK((fields_of(other.device()) == bytes));
        // Both go on alike.
        Random same(seed + round);
        Random again(seed + round);
        stir(one, same);
        stir(other, again);
        CHECK((fields_of(other.device()) == fields_of(one.device())));
        CHECK(same_levels(one.sink, other.sink));
    }
}

struct UartWorld : Bench {
    FakeChar line;
    Uart16550 uart{topology, control, &line, IrqLine(sink, 10)};
    UartWorld() { plug(uart.region()); }
    Uart16550& device() { return uart; }
};

struct RtcWorld : Bench {
    GoldfishRtc rtc{topology, control, IrqLine(sink, 11)};
    RtcWorld() { plug(rtc.region()); }
    GoldfishRtc& device() { return rtc; }
};

struct HartsWorld : Bench {
    TestHart first{0}, second{1};
    std::array<riscv::Hart*, 2> harts{&first.hart(), &second.hart()};
};

struct ClintWorld : HartsWorld {
    Clint clint{topology, control, harts};
    ClintWorld() { plug(clint.region()); }
    Clint& device() { return clint; }
};

struct PlicWorld : HartsWorld {
    Plic plic{topology, control, harts};
    PlicWorld() { plug(plic.region()); }
    Plic& device() { return plic; }
};

FwCfgItems items() {
    FwCfgItems items;
    REQUIRE(items.add_file("opt/one", {'a', 'b', 'c'}).has_value());
    items.finish();
    return items;
}

struct FwCfgWorld : Bench {
    FwCfg fw_cfg{space, control, items()};
    FwCfgWorld() { plug(fw_cfg.region()); }
    FwCfg& device() { return fw_cfg; }
};

struct FlashWorld : Bench {
    std::unique_ptr<CfiFlash> flash =
        std::move(CfiFlash::create(topology, control, "flash", nullptr).value());
    FlashWorld() { plug(flash->region()); }
    CfiFlash& device() { return *flash; }
};

struct DiskWorld : VirtioBench {
    FakeDisk disk{64 << 10};
    DiskWorld() { install(std::make_unique<VirtioBlk>(disk, control, BlkSettings{.serial = "serial"})); }
    VirtioMmio& device() { return *slot; }
};

struct LegacyDiskWorld : VirtioBench {
    FakeDisk disk{64 << 10};
    LegacyDiskWorld() {
        layout = VirtioMmioLayout::legacy;
        size = 256;
        install(std::make_unique<VirtioBlk>(disk, control, BlkSettings{.serial = "serial"}));
    }
    VirtioMmio& device() { return *slot; }
};

struct NetWorld : VirtioBench {
    NetWorld() { install(std::make_unique<VirtioNet>(nullptr, control, MacAddress{2, 3, 4, 5, 6, 7})); }
    VirtioMmio& device() { return *slot; }
};

struct RngWorld : VirtioBench {
    RngWorld() {
        control.seed = 5;
        install(std::make_unique<VirtioRng>(nullptr, control));
    }
    VirtioMmio& device() { return *slot; }
};

// A driver that works, and then registers at random.
template <class World>
void drive(World& world, Random& random) {
    world.start(world.layout == VirtioMmioLayout::legacy ? 0 : uint64_t{1} << 32);
    world.store_bytes(World::kData, Bytes(64));
    world.descriptor(World::kDescriptors, 0, World::kData + 0x100, 64, World::kWrite);
    for (uint64_t i = 0; i < random.below(4); ++i) {
        world.offer(0);
        world.notify();
        world.control.work();
    }
    access_at_random(world, random, 0x100, 4, static_cast<unsigned>(random.below(20)));
    world.control.work();
}

struct PciWorld : Bench {
    FakeDisk disk{64 << 10};
    std::shared_ptr<mem::RamBlock> ram = topology.allocate_ram("ram", 1 << 20).value();
    mem::RegionPtr memory = topology.container("memory", mem::kEntireSpace);
    PciHost host{
        topology, memory, {IrqLine(sink, 32), IrqLine(sink, 33), IrqLine(sink, 34), IrqLine(sink, 35)}};
    struct Function {
        PciHost& host;
        void visit_state(StateVisitor& visitor) { host.visit_state({{1, 0}}, visitor); }
    } function{host};
    PciWorld() {
        memory->add_subregion(0, topology.ram(ram));
        host.plug({1, 0},
                  std::make_unique<VirtioPci>(
                      host.site(), control, std::make_unique<VirtioBlk>(disk, control, BlkSettings{}), true),
                  false);
        plug(host.ecam());
    }
    Function& device() { return function; }
};

struct BalloonWorld : VirtioBench {
    struct Operator : FakeControl {
        Balloon* balloon = nullptr;
        void set_balloon(Balloon* to) override { balloon = to; }
    } operators;
    BalloonWorld() {
        slot = std::make_unique<VirtioMmio>(space, operators, std::make_unique<VirtioBalloon>(operators),
                                            IrqLine(sink, kIrq), layout);
        plug(slot->region());
    }
    // The device says goodbye to the operator.
    ~BalloonWorld() { slot.reset(); }
    VirtioMmio& device() { return *slot; }
};

struct SerialWorld : VirtioBench {
    FakeChar console, agent;
    SerialWorld() {
        install(std::make_unique<VirtioSerial>(
            std::vector<SerialPortConfig>{
                {.number = 0, .console = true, .name = "", .backend = &console},
                {.number = 3, .console = false, .name = "org.example.agent", .backend = &agent}},
            4, true, control));
    }
    VirtioMmio& device() { return *slot; }
};

// A port in slot 2 with a disk behind it.
struct PortWorld : PciBench {
    PortWorld() {
        host.plug(
            {}, {2, 0},
            {std::make_unique<PciRootPort>(host.site(), control, PciRootPort::Config{.name = "p", .slot = 9}),
             std::nullopt},
            false);
        host.plug(
            "p", {0, 0},
            {std::make_unique<VirtioPci>(*host.site_of("p"), control,
                                         std::make_unique<VirtioBlk>(disk, control, BlkSettings{}), false),
             std::nullopt},
            false);
    }
    struct Functions {
        PciHost& host;
        void visit_state(StateVisitor& visitor) {
            for (const PciHost::Plugged& function : host.plugged()) {
                CHECK(function.why_not_saved == nullptr);
                host.visit_state(function.place, visitor);
            }
        }
    } functions{host};
    Functions& device() { return functions; }
};

}  // namespace

TEST_CASE("a serial port is saved and loaded", "[saved]") {
    check<UartWorld>([](UartWorld& world, Random& random) {
        access_at_random(world, random, 8, 1, 40);
        world.line.type(std::string(random.below(5), 'x'));
        access_at_random(world, random, 8, 1, static_cast<unsigned>(random.below(5)));
    });
}

TEST_CASE("a real-time clock is saved and loaded", "[saved]") {
    check<RtcWorld>([](RtcWorld& world, Random& random) { access_at_random(world, random, 0x20, 4, 20); });
}

TEST_CASE("timers of harts are saved and loaded", "[saved]") {
    check<ClintWorld>([](ClintWorld& world, Random& random) {
        access_at_random(world, random, 8, 4, 5);
        world.write(Clint::kMtimecmp + 8 * random.below(2), random.next(), 8);
        world.write(Clint::kMtime, random.next(), 8);
    });
}

TEST_CASE("an interrupt controller is saved and loaded", "[saved]") {
    check<PlicWorld>([](PlicWorld& world, Random& random) {
        for (unsigned i = 0; i < 60; ++i) {
            switch (random.below(5)) {
                case 0:
                    world.plic.set_input(1 + static_cast<unsigned>(random.below(Plic::kSources - 1)),
                                         random.below(2) != 0);
                    break;
                case 1:
                    world.write(4 * random.below(Plic::kSources), random.below(8));
                    break;
                case 2:
                    world.write(Plic::kEnable + Plic::kEnableStride * random.below(4) + 4 * random.below(3),
                                random.next() & UINT32_MAX);
                    break;
                case 3:
                    world.read(Plic::kContext + Plic::kContextStride * random.below(4) + 4);
                    break;
                default:
                    world.write(Plic::kContext + Plic::kContextStride * random.below(4) + 4 * random.below(2),
                                random.below(96));
                    break;
            }
        }
    });
}

TEST_CASE("a configuration device is saved and loaded", "[saved]") {
    check<FwCfgWorld>([](FwCfgWorld& world, Random& random) {
        world.write(8, random.below(2) == 0 ? 0x1900 : random.below(0x4000), 2);
        for (uint64_t i = 0; i < random.below(9); ++i) {
            world.read(0, 1);
        }
        world.write(0x10, random.below(16), 4);
    });
}

TEST_CASE("commands of a flash memory are saved and loaded", "[saved]") {
    // The cells are memory, which is another's to save: here they stay as they are.
    check<FlashWorld>([](FlashWorld& world, Random& random) {
        constexpr uint8_t kCommands[] = {0x70, 0x90, 0x98, 0x50, 0x40, 0x20,
                                         0x60, 0xe8, 0xff, 0xd0, 0x01, 0x03};
        for (unsigned i = 0; i < 30; ++i) {
            const uint64_t at = random.below(4) * CfiFlash::kBlockSize + 4 * random.below(3);
            // A store finds ROM first, and is made again.
            for (unsigned again = 0; again < 2; ++again) {
                const uint64_t command = kCommands[random.below(std::size(kCommands))];
                world.write(at, command | command << 16);
            }
            world.read(at);
        }
        // Cells that were programmed would differ.
        world.write(0, 0x00ff00ff);
    });
}

TEST_CASE("disks are saved and loaded", "[saved]") {
    check<DiskWorld>(drive<DiskWorld>);
    check<LegacyDiskWorld>(drive<LegacyDiskWorld>);
}

TEST_CASE("network cards and random numbers are saved and loaded", "[saved]") {
    check<NetWorld>(drive<NetWorld>);
    check<RngWorld>(drive<RngWorld>);
}

TEST_CASE("functions on PCI are saved and loaded", "[saved]") {
    check<PciWorld>([](PciWorld& world, Random& random) {
        for (unsigned i = 0; i < 30; ++i) {
            world.write((1 << 15) + 4 * random.below(64), random.next() & UINT32_MAX);
        }
    });
}

TEST_CASE("balloons are saved and loaded", "[saved]") {
    check<BalloonWorld>([](BalloonWorld& world, Random& random) {
        world.start();
        world.write(0x104, random.next() & UINT32_MAX);
        world.operators.balloon->ask_for(static_cast<uint32_t>(random.below(4)));
        access_at_random(world, random, 0x100, 4, static_cast<unsigned>(random.below(20)));
    });
}

TEST_CASE("consoles are saved and loaded", "[saved]") {
    check<SerialWorld>([](SerialWorld& world, Random& random) {
        const bool several = random.below(2) == 0;
        world.start(uint64_t{1} << 32 | (several ? VirtioSerial::kFeatureMultiport : 0));
        if (!several) {
            // Room that nobody has filled yet.
            world.descriptor(SerialWorld::kDescriptors, 0, SerialWorld::kData, 64, SerialWorld::kWrite);
            world.offer(0);
            world.notify();
            world.console.receiver->can_receive();
        }
        access_at_random(world, random, 0x100, 4, static_cast<unsigned>(random.below(20)));
    });
}

TEST_CASE("root ports and what is behind them are saved and loaded", "[saved]") {
    check<PortWorld>([](PortWorld& world, Random& random) {
        for (unsigned i = 0; i < 30; ++i) {
            world.write(PciBench::at({2, 0}, 4 * static_cast<unsigned>(random.below(64))),
                        random.next() & UINT32_MAX);
        }
        // Windows, and the device in one of them, or not.
        world.set_config({2, 0}, 0x18, 0x00010100);
        world.set_config({2, 0}, 0x20, 0x40004000);
        world.set_config({2, 0}, 4, random.below(8), 2);
        for (unsigned i = 0; i < 10; ++i) {
            world.write(kEcam + (1 << 20) + 4 * random.below(64), random.next() & UINT32_MAX);
        }
        world.write(kEcam + (1 << 20) + 0x20, kMemory + 0x4000 * random.below(4));
        world.write(kEcam + (1 << 20) + 0x24, 0);
        world.write(kEcam + (1 << 20) + 4, random.below(8), 2);
        world.write(kMemory + 4 * random.below(0x1000), random.next() & 0xff, 1);
        world.control.work();
    });
}

TEST_CASE("values that a guest could not have made are refused", "[saved]") {
    DiskWorld world;
    Random random(1);
    drive(world, random);
    world.start();
    const Bytes bytes = fields_of(world.device());
    const auto changed = [&](std::string_view name, size_t at, uint8_t value) {
        Bytes other = bytes;
        const auto found = std::ranges::search(other, name);
        REQUIRE(!found.empty());
        other[static_cast<size_t>(found.end() - other.begin()) + at] = value;
        return loaded(world.device(), other, StateVisitor::Purpose::check);
    };
    CHECK(changed("descriptors", 0, 1).find("is not aligned") != std::string::npos);
    CHECK(changed("descriptors", 7, 0xff).find("is not aligned") == std::string::npos);
    CHECK(changed("queues", 0, 2) == "the device has another number of queues here");
    CHECK(changed("offered features", 0, 0xff) ==
          "the device offers other features here than where it was saved");
    CHECK((fields_of(world.device()) == bytes));
}
