// A virtio disk with two queues over guest memory that holds anything: what it asks of the image lies in it, whatever threads do it, and no
// input keeps it busy for ever.
//
// Input: 16 bytes that set device and queues up, then what RAM holds from kRam on.
#include <algorithm>
#include <deque>
#include <vector>

#include "base/assert.h"
#include "emulator/hw/virtio/blk.h"
#include "emulator/hw/virtio/mmio.h"
#include "emulator/memory/topology.h"
#include "entry.h"

using namespace weft;

namespace {

constexpr uint64_t kRam = 0x80000000;
constexpr size_t kRamSize = 16 << 10;
constexpr uint64_t kDiskSize = 64 << 10;
constexpr unsigned kQueues = 2;

struct Disk final : backend::BlockBackend {
    bool frozen = false, at_once = false;
    uint64_t size() const override { return kDiskSize; }
    bool read_only() const override { return frozen; }
    static void check(uint64_t offset, uint64_t length) {
        WEFT_ASSERT(offset % 512 == 0 && length % 512 == 0 && length <= kDiskSize &&
                    offset <= kDiskSize - length);
    }
    Result<> read(uint64_t offset, std::span<uint8_t> data) override {
        check(offset, data.size());
        std::ranges::fill(data, uint8_t{0xa5});
        return {};
    }
    Result<> write(uint64_t offset, std::span<const uint8_t> data) override {
        WEFT_ASSERT(!frozen);
        check(offset, data.size());
        return {};
    }
    bool read_at_once(uint64_t offset, std::span<uint8_t> data) override {
        return at_once && read(offset, data);
    }
    bool write_at_once(uint64_t offset, std::span<const uint8_t> data) override {
        return at_once && write(offset, data);
    }
    Result<> flush() override { return {}; }
    Result<> discard(uint64_t offset, uint64_t length) override {
        WEFT_ASSERT(!frozen);
        check(offset, length);
        return {};
    }
    Result<> write_zeroes(uint64_t offset, uint64_t length, bool) override { return discard(offset, length); }
};

struct Control final : hw::MachineControl {
    std::deque<std::pair<void (*)(void*), void*>> work;
    unsigned threads = 1;
    void request_shutdown(int) override {}
    void request_reset() override {}
    void guest_error(const char* message) override { WEFT_ASSERT(message != nullptr && *message != '\0'); }
    void unimplemented(const char*) override {}
    void set_timer(uint64_t, void (*)(void*), void*) override {}
    uint64_t now_ns() override { return 0; }
    uint64_t wall_clock_ns() override { return 0; }
    std::optional<uint64_t> random_seed() override { return std::nullopt; }
    void run_io(void (*fn)(void*), void* opaque) override { work.emplace_back(fn, opaque); }
    unsigned io_threads() override { return threads; }
};

struct Guest {
    mem::Topology topology;
    std::shared_ptr<mem::RamBlock> ram = topology.allocate_ram("ram", kRamSize).value();
    mem::RegionPtr root = topology.container("root", mem::kEntireSpace);
    mem::AddressSpace space{topology, "dma", root};
    mem::Reader reader{space};
    Guest() { root->add_subregion(kRam, topology.ram(ram)); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    // Made once, for it maps memory. Each call fills all of it.
    static Guest guest;
    fuzz::Bytes bytes(data, size);
    const auto flags = bytes.take<uint16_t>();
    const auto features = bytes.take<uint32_t>();
    Disk disk;
    disk.frozen = (flags & 1) != 0;
    disk.at_once = (flags & 2) != 0;
    Control control;
    control.threads = (flags & 4) != 0 ? 4 : 1;
    hw::VirtioMmio slot(
        guest.space, control,
        std::make_unique<hw::VirtioBlk>(disk, control, hw::BlkSettings{.queues = kQueues, .queue_size = 64}),
        hw::IrqLine(), hw::VirtioMmioLayout::modern);
    {
        const mem::Transaction transaction(guest.topology);
        guest.root->add_subregion(0, slot.region());
    }
    const auto write = [&](uint64_t at, uint64_t value, unsigned width = 4) {
        WEFT_ASSERT(guest.reader.device_write(at, width, value) == DeviceStatus::ok);
    };
    write(0x70, 3);
    write(0x24, 0);
    write(0x20, features & 0x30007a64);
    write(0x24, 1);
    write(0x20, 1);
    write(0x70, 11);
    for (unsigned queue = 0; queue < kQueues; ++queue) {
        write(0x30, queue);
        write(0x38, uint64_t{1} << (bytes.take<uint8_t>() & 7));
        for (const uint64_t at : {0x80, 0x90, 0xa0}) {
            write(at, kRam + (bytes.take<uint8_t>() << 6 & (kRamSize - 1)));
            write(at + 4, 0);
        }
        write(0x44, 1);
    }
    std::vector<uint8_t> memory(kRamSize);
    std::copy_n(bytes.data(), std::min(bytes.size(), kRamSize), memory.begin());
    WEFT_ASSERT(guest.reader.write(kRam, memory) == DeviceStatus::ok);
    write(0x70, 15);
    // What the device writes may be its rings, and ask for more: of that some rounds are enough.
    for (unsigned round = 0; round < 8; ++round) {
        write(0x50, round % kQueues);
        for (unsigned turn = 0; turn < 4 && !control.work.empty(); ++turn) {
            const auto [fn, opaque] = control.work.front();
            control.work.pop_front();
            fn(opaque);
        }
        if (round == 5 && (flags & 8) != 0) {
            write(0x70, 0);
        }
    }
    write(0x70, 0);
    for (unsigned turn = 0; !control.work.empty(); ++turn) {
        WEFT_ASSERT(turn < 16);
        const auto [fn, opaque] = control.work.front();
        control.work.pop_front();
        fn(opaque);
    }
    {
        const mem::Transaction transaction(guest.topology);
        guest.root->remove_subregion(*slot.region());
    }
    return 0;
}
