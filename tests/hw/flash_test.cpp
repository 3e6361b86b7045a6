// The flash memory, command by command, from the Intel command set and the Common Flash Interface (JEDEC JESD68.01).
#include "emulator/hw/flash/cfi_flash.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <numeric>

#include "tests/hw/support.h"

namespace weft::hw {
namespace {

// Both chips are given a command at once.
constexpr uint64_t both(uint64_t value) { return value | value << 16; }

struct FlashBench : test::Bench {
    static constexpr uint64_t kBlock = CfiFlash::kBlockSize;
    test::FakeDisk image{CfiFlash::kSize};
    std::unique_ptr<CfiFlash> flash;
    int again = 0;
    mem::Reader cpu{space};

    void install(bool with_image = true) {
        auto made = CfiFlash::create(topology, control, "flash", with_image ? &image : nullptr);
        REQUIRE(made);
        flash = std::move(*made);
        plug(flash->region());
    }
    // As a vCPU does it.
    void command(uint64_t offset, uint64_t value, unsigned size = 4) {
        write(offset, value, size);
        while (status == DeviceStatus::again) {
            ++again;
            write(offset, value, size);
        }
        CHECK(status == DeviceStatus::ok);
    }
    bool is_rom(uint64_t offset = 0) {
        PageTarget target;
        cpu.lookup(offset, &target);
        return target.kind == PageKind::rom;
    }
    void erase(uint64_t offset) {
        command(offset, both(0x20));
        command(offset, both(0xd0));
    }
    void program(uint64_t offset, uint64_t value) {
        command(offset, both(0x40));
        command(offset, value);
    }
    uint64_t kept(uint64_t offset) {
        uint32_t value;
        std::memcpy(&value, image.data.data() + offset, 4);
        return value;
    }
};

TEST_CASE_METHOD(FlashBench, "without an image a flash memory holds zeros and forgets") {
    install(false);
    CHECK(read(0) == 0);
    CHECK(is_rom());
    erase(0);
    command(0, both(0xff));
    CHECK(read(0) == 0xffffffff);
    CHECK(read(kBlock) == 0);
}

TEST_CASE_METHOD(FlashBench, "the image is what reads show; another size is refused") {
    std::iota(image.data.begin(), image.data.end(), uint8_t{3});
    install();
    CHECK(read(0x100) == 0x06050403);
    CHECK(read(CfiFlash::kSize - 4) == 0x0201'00ff);
    test::FakeDisk small(4096);
    const auto refused = CfiFlash::create(topology, control, "flash", &small);
    REQUIRE(!refused);
    CHECK(refused.error().message() == "flash: its image has 4096 bytes, not 33554432");
}

TEST_CASE_METHOD(FlashBench, "query, identifiers, status") {
    install();
    command(0x154, both(0x98));
    // Table 1 of JESD68.01, each byte in the low half of both chips' words.
    const std::vector<std::pair<unsigned, unsigned>> table = {
        {0x10, 'Q'}, {0x11, 'R'},  {0x12, 'Y'},  {0x13, 1},  {0x14, 0},   {0x15, 0x31}, {0x16, 0},
        {0x17, 0},   {0x1b, 0x45}, {0x1c, 0x55}, {0x1f, 7},  {0x20, 7},   {0x21, 10},   {0x22, 0},
        {0x23, 4},   {0x24, 4},    {0x25, 4},    {0x27, 24}, {0x28, 2},   {0x2a, 11},   {0x2c, 1},
        {0x2d, 127}, {0x2e, 0},    {0x2f, 0},    {0x30, 2},  {0x31, 'P'}, {0x32, 'R'},  {0x33, 'I'},
        {0x34, '1'}, {0x35, '0'},  {0x36, 0},    {0x3f, 1},  {0x40, 0}};
    for (const auto& [word, value] : table) {
        INFO(word);
        CHECK(read(4 * word) == both(value));
    }
    // Narrow reads see one chip's byte or half word; wide ones two words.
    CHECK(read(0x40, 2) == 'Q');
    CHECK(read(0x42, 2) == 'Q');
    CHECK(read(0x40, 1) == 'Q');
    CHECK(read(0x41, 1) == 0);
    CHECK(read(0x40, 8) == (both('Q') | both('R') << 32));
    command(0, both(0x90));
    CHECK(read(0) == both(0x89));
    CHECK(read(4) == both(0x18));
    CHECK(read(8) == 0);
    command(0, both(0x70));
    CHECK(read(0) == both(0x80));
    CHECK(read(0x1234, 2) == 0x80);
    command(0, both(0xff));
    CHECK(read(0) == 0);
}

TEST_CASE_METHOD(FlashBench, "erasing sets a block's bits, programming clears bits") {
    install();
    erase(kBlock + 0x1230);
    CHECK(read(0) == both(0x80));
    command(0, both(0xff));
    CHECK(read(kBlock) == 0xffffffff);
    CHECK(read(2 * kBlock - 4) == 0xffffffff);
    CHECK(read(kBlock - 4) == 0);
    CHECK(read(2 * kBlock) == 0);
    CHECK(kept(kBlock) == 0xffffffff);
    CHECK(kept(2 * kBlock - 4) == 0xffffffff);
    CHECK(kept(2 * kBlock) == 0);

    program(kBlock + 8, 0x12345678);
    CHECK(read(kBlock + 8) == both(0x80));
    CHECK(kept(kBlock + 8) == 0x12345678);
    program(kBlock + 8, 0xff00ff0f);
    command(0, both(0xff));
    CHECK(read(kBlock + 8) == (0x12345678 & 0xff00ff0f));
    CHECK(kept(kBlock + 8) == (0x12345678 & 0xff00ff0f));
    // The older command, one chip alone, one byte of a word.
    command(kBlock + 12, both(0x10));
    command(kBlock + 12, 0xabcdef01);
    command(kBlock + 18, 0x40, 2);
    command(kBlock + 18, 0x1111, 2);
    command(kBlock + 20, 0x40, 1);
    command(kBlock + 21, 0x22, 1);
    command(0, both(0xff));
    CHECK(read(kBlock + 12) == 0xabcdef01);
    CHECK(read(kBlock + 16) == 0x1111ffff);
    CHECK(read(kBlock + 20) == 0xffff22ff);
}

TEST_CASE_METHOD(FlashBench, "a buffer is programmed when it is confirmed, within one block") {
    install();
    erase(0);
    const auto fill = [&](uint64_t at, unsigned count) {
        command(at, both(0xe8));
        CHECK(read(at) == both(0x80));
        command(at, both(count - 1));
        for (unsigned i = 0; i < count; ++i) {
            command(at + 4 * i, 0x1000 + i);
        }
    };
    fill(0x100, 4);
    CHECK(kept(0x100) == 0xffffffff);
    command(0x100, both(0xd0));
    CHECK(read(0) == both(0x80));
    for (unsigned i = 0; i < 4; ++i) {
        CHECK(kept(0x100 + 4 * i) == 0x1000 + i);
    }
    CHECK(kept(0x110) == 0xffffffff);
    // All of it.
    fill(0x1000, 1024);
    command(0x1000, both(0xd0));
    CHECK(kept(0x1000 + 4 * 1023) == 0x1000 + 1023);
    // Another word than the confirmation, a count that no buffer has, the next block's cells.
    fill(0x200, 1);
    command(0x200, both(0xff));
    CHECK(read(0) == both(0xb0));
    CHECK(kept(0x200) == 0xffffffff);
    command(0, both(0x50));
    command(0x200, both(0xe8));
    command(0x200, both(1024));
    CHECK(read(0) == both(0xb0));
    command(0, both(0x50));
    command(0, both(0x70));
    CHECK(read(0) == both(0x80));
    fill(kBlock - 4, 2);
    command(kBlock - 4, both(0xd0));
    CHECK(read(0) == both(0xb0));
    CHECK(kept(kBlock - 4) == 0xffffffff);
}

TEST_CASE_METHOD(FlashBench, "errors: sequences, locked blocks, images that cannot be written") {
    install();
    command(0, both(0x20));
    command(0, both(0xff));
    CHECK(read(0) == both(0xb0));
    command(0, both(0x50));
    command(0, both(0x60));
    command(0, both(0x77));
    CHECK(read(0) == both(0xb0));
    command(0, both(0x50));

    command(kBlock, both(0x60));
    command(kBlock, both(0x01));
    CHECK(read(0) == both(0x80));
    command(0, both(0x90));
    CHECK(read(kBlock + 8) == both(1));
    CHECK(read(8) == 0);
    erase(kBlock);
    CHECK(read(0) == both(0xa2));
    command(0, both(0x50));
    program(kBlock, 0);
    CHECK(read(0) == both(0x92));
    command(0, both(0x50));
    CHECK(kept(kBlock) == 0);
    command(kBlock, both(0x60));
    command(kBlock, both(0xd0));
    erase(kBlock);
    CHECK(read(0) == both(0x80));
    CHECK(kept(kBlock) == 0xffffffff);

    image.broken = true;
    program(kBlock, 0);
    CHECK(read(0) == both(0xb0));
    CHECK(control.errors == std::vector<std::string>{"disk is broken"});
    image.broken = false;
    image.frozen = true;
    command(0, both(0x50));
    program(kBlock + 4, 0);
    CHECK(read(0) == both(0x90));
    command(0, both(0x50));
    erase(kBlock);
    CHECK(read(0) == both(0xa0));
    CHECK(kept(kBlock + 4) == 0xffffffff);
}

TEST_CASE_METHOD(FlashBench, "ROM until a command comes, and again when nothing but cells is read") {
    install();
    CHECK(is_rom(0x5000));
    write(0, both(0x70));
    CHECK(status == DeviceStatus::again);
    CHECK(!is_rom(0x5000));
    // Nothing was done yet.
    CHECK(read(0) == 0);
    write(0, both(0x70));
    CHECK(status == DeviceStatus::ok);
    CHECK(read(0) == both(0x80));
    for (int i = 0; i < 200; ++i) {
        read(0);
    }
    CHECK(!is_rom());
    command(0, both(0xff));
    for (int i = 0; i < 63; ++i) {
        CHECK(read(0x40) == 0);
    }
    CHECK(!is_rom());
    read(0);
    CHECK(is_rom());
    CHECK(again == 0);
    // One chip is enough to keep it a device.
    command(2, 0x70, 2);
    CHECK(again == 1);
    for (int i = 0; i < 200; ++i) {
        CHECK(read(0) == 0x800000);
    }
    CHECK(!is_rom());
    flash->reset();
    CHECK(is_rom());
    CHECK(read(0) == 0);
}

TEST_CASE_METHOD(FlashBench, "a reset keeps the cells, and forgets commands and locks") {
    install();
    erase(0);
    command(0, both(0x60));
    command(0, both(0x01));
    command(0, both(0x40));
    flash->reset();
    CHECK(read(0) == 0xffffffff);
    program(0, 0);
    CHECK(read(0) == both(0x80));
    CHECK(kept(0) == 0);
}

TEST_CASE_METHOD(FlashBench, "code in flash is told of what is programmed") {
    install();
    struct Told {
        std::vector<std::pair<uint64_t, uint64_t>> writes;
        bool inside = false;
    } told;
    topology.set_write_hooks({[](void* opaque, RamWrite*) { static_cast<Told*>(opaque)->inside = true; },
                              [](void* opaque, RamWrite* written) {
                                  auto* one = static_cast<Told*>(opaque);
                                  CHECK(one->inside);
                                  one->writes.emplace_back(written->ram_offset, written->size);
                                  one->inside = false;
                              },
                              &told});
    erase(kBlock);
    REQUIRE(told.writes.size() == 2);
    CHECK(told.writes[0].second == kBlock);
    const uint64_t base = told.writes[0].first - kBlock;
    program(8, 0);
    REQUIRE(told.writes.size() == 4);
    CHECK(told.writes[2] == std::pair(base + 8, uint64_t{2}));
    CHECK(told.writes[3] == std::pair(base + 10, uint64_t{2}));
    topology.set_write_hooks({});
}

}  // namespace
}  // namespace weft::hw
