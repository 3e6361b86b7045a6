// The balloon, driven as a guest does it (virtio 1.2, section 5.5).
#include "emulator/hw/virtio/balloon.h"

#include <sys/mman.h>

#include <functional>

#include "tests/hw/virtio_driver.h"

namespace weft::hw {
namespace {

struct Operator : test::FakeControl {
    Balloon* balloon = nullptr;
    std::function<void()> meanwhile;  // what another vCPU does while the device complains
    void guest_error(const char* message) override {
        test::FakeControl::guest_error(message);
        if (meanwhile) {
            meanwhile();
        }
    }
    int changes = 0;
    void set_balloon(Balloon* to) override { balloon = to; }
    void balloon_changed() override { ++changes; }
};

struct Ballooned : test::VirtioBench {
    Operator operators;
    Ballooned() {
        slot = std::make_unique<VirtioMmio>(space, operators, std::make_unique<VirtioBalloon>(operators),
                                            IrqLine(sink, kIrq), layout);
        plug(slot->region());
    }
    static constexpr uint64_t kPage = 4096;
    // Numbers of pages, in one descriptor.
    void give(std::initializer_list<uint32_t> pages, unsigned index = 0) {
        uint64_t at = kData;
        for (const uint32_t page : pages) {
            store<uint32_t>(at, page);
            at += 4;
        }
        descriptor(kDescriptors, 0, kData, static_cast<uint32_t>(4 * pages.size()), 0);
        offer(0);
        notify(index);
    }
    static uint32_t number(uint64_t page) { return static_cast<uint32_t>(test::kGuestRam / kPage + page); }
    // Whether the host has memory for a page of the guest's.
    bool resident(uint64_t page) {
        unsigned char there = 0;
        REQUIRE(mincore(ram->host() + page * kPage, kPage, &there) == 0);
        return (there & 1) != 0;
    }
    void fill(uint64_t page) {
        store_bytes(test::kGuestRam + page * kPage, std::vector<uint8_t>(kPage, 0xa5));
    }
};

TEST_CASE_METHOD(Ballooned, "a balloon asks, and hears what the guest has given back") {
    CHECK(read(8) == 5);
    CHECK(features() == (uint64_t{1} << 32 | 1 << 29 | 1 << 28));
    REQUIRE(operators.balloon != nullptr);
    start();
    CHECK(read(0x100) == 0);
    operators.balloon->ask_for(300);
    CHECK(irq());
    CHECK(read(0x60) == 2);
    CHECK(read(0x100) == 300);
    write(0x64, 2);
    CHECK(!irq());
    // The same again is no news.
    operators.balloon->ask_for(300);
    CHECK(!irq());
    write(0x104, 12);
    CHECK(operators.balloon->pages() == 12);
    CHECK(operators.changes == 1);
    CHECK(read(0x104) == 12);
    CHECK(read(0x108) == 0);
    CHECK(operators.errors.empty());
    // What is the device's cannot be written.
    write(0x100, 7);
    CHECK(read(0x100) == 300);
    CHECK(operators.errors.size() == 1);
    // A driver that does not run yet reads it when it does.
    write(0x70, 0);
    operators.balloon->ask_for(5);
    CHECK(!irq());
    CHECK(read(0x100) == 5);
    slot.reset();
    CHECK(operators.balloon == nullptr);
}

TEST_CASE_METHOD(Ballooned, "pages that are given back go to the host, and read as zero") {
    start();
    for (const uint64_t page : {100, 101, 102, 200, 201}) {
        fill(page);
        REQUIRE(resident(page));
    }
    // Those that run together, one alone, and none of the guest's.
    give({number(100), number(101), number(200), 3});
    CHECK(used() == std::vector<Used>{{0, 0}});
    CHECK(irq());
    for (const uint64_t page : {100, 101, 200}) {
        CHECK(load_bytes(test::kGuestRam + page * kPage, kPage) == std::vector<uint8_t>(kPage));
    }
    for (const uint64_t page : {102, 201}) {
        CHECK(load_bytes(test::kGuestRam + page * kPage, kPage) == std::vector<uint8_t>(kPage, 0xa5));
    }
    CHECK(operators.errors.size() == 1);
    fill(100);
    give({number(100)});
    CHECK(used() == std::vector<Used>{{0, 0}});
    CHECK(!resident(100));
    CHECK(!needs_reset());
}

TEST_CASE_METHOD(Ballooned, "pages that are taken again keep what is in them") {
    constexpr unsigned kDeflate = 1;
    start();
    set_up_queue(kDeflate);
    fill(100);
    give({number(100), 3}, kDeflate);
    CHECK(used() == std::vector<Used>{{0, 0}});
    CHECK(irq());
    CHECK(load_bytes(test::kGuestRam + 100 * kPage, kPage) == std::vector<uint8_t>(kPage, 0xa5));
    CHECK(operators.errors.empty());
    CHECK(!needs_reset());
}

TEST_CASE_METHOD(Ballooned, "what a driver may not ask for") {
    start();
    descriptor(kDescriptors, 0, 0x1000, 4, 0);
    offer(0);
    notify();
    CHECK(needs_reset());
    start();
    descriptor(kDescriptors, 0, kData, 1 << 20, 0);
    offer(0);
    notify();
    CHECK(needs_reset());
    CHECK(used().empty());
    // No numbers at all, and half of one.
    start();
    store<uint32_t>(kData, number(100));
    fill(100);
    descriptor(kDescriptors, 0, kData, 3, 0);
    offer(0);
    notify();
    CHECK(used() == std::vector<Used>{{0, 0}});
    CHECK(load<uint8_t>(test::kGuestRam + 100 * kPage) == 0xa5);
}

TEST_CASE_METHOD(Ballooned, "a vCPU is not kept by a queue that others fill") {
    constexpr unsigned kMore = 1000;
    start();
    unsigned added = 0;
    operators.meanwhile = [&] {
        if (added < kMore) {
            ++added;
            offer(0);
        }
    };
    give({3});  // no page of the guest's
    CHECK(operators.errors.size() == VirtioBalloon::kQueueSize);
    CHECK(irq());
    // It goes on by itself, in turns that end.
    size_t turns = 0;
    for (size_t before = 0; before != operators.errors.size(); ++turns) {
        before = operators.errors.size();
        operators.advance(VirtioBalloon::kRetryNs);
        CHECK(operators.errors.size() - before <= VirtioBalloon::kQueueSize);
    }
    CHECK(operators.errors.size() == kMore + 1);
    CHECK(turns == (kMore + 1 + VirtioBalloon::kQueueSize - 1) / VirtioBalloon::kQueueSize);
    CHECK(!needs_reset());
    // Nothing is left of it when the device goes.
    operators.meanwhile = [&] { offer(0); };
    give({3});
    slot.reset();
    operators.meanwhile = {};
    operators.advance(10 * VirtioBalloon::kRetryNs);
}

}  // namespace
}  // namespace weft::hw
