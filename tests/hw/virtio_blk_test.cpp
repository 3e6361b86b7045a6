// The virtio disk: its configuration, discarding and zeros, the write cache, several queues and several requests at a time. What it has in
// common with other virtio devices is in virtio_test.cpp.
#include <algorithm>

#include "tests/hw/blk_bench.h"

namespace weft::hw::test {
namespace {

constexpr uint64_t kVersion1 = uint64_t{1} << 32;

// virtio 1.2, 5.2.6, written down again.
constexpr uint32_t kIn = 0, kOut = 1, kFlush = 4, kDiscard = 11, kWriteZeroes = 13;
constexpr unsigned kOk = 0, kIoError = 1, kUnsupported = 2;

class Disk : public BlkBench {
  public:
    using Cleared = FakeDisk::Cleared;

    template <class T>
    uint64_t config(unsigned at) {
        return read(0x100 + at, sizeof(T));
    }

    // A request of several descriptors, whose places are those of `which`.
    void place(unsigned which, uint32_t type, uint64_t sector, uint32_t bytes) {
        const uint64_t header = kData + 0x40 * which;
        store<uint32_t>(header, type);
        store<uint32_t>(header + 4, 0);
        store<uint64_t>(header + 8, sector);
        store<uint8_t>(header + 0x20, 0xff);
        const auto first = static_cast<uint16_t>(which * 3);
        descriptor(kDescriptors, first, header, 16, kNext, static_cast<uint16_t>(first + 1));
        descriptor(kDescriptors, first + 1, data_of(which), bytes,
                   static_cast<uint16_t>(kNext | (type == kIn ? kWrite : 0)),
                   static_cast<uint16_t>(first + 2));
        descriptor(kDescriptors, first + 2, header + 0x20, 1, kWrite);
        offer(first);
    }
    static uint64_t data_of(unsigned which) { return kData + 0x1000 * (which + 1); }
    unsigned status(unsigned which) { return load<uint8_t>(kData + 0x40 * which + 0x20); }

    struct Range {
        uint64_t sector;
        uint32_t sectors;
        uint32_t flags = 0;
    };
    unsigned clear(uint32_t type, std::initializer_list<Range> ranges, uint32_t more_bytes = 0) {
        uint64_t at = kData + 0x1000;
        for (const Range& range : ranges) {
            store<uint64_t>(at, range.sector);
            store<uint32_t>(at + 8, range.sectors);
            store<uint32_t>(at + 12, range.flags);
            at += 16;
        }
        place(0, type, 0, static_cast<uint32_t>(16 * ranges.size()) + more_bytes);
        go();
        CHECK(used().size() == 1);
        return status(0);
    }
};

TEST_CASE_METHOD(Disk, "what the configuration says is where 5.2.4 puts it") {
    install_with({.queues = 3,
                  .queue_size = 128,
                  .logical_block_size = 4096,
                  .physical_block_size = 16384,
                  .min_io_size = 8192,
                  .opt_io_size = 1 << 20});
    CHECK(features() == (kVersion1 | 1 << 2 | 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 |
                         1 << 14 | 1 << 28 | 1 << 29));
    CHECK(config<uint32_t>(0) == 64);
    CHECK(config<uint32_t>(12) == 126);
    CHECK(config<uint32_t>(20) == 4096);
    CHECK(config<uint8_t>(24) == 2);
    CHECK(config<uint8_t>(25) == 0);
    CHECK(config<uint16_t>(26) == 2);
    CHECK(config<uint32_t>(28) == 256);
    CHECK(config<uint8_t>(32) == 1);
    CHECK(config<uint16_t>(34) == 3);
    CHECK(config<uint32_t>(36) == (1 << 23) - 2048);
    CHECK(config<uint32_t>(40) == 16);
    CHECK(config<uint32_t>(44) == 8);
    CHECK(config<uint32_t>(48) == (1 << 23) - 2048);
    CHECK(config<uint32_t>(52) == 16);
    CHECK(config<uint8_t>(56) == 1);
    CHECK(config<uint32_t>(60) == 0);
    CHECK(read(0x34) == 128);
    for (const unsigned queue : {0u, 2u, 3u}) {
        write(0x30, queue);
        CHECK(read(0x34) == (queue < 3 ? 128 : 0));
    }
    // A disk that ends within a block.
    disk.data.resize(63 * 512);
    install_with({.logical_block_size = 4096});
    CHECK(config<uint32_t>(0) == 56);
    disk.frozen = true;
    install_with({.config_wce = false});
    CHECK(features() == (kVersion1 | 1 << 2 | 1 << 5 | 1 << 6 | 1 << 9 | 1 << 10 | 1 << 28 | 1 << 29));
}

TEST_CASE_METHOD(Disk, "ranges are discarded and zeroed as the driver asks") {
    start(kVersion1 | 1 << 13 | 1 << 14);
    CHECK(clear(kDiscard, {{3, 2}, {10, 1}}) == kOk);
    CHECK(clear(kWriteZeroes, {{1, 1, 0}, {2, 4, 1}}) == kOk);
    CHECK(clear(kDiscard, {{64, 0}}) == kOk);
    CHECK(disk.cleared == std::vector<Cleared>{{3 * 512, 1024, Cleared::discarded},
                                               {10 * 512, 512, Cleared::discarded},
                                               {512, 512, Cleared::zeroed},
                                               {1024, 2048, Cleared::unmapped}});
    CHECK(std::ranges::count(std::span(disk.data).subspan(512, 5 * 512), uint8_t{0}) == 5 * 512);
    // Zeros are a write, and this driver knows of no cache.
    CHECK(disk.flushes == 1);
}

TEST_CASE_METHOD(Disk, "ranges that cannot be are refused, and nothing is done") {
    start(kVersion1 | 1 << 13 | 1 << 14);
    const std::vector<uint8_t> before = disk.data;
    CHECK(clear(kDiscard, {{0, 1, 1}}) == kUnsupported);
    CHECK(clear(kDiscard, {{0, 1, 2}}) == kUnsupported);
    CHECK(clear(kWriteZeroes, {{0, 1, 2}}) == kUnsupported);
    CHECK(clear(kWriteZeroes, {{0, 1}, {0, 1, 0x80000000}}) == kUnsupported);
    CHECK(clear(kDiscard, {{64, 1}}) == kIoError);
    CHECK(clear(kDiscard, {{0, 1}, {63, 2}}) == kIoError);
    CHECK(clear(kWriteZeroes, {{~uint64_t{0}, 2}}) == kIoError);
    CHECK(clear(kWriteZeroes, {{0, ~uint32_t{0}}}) == kIoError);
    CHECK(clear(kDiscard, {}, 8) == kIoError);
    CHECK(clear(kDiscard, {{0, 1}}, 8) == kIoError);
    CHECK(clear(kDiscard, {{0, 1}}, 16 * 16) == kIoError);
    CHECK(disk.cleared.empty());
    CHECK(disk.data == before);
    disk.broken = true;
    CHECK(clear(kDiscard, {{0, 1}}) == kIoError);
    disk.broken = false;
    disk.frozen = true;
    CHECK(clear(kWriteZeroes, {{0, 1}}) == kIoError);
    disk.frozen = false;
    install_with({.discard = false, .write_zeroes = false});
    CHECK((features() & (1 << 13 | 1 << 14)) == 0);
    start();
    disk.cleared.clear();
    CHECK(clear(kDiscard, {{0, 1}}) == kUnsupported);
    CHECK(clear(kWriteZeroes, {{0, 1}}) == kUnsupported);
    CHECK(disk.cleared.empty());
    CHECK_FALSE(needs_reset());
}

TEST_CASE_METHOD(Disk, "ranges outside RAM break the rules") {
    start(kVersion1 | 1 << 13);
    place(0, kDiscard, 0, 16);
    descriptor(kDescriptors, 1, 0x1000, 16, kNext, 2);
    go();
    CHECK(needs_reset());
    CHECK(disk.cleared.empty());
}

TEST_CASE_METHOD(Disk, "the write cache is the driver's to switch, where it agreed to") {
    start(kVersion1 | 1 << 9 | 1 << 11);
    CHECK(config<uint8_t>(32) == 1);
    request(kOut, 0, 512);
    go();
    CHECK(disk.flushes == 0);
    write(0x120, 0, 1);
    CHECK(config<uint8_t>(32) == 0);
    request(kOut, 0, 512);
    go();
    CHECK(disk.flushes == 1);
    CHECK(control.errors.empty());
    write(0x120, 2, 1);
    write(0x120, 1, 2);
    write(0x121, 1, 1);
    CHECK(control.errors.size() == 3);
    CHECK(config<uint8_t>(32) == 0);
    // The next driver finds what the first one found.
    start(kVersion1 | 1 << 9);
    CHECK(config<uint8_t>(32) == 1);
    write(0x120, 0, 1);
    CHECK(control.errors.size() == 4);
    CHECK(config<uint8_t>(32) == 1);
    install_with({.write_cache = false});
    start(kVersion1 | 1 << 9 | 1 << 11);
    CHECK(config<uint8_t>(32) == 0);
    request(kOut, 0, 512);
    go();
    CHECK(disk.flushes == 2);
}

TEST_CASE_METHOD(Disk, "each queue has its own requests and answers") {
    install_with({.queues = 2});
    start(kVersion1 | 1 << 12);
    // The second one lies 256 KiB further on.
    constexpr uint64_t kSecond = 256 << 10;
    write(0x30, 1);
    write(0x38, size);
    for (const auto& [at, value] : {std::pair{0x80u, kDescriptors}, {0x90u, kAvailable}, {0xa0u, kUsed}}) {
        write(at, (value + kSecond) & 0xffffffff);
        write(at + 4, value >> 32);
    }
    write(0x44, 1);
    request(kIn, 0, 512);
    const uint64_t header = kData + kSecond;
    store<uint32_t>(header, kIn);
    store<uint64_t>(header + 8, 5);
    store<uint8_t>(header + 0x100, 0xff);
    descriptor(kDescriptors + kSecond, 0, header, 16, kNext, 1);
    descriptor(kDescriptors + kSecond, 1, header + 0x1000, 512, kNext | kWrite, 2);
    descriptor(kDescriptors + kSecond, 2, header + 0x100, 1, kWrite);
    store<uint16_t>(kAvailable + kSecond + 4, 0);
    store<uint16_t>(kAvailable + kSecond + 2, 1);
    notify(1);
    control.work();
    CHECK(load<uint16_t>(kUsed + kSecond + 2) == 1);
    CHECK(load<uint32_t>(kUsed + kSecond + 8) == 513);
    CHECK(load<uint8_t>(header + 0x100) == kOk);
    CHECK(load_bytes(header + 0x1000, 512) ==
          std::vector<uint8_t>(disk.data.begin() + 5 * 512, disk.data.begin() + 6 * 512));
    CHECK(used() == std::vector<Used>{{0, 513}});
    CHECK(result() == kOk);
    CHECK(irq());
    CHECK_FALSE(needs_reset());
}

TEST_CASE_METHOD(Disk,
                 "a request alone is done at once where the image can, and by the I/O threads where not") {
    control.threads = 4;
    disk.at_once = true;
    start(kVersion1 | 1 << 9);
    for (const uint32_t type : {kIn, kOut}) {
        place(0, type, 3, 512);
        notify();
        CHECK(used() == std::vector<Used>{{0, type == kIn ? 513u : 1u}});
        CHECK(status(0) == kOk);
        CHECK(irq());
        write(0x64, 1);
    }
    CHECK(control.work() == 0);
    // Two at a time, a flush, and a range that is not there are left to a thread.
    for (const int what : {0, 1, 2}) {
        CAPTURE(what);
        place(0, what == 1 ? kFlush : kIn, what == 2 ? 64 : 0, 512);
        if (what == 0) {
            place(1, kIn, 1, 512);
        }
        notify();
        CHECK(used().empty());
        CHECK(control.work() == 1);
        CHECK(used().size() == (what == 0 ? 2 : 1));
        CHECK(status(0) == (what == 2 ? kIoError : kOk));
    }
    disk.at_once = false;
    place(0, kIn, 1, 512);
    notify();
    CHECK(used().empty());
    control.work();
    CHECK(used().size() == 1);
    CHECK(status(0) == kOk);
    // Without a write cache a write has to be on the disk first.
    disk.at_once = true;
    start(kVersion1);
    place(0, kOut, 1, 512);
    notify();
    CHECK(used().empty());
    const int flushes = disk.flushes;
    control.work();
    CHECK(used().size() == 1);
    CHECK(disk.flushes == flushes + 1);
}

TEST_CASE_METHOD(Disk, "with the accelerator's time nothing depends on what the host has at hand") {
    control.threads = 1;
    disk.at_once = true;
    start(kVersion1 | 1 << 9);
    place(0, kIn, 3, 512);
    notify();
    CHECK(used().empty());
    CHECK(control.work() == 1);
    CHECK(used().size() == 1);
}

TEST_CASE_METHOD(Disk, "while a request waits for the disk others are done") {
    control.threads = 4;
    start(kVersion1 | 1 << 9);
    place(0, kIn, 0, 512);
    place(1, kIn, 1, 512);
    disk.during_opaque = this;
    static int second = 0;
    second = -1;
    disk.during = [](void* opaque) {
        auto& self = *static_cast<Disk*>(opaque);
        self.disk.during = nullptr;
        self.control.work();
        second = static_cast<int>(self.status(1));
        CHECK(self.status(0) == 0xff);
        CHECK(self.used() == std::vector<Used>{{3, 513}});
    };
    go();
    CHECK(second == kOk);
    CHECK(status(0) == kOk);
    CHECK(used() == std::vector<Used>{{0, 513}});
    // One that comes in the middle.
    place(0, kIn, 0, 512);
    disk.during = [](void* opaque) {
        auto& self = *static_cast<Disk*>(opaque);
        self.disk.during = nullptr;
        self.place(1, kIn, 1, 512);
        self.notify();
        self.control.work();
        CHECK(self.used() == std::vector<Used>{{3, 513}});
    };
    go();
    CHECK(used() == std::vector<Used>{{0, 513}});
    CHECK(control.work() == 0);
}

TEST_CASE_METHOD(Disk,
                 "nothing of the next driver's is begun before the last write of the one before has ended") {
    control.threads = 4;
    for (const bool queue_alone : {false, true}) {
        CAPTURE(queue_alone);
        start(kVersion1 | 1 << 9);
        store_bytes(data_of(0), std::vector<uint8_t>(512, 0x11));
        place(0, kOut, 7, 512);
        disk.during_opaque = this;
        static bool alone = false;
        alone = queue_alone;
        disk.during = [](void* opaque) {
            auto& self = *static_cast<Disk*>(opaque);
            self.disk.during = nullptr;
            if (alone) {
                self.write(0x44, 0);
                self.store<uint16_t>(kAvailable + 2, 0);
                self.store<uint16_t>(kUsed + 2, 0);
                self.available_index = 0;
                self.used_seen = 0;
                self.set_up_queue();
            } else {
                self.write(0x70, 0);
                self.start(kVersion1 | 1 << 9);
            }
            self.store_bytes(data_of(1), std::vector<uint8_t>(512, 0x22));
            self.place(1, kOut, 7, 512);
            self.notify();
            self.control.work();
            CHECK(self.used().empty());
        };
        go();
        CHECK(used() == std::vector<Used>{{3, 1}});
        CHECK(disk.data[7 * 512] == 0x22);
        CHECK(control.work() == 0);
    }
}

}  // namespace
}  // namespace weft::hw::test
