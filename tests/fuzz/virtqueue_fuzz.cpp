// A virtqueue over guest memory that holds anything: chains lie in what they say, and no input keeps the device busy for ever.
//
// Input: 16 bytes that set the queue up, then what RAM holds from kRam on.
#include <algorithm>
#include <array>
#include <vector>

#include "base/assert.h"
#include "emulator/hw/virtio/virtqueue.h"
#include "emulator/memory/topology.h"
#include "entry.h"

using namespace weft;

namespace {

constexpr uint64_t kRam = 0x80000000;
constexpr size_t kRamSize = 16 << 10;
constexpr uint16_t kMaxSize = 64;

struct Guest {
    mem::Topology topology;
    std::shared_ptr<mem::RamBlock> ram = topology.allocate_ram("ram", kRamSize).value();
    mem::RegionPtr root = topology.container("root", mem::kEntireSpace);
    mem::AddressSpace space{topology, "dma", root};
    mem::Reader dma{space};

    Guest() { root->add_subregion(kRam, topology.ram(ram)); }

    // All of RAM, so that nothing is left of the input before.
    void fill(const uint8_t* data, size_t size) {
        std::vector<uint8_t> bytes(kRamSize);
        std::copy_n(data, std::min(size, kRamSize), bytes.begin());
        WEFT_ASSERT(dma.write(kRam, bytes) == DeviceStatus::ok);
    }
};

uint64_t sum(const std::vector<hw::VirtioChain::Part>& parts) {
    uint64_t total = 0;
    for (const hw::VirtioChain::Part& part : parts) {
        total += part.size;
    }
    return total;
}

// What a device does with a chain.
void serve(mem::Reader& dma, hw::Virtqueue& queue, const hw::VirtioChain& chain) {
    WEFT_ASSERT(queue.owns(chain) && chain.head < queue.size());
    WEFT_ASSERT(chain.readable_size == sum(chain.readable) && chain.writable_size == sum(chain.writable));
    std::array<uint8_t, 64> data{};
    const auto head = std::span(data).first(std::min<uint64_t>(chain.readable_size, data.size()));
    static_cast<void>(chain.read(dma, chain.readable_size - head.size(), head));
    const auto tail = std::span(data).first(std::min<uint64_t>(chain.writable_size, data.size()));
    static_cast<void>(chain.write(dma, chain.writable_size - tail.size(), tail));
    WEFT_ASSERT(!chain.read(dma, chain.readable_size, std::span(data).first(1)));
    WEFT_ASSERT(!chain.write(dma, chain.writable_size, std::span(data).first(1)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    // Made once, for it maps memory. Each call fills all of it.
    static Guest guest;
    fuzz::Bytes bytes(data, size);
    hw::Virtqueue queue(kMaxSize);
    queue.set_size(bytes.take<uint16_t>());
    const auto flags = bytes.take<uint16_t>();
    // Mostly in RAM: 16-bit offsets, unless the flags say that the upper half is all ones.
    const auto address = [&](unsigned bit) {
        const uint64_t offset = bytes.take<uint32_t>();
        return (flags >> bit & 1) != 0 ? ~uint64_t{0} << 32 | offset : kRam + (offset & 0xffff);
    };
    queue.set_descriptors(address(2));
    queue.set_available(address(3));
    queue.set_used(address(4));
    // In one piece, as the legacy interface has it.
    if ((flags & 0x20) != 0) {
        queue.set_ring(queue.descriptors(), uint32_t{1} << (flags >> 8 & 31));
    }
    guest.fill(bytes.data(), bytes.size());
    if (!queue.enable(((flags & 1) != 0 ? hw::kVirtioEventIndex : 0) |
                      ((flags & 2) != 0 ? hw::kVirtioIndirect : 0))) {
        return 0;
    }
    // At most the queue's size lies ahead of the device at a time. What it writes may be the rings, so bound the rounds.
    for (unsigned round = 0; round < 4 * kMaxSize; ++round) {
        const auto chain = queue.pop(guest.dma);
        if (!chain) {
            WEFT_ASSERT(!chain.error().message().empty());
            return 0;
        }
        if (!*chain) {
            const auto more = queue.wait_for_more(guest.dma);
            if (!more || !*more) {
                return 0;
            }
            continue;
        }
        serve(guest.dma, queue, **chain);
        if (!queue.push(guest.dma, **chain, 1) || !queue.wants_interrupt(guest.dma)) {
            return 0;
        }
    }
    queue.reset();
    WEFT_ASSERT(!queue.pop(guest.dma)->has_value());
    return 0;
}
