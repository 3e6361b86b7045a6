// The legacy register layout (virtio 1.2, section 4.2.4), driven as kernels of before 2022 drive it, and drivers of the legacy
// interface behind the layout of version 2.
#include "tests/hw/blk_bench.h"
#include "tests/support/random.h"

namespace weft::hw {
namespace {

constexpr uint64_t kVersion1 = uint64_t{1} << 32;
constexpr uint64_t kEventIndex = uint64_t{1} << 29;
constexpr uint32_t kAnyLayout = 1 << 27;
constexpr uint32_t kFlush = 1 << 9;

struct Legacy : test::BlkBench {
    Legacy() : BlkBench(VirtioMmioLayout::legacy) {}
    // Sector `sector` is read, and answered.
    void expect_served(uint64_t sector) {
        store<uint8_t>(kData + 0x1000, 0);
        request(0, sector, 512);
        go();
        CHECK(result() == 0);
        CHECK(used() == std::vector<Used>{{0, 513}});
        CHECK(load_bytes(kData + 0x1000, 512) ==
              std::vector<uint8_t>(disk.data.begin() + static_cast<ptrdiff_t>(sector * 512),
                                   disk.data.begin() + static_cast<ptrdiff_t>(sector * 512 + 512)));
    }
    void clear_rings() {
        available_index = used_seen = 0;
        store_bytes(kDescriptors, std::vector<uint8_t>(0x3000));
    }
};

struct Modern : Legacy {
    Modern() {
        layout = VirtioMmioLayout::modern;
        install(std::make_unique<VirtioBlk>(disk, control, BlkSettings{}));
    }
};

TEST_CASE_METHOD(Legacy, "registers of the legacy layout") {
    CHECK(read(0) == 0x74726976);
    CHECK(read(4) == 1);
    CHECK(read(8) == 2);
    CHECK(read(0xc) == 0x554d4551);
    CHECK(read(0x34) == 256);
    CHECK(read(0x40) == 0);
    write(0x30, 1);
    CHECK(read(0x34) == 0);
    CHECK(read(0x40) == 0);
    // 32 feature bits: without VERSION_1, with descriptors cut anywhere.
    CHECK(features() == (kEventIndex | 1 << 28 | kAnyLayout | 1 << 14 | 1 << 13 | 1 << 11 | 1 << 10 | kFlush |
                         1 << 6 | 1 << 2));
    CHECK(read(0x100, 8) == 64);
    CHECK(read(0x10c, 4) == 254);
    CHECK(control.errors.empty());
    // Registers of version 2 are none here.
    for (const uint32_t offset : {0x44u, 0xb0u, 0xfcu, 0x28u}) {
        CHECK(read(offset) == 0);
    }
    CHECK(control.errors.size() == 4);
    write(0x30, 0);
    write(0x44, 1);
    write(0x80, 0x1000);
    CHECK(control.errors.size() == 6);
    write(0x30, 1);
    write(0x40, 5);
    CHECK(control.errors.size() == 7);
    CHECK(control.errors.back().find("queue 1, which does not exist") != std::string::npos);
}

TEST_CASE_METHOD(Legacy, "reading, writing, flushing with a ring in one piece") {
    start(kFlush);
    CHECK(read(0x40) == kDescriptors / 4096);
    expect_served(3);
    CHECK(read(0x60) == 1);
    CHECK(irq());
    write(0x64, 1);
    CHECK(!irq());
    const std::vector<uint8_t> fresh(1024, 0x5a);
    store_bytes(kData + 0x1000, fresh);
    request(1, 62, 1024);
    go();
    CHECK(used() == std::vector<Used>{{0, 1}});
    CHECK(std::vector<uint8_t>(disk.data.end() - 1024, disk.data.end()) == fresh);
    CHECK(disk.flushes == 0);
    request(4, 0, 0);
    go();
    CHECK(result() == 0);
    CHECK(disk.flushes == 1);
    request(8, 0, 20);
    go();
    const auto serial = load_bytes(kData + 0x1000, 20);
    CHECK(std::string(serial.begin(), serial.end()) == "weft-serial-01234567");
    CHECK(control.errors.empty());
}

TEST_CASE_METHOD(Legacy, "a small queue, its used ring at the next page: older xv6") {
    // Sets DRIVER_OK before the queue, no alignment, and takes what is offered but a few bits.
    size = 8;
    write(0x70, 1);
    write(0x70, 3);
    const auto offered = static_cast<uint32_t>(read(0x10));
    write(0x20, offered & ~uint32_t{1 << 5 | 1 << 7 | 1 << 11 | 1 << 12 | kAnyLayout | 1 << 28 | 1 << 29});
    write(0x70, 0xb);
    CHECK(read(0x70) == 0xb);
    write(0x70, 0xf);
    write(0x28, 4096);
    write(0x30, 0);
    REQUIRE(read(0x34) >= 8);
    write(0x38, 8);
    write(0x40, kDescriptors >> 12);
    // The available ring follows the descriptors, the used ring begins at the next page.
    request(0, 5, 512);
    const uint64_t available = kDescriptors + 16 * 8;
    store<uint16_t>(available + 4, 0);
    store<uint16_t>(available + 2, 1);
    go();
    CHECK(result() == 0);
    CHECK(load<uint16_t>(kDescriptors + 0x1000 + 2) == 1);
    CHECK(load<uint32_t>(kDescriptors + 0x1000 + 8) == 513);
    CHECK(load<uint8_t>(kData + 0x1000) == disk.data[5 * 512]);
    CHECK(irq());
    CHECK(control.errors.empty());
}

TEST_CASE_METHOD(Legacy, "the size of pages outlives the driver's reset, not the machine's: Linux") {
    write(0x28, 4096);
    write(0x70, 0);
    clear_rings();
    write(0x70, 1);
    write(0x70, 3);
    accept(kFlush | kEventIndex);
    write(0x30, 0);
    CHECK(read(0x40) == 0);
    write(0x38, 256);
    write(0x3c, 4096);
    write(0x40, kDescriptors / 4096);
    write(0x70, 7);
    store<uint16_t>(kAvailable + 4 + 2 * size, 0);
    expect_served(1);
    CHECK(irq());
    // Its number of pages is one of bytes after the machine's reset.
    slot->reset();
    CHECK(read(0x40) == 0);
    clear_rings();
    write(0x70, 3);
    write(0x38, 256);
    write(0x40, kDescriptors);
    write(0x70, 7);
    expect_served(2);
    CHECK(control.errors.empty());
}

TEST_CASE_METHOD(Legacy, "no page size, an alignment of 0, no features: teaching kernels") {
    write(0x70, 0);
    for (const uint32_t bit : {1, 2, 8}) {
        write(0x70, static_cast<uint32_t>(read(0x70)) | bit);
    }
    write(0x30, 0);
    write(0x38, 256);
    write(0x3c, 0);
    write(0x40, kDescriptors);
    CHECK(read(0x40) == kDescriptors);
    write(0x70, 4);
    expect_served(9);
    CHECK(control.errors.empty());
    write(0x3c, 3);
    CHECK(control.errors.size() == 1);
}

TEST_CASE_METHOD(Legacy, "size and alignment may follow the page") {
    size = 8;
    write(0x70, 3);
    write(0x28, 4096);
    write(0x40, kDescriptors / 4096);
    write(0x3c, 64);
    write(0x38, 8);
    write(0x70, 7);
    request(0, 0, 512);
    store<uint16_t>(kDescriptors + 128 + 2, 1);
    go();
    // 128 bytes of descriptors and 22 of the available ring, to the next multiple of 64.
    CHECK(load<uint16_t>(kDescriptors + 192 + 2) == 1);
    CHECK(result() == 0);
}

TEST_CASE_METHOD(Legacy, "a notification starts the device where the driver forgot to") {
    write(0x70, 3);
    set_up_queue();
    request(0, 0, 512);
    CHECK(control.work() == 0);
    go();
    CHECK(result() == 0);
    CHECK(irq());
    write(0x70, 0);
    CHECK(!irq());
    clear_rings();
    request(0, 0, 512);
    go();
    CHECK(result() == 0xff);
}

TEST_CASE_METHOD(Legacy, "event indices with a ring in one piece") {
    start(kEventIndex);
    store<uint16_t>(kAvailable + 4 + 2 * size, 2);
    for (int i = 1; i <= 3; ++i) {
        request(0, 0, 512);
        go();
        CHECK(irq() == (i == 3));
        CHECK(load<uint16_t>(kUsed + 4 + 8 * size) == i);
    }
}

TEST_CASE_METHOD(Legacy, "features that were not offered do not count, the upper half is not there") {
    write(0x70, 3);
    write(0x24, 1);
    write(0x20, 1);  // VERSION_1
    write(0x24, 0);
    write(0x20, kFlush | 1 << 5 | 1 << 30);
    write(0x70, 0xb);
    CHECK(read(0x70) == 0xb);
    CHECK(control.errors.size() == 1);
    set_up_queue();
    write(0x70, 0xf);
    expect_served(0);
    // FLUSH counts: a write leaves the disk's cache alone.
    request(1, 0, 512);
    go();
    CHECK(disk.flushes == 0);
}

TEST_CASE_METHOD(Legacy, "page 0 stops the queue, another page moves it") {
    start();
    write(0x40, 0);
    CHECK(read(0x40) == 0);
    request(0, 0, 512);
    go();
    CHECK(result() == 0xff);
    CHECK(read(0x70) == 0xf);
    CHECK(!needs_reset());
    clear_rings();
    set_up_queue();
    expect_served(0);
    disk.during_opaque = this;
    disk.during = [](void* opaque) {
        auto& self = *static_cast<Legacy*>(opaque);
        self.disk.during = nullptr;
        self.write(0x40, 0);
    };
    request(0, 1, 512);
    go();
    CHECK(result() == 0xff);
    CHECK(used().empty());
}

TEST_CASE_METHOD(Legacy, "queues that cannot be are refused") {
    for (const auto& [number, page_size, page] :
         {std::tuple{3u, 4096u, 0x80001u}, {512u, 4096u, 0x80001u}, {0u, 4096u, 0x80001u}, {256u, 4u, 3u}}) {
        write(0x70, 0);
        control.errors.clear();
        write(0x28, page_size);
        write(0x38, number);
        write(0x40, page);
        CAPTURE(number, page_size, page);
        CHECK(control.errors.size() == 1);
        CHECK(read(0x40) == 0);
        CHECK(needs_reset());
    }
    // The largest page number and size stay below the end of the address space, and are no RAM.
    write(0x70, 0);
    write(0x28, 0x80000000);
    write(0x38, 256);
    write(0x3c, 0x80000000);
    write(0x40, 0xffffffff);
    CHECK(read(0x40) == 0xffffffff);
    write(0x70, 7);
    go();
    CHECK(needs_reset());
    // What the driver does next is served.
    start();
    expect_served(0);
}

TEST_CASE_METHOD(Legacy, "whatever lies in a ring in one piece, the device neither crashes nor hangs") {
    const uint64_t seed = weft::test::test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    weft::test::Random random(seed);
    unsigned failures = 0, answers = 0;
    for (int round = 0; round < 2000; ++round) {
        start(round % 2 == 0 ? kEventIndex : 0);
        request(static_cast<uint32_t>(random.below(10)), random.below(70),
                512 * static_cast<uint32_t>(random.below(4)));
        for (uint64_t n = random.below(4); n != 0; --n) {
            const uint64_t where = random.below(3);
            const uint64_t at = where == 0   ? kDescriptors + random.below(16 * 3)
                                : where == 1 ? kAvailable + random.below(8)
                                             : kData + random.below(16);
            store<uint8_t>(at, static_cast<uint8_t>(random.next() & random.next()));
        }
        if (random.below(8) == 0) {
            const std::array<uint32_t, 4> registers = {0x28, 0x38, 0x3c, 0x40};
            write(registers[random.below(4)], static_cast<uint32_t>(random.next() & random.next()));
        }
        go();
        failures += needs_reset() ? 1 : 0;
        answers += load<uint16_t>(kUsed + 2) != 0 ? 1 : 0;
    }
    CHECK(failures > 100);
    CHECK(answers > 100);
}

TEST_CASE_METHOD(Modern, "version 2 serves a driver that agrees on features without VERSION_1: xv6") {
    CHECK(read(4) == 2);
    write(0x70, 0);
    write(0x70, 1);
    write(0x70, 3);
    const auto offered = static_cast<uint32_t>(read(0x10));
    write(0x20, offered & ~uint32_t{1 << 5 | 1 << 7 | 1 << 11 | 1 << 12 | kAnyLayout | 1 << 28 | 1 << 29});
    write(0x70, 0xb);
    REQUIRE((read(0x70) & 8) != 0);
    write(0x30, 0);
    REQUIRE(read(0x44) == 0);
    set_up_queue();
    write(0x70, 0xf);
    expect_served(7);
    CHECK(read(0x60) == 1);
    write(0x64, read(0x60) & 3);
    CHECK(!irq());
    CHECK(control.errors.empty());
    // FLUSH was among what it took.
    request(1, 0, 512);
    go();
    CHECK(disk.flushes == 0);
}

TEST_CASE_METHOD(Modern, "version 2 serves a driver that never speaks of features") {
    write(0x70, 3);
    set_up_queue();
    write(0x70, 7);
    expect_served(7);
    write(0x70, 0);
    clear_rings();
    write(0x70, 3);
    accept(1 << 9 | 1 << 5);
    write(0x70, 0xb);
    CHECK(read(0x70) == 0xb);
    CHECK(control.errors.size() == 1);
    // One that does must be understood.
    write(0x70, 0);
    write(0x70, 3);
    accept(kVersion1 | 1 << 5);
    write(0x70, 0xb);
    CHECK(read(0x70) == 3);
}

// A device that offers bits 3 and 35, and tells what was agreed on when it is notified.
struct Listener : VirtioDevice {
    VirtioTransport* transport = nullptr;
    uint64_t agreed = 0;
    uint32_t id() const override { return 5; }
    uint64_t features() const override { return uint64_t{1} << 35 | 1 << 3; }
    unsigned queue_count() const override { return 1; }
    uint16_t queue_size() const override { return 256; }
    uint64_t config_read(uint64_t, unsigned) override { return 0; }
    void config_write(uint64_t, unsigned, uint64_t) override {}
    void attach(VirtioTransport& to) override { transport = &to; }
    void notify(unsigned) override { agreed = transport->negotiated(); }
};

TEST_CASE("what a device hears of features is what it offered and the driver took") {
    for (const VirtioMmioLayout layout : {VirtioMmioLayout::legacy, VirtioMmioLayout::modern}) {
        test::VirtioBench bench;
        bench.layout = layout;
        bench.size = 256;
        auto made = std::make_unique<Listener>();
        Listener& device = *made;
        bench.install(std::move(made));
        const bool legacy = layout == VirtioMmioLayout::legacy;
        CHECK((bench.features() >> 35 & 1) == (legacy ? 0 : 1));
        bench.start(uint64_t{1} << 35 | 1 << 3 | 1 << 5);
        bench.notify();
        CHECK(device.agreed == (legacy ? 1 << 3 : uint64_t{1} << 35 | 1 << 3));
    }
}

TEST_CASE("an empty slot of the legacy layout says so") {
    test::VirtioBench bench;
    bench.layout = VirtioMmioLayout::legacy;
    bench.install(nullptr);
    CHECK(bench.read(0) == 0x74726976);
    CHECK(bench.read(4) == 1);
    CHECK(bench.read(8) == 0);
    CHECK(bench.read(0xc) == 0x554d4551);
    for (const uint32_t offset : {0x28u, 0x30u, 0x38u, 0x3cu, 0x40u, 0x50u, 0x70u, 0x100u}) {
        bench.write(offset, 1);
        CHECK(bench.read(offset) == 0);
    }
    CHECK(bench.control.errors.empty());
}

}  // namespace
}  // namespace weft::hw
