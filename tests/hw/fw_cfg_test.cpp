// The configuration device, from QEMU's specification of it (docs/specs/fw_cfg).
#include "emulator/hw/fw_cfg/fw_cfg.h"

#include <catch2/catch.hpp>

#include "tests/hw/support.h"

namespace weft::hw {
namespace {

constexpr uint64_t kRam = 0x80000000;
constexpr uint64_t kRamSize = 1 << 20;

std::vector<uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

struct FwCfgBench : test::Bench {
    mem::Reader memory{space};
    std::unique_ptr<FwCfg> device;

    FwCfgBench() {
        root->add_subregion(kRam, topology.ram(topology.allocate_ram("ram", kRamSize).value()));
        FwCfgItems items;
        items.add_number(FwCfgItems::kCpuCount, 0x123, 2);
        REQUIRE(items.add_file("opt/second", bytes_of("hello")));
        REQUIRE(items.add_file("opt/first", std::vector<uint8_t>(5000, 0x5a)));
        CHECK(items.add_file("opt/first", {}).error().message() == "there are two files 'opt/first'");
        CHECK(!items.add_file("", {}));
        CHECK(items.add_file(std::string(55, 'x'), {}));
        CHECK(!items.add_file(std::string(56, 'x'), {}));
        items.finish();
        device = std::make_unique<FwCfg>(space, control, std::move(items));
        plug(device->region());
    }
    static uint64_t big(uint64_t value, unsigned size) {
        uint64_t swapped = 0;
        for (unsigned i = 0; i < size; ++i) {
            swapped = swapped << 8 | (value >> 8 * i & 0xff);
        }
        return swapped;
    }
    void select(uint16_t key) { write(8, big(key, 2), 2); }
    std::string take(size_t count) {
        std::string text;
        while (text.size() != count) {
            text.push_back(static_cast<char>(read(0, 1)));
        }
        return text;
    }
    // A descriptor at `at`; what its control word says afterwards.
    uint32_t transfer(uint32_t control_word, uint32_t length, uint64_t address, uint64_t at = kRam) {
        std::array<uint8_t, 16> descriptor;
        const auto put = [&](size_t from, uint64_t value, unsigned size) {
            for (unsigned i = 0; i < size; ++i) {
                descriptor[from + i] = static_cast<uint8_t>(value >> 8 * (size - 1 - i));
            }
        };
        put(0, control_word, 4);
        put(4, length, 4);
        put(8, address, 8);
        REQUIRE(memory.write(at, descriptor) == DeviceStatus::ok);
        write(16, big(at >> 32, 4));
        write(20, big(at, 4));
        REQUIRE(memory.read(at, descriptor) == DeviceStatus::ok);
        return static_cast<uint32_t>(descriptor[0] << 24 | descriptor[1] << 16 | descriptor[2] << 8 |
                                     descriptor[3]);
    }
    std::string ram(uint64_t at, size_t size) {
        std::vector<uint8_t> bytes(size);
        REQUIRE(memory.read(at, bytes) == DeviceStatus::ok);
        return {bytes.begin(), bytes.end()};
    }
};

TEST_CASE_METHOD(FwCfgBench, "items by the registers") {
    CHECK(take(6) == std::string("QEMU\0\0", 6));
    select(0);
    CHECK(read(0, 2) == 0x4551);
    CHECK(read(0, 1) == 'M');
    select(1);
    CHECK(read(0) == 3);
    CHECK(read(0) == 0);
    select(5);
    CHECK(read(0, 2) == 0x123);
    select(0x4005);  // with the bit that asks for writing
    CHECK(read(0, 8) == 0x123);
    for (const uint16_t key : {0x0002, 0x0023, 0x3fff, 0x8000, 0xffff}) {
        select(key);
        CHECK(read(0, 8) == 0);
    }
    CHECK(control.errors.empty());
}

TEST_CASE_METHOD(FwCfgBench, "the directory names files, in order") {
    select(0x19);
    std::string expected("\0\0\0\3", 4);
    const auto entry = [&](const std::string& size, const std::string& key, const std::string& name) {
        expected += size + key + std::string(2, '\0') + name + std::string(56 - name.size(), '\0');
    };
    entry(std::string("\0\0\x13\x88", 4), std::string("\0\x20", 2), "opt/first");
    entry(std::string("\0\0\0\5", 4), std::string("\0\x21", 2), "opt/second");
    entry(std::string(4, '\0'), std::string("\0\x22", 2), std::string(55, 'x'));
    CHECK(take(expected.size()) == expected);
    CHECK(read(0, 8) == 0);
    select(0x21);
    CHECK(take(7) == std::string("hello\0\0", 7));
}

TEST_CASE_METHOD(FwCfgBench, "DMA reads, skips, selects") {
    CHECK(big(read(16, 8), 8) == 0x51454d5520434647);
    CHECK(big(read(16), 4) == 0x51454d55);
    CHECK(big(read(20), 4) == 0x20434647);
    CHECK(transfer(0x0021000a, 5, kRam + 0x100) == 0);
    CHECK(ram(kRam + 0x100, 5) == "hello");
    // Goes on where it was, and finds zeros behind the end.
    CHECK(transfer(0x00210008, 0, 0) == 0);
    CHECK(transfer(4, 2, 0) == 0);
    CHECK(transfer(2, 5, kRam + 0x100) == 0);
    CHECK(ram(kRam + 0x100, 5) == std::string("llo\0\0", 5));
    CHECK(transfer(0x0020000a, 5010, kRam + 0x1000) == 0);
    CHECK(ram(kRam + 0x1000, 5010) == std::string(5000, 0x5a) + std::string(10, '\0'));
    // All of the address in one write; a descriptor at an odd address.
    CHECK(transfer(0x0021000a, 1, kRam + 0x100, kRam + 0x201) == 0);
    CHECK(ram(kRam + 0x100, 1) == "h");
    memory.write(kRam, bytes_of(std::string("\0\x21\0\x0a\0\0\0\2\0\0\0\0\x80\0\2\0", 16)));
    write(16, big(kRam, 8), 8);
    CHECK(ram(kRam + 0x200, 2) == "he");
    CHECK(ram(kRam, 4) == std::string(4, '\0'));
    CHECK(control.errors.empty());
}

TEST_CASE_METHOD(FwCfgBench, "bad descriptors get the error bit and do no harm") {
    CHECK(transfer(0x0021000a, 5, 0x1000) == 1);          // no memory
    CHECK(transfer(0x0021000a, 5, 0) == 1);               // the device itself
    CHECK(transfer(0x0021000a, 5, UINT64_MAX - 1) == 1);  // wraps
    CHECK(transfer(0x0020000a, 5000, kRam + kRamSize - 100) == 1);
    CHECK(transfer(0x0021000a, UINT32_MAX, kRam + 0x1000) == 1);
    CHECK(transfer(0x00210018, 5, kRam + 0x100) == 1);  // no item is writable
    CHECK(transfer(0xffff000a, 4, kRam + 0x100) == 0);  // no such item: zeros
    CHECK(ram(kRam + 0x100, 4) == std::string(4, '\0'));
    CHECK(control.errors.size() == 6);
    control.errors.clear();
    for (const uint64_t at : {uint64_t{0}, kRam + kRamSize - 8, UINT64_MAX - 3, uint64_t{0x7000}}) {
        write(16, big(at, 8), 8);
        CHECK(control.errors.size() == 1);
        control.errors.clear();
    }
    // Registers that there are not.
    CHECK(read(1, 1) == 0);
    CHECK(read(8, 2) == 0);
    write(0, 1);
    write(8, 0, 4);
    write(16, 0, 2);
    CHECK(control.errors.size() == 5);
}

TEST_CASE_METHOD(FwCfgBench, "a reset selects the signature and forgets half an address") {
    select(0x21);
    write(16, 0x01000000);
    device->reset();
    CHECK(take(4) == "QEMU");
    CHECK(transfer(0x0021000a, 5, kRam + 0x100) == 0);
    memory.write(kRam + 0x100, bytes_of("....."));
    device->reset();
    memory.write(kRam, bytes_of(std::string("\0\x21\0\x0a\0\0\0\2\0\0\0\0\x80\0\1\0", 16)));
    write(20, big(kRam, 4));
    CHECK(ram(kRam + 0x100, 2) == "he");
}

}  // namespace
}  // namespace weft::hw
