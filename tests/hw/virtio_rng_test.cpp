// The entropy device, driven as a guest does it (virtio 1.2, section 5.4).
#include "emulator/hw/virtio/rng.h"

#include <functional>

#include "tests/hw/virtio_driver.h"

namespace weft::hw {
namespace {

// Gives 0, 1, 2 and so on, up to `stock` bytes.
struct Source : backend::RngBackend {
    size_t stock = 1 << 20;
    bool broken = false;
    std::function<void()> during;
    uint8_t next = 0;
    int asked = 0;
    Result<size_t> fill(std::span<uint8_t> data) override {
        ++asked;
        if (during) {
            during();
        }
        if (broken) {
            return fail("the source is dry");
        }
        const size_t count = std::min(stock, data.size());
        for (size_t i = 0; i < count; ++i) {
            data[i] = next++;
        }
        stock -= count;
        return count;
    }
};

struct Rng : test::VirtioBench {
    Source source;
    Rng() { install(std::make_unique<VirtioRng>(&source, control)); }

    // One descriptor with room for `count` bytes at kData.
    void request(uint32_t count) {
        descriptor(kDescriptors, 0, kData, count, kWrite);
        offer(0);
        notify();
    }
    std::vector<uint8_t> counting(size_t first, size_t count) {
        std::vector<uint8_t> bytes(count);
        for (size_t i = 0; i < count; ++i) {
            bytes[i] = static_cast<uint8_t>(first + i);
        }
        return bytes;
    }
};

TEST_CASE_METHOD(Rng, "an entropy device has a queue, no features and no configuration") {
    CHECK(read(8) == 4);
    CHECK(read(0x34) == 8);
    write(0x30, 1);
    CHECK(read(0x34) == 0);
    CHECK(features() == (uint64_t{1} << 32 | 1 << 29 | 1 << 28));
    CHECK(read(0x100) == 0);
    CHECK(control.errors.empty());
    write(0x100, 1);
    CHECK(control.errors.size() == 1);
}

TEST_CASE_METHOD(Rng, "chains are filled with what the source gives") {
    start();
    request(64);
    CHECK(used().empty());
    control.work();
    CHECK(used() == std::vector<Used>{{0, 64}});
    CHECK(load_bytes(kData, 64) == counting(0, 64));
    CHECK(irq());

    // In pieces, and two chains at once.
    descriptor(kDescriptors, 1, kData, 3, kWrite | kNext, 4);
    descriptor(kDescriptors, 4, kData + 0x100, 5, kWrite);
    descriptor(kDescriptors, 2, kData + 0x200, 1, kWrite);
    offer(1);
    offer(2);
    notify();
    control.work();
    CHECK(used() == std::vector<Used>{{1, 8}, {2, 1}});
    CHECK(load_bytes(kData, 3) == counting(64, 3));
    CHECK(load_bytes(kData + 0x100, 5) == counting(67, 5));
    CHECK(load_bytes(kData + 0x200, 1) == counting(72, 1));
}

TEST_CASE_METHOD(Rng, "a driver that always asks for more leaves the worker to others in between") {
    start();
    int asks = 0;
    source.during = [&] {
        if (++asks < 300) {
            offer(0);
        }
    };
    request(1);
    CHECK(control.work() >= 4);
    CHECK(source.asked == 300);
}

TEST_CASE_METHOD(Rng, "a chain with much room gets a part") {
    start();
    request(1 << 20);
    control.work();
    CHECK(used() == std::vector<Used>{{0, VirtioRng::kMaxBytes}});
    source.stock = 10;
    request(64);
    control.work();
    CHECK(used() == std::vector<Used>{{0, 10}});
}

TEST_CASE_METHOD(Rng, "where there are no bytes now the device asks again") {
    start();
    source.stock = 0;
    request(16);
    control.work();
    CHECK(used().empty());
    CHECK(control.timer_count() == 1);
    // Another notification does not ask before its time.
    notify();
    CHECK(control.work() == 0);
    control.advance(VirtioRng::kRetryNs);
    CHECK(control.work() == 1);
    CHECK(used().empty());
    source.stock = 100;
    control.advance(VirtioRng::kRetryNs);
    control.work();
    CHECK(used() == std::vector<Used>{{0, 16}});
    CHECK(control.timer_count() == 0);
    CHECK(control.errors.empty());
}

TEST_CASE_METHOD(Rng, "a driver that comes after a reset does not get what the one before asked for") {
    start();
    source.stock = 0;
    request(16);
    control.work();
    start();
    source.stock = 100;
    control.advance(VirtioRng::kRetryNs);
    control.work();
    CHECK(used().empty());
    CHECK(source.stock == 100);
    request(4);
    control.work();
    CHECK(used() == std::vector<Used>{{0, 4}});

    // In the middle of the source's work, and with the next driver's chain there already.
    store_bytes(kData, std::vector<uint8_t>(16, 0xee));
    source.during = [this] {
        source.during = {};
        start();
        descriptor(kDescriptors, 3, kData + 0x100, 8, kWrite);
        offer(3);
        notify();
    };
    request(16);
    control.work();
    CHECK(load_bytes(kData, 16) == std::vector<uint8_t>(16, 0xee));
    CHECK(used() == std::vector<Used>{{3, 8}});
    CHECK(!needs_reset());
}

TEST_CASE_METHOD(Rng, "a source that fails is told, and the request stays") {
    start();
    source.broken = true;
    request(16);
    control.work();
    CHECK(used().empty());
    CHECK(!needs_reset());
    REQUIRE(control.errors.size() == 1);
    CHECK(control.errors[0] == "virtio-rng: the source is dry");
    source.broken = false;
    notify();
    control.work();
    CHECK(used() == std::vector<Used>{{0, 16}});
}

TEST_CASE_METHOD(Rng, "requests that cannot be are the guest's errors") {
    const auto refused = [&](const std::function<void()>& set_up) {
        start();
        set_up();
        offer(0);
        notify();
        control.work();
        CHECK(used().empty());
        CHECK(control.errors.size() == 1);
        control.errors.clear();
        return needs_reset();
    };
    CHECK(refused([&] { descriptor(kDescriptors, 0, kData, 16, 0); }));
    CHECK(refused([&] {
        descriptor(kDescriptors, 0, kData, 16, kNext, 1);
        descriptor(kDescriptors, 1, kData, 16, kWrite);
    }));
    CHECK(refused([&] { descriptor(kDescriptors, 0, kData, 0, kWrite); }));
    CHECK(
        refused([&] { descriptor(kDescriptors, 0, test::kGuestRam + test::kGuestRamSize - 8, 16, kWrite); }));
    CHECK(refused([&] { descriptor(kDescriptors, 0, kData, 16, kNext | kWrite, 0); }));
    start();
    request(1);
    control.work();
    CHECK(used() == std::vector<Used>{{0, 1}});
}

TEST_CASE("with a seed all runs get the same bytes, and nobody else is asked") {
    const auto run = [](uint64_t seed) {
        Rng bench;
        bench.control.seed = seed;
        bench.start();
        bench.request(32);
        bench.control.work();
        bench.request(32);
        bench.control.work();
        CHECK(bench.used().size() == 2);
        CHECK(bench.source.asked == 0);
        return bench.load_bytes(bench.kData, 32);
    };
    const std::vector<uint8_t> first = run(5);
    CHECK(first == run(5));
    CHECK(first != run(6));
    CHECK(std::ranges::count(first, first[0]) < 16);
}

TEST_CASE_METHOD(test::VirtioBench, "without a source bytes are the host kernel's") {
    install(std::make_unique<VirtioRng>(nullptr, control));
    start();
    descriptor(kDescriptors, 0, kData, 64, kWrite);
    offer(0);
    notify();
    control.work();
    CHECK(used() == std::vector<Used>{{0, 64}});
    CHECK(load_bytes(kData, 64) != std::vector<uint8_t>(64));
}

}  // namespace
}  // namespace weft::hw
