#include <atomic>
#include <thread>

#include "tests/hw/blk_bench.h"
#include "tests/support/random.h"
#include "tests/support/wait.h"

namespace weft::hw {
namespace {

constexpr uint64_t kVersion1 = uint64_t{1} << 32;
constexpr uint64_t kEventIndex = uint64_t{1} << 29;

struct Blk : test::BlkBench {
    std::string reason;
    // Offers descriptor 0 and expects the device to give up.
    void expect_failure() {
        offer(0);
        go();
        INFO(control.errors.size());
        CHECK(needs_reset());
        REQUIRE(control.errors.size() == 1);
        reason = control.errors[0];
        CHECK((read(0x60) & 2) == 2);
        CHECK(irq());
        CHECK(used().empty());
        // Nothing more until a reset.
        go();
        CHECK(control.errors.size() == 1);
        control.errors.clear();
        start();
        CHECK(!irq());
        request(0, 0, 512);
        go();
        CHECK(result() == 0);
        CHECK(used().size() == 1);
        write(0x64, 3);
        start();
    }
};

TEST_CASE_METHOD(Blk, "registers before the driver starts") {
    CHECK(read(0) == 0x74726976);
    CHECK(read(4) == 2);
    CHECK(read(8) == 2);
    CHECK(read(0xc) == 0x554d4551);
    CHECK(read(0x34) == 256);
    write(0x30, 1);
    CHECK(read(0x34) == 0);
    CHECK(features() == (kVersion1 | kEventIndex | 1 << 28 | 1 << 14 | 1 << 13 | 1 << 11 | 1 << 10 | 1 << 9 |
                         1 << 6 | 1 << 2));
    write(0x14, 2);
    CHECK(read(0x10) == 0);
    CHECK(read(0xb0) == 0xffffffff);
    // The configuration: 64 sectors of 512 bytes, 254 segments.
    CHECK(read(0x100, 8) == 64);
    CHECK(read(0x100, 4) == 64);
    CHECK(read(0x10c, 4) == 254);
    CHECK(read(0x114, 2) == 512);
    CHECK(read(0x120, 1) == 1);
    CHECK(read(0x13c, 1) == 0);
    CHECK(read(0xff8, 8) == 0);
    CHECK(control.errors.empty());
    write(0x100, 1);
    read(0x70, 1);
    write(0x70, 1, 2);
    read(0x38);
    write(0x0, 1);
    CHECK(control.errors.size() == 5);
}

TEST_CASE_METHOD(Blk, "features that were not offered are refused") {
    write(0x70, 3);
    accept(kVersion1 | 1 << 5);
    write(0x70, 0xb);
    CHECK(read(0x70) == 3);
    accept(kVersion1);
    write(0x70, 0xb);
    CHECK(read(0x70) == 0xb);
    disk.frozen = true;
    CHECK((features() & 1 << 5) != 0);
}

TEST_CASE_METHOD(Blk, "reading, writing, flushing") {
    start(kVersion1 | 1 << 9);
    request(0, 3, 1024);
    CHECK(!irq());
    go();
    CHECK(used() == std::vector<Used>{{0, 1025}});
    CHECK(result() == 0);
    CHECK(load_bytes(kData + 0x1000, 1024) ==
          std::vector<uint8_t>(disk.data.begin() + 3 * 512, disk.data.begin() + 5 * 512));
    CHECK(read(0x60) == 1);
    CHECK(irq());
    write(0x64, 1);
    CHECK(!irq());

    const std::vector<uint8_t> fresh(1024, 0x5a);
    store_bytes(kData + 0x1000, fresh);
    request(1, 62, 1024);
    go();
    CHECK(used() == std::vector<Used>{{0, 1}});
    CHECK(result() == 0);
    CHECK(std::vector<uint8_t>(disk.data.end() - 1024, disk.data.end()) == fresh);

    request(4, 0, 0);
    go();
    CHECK(result() == 0);
    CHECK(disk.flushes == 1);

    request(8, 0, 20);
    go();
    CHECK(used().size() == 2);
    const auto serial = load_bytes(kData + 0x1000, 20);
    CHECK(std::string(serial.begin(), serial.end()) == "weft-serial-01234567");

    request(77, 0, 512);
    go();
    CHECK(result() == 2);
    CHECK(control.errors.empty());
}

TEST_CASE_METHOD(Blk, "a request may be cut into descriptors anywhere") {
    start();
    request(1, 7, 512);
    // Header in 5 + 11 bytes, the last together with the data; data in two; one chain through all of the table.
    std::vector<uint8_t> bytes = load_bytes(kData, 16);
    for (int i = 0; i < 512; ++i) {
        bytes.push_back(static_cast<uint8_t>(3 * i));
    }
    store_bytes(kData + 0x2000, bytes);
    descriptor(kDescriptors, 0, kData + 0x2000, 5, kNext, 7);
    descriptor(kDescriptors, 7, kData + 0x2005, 100, kNext, 3);
    descriptor(kDescriptors, 3, 0, 0, kNext, 5);
    descriptor(kDescriptors, 5, kData + 0x2069, 423, kNext, 2);
    go();
    CHECK(result() == 0);
    CHECK(std::equal(bytes.begin() + 16, bytes.end(), disk.data.begin() + 7 * 512));
}

TEST_CASE_METHOD(Blk, "an indirect table holds the chain") {
    start(kVersion1 | 1 << 28);
    request(0, 1, 512);
    const uint64_t table = kData + 0x4000;
    descriptor(table, 0, kData, 16, kNext, 2);
    descriptor(table, 2, kData + 0x1000, 512, kNext | kWrite, 1);
    descriptor(table, 1, kData + 0x100, 1, kWrite);
    descriptor(kDescriptors, 0, table, 48, kIndirect);
    go();
    CHECK(result() == 0);
    CHECK(load_bytes(kData + 0x1000, 512) ==
          std::vector<uint8_t>(disk.data.begin() + 512, disk.data.begin() + 1024));
}

TEST_CASE_METHOD(Blk, "requests that the disk cannot serve are answered with an error") {
    start();
    const auto error = [&](uint32_t type, uint64_t sector, uint32_t length) {
        request(type, sector, length);
        go();
        const bool answered = used().size() == 1;
        return answered && result() == 1;
    };
    CHECK(error(0, 64, 512));
    CHECK(error(0, 63, 1024));
    CHECK(error(1, UINT64_MAX, 512));
    CHECK(error(0, UINT64_MAX / 512, 512));
    CHECK(error(0, 0, 511));
    disk.broken = true;
    CHECK(error(0, 0, 512));
    CHECK(error(1, 0, 512));
    CHECK(error(4, 0, 0));
    disk.broken = false;
    disk.frozen = true;
    CHECK(error(1, 0, 512));
    CHECK(!needs_reset());
}

TEST_CASE_METHOD(Blk, "requests larger than the device's buffer") {
    disk.data.resize(1 << 20);
    for (size_t i = 0; i < disk.data.size(); ++i) {
        disk.data[i] = static_cast<uint8_t>(i >> 9 ^ i * 7);
    }
    install(std::make_unique<VirtioBlk>(disk, control, BlkSettings{}));
    start();
    request(0, 0, 1 << 20);
    go();
    CHECK(used() == std::vector<Used>{{0, (1 << 20) + 1}});
    CHECK(load_bytes(kData + 0x1000, 1 << 20) == disk.data);
    const std::vector<uint8_t> before = disk.data;
    std::ranges::fill(disk.data, uint8_t{0});
    request(1, 0, 1 << 20);
    go();
    CHECK(disk.data == before);
}

TEST_CASE_METHOD(Blk, "drivers may do without interrupts") {
    start();
    store<uint16_t>(kAvailable, 1);  // NO_INTERRUPT
    request(0, 0, 512);
    go();
    CHECK(used().size() == 1);
    CHECK(!irq());
    store<uint16_t>(kAvailable, 0);
    request(0, 0, 512);
    go();
    CHECK(irq());

    // With event indices: an interrupt when the used index passes the one asked for.
    start(kVersion1 | kEventIndex);
    const uint64_t used_event = kAvailable + 4 + 2 * size;
    const uint64_t avail_event = kUsed + 4 + 8 * size;
    store<uint16_t>(used_event, 2);
    for (int i = 1; i <= 3; ++i) {
        request(0, 0, 512);
        go();
        CHECK(irq() == (i == 3));
        CHECK(load<uint16_t>(avail_event) == i);
    }
    write(0x64, 1);
    request(0, 0, 512);
    go();
    CHECK(!irq());
    // Around the end of the index.
    for (int i = 4; i < 65536 + 2; ++i) {
        if (i == 65535) {
            store<uint16_t>(used_event, 0);
        }
        request(0, 0, 512);
        go();
        INFO(i);
        REQUIRE(irq() == (i >= 65536));
    }
}

TEST_CASE_METHOD(Blk, "a guest that breaks the rules is told to reset") {
    start();
    request(0, 0, 512);
    available_index = 0;
    store<uint16_t>(kAvailable + 2, 0);

    SECTION("a head outside the table") {
        store<uint16_t>(kAvailable + 4, 8);
        store<uint16_t>(kAvailable + 2, available_index = 1);
        go();
        CHECK(needs_reset());
        CHECK(control.errors.size() == 1);
    }
    SECTION("an index too far ahead") {
        available_index = 8;
        expect_failure();
    }
    SECTION("an index that went back") {
        available_index = 0xfffe;
        expect_failure();
    }
    SECTION("a next outside the table") {
        descriptor(kDescriptors, 0, kData, 16, kNext, 8);
        expect_failure();
    }
    SECTION("a circle") {
        descriptor(kDescriptors, 1, kData + 0x1000, 512, kNext, 0);
        expect_failure();
        CHECK(reason.find("more than 1024 descriptors or runs in a circle") != std::string::npos);
    }
    SECTION("a descriptor that is its own successor, writable") {
        descriptor(kDescriptors, 0, kData, 16, kNext | kWrite, 0);
        expect_failure();
    }
    SECTION("readable after writable") {
        descriptor(kDescriptors, 2, kData + 0x100, 1, 0);
        expect_failure();
    }
    SECTION("nothing to write the status to") {
        descriptor(kDescriptors, 0, kData, 16, 0);
        expect_failure();
    }
    SECTION("a header that is too short") {
        descriptor(kDescriptors, 0, kData, 15, kNext, 1);
        expect_failure();
    }
    SECTION("a header outside RAM") {
        descriptor(kDescriptors, 0, 0x1000, 16, kNext, 1);
        expect_failure();
    }
    SECTION("data at the device's own registers") {
        descriptor(kDescriptors, 1, 0x100, 512, kNext | kWrite, 2);
        expect_failure();
    }
    SECTION("data at the end of the address space") {
        descriptor(kDescriptors, 1, UINT64_MAX - 100, 512, kNext | kWrite, 2);
        expect_failure();
    }
    SECTION("data at the end of RAM") {
        descriptor(kDescriptors, 1, test::kGuestRam + test::kGuestRamSize - 100, 512, kNext | kWrite, 2);
        expect_failure();
    }
    SECTION("a status outside RAM") {
        descriptor(kDescriptors, 2, 0, 1, kWrite);
        expect_failure();
    }
    SECTION("a nested indirect table") {
        descriptor(kData + 0x4000, 0, kData + 0x4000, 16, kIndirect);
        descriptor(kDescriptors, 0, kData + 0x4000, 16, kIndirect);
        expect_failure();
    }
    SECTION("an indirect descriptor with a successor") {
        descriptor(kDescriptors, 0, kData + 0x4000, 16, kIndirect | kNext, 1);
        expect_failure();
    }
    SECTION("an indirect table of a wrong size") {
        descriptor(kDescriptors, 0, kData + 0x4000, 17, kIndirect);
        expect_failure();
    }
    SECTION("an empty indirect table") {
        descriptor(kDescriptors, 0, kData + 0x4000, 0, kIndirect);
        expect_failure();
    }
    SECTION("an indirect table at the end of the address space") {
        descriptor(kDescriptors, 0, UINT64_MAX - 7, 16, kIndirect);
        expect_failure();
    }
    SECTION("an indirect table that never ends") {
        const uint64_t table = kData + 0x10000;
        for (uint32_t i = 0; i < 2000; ++i) {
            descriptor(table, i, kData, 16, kNext, static_cast<uint16_t>(i + 1));
        }
        descriptor(kDescriptors, 0, table, 2000 * 16, kIndirect);
        expect_failure();
    }
}

TEST_CASE_METHOD(Blk, "queues that cannot be are refused when they are enabled") {
    for (const auto& [at, value, text] : {std::tuple{0x38u, 3u, "queue size 3 is no power of two up to 256"},
                                          {0x38u, 512u, "queue size 512 is no"},
                                          {0x38u, 0u, "queue size 0 is no"},
                                          {0x38u, 0x10008u, "queue size 0 is no"},
                                          {0x80u, 8u, "is not aligned"},
                                          {0x90u, 1u, "is not aligned"},
                                          {0xa0u, 2u, "is not aligned"},
                                          {0x84u, 0xffffffffu, "is not aligned|end of"}}) {
        write(0x70, 0);
        write(0x70, 3);
        accept(kVersion1);
        write(0x70, 0xb);
        write(0x30, 0);
        write(0x38, 8);
        write(0x80, 0xfffffff0);
        write(0x84, 0);
        write(0x90, 0x80002000);
        write(0xa0, 0x80003000);
        write(at, value);
        control.errors.clear();
        write(0x44, 1);
        INFO("register " << at << " value " << value);
        CHECK(read(0x44) == 0);
        REQUIRE(control.errors.size() == 1);
        if (at == 0x38) {
            CHECK(control.errors[0].find(text) != std::string::npos);
        }
        CHECK(needs_reset());
    }
    // Rings that are no RAM are found when they are used.
    write(0x70, 0);
    start();
    write(0x44, 0);
    write(0x94, 5);
    write(0x44, 1);
    CHECK(read(0x44) == 1);
    go();
    CHECK(needs_reset());
}

TEST_CASE_METHOD(Blk, "a used ring outside RAM") {
    start();
    write(0x44, 0);
    write(0xa0, 0x1000);
    write(0xa4, 0);
    write(0x44, 1);
    request(0, 0, 512);
    go();
    CHECK(needs_reset());
}

TEST_CASE_METHOD(Blk, "queues in use cannot be moved, others do not exist") {
    start();
    control.errors.clear();
    write(0x80, 0);
    write(0x30, 1);
    write(0x38, 8);
    write(0x44, 1);
    CHECK(read(0x44) == 0);
    notify(1);
    CHECK(control.errors.size() == 4);
    request(0, 0, 512);
    go();
    CHECK(result() == 0);
    // Features are settled.
    write(0x20, 0);
    CHECK(control.errors.size() == 5);
}

TEST_CASE_METHOD(Blk, "a reset in the middle of a request drops it") {
    start();
    request(0, 0, 512);
    disk.during_opaque = this;
    disk.during = [](void* opaque) {
        auto& self = *static_cast<Blk*>(opaque);
        self.disk.during = nullptr;
        self.write(0x70, 0);
        self.start();
    };
    go();
    CHECK(result() == 0xff);
    CHECK(used().empty());
    CHECK(!irq());
    CHECK(load<uint8_t>(kData + 0x1000) == 0);
    // What the next driver asks for meanwhile is served.
    request(0, 0, 512);
    disk.during = [](void* opaque) {
        auto& self = *static_cast<Blk*>(opaque);
        self.disk.during = nullptr;
        self.write(0x70, 0);
        self.start();
        self.request(0, 1, 512);
        self.notify();
    };
    go();
    CHECK(used() == std::vector<Used>{{0, 513}});
    CHECK(load<uint8_t>(kData + 0x1000) == disk.data[512]);
    slot->reset();
    CHECK(read(0x70) == 0);
    CHECK(control.work() == 0);
}

TEST_CASE_METHOD(
    Blk, "a queue that is disabled in the middle of a request drops it, also where it is enabled again") {
    start();
    disk.during_opaque = this;
    for (const uint32_t type : {0u, 1u, 4u}) {
        for (const bool again : {false, true}) {
            CAPTURE(type, again);
            start();
            store<uint8_t>(kData + 0x1000, 0);
            request(type, 0, type == 4 ? 0 : 512);
            disk.during = again ? +[](void* opaque) {
                auto& self = *static_cast<Blk*>(opaque);
                self.disk.during = nullptr;
                self.write(0x44, 0);
                CHECK(self.read(0x44) == 0);
                // Another queue, at the same place: of the old head it knows nothing.
                self.store<uint16_t>(kAvailable + 2, 0);
                self.store<uint16_t>(kUsed + 2, 0);
                self.set_up_queue();
            } : +[](void* opaque) {
                auto& self = *static_cast<Blk*>(opaque);
                self.disk.during = nullptr;
                self.write(0x44, 0);
            };
            go();
            CHECK(result() == 0xff);
            CHECK(load<uint16_t>(kUsed + 2) == 0);
            CHECK(load<uint8_t>(kData + 0x1000) == 0);
            CHECK(!irq());
            CHECK_FALSE(needs_reset());
            if (again) {
                available_index = 0;
                used_seen = 0;
                request(0, 1, 512);
                go();
                CHECK(used() == std::vector<Used>{{0, 513}});
                write(0x64, 1);
            }
        }
    }
}

TEST_CASE_METHOD(Blk, "indirect tables that were offered and not accepted are refused") {
    start(kVersion1);
    request(0, 1, 512);
    const uint64_t table = kData + 0x4000;
    descriptor(table, 0, kData, 16, kNext, 2);
    descriptor(table, 2, kData + 0x1000, 512, kNext | kWrite, 1);
    descriptor(table, 1, kData + 0x100, 1, kWrite);
    available_index = 0;
    descriptor(kDescriptors, 0, table, 48, kIndirect);
    expect_failure();
    CHECK(reason.find("indirect") != std::string::npos);
    // Another driver's acceptance is not this one's.
    start(kVersion1 | 1 << 28);
    write(0x70, 0);
    start(kVersion1);
    descriptor(kDescriptors, 0, table, 48, kIndirect);
    expect_failure();
}

TEST_CASE_METHOD(Blk,
                 "a driver that did not accept flushes has its writes on the disk when they are answered") {
    start(kVersion1);
    request(1, 0, 512);
    go();
    CHECK(result() == 0);
    CHECK(disk.flushes == 1);
    request(0, 0, 512);
    go();
    CHECK(disk.flushes == 1);
    disk.broken_flush = true;
    request(1, 0, 512);
    go();
    CHECK(result() == 1);
    disk.broken_flush = false;
    start(kVersion1 | 1 << 9);
    const auto before = disk.flushes;
    request(1, 0, 512);
    go();
    CHECK(result() == 0);
    CHECK(disk.flushes == before);
}

TEST_CASE_METHOD(Blk, "a driver that starts without agreed features is not served") {
    write(0x70, 0);
    write(0x70, 3);
    accept(kVersion1 | 1 << 5);
    write(0x70, 0xb);
    CHECK(read(0x70) == 3);
    set_up_queue();
    write(0x70, 7);
    CHECK(control.errors.size() == 2);
    control.errors.clear();
    request(0, 0, 512);
    go();
    CHECK(result() == 0xff);
    CHECK(!irq());
}

TEST_CASE_METHOD(Blk, "requests offered before the start are served at it") {
    start();
    write(0x70, 0);
    control.work();
    request(0, 0, 512);
    write(0x70, 3);
    accept(kVersion1);
    write(0x70, 0xb);
    set_up_queue();
    notify();
    CHECK(control.work() == 0);
    write(0x70, 0xf);
    CHECK(control.work() == 1);
    CHECK(result() == 0);
}

TEST_CASE_METHOD(Blk, "the I/O worker and the guest at once") {
    start(kVersion1 | kEventIndex);
    std::atomic<bool> stop{false};
    std::thread worker([&] {
        while (!stop.load()) {
            if (control.work() == 0) {
                std::this_thread::yield();
            }
        }
    });
    const uint64_t used_event = kAvailable + 4 + 2 * size;
    for (int round = 0; round < 2; ++round) {
        for (uint16_t i = 0; i < 1500 && !stop.load(); ++i) {
            store<uint16_t>(used_event, i);
            request(i % 3 == 0 ? 1 : 0, i % 32, 1024);
            notify();
            // The interrupt must come: nobody looks at the ring before it.
            weft::test::wait_until([&] { return read(0x60) != 0; });
            write(0x64, 1);
            if (used().size() != 1 || result() != 0) {
                stop.store(true);
            }
        }
        if (round == 0 && !stop.load()) {
            start(kVersion1 | kEventIndex);
        }
    }
    CHECK(!stop.load());
    stop.store(true);
    worker.join();
    CHECK(!needs_reset());
}

TEST_CASE_METHOD(Blk, "whatever lies in the rings, the device neither crashes nor hangs") {
    const uint64_t seed = weft::test::test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    weft::test::Random random(seed);
    unsigned failures = 0, answers = 0;
    for (int round = 0; round < 3000; ++round) {
        start(kVersion1 | (round % 2 == 0 ? kEventIndex : 0));
        request(static_cast<uint32_t>(random.below(10)), random.below(70),
                512 * static_cast<uint32_t>(random.below(4)));
        for (uint64_t n = random.below(4); n != 0; --n) {
            // Bytes of descriptors, of indices and entries, or whole flags.
            const uint64_t where = random.below(3);
            const uint64_t at = where == 0   ? kDescriptors + random.below(16 * 3)
                                : where == 1 ? kAvailable + random.below(8)
                                             : kData + random.below(16);
            store<uint8_t>(at, static_cast<uint8_t>(random.next() & random.next()));
        }
        go();
        failures += needs_reset() ? 1 : 0;
        answers += load<uint16_t>(kUsed + 2) != 0 ? 1 : 0;
    }
    // Both kinds were met.
    CHECK(failures > 100);
    CHECK(answers > 100);
}

TEST_CASE("an empty slot says so and takes no harm") {
    test::VirtioBench bench;
    bench.install(nullptr);
    CHECK(bench.read(0) == 0x74726976);
    CHECK(bench.read(4) == 2);
    CHECK(bench.read(8) == 0);
    CHECK(bench.read(0x70) == 0);
    CHECK(bench.read(0x100, 8) == 0);
    bench.write(0x70, 1);
    bench.write(0x50, 0);
    bench.write(0x100, 0);
    CHECK(bench.read(0x70) == 0);
    CHECK(bench.control.errors.empty());
}

}  // namespace
}  // namespace weft::hw
