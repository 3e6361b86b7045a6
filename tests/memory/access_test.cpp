#include "emulator/memory/access.h"

#include <array>
#include <catch2/catch.hpp>
#include <vector>

#include "emulator/memory/reader.h"
#include "emulator/memory/topology.h"

namespace weft::mem {
namespace {

struct Call {
    bool write;
    uint64_t offset;
    unsigned size;
    uint64_t value;
    bool operator==(const Call&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Call& call) {
    return out << (call.write ? "write " : "read ") << std::hex << call.offset << "/" << call.size << " "
               << call.value;
}

// 64 bytes of storage that writes down every call.
struct Storage {
    std::array<uint8_t, 64> bytes{};
    std::vector<Call> calls;
    Mutex mutex;
    bool locked_always = true;
    uint64_t broken_at = UINT64_MAX;

    Storage() {
        for (size_t i = 0; i < bytes.size(); ++i) {
            bytes[i] = static_cast<uint8_t>(0x10 + i);
        }
    }

    void check_lock() {
        if (mutex.try_lock()) {
            locked_always = false;
            mutex.unlock();
        }
    }

    static DeviceStatus read(void* opaque, uint64_t offset, unsigned size, uint64_t* value) {
        auto& self = *static_cast<Storage*>(opaque);
        self.check_lock();
        *value = 0;
        for (unsigned i = 0; i < size; ++i) {
            *value |= uint64_t{self.bytes.at(offset + i)} << 8 * i;
        }
        self.calls.push_back(Call{false, offset, size, *value});
        return offset == self.broken_at ? DeviceStatus::bus_error : DeviceStatus::ok;
    }
    static DeviceStatus write(void* opaque, uint64_t offset, unsigned size, uint64_t value) {
        auto& self = *static_cast<Storage*>(opaque);
        self.check_lock();
        for (unsigned i = 0; i < size; ++i) {
            self.bytes.at(offset + i) = static_cast<uint8_t>(value >> 8 * i);
        }
        self.calls.push_back(Call{true, offset, size, value});
        return offset == self.broken_at ? DeviceStatus::bus_error : DeviceStatus::ok;
    }
};

struct Device {
    Device(AccessSizes valid, AccessSizes impl) : ops{Storage::read, Storage::write, valid, impl} {
        root->add_subregion(0x1000, topology.io("device", 64, ops, &storage, &storage.mutex));
    }
    Storage storage;
    Topology topology;
    MemoryRegionOps ops;
    RegionPtr root = topology.container("root", kEntireSpace);
    AddressSpace space{topology, "cpu", root};
    Reader reader{space};

    DeviceStatus read(uint64_t offset, unsigned size, uint64_t* value) {
        return reader.device_read(0x1000 + offset, size, value);
    }
    DeviceStatus write(uint64_t offset, unsigned size, uint64_t value) {
        return reader.device_write(0x1000 + offset, size, value);
    }
};

TEST_CASE("an access of a size that is taken is one call") {
    Device device({1, 8, false}, {1, 8, false});
    uint64_t value = 0;
    for (unsigned size : {1u, 2u, 4u, 8u}) {
        CHECK(device.read(8, size, &value) == DeviceStatus::ok);
        CHECK(device.storage.calls.back() == Call{false, 8, size, value});
    }
    CHECK(value == 0x1f1e1d1c1b1a1918);
    CHECK(device.storage.calls.size() == 4);
    CHECK(device.storage.locked_always);
}

TEST_CASE("what the region does not allow is a bus error and reaches nobody") {
    Device device({2, 4, false}, {2, 4, false});
    uint64_t value = 0;
    CHECK(device.read(0, 1, &value) == DeviceStatus::bus_error);
    CHECK(device.read(0, 8, &value) == DeviceStatus::bus_error);
    CHECK(device.read(2, 4, &value) == DeviceStatus::bus_error);
    CHECK(device.write(1, 2, 0) == DeviceStatus::bus_error);
    CHECK(device.storage.calls.empty());
    CHECK(device.read(4, 4, &value) == DeviceStatus::ok);
}

TEST_CASE("over-wide accesses are split in ascending order") {
    Device device({1, 8, false}, {1, 2, false});
    uint64_t value = 0;
    CHECK(device.read(0, 8, &value) == DeviceStatus::ok);
    CHECK(value == 0x1716151413121110);
    CHECK(device.storage.calls ==
          std::vector<Call>{
              {false, 0, 2, 0x1110}, {false, 2, 2, 0x1312}, {false, 4, 2, 0x1514}, {false, 6, 2, 0x1716}});
    device.storage.calls.clear();
    CHECK(device.write(8, 4, 0xffffffff44332211) == DeviceStatus::ok);
    CHECK(device.storage.calls == std::vector<Call>{{true, 8, 2, 0x2211}, {true, 10, 2, 0x4433}});
    CHECK(device.storage.locked_always);
}

TEST_CASE("misaligned accesses are split where the functions want alignment") {
    Device device({1, 8, true}, {1, 4, false});
    uint64_t value = 0;
    CHECK(device.read(1, 8, &value) == DeviceStatus::ok);
    CHECK(value == 0x1817161514131211);
    CHECK(device.storage.calls ==
          std::vector<Call>{
              {false, 1, 1, 0x11}, {false, 2, 2, 0x1312}, {false, 4, 4, 0x17161514}, {false, 8, 1, 0x18}});
    device.storage.calls.clear();
    CHECK(device.write(3, 2, 0xbbaa) == DeviceStatus::ok);
    CHECK(device.storage.calls == std::vector<Call>{{true, 3, 1, 0xaa}, {true, 4, 1, 0xbb}});
}

TEST_CASE("misaligned accesses stay whole where the functions take them") {
    Device device({1, 8, true}, {1, 8, true});
    uint64_t value = 0;
    CHECK(device.read(3, 4, &value) == DeviceStatus::ok);
    CHECK(device.storage.calls == std::vector<Call>{{false, 3, 4, 0x16151413}});
}

TEST_CASE("narrow accesses are widened: reads extract, writes keep what is around") {
    Device device({1, 8, true}, {4, 4, false});
    uint64_t value = 0;
    CHECK(device.read(6, 1, &value) == DeviceStatus::ok);
    CHECK(value == 0x16);
    CHECK(device.storage.calls == std::vector<Call>{{false, 4, 4, 0x17161514}});
    device.storage.calls.clear();
    CHECK(device.write(3, 2, 0xbbaa) == DeviceStatus::ok);
    CHECK(device.storage.calls == std::vector<Call>{{false, 0, 4, 0x13121110},
                                                    {true, 0, 4, 0xaa121110},
                                                    {false, 4, 4, 0x17161514},
                                                    {true, 4, 4, 0x171615bb}});
    // Only the low bytes of a value count.
    CHECK(device.write(8, 1, 0xffffff99) == DeviceStatus::ok);
    CHECK(device.storage.bytes[8] == 0x99);
    CHECK(device.storage.bytes[9] == 0x19);
}

TEST_CASE("the first piece that fails ends the access") {
    Device device({1, 8, false}, {1, 2, false});
    device.storage.broken_at = 2;
    uint64_t value = 0;
    CHECK(device.read(0, 8, &value) == DeviceStatus::bus_error);
    CHECK(device.storage.calls.size() == 2);
    CHECK(device.write(0, 8, 0) == DeviceStatus::bus_error);
    CHECK(device.storage.calls.size() == 4);
}

TEST_CASE("an access that leaves its region is divided between both sides") {
    Device device({1, 8, false}, {1, 8, false});
    uint64_t value = 0;
    // The last two bytes of the device, then nothing.
    CHECK(device.read(62, 4, &value) == DeviceStatus::unassigned);
    Storage second;
    device.root->add_subregion(0x1040, device.topology.io("second", 64, device.ops, &second, nullptr));
    CHECK(device.read(62, 4, &value) == DeviceStatus::ok);
    CHECK(value == 0x11104f4e);
    CHECK(device.write(62, 4, 0xd4c3b2a1) == DeviceStatus::ok);
    CHECK(device.storage.bytes[63] == 0xb2);
    CHECK(second.bytes[0] == 0xc3);
    CHECK(second.bytes[1] == 0xd4);
}

}  // namespace
}  // namespace weft::mem
