#include "emulator/hw/riscv/virt.h"

#include <array>
#include <catch2/catch.hpp>
#include <cstring>

#include "emulator/hw/boot/device_tree.h"
#include "emulator/hw/riscv/virt_boot.h"
#include "tests/hw/support.h"

namespace weft::hw {
namespace {

using virt::BootPlan;
using virt::plan_boot;

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kRam = 0x80000000;

BootFile file(const char* name, size_t size, uint8_t fill = 0xaa) {
    return BootFile{name, std::vector<uint8_t>(size, fill)};
}

uint64_t word(const std::vector<uint8_t>& bytes, size_t offset) {
    uint64_t value;
    std::memcpy(&value, bytes.data() + offset, 8);
    return value;
}

std::string error_of(const BootConfig& config) {
    const auto plan = plan_boot(config);
    return plan ? "no error" : plan.error().message();
}

uint64_t tree_wide(std::vector<uint8_t> tree, const char* property) {
    const auto value = device_tree_property(tree, "/chosen", property);
    uint64_t result = 0;
    for (uint8_t byte : value) {
        result = result << 8 | byte;
    }
    return result;
}

TEST_CASE("firmware, kernel, RAM disk and device tree where QEMU has them") {
    const auto plan = plan_boot({.ram_size = 512 * kMiB,
                                 .firmware = file("fw", 300'000),
                                 .kernel = file("Image", 20 * kMiB),
                                 .initrd = file("initrd", 5 * kMiB + 3)});
    REQUIRE(plan);
    REQUIRE(plan->segments.size() == 3);
    CHECK(plan->segments[0].paddr == kRam);
    CHECK(plan->segments[1].paddr == kRam + 2 * kMiB);
    CHECK(plan->segments[2].paddr == kRam + 2 * kMiB + 256 * kMiB);
    CHECK(plan->device_tree_address == kRam + 510 * kMiB);
    CHECK(tree_wide(plan->device_tree, "linux,initrd-start") == kRam + 258 * kMiB);
    CHECK(tree_wide(plan->device_tree, "linux,initrd-end") == kRam + 263 * kMiB + 3);

    // The reset vector, word by word, and what it loads.
    const auto& rom = plan->reset_rom;
    REQUIRE(rom.size() == 0x58);
    CHECK(word(rom, 0x00) == 0x0282861300000297);
    CHECK(word(rom, 0x08) == 0x0202b583f1402573);
    CHECK(word(rom, 0x10) == 0x000280670182b283);
    CHECK(word(rom, 0x18) == kRam);
    CHECK(word(rom, 0x20) == plan->device_tree_address);
    CHECK(word(rom, 0x28) == 0x4942534f);
    CHECK(word(rom, 0x30) == 2);
    CHECK(word(rom, 0x38) == kRam + 2 * kMiB);
    CHECK(word(rom, 0x40) == 1);
    CHECK(word(rom, 0x48) == 0);
    CHECK(word(rom, 0x50) == 0);
}

TEST_CASE("without firmware the kernel is started, or what is at the start of RAM") {
    const auto kernel = plan_boot({.ram_size = 64 * kMiB, .kernel = file("Image", 100)});
    REQUIRE(kernel);
    CHECK(kernel->segments[0].paddr == kRam);
    CHECK(word(kernel->reset_rom, 0x18) == kRam);
    const auto nothing = plan_boot({.ram_size = 64 * kMiB});
    REQUIRE(nothing);
    CHECK(nothing->segments.empty());
    CHECK(word(nothing->reset_rom, 0x18) == kRam);
    CHECK(word(nothing->reset_rom, 0x38) == 0);
    const auto firmware = plan_boot({.ram_size = 64 * kMiB, .firmware = file("fw", 100)});
    CHECK(word(firmware->reset_rom, 0x38) == 0);
}

std::string item(const BootPlan& plan, uint16_t key) {
    const auto* bytes = plan.fw_cfg.find(key);
    return bytes != nullptr ? std::string(bytes->begin(), bytes->end()) : "no item";
}

TEST_CASE("flash memory with an image runs after the firmware, and gets the kernel by fw_cfg") {
    constexpr uint64_t kFlash = 0x20000000;
    const auto plan = plan_boot({.cpus = 3,
                                 .ram_size = 512 * kMiB,
                                 .firmware = file("fw", 100),
                                 .kernel = file("Image", 3, 'k'),
                                 .initrd = file("initrd", 2, 'i'),
                                 .append = "quiet",
                                 .flash = true,
                                 .fw_cfg = {file("opt/a", 1, 'a')}});
    REQUIRE(plan);
    CHECK(plan->segments.size() == 1);
    CHECK(word(plan->reset_rom, 0x18) == kRam);
    CHECK(word(plan->reset_rom, 0x38) == kFlash);
    CHECK(item(*plan, 0x00) == "QEMU");
    CHECK(item(*plan, 0x05) == std::string("\3\0", 2));
    CHECK(item(*plan, 0x03) == std::string("\0\0\0\x20\0\0\0\0", 8));
    CHECK(item(*plan, 0x08) == std::string("\3\0\0\0", 4));
    CHECK(item(*plan, 0x11) == "kkk");
    CHECK(item(*plan, 0x0b) == std::string("\2\0\0\0", 4));
    CHECK(item(*plan, 0x12) == "ii");
    CHECK(item(*plan, 0x14) == std::string("\6\0\0\0", 4));
    CHECK(item(*plan, 0x15) == std::string("quiet\0", 6));
    CHECK(item(*plan, 0x20) == "a");
    std::vector<uint8_t> tree = plan->device_tree;
    const auto arguments = device_tree_property(tree, "/chosen", "bootargs");
    CHECK(std::string(arguments.begin(), arguments.end()) == std::string("quiet\0", 6));
    CHECK(tree_wide(plan->device_tree, "linux,initrd-start") == 0);

    // Without firmware it is what runs first; the kernel is where it would be anyway.
    const auto first = plan_boot({.ram_size = 64 * kMiB, .kernel = file("Image", 100), .flash = true});
    REQUIRE(first);
    CHECK(word(first->reset_rom, 0x18) == kFlash);
    CHECK(word(first->reset_rom, 0x38) == kRam);
    CHECK(first->segments.size() == 1);
    CHECK(item(*first, 0x11) == "no item");
    CHECK(error_of({.ram_size = 64 * kMiB, .fw_cfg = {file("a", 1), file("a", 1)}}) ==
          "-fw_cfg: there are two files 'a'");
}

TEST_CASE("large memories: the device tree stays below 3 GiB, the RAM disk within 512 MiB of the kernel") {
    const auto plan = plan_boot({.ram_size = 8192 * kMiB,
                                 .firmware = file("fw", 100),
                                 .kernel = file("Image", 100),
                                 .initrd = file("initrd", 100)});
    REQUIRE(plan);
    CHECK(plan->segments[2].paddr == kRam + 514 * kMiB);
    CHECK(plan->device_tree_address == 3070 * kMiB);
}

TEST_CASE("the RAM disk keeps clear of a large kernel") {
    auto kernel = file("Image", 40 * kMiB);
    const auto plan = plan_boot({.ram_size = 64 * kMiB, .kernel = kernel, .initrd = file("initrd", 100)});
    REQUIRE(plan);
    CHECK(plan->segments[1].paddr == kRam + 40 * kMiB);
    // The header claims more than the file has: the kernel's bss.
    const uint64_t claimed = 50 * kMiB + 1;
    std::vector<uint8_t> bytes(kernel.bytes.begin(), kernel.bytes.end());
    std::memcpy(bytes.data() + 0x10, &claimed, 8);
    std::memcpy(bytes.data() + 0x38, "RSC\x05", 4);
    kernel.bytes = std::move(bytes);
    const auto roomy = plan_boot({.ram_size = 64 * kMiB, .kernel = kernel, .initrd = file("initrd", 100)});
    REQUIRE(roomy);
    CHECK(roomy->segments[1].paddr == kRam + 50 * kMiB + 4096);
}

TEST_CASE("what does not fit is an error that says so") {
    CHECK(error_of({.ram_size = 64 * kMiB, .kernel = file("Image", 65 * kMiB)}) ==
          "Image: needs memory at 0x80000000 to 0x840fffff, but RAM is at 0x80000000 to 0x83ffffff (64 MiB)");
    CHECK(error_of({.ram_size = 64 * kMiB, .kernel = file("Image", 63 * kMiB)})
              .starts_with("memory of 64 MiB has no room for"));
    CHECK(error_of({.ram_size = 64 * kMiB, .kernel = file("Image", 10), .initrd = file("rd", 40 * kMiB)})
              .starts_with("rd: needs memory at 0x82000000"));
    CHECK(error_of({.ram_size = 1 * kMiB}).starts_with("memory of 1 MiB has no room for the device tree"));
    CHECK(error_of({.ram_size = 64 * kMiB, .firmware = file("fw", 0)}) == "fw: the file is empty");
    CHECK(error_of({.ram_size = 64 * kMiB, .initrd = file("rd", 1)}) ==
          "rd: an initial RAM disk needs a kernel (-kernel)");
    CHECK(error_of({.ram_size = 64 * kMiB, .append = "x"}) ==
          "a kernel command line (-append) needs a kernel (-kernel)");
    CHECK(error_of({.ram_size = uint64_t{1} << 60}).find("more than the board can address") !=
          std::string::npos);
    CHECK(error_of({.ram_size = 64 * kMiB, .dtb = file("my.dtb", 100)})
              .starts_with("my.dtb: not a device tree"));
}

// An ELF file with one segment.
BootFile elf(const char* name, uint64_t paddr, uint64_t size) {
    std::vector<uint8_t> bytes = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    bytes.resize(120 + size, 0xee);
    const auto put = [&](size_t offset, uint64_t value, size_t width) {
        std::memcpy(bytes.data() + offset, &value, width);
    };
    std::fill(bytes.begin() + 7, bytes.begin() + 120, uint8_t{0});
    put(16, 2, 2);
    put(18, 243, 2);
    put(24, paddr, 8);
    put(32, 64, 8);
    put(54, 56, 2);
    put(56, 1, 2);
    put(64, 1, 4);
    put(72, 120, 8);
    put(88, paddr, 8);
    put(96, size, 8);
    put(104, size + 0x3000, 8);
    return {name, std::move(bytes)};
}

TEST_CASE("ELF files go where they say, and nowhere else") {
    const auto plan = plan_boot(
        {.ram_size = 64 * kMiB, .firmware = file("fw", 100), .kernel = elf("vmlinux", 0x80400000, 16)});
    REQUIRE(plan);
    CHECK(plan->segments[1].paddr == 0x80400000);
    CHECK(word(plan->reset_rom, 0x38) == 0x80400000);
    CHECK(
        error_of({.ram_size = 64 * kMiB, .firmware = file("fw", 100), .kernel = elf("vmlinux", kRam, 16)}) ==
        "vmlinux: overlaps what is loaded at 0x80000000 to 0x80000063 already");
    CHECK(error_of({.ram_size = 64 * kMiB, .kernel = elf("vmlinux", 0x1000, 16)})
              .starts_with("vmlinux: needs memory at 0x1000"));
}

TEST_CASE("bytes that are loaded besides the kernel move nothing, and harts begin where it is said") {
    const BootConfig config{.cpus = 3, .ram_size = 64 * kMiB, .firmware = file("fw", 100)};
    BootConfig loaded = config;
    loaded.loads = {{.file = file("os.bin", 100, 0x22), .address = 0x80200000},
                    {.file = elf("app", 0x80400000, 16), .address = 0x81000000, .cpu = 2},
                    {.file = elf("raw", 0x80500000, 16), .address = 0x81000000, .force_raw = true},
                    {.address = 0x80200000, .cpu = 1}};
    const auto plan = plan_boot(loaded);
    REQUIRE(plan);
    REQUIRE(plan->segments.size() == 4);
    CHECK(plan->segments[1].paddr == 0x80200000);
    CHECK(plan->segments[1].bytes == std::vector<uint8_t>(100, 0x22));
    CHECK(plan->segments[2].paddr == 0x80400000);
    CHECK(plan->segments[3].paddr == 0x81000000);
    CHECK(plan->segments[3].bytes.size() == 136);
    CHECK(plan->beginnings == std::map<uint64_t, uint64_t>{{1, 0x80200000}, {2, 0x80400000}});
    CHECK(plan->device_tree_address == plan_boot(config)->device_tree_address);
    CHECK(plan->reset_rom == plan_boot(config)->reset_rom);
    const auto error = [&](BootLoad load) {
        loaded.loads = {std::move(load)};
        return error_of(loaded);
    };
    CHECK(error({.file = file("x", 100), .address = kRam + 50})
              .starts_with("x: overlaps what is loaded at 0x80000000"));
    CHECK(error({.file = file("x", 100), .address = plan->device_tree_address - 50})
              .starts_with("x: overlaps the device tree at "));
    CHECK(error({.file = file("x", 100)}).starts_with("x: needs memory at 0x0 "));
    CHECK(error({.file = file("x", 100), .address = UINT64_MAX - 10}) != "no error");
    CHECK(error({.file = file("x", 100), .address = 0x80200000, .cpu = 3}) ==
          "x: there is no CPU 3 (0 to 2)");
}

TEST_CASE("a device tree of the user's gets the command line and the RAM disk") {
    const auto own = plan_boot({.cpus = 3, .ram_size = 64 * kMiB})->device_tree;
    const auto plan = plan_boot({.ram_size = 64 * kMiB,
                                 .kernel = file("Image", 10),
                                 .initrd = file("rd", 10),
                                 .dtb = BootFile{"my.dtb", own},
                                 .append = "quiet"});
    REQUIRE(plan);
    auto tree = plan->device_tree;
    CHECK(!device_tree_property(tree, "/cpus/cpu@2", "reg").empty());
    const auto args = device_tree_property(tree, "/chosen", "bootargs");
    CHECK(std::string(args.begin(), args.end()) == std::string("quiet\0", 6));
    CHECK(tree_wide(tree, "linux,initrd-start") == plan->segments[1].paddr);
}

struct Board {
    test::FakeControl control;
    test::FakeChar serial;
    test::FakeDisk first{1024}, second{2048};
    VirtConfig config;
    std::unique_ptr<VirtBoard> board;
    std::vector<std::unique_ptr<test::TestHart>> harts;
    std::unique_ptr<mem::Reader> reader;

    Board() {
        config.boot = {.cpus = 2,
                       .ram_size = 64 * kMiB,
                       .firmware = file("fw", 100, 0x11),
                       .kernel = elf("k", 0x80400000, 16)};
        config.serial = &serial;
        config.devices = {{.config = disk(first, "one"), .slot = {}},
                          {.config = disk(second, "two"), .slot = 2}};
    }
    static DeviceConfig disk(backend::BlockBackend& backend, const char* serial) {
        const std::array<KeyValue, 2> items = {{{"drive", "any"}, {"serial", serial}}};
        DeviceConfig made = *DeviceConfig::parse(kVirtioBlkType, items);
        made.connect(backend);
        return made;
    }
    void build() {
        auto made = VirtBoard::create(config, control);
        REQUIRE(made);
        board = std::move(*made);
        for (unsigned i = 0; i < board->cpu_count(); ++i) {
            harts.push_back(std::make_unique<test::TestHart>(board->cpu(i).hart()));
        }
        reader = std::make_unique<mem::Reader>(board->cpu(1).address_space());
    }
    ~Board() { reader.reset(); }
    uint64_t read(uint64_t paddr, unsigned size = 4) {
        uint64_t value = 0;
        CHECK(reader->device_read(paddr, size, &value) == DeviceStatus::ok);
        return value;
    }
    void write(uint64_t paddr, uint64_t value, unsigned size = 4) {
        CHECK(reader->device_write(paddr, size, value) == DeviceStatus::ok);
    }
};

TEST_CASE_METHOD(Board, "the board's memory map") {
    build();
    // The host bridge is no bus master yet.
    CHECK(board->topology().view_count() == 2);
    std::string expected =
        "FlatView #0\n"
        "  address space \"cpu-memory-0\", root \"system\"\n"
        "  address space \"cpu-memory-1\", root \"system\"\n"
        "  address space \"dma\", root \"system\"\n"
        "  0000000000001000-000000000000ffff rom riscv_virt_board.mrom\n"
        "  0000000000100000-0000000000100fff i/o riscv.sifive.test\n"
        "  0000000000101000-0000000000101fff i/o goldfish_rtc\n"
        "  0000000002000000-000000000200ffff i/o riscv.clint\n"
        "  0000000003000000-000000000300ffff i/o pci-nobody\n"
        "  000000000c000000-000000000c5fffff i/o riscv.sifive.plic\n"
        "  0000000010000000-00000000100000ff i/o serial\n";
    for (int slot = 1; slot <= 8; ++slot) {
        const std::string digit = std::to_string(slot);
        expected += "  000000001000" + digit + "000-000000001000" + digit + "fff i/o virtio-mmio\n";
    }
    expected +=
        "  0000000010100000-0000000010100017 i/o fw_cfg\n"
        "  0000000020000000-0000000021ffffff rom virt.flash0\n"
        "  0000000022000000-0000000023ffffff rom virt.flash1\n"
        "  0000000030000000-000000003fffffff i/o pcie-ecam\n"
        "  0000000040000000-000000007fffffff i/o pci-nobody @0000000040000000\n"
        "  0000000080000000-0000000083ffffff ram riscv_virt_board.ram\n"
        "  0000000400000000-00000007ffffffff i/o pci-nobody @0000000400000000\n"
        "FlatView #1\n"
        "  address space \"gpex-root\", root \"gpex-root.master\"\n"
        "  nothing\n";
    CHECK(board->topology().describe_views() == expected);
    CHECK(board->cpu(1).hart().id() == 1);
    CHECK(board->cpu(1).hart().reset_pc() == 0x1000);
}

TEST_CASE_METHOD(Board, "aclint=on: the CLINT's registers in two pieces, and SSWI") {
    config.boot.aclint = true;
    build();
    const std::string views = board->topology().describe_views();
    INFO(views);
    // What lies side by side is one range here; QEMU's info mtree shows two.
    for (const char* range :
         {"  0000000002000000-000000000200bfff i/o", "  0000000002f00000-0000000002f03fff i/o"}) {
        CHECK(views.find(range) != std::string::npos);
    }
    uint64_t value = 0;
    CHECK(reader->device_read(0x200c000, 4, &value) != DeviceStatus::ok);
    write(0x2000004, 1);
    CHECK(harts[1]->pending(riscv::Interrupt::machine_software));
    write(0x2004008, 0x123456789, 8);
    CHECK(harts[1]->mtimecmp() == 0x123456789);
    CHECK(read(0x200bff8, 8) == test::kFakeTime);
    write(0x2f00004, 1);
    CHECK(harts[1]->pending(riscv::Interrupt::supervisor_software));
    CHECK(!harts[0]->pending(riscv::Interrupt::supervisor_software));
}

TEST_CASE("the heap that semihosting tells is the largest gap between what was loaded") {
    const auto gap = [](uint64_t end, std::vector<LoadSegment> segments) {
        const auto heap = virt::largest_gap(0x80000000, end, segments);
        return std::pair(heap.base, heap.limit);
    };
    const auto at = [](uint64_t from, uint64_t size) {
        return LoadSegment{.paddr = from, .memory_size = size, .bytes = {}};
    };
    using Gap = std::pair<uint64_t, uint64_t>;
    CHECK(gap(0x80100000, {}) == Gap(0x80000000, 0x80100000));
    CHECK(gap(0x80100000, {at(0x80000000, 0x1235), at(0x800f0000, 0x8000)}) == Gap(0x80001240, 0x800f0000));
    // In any order, within each other; and what lies elsewhere takes nothing.
    CHECK(gap(0x80100000, {at(0x80080008, 8), at(0x80000000, 0x10000), at(0x80000100, 0x10),
                           at(0x1000, 0x100)}) == Gap(0x80080010, 0x80100000));
    CHECK(gap(0x80100000, {at(0x80000000, 0x100000)}) == Gap(0x80000000, 0x80000000));
    CHECK(gap(0x80100000, {at(0x20000000, 0x10), at(0x80010000, 0x10000)}) == Gap(0x80020000, 0x80100000));
}

TEST_CASE_METHOD(Board, "devices answer where they should, on the lines they should") {
    build();
    PageTarget page;
    reader->lookup(0x1000, &page);
    CHECK(page.kind == PageKind::rom);
    CHECK(read(0x1000) == 0x297);
    // Disks: the given slot, and the highest free one; the others are empty.
    for (unsigned slot = 0; slot < 8; ++slot) {
        const uint64_t base = 0x10001000 + 0x1000 * slot;
        CHECK(read(base) == 0x74726976);
        CHECK(read(base + 4) == 1);
        CHECK(read(base + 8) == (slot == 7 || slot == 2 ? 2 : 0));
    }
    CHECK(read(0x10008100) == 2);
    CHECK(read(0x10003100) == 4);
    // The serial port and the clock through the PLIC, to hart 0 in S-mode.
    write(0xc000000 + 4 * 10, 1);
    write(0xc000000 + 4 * 11, 2);
    write(0xc002080, 1 << 10 | 1 << 11);
    write(0x10000001, 1, 1);
    serial.type("x");
    CHECK(harts[0]->pending(riscv::Interrupt::supervisor_external));
    CHECK(read(0xc201004) == 10);
    write(0x101010, 1);
    write(0x101008, 1);
    CHECK(read(0xc201004) == 11);
    write(0x2000004, 1);
    CHECK(harts[1]->pending(riscv::Interrupt::machine_software));
    write(0x100000, 0x5555);
    CHECK(control.shutdowns.size() == 1);
}

TEST_CASE_METHOD(Board, "a hart begins where it is said, the others in the reset ROM") {
    config.boot.loads = {{.address = 0x80400004, .cpu = 1}};
    build();
    CHECK(board->cpu(0).hart().reset_pc() == 0x1000);
    CHECK(board->cpu(1).hart().reset_pc() == 0x80400004);
}

TEST_CASE_METHOD(Board, "a plan makes the board: buses that devices name, registers that -global chooses") {
    const std::array<KeyValue, 2> items = {{{"drive", "any"}, {"bus", "virtio-mmio-bus.0"}}};
    DeviceConfig named = *DeviceConfig::parse(kVirtioBlkType, items);
    named.connect(second);
    for (const char* legacy : {"on", "off"}) {
        const std::array<KeyValue, 1> layout = {{{"force-legacy", legacy}}};
        BoardBackends backends;
        backends.devices = {disk(first, "one"), named};
        backends.parts = {*DeviceConfig::parse(kVirtioMmioType, layout)};
        CHECK(virt::check_devices(backends.devices));
        const auto plan = virt::kMachineType.plan({.ram_size = 64 * kMiB});
        REQUIRE(plan);
        const auto made = (*plan)->build(backends, control);
        REQUIRE(made);
        reader = std::make_unique<mem::Reader>((*made)->cpu(0).address_space());
        CHECK(read(0x10001004) == (legacy == std::string("on") ? 1 : 2));
        CHECK(read(0x10001100) == 4);
        CHECK(read(0x10008100) == 2);
        CHECK(read(0x10007008) == 0);
        reader.reset();
    }
    BoardBackends twice;
    twice.devices = {named, named};
    CHECK_FALSE(virt::check_devices(twice.devices));
}

TEST_CASE_METHOD(Board, "a reset restores images and devices, and draws a new seed") {
    build();
    std::array<uint8_t, 100> firmware;
    const std::vector<uint8_t> tree = board->device_tree();
    const uint64_t tree_address = read(0x1020, 8);
    // A guest that overwrites everything; the bss of an ELF file counts, too.
    const std::vector<uint8_t> garbage(0x4000, 0x77);
    REQUIRE(reader->write(kRam, garbage) == DeviceStatus::ok);
    REQUIRE(reader->write(0x80400000, garbage) == DeviceStatus::ok);
    REQUIRE(reader->write(tree_address, garbage) == DeviceStatus::ok);
    write(0x2000000, 1);
    write(0x10000007, 9, 1);
    unsigned hooked = 0;
    board->topology().set_write_hooks(
        {nullptr, [](void* opaque, RamWrite*) { ++*static_cast<unsigned*>(opaque); }, &hooked});
    board->reset();
    CHECK(hooked >= 4);
    board->topology().set_write_hooks({});
    REQUIRE(reader->read(kRam, firmware) == DeviceStatus::ok);
    CHECK(firmware[99] == 0x11);
    CHECK(read(0x80400000) == 0xeeeeeeee);
    CHECK(read(0x80400010) == 0);
    CHECK(read(0x8040300c) == 0);
    CHECK(read(0x80403010) == 0x77777777);
    CHECK(!harts[0]->pending(riscv::Interrupt::machine_software));
    CHECK(read(0x10000007, 1) == 0);
    // The same tree, but for the seed.
    std::vector<uint8_t> now(tree.size());
    REQUIRE(reader->read(tree_address, now) == DeviceStatus::ok);
    CHECK(now == board->device_tree());
    CHECK(now != tree);
    auto before = tree;
    for (auto* blob : {&now, &before}) {
        const auto seed = device_tree_property(*blob, "/chosen", "rng-seed");
        CHECK(seed.size() == 32);
        std::ranges::fill(seed, uint8_t{0});
    }
    CHECK(now == before);
}

TEST_CASE_METHOD(Board, "with a given seed every run is the same") {
    config.rng_seed = 42;
    build();
    const auto first_tree = board->device_tree();
    reader.reset();
    harts.clear();
    build();
    CHECK(board->device_tree() == first_tree);
    config.rng_seed = 43;
    reader.reset();
    harts.clear();
    build();
    CHECK(board->device_tree() != first_tree);
}

TEST_CASE_METHOD(Board, "what the board cannot be is an error") {
    const auto error = [&] {
        const auto made = VirtBoard::create(config, control);
        return made ? std::string("no error") : made.error().message();
    };
    config.boot.cpus = 513;
    CHECK(error() == "the virt board has 1 to 512 harts, not 513");
    config.boot.cpus = 0;
    CHECK(error() == "the virt board has 1 to 512 harts, not 0");
    config.boot.cpus = 1;
    config.devices[1].slot = 8;
    CHECK(error() == "virtio slot 8 does not exist (0 to 7)");
    config.devices[0].slot = 3;
    config.devices[1].slot = 3;
    CHECK(error() == "virtio slot 3 is given to two devices");
    config.devices.assign(9, {.config = disk(first, "many"), .slot = {}});
    CHECK(error() == "more than 8 virtio devices");
    config.devices.clear();
    config.boot.ram_size += 5;
    CHECK(error().find("is not a positive multiple of 0x1000") != std::string::npos);
    config.boot.ram_size = uint64_t{1} << 54;
    CHECK(error().starts_with("riscv_virt_board.ram of "));
    config.boot.ram_size = 64 * kMiB;
    config.boot.cpus = 512;
    CHECK(error() == "no error");
}

}  // namespace
}  // namespace weft::hw
