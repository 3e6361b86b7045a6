#include "emulator/memory/reader.h"

#include <array>
#include <catch2/catch.hpp>
#include <numeric>
#include <vector>

#include "emulator/memory/topology.h"
#include "tests/support/failing_host_calls.h"
#include "weft/guest_ram.h"

namespace weft::mem {
namespace {

constexpr uint64_t kMiB = 1 << 20;

const MemoryRegionOps kSilent = {
    .read =
        [](void*, uint64_t, unsigned, uint64_t* value) {
            *value = 0x55;
            return DeviceStatus::ok;
        },
    .write = [](void*, uint64_t, unsigned, uint64_t) { return DeviceStatus::ok; },
    .valid = {},
    .impl = {},
};

struct Written {
    uint64_t ram_offset, size;
    bool operator==(const Written&) const = default;
};

struct Machine {
    Topology topology;
    std::shared_ptr<RamBlock> ram = topology.allocate_ram("ram", 4 * kMiB).value();
    std::shared_ptr<RamBlock> rom = topology.allocate_ram("rom", 0x1000).value();
    RegionPtr root = topology.container("root", kEntireSpace);
    AddressSpace space{topology, "cpu", root};
    Reader reader{space};
    std::vector<Written> written;
    // Of the writes that have begun and not ended: where, and what was there.
    std::vector<std::pair<Written, std::vector<uint8_t>>> under_way;
    unsigned untold = 0;  // announced without a beginning, or made before it

    Machine() {
        Transaction transaction(topology);
        root->add_subregion(0x1000, topology.rom(rom));
        root->add_subregion(0x80000000, topology.ram(ram));
        root->add_subregion(0x3000, topology.io("device", 0x100, kSilent, nullptr, nullptr));
        topology.set_write_hooks(
            {[](void* self, RamWrite* write) { static_cast<Machine*>(self)->write_begins(*write); },
             [](void* self, RamWrite* write) { static_cast<Machine*>(self)->write_ends(*write); }, this});
    }
    // Each write changes the bytes it is of.
    ~Machine() {
        topology.set_write_hooks({});
        CHECK(untold == 0);
        CHECK(under_way.empty());
    }

    std::vector<uint8_t> bytes_of(const RamWrite& write) const {
        std::vector<uint8_t> bytes(write.size);
        guest_ram::read(bytes.data(), topology.ram_space().host_of(write.ram_offset), bytes.size());
        return bytes;
    }
    void write_begins(const RamWrite& write) {
        under_way.emplace_back(Written{write.ram_offset, write.size}, bytes_of(write));
    }
    void write_ends(const RamWrite& write) {
        const Written now{write.ram_offset, write.size};
        written.push_back(now);
        const auto begun = std::find_if(under_way.begin(), under_way.end(),
                                        [&](const auto& each) { return each.first == now; });
        if (begun == under_way.end() || begun->second == bytes_of(write)) {
            ++untold;
        }
        if (begun != under_way.end()) {
            under_way.erase(begun);
        }
    }

    PageTarget lookup(uint64_t paddr) {
        PageTarget target;
        reader.lookup(paddr, &target);
        return target;
    }
};

TEST_CASE_METHOD(Machine, "a page is plain RAM or ROM only if it is so as a whole") {
    CHECK(lookup(0x80001234).kind == PageKind::ram);
    CHECK(lookup(0x80001234).host == ram->host() + 0x1000);
    CHECK(lookup(0x80001234).ram_offset == ram->ram_offset() + 0x1000);
    CHECK(lookup(0x1ffc).kind == PageKind::rom);
    CHECK(lookup(0x1ffc).ram_offset == rom->ram_offset());
    CHECK(lookup(0x0).kind == PageKind::unassigned);
    CHECK(lookup(0x2000).kind == PageKind::unassigned);
    CHECK(lookup(0x3f00).kind == PageKind::device);  // the device is further down in the page
    CHECK(lookup(0x80000000 + 4 * kMiB).kind == PageKind::unassigned);

    // Something in front of a part of a page, and RAM at an address that is not that of a page.
    root->add_subregion(0x80002800, topology.io("patch", 4, kSilent, nullptr, nullptr), 1);
    CHECK(lookup(0x80002000).kind == PageKind::device);
    CHECK(lookup(0x80003000).kind == PageKind::ram);
    const RegionPtr odd = topology.alias("odd", topology.ram(ram), 0x800, 0x4000);
    root->add_subregion(0x10000, odd);
    CHECK(lookup(0x11000).kind == PageKind::device);
    root->add_subregion(0x20f00, topology.io("late", 0x10, kSilent, nullptr, nullptr));
    CHECK(lookup(0x20000).kind == PageKind::device);
}

TEST_CASE_METHOD(Machine, "RAM of a page that is no plain one is reached as a device") {
    root->add_subregion(0x80002800, topology.io("patch", 4, kSilent, nullptr, nullptr), 1);
    CHECK(reader.device_write(0x80002010, 4, 0x1122334455667788) == DeviceStatus::ok);
    uint64_t value = 0;
    CHECK(reader.device_read(0x80002010, 8, &value) == DeviceStatus::ok);
    CHECK(value == 0x55667788);
    CHECK(written == std::vector<Written>{{ram->ram_offset() + 0x2010, 4}});
    CHECK(reader.device_read(0x80002800, 1, &value) == DeviceStatus::ok);
    CHECK(value == 0x55);
    // Guest stores to ROM are dropped; nothing answers elsewhere.
    CHECK(reader.device_write(0x1000, 8, 1) == DeviceStatus::ok);
    CHECK(guest_ram::load<uint64_t>(rom->host()) == 0);
    CHECK(reader.device_write(0x2000, 8, 1) == DeviceStatus::unassigned);
    CHECK(reader.device_read(0x2000, 1, &value) == DeviceStatus::unassigned);
    // The last byte of RAM and what follows.
    CHECK(reader.device_read(0x80000000 + 4 * kMiB - 1, 2, &value) == DeviceStatus::unassigned);
}

TEST_CASE_METHOD(Machine, "direct memory access copies, announces writes and reaches no device") {
    std::vector<uint8_t> data(0x3000);
    std::iota(data.begin(), data.end(), uint8_t{7});
    CHECK(reader.write(0x80000ffd, data) == DeviceStatus::ok);
    CHECK(written == std::vector<Written>{{ram->ram_offset() + 0xffd, 0x3000}});
    std::vector<uint8_t> back(data.size());
    CHECK(reader.read(0x80000ffd, back) == DeviceStatus::ok);
    CHECK(back == data);

    std::array<uint8_t, 16> small{};
    small.fill(5);
    CHECK(reader.read(0x3000, small) == DeviceStatus::bus_error);
    CHECK(reader.write(0x3000, small) == DeviceStatus::bus_error);
    CHECK(reader.read(0x2000, small) == DeviceStatus::unassigned);
    CHECK(reader.write(0x80000000 + 4 * kMiB - 8, small) == DeviceStatus::unassigned);
    CHECK(reader.read(UINT64_MAX - 3, small) == DeviceStatus::unassigned);
    CHECK(reader.read(0x80000000, std::span<uint8_t>()) == DeviceStatus::ok);

    written.clear();
    small.fill(9);
    CHECK(reader.write(0x1000, small) == DeviceStatus::ok);
    CHECK(guest_ram::load<uint8_t>(rom->host()) == 0);
    CHECK(written.empty());
    CHECK(reader.load_image(0x1000, small) == DeviceStatus::ok);
    CHECK(guest_ram::load<uint8_t>(rom->host()) == 9);
    CHECK(written.size() == 1);
}

TEST_CASE_METHOD(Machine, "a copy goes on in the next range") {
    const auto more = topology.allocate_ram("more", 0x1000).value();
    root->add_subregion(0x80000000 + 4 * kMiB, topology.ram(more));
    std::vector<uint8_t> data(0x20, 3);
    CHECK(reader.write(0x80000000 + 4 * kMiB - 0x10, data) == DeviceStatus::ok);
    CHECK(guest_ram::load<uint8_t>(more->host() + 0xf) == 3);
    CHECK(guest_ram::load<uint8_t>(more->host() + 0x10) == 0);
    CHECK(written ==
          std::vector<Written>{{ram->ram_offset() + 4 * kMiB - 0x10, 0x10}, {more->ram_offset(), 0x10}});
    std::vector<uint8_t> back(0x20);
    CHECK(reader.read(0x80000000 + 4 * kMiB - 0x10, back) == DeviceStatus::ok);
    CHECK(back == data);
    // RAM at the top of the space: nothing follows.
    root->add_subregion(UINT64_MAX - 0xfff, topology.alias("top", topology.ram(more), 0, 0x1000));
    CHECK(reader.read(UINT64_MAX - 0x1f, back) == DeviceStatus::ok);
    CHECK(reader.read(UINT64_MAX - 0x1e, back) == DeviceStatus::unassigned);
}

TEST_CASE_METHOD(Machine, "integers are loaded and stored at once") {
    uint16_t half = 0;
    CHECK(reader.store<uint32_t>(0x80000100, 0x11223344) == DeviceStatus::ok);
    CHECK(reader.load<uint16_t>(0x80000102, &half) == DeviceStatus::ok);
    CHECK(half == 0x1122);
    CHECK(reader.store_sync<uint16_t>(0x80000102, 0x5566) == DeviceStatus::ok);
    CHECK(reader.load_sync<uint16_t>(0x80000102, &half) == DeviceStatus::ok);
    CHECK(half == 0x5566);
    CHECK(written.size() == 2);
    CHECK(reader.load<uint16_t>(0x3000, &half) == DeviceStatus::bus_error);
    CHECK(reader.store<uint16_t>(0x1000, 1) == DeviceStatus::bus_error);  // ROM
    CHECK(reader.load<uint16_t>(0x2000, &half) == DeviceStatus::unassigned);
    uint64_t wide = 0;
    CHECK(reader.load<uint64_t>(0x80000000 + 4 * kMiB - 4, &wide) == DeviceStatus::bus_error);
}

TEST_CASE_METHOD(Machine, "the table that accelerators use") {
    const MemoryOps& ops = memory_ops();
    CHECK(ops.abi_version == kMemoryAbiVersion);
    void* const other = ops.reader_create(&space);
    PageTarget target;
    ops.lookup(other, 0x80000000, &target);
    CHECK(target.host == ram->host());
    uint64_t value = 0;
    CHECK(ops.device_read(other, 0x3000, 1, &value) == DeviceStatus::ok);
    CHECK(value == 0x55);
    CHECK(ops.device_write(other, 0x3000, 1, 0) == DeviceStatus::ok);
    ops.reader_destroy(other);
}

TEST_CASE_METHOD(Machine, "RAM is aligned, zero, and found both ways") {
    CHECK(reinterpret_cast<uintptr_t>(ram->host()) % kRamAlignment == 0);
    CHECK(ram->ram_offset() % kRamAlignment == 0);
    CHECK(rom->ram_offset() % kRamAlignment == 0);
    CHECK(guest_ram::load<uint64_t>(ram->host() + 4 * kMiB - 8) == 0);
    RamSpace& space_of_ram = topology.ram_space();
    CHECK(space_of_ram.host_of(ram->ram_offset() + 5) == ram->host() + 5);
    CHECK(space_of_ram.offset_of(ram->host() + 5) == ram->ram_offset() + 5);
    CHECK(space_of_ram.offset_of(rom->host() + 0x1000) == std::nullopt);
    CHECK(space_of_ram.host_of(rom->ram_offset() + 0x1000) == nullptr);
    // Offsets of what has gone are used again.
    auto first = topology.allocate_ram("first", 0x1000).value();
    const auto second = topology.allocate_ram("second", 0x1000).value();
    const uint64_t gap = first->ram_offset();
    CHECK(second->ram_offset() > gap);
    // The end of a block is a write of all of it.
    unsigned begun = 0;
    std::vector<Written> ended;
    std::pair told{&begun, &ended};
    topology.set_write_hooks({[](void* opaque, RamWrite*) { ++*static_cast<decltype(told)*>(opaque)->first; },
                              [](void* opaque, RamWrite* write) {
                                  static_cast<decltype(told)*>(opaque)->second->push_back(
                                      {write->ram_offset, write->size});
                              },
                              &told});
    first.reset();
    topology.set_write_hooks({});
    CHECK(begun == 1);
    CHECK(ended == std::vector<Written>{{gap, 0x1000}});
    CHECK(topology.allocate_ram("third", 3 * kRamAlignment).value()->ram_offset() > second->ram_offset());
    CHECK(topology.allocate_ram("fourth", 0x1000).value()->ram_offset() == gap);
}

TEST_CASE("RAM that the host refuses is an error with the name in it") {
    const test::FailingHostCalls calls(0);
    Topology topology(calls);
    const auto ram = topology.allocate_ram("riscv.ram", 8 * kMiB);
    REQUIRE(!ram);
    CHECK(ram.error().message().find("riscv.ram") != std::string::npos);
    CHECK(topology.ram_space().size() == 0);
    CHECK(!topology.allocate_ram("odd", 4097));
    CHECK(!topology.allocate_ram("empty", 0));
    CHECK(!Topology().allocate_ram("huge", uint64_t{1} << 60));
}

}  // namespace
}  // namespace weft::mem
