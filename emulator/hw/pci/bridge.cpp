#include "emulator/hw/pci/bridge.h"

#include <utility>

namespace weft::hw {

namespace {

constexpr uint8_t kHeaderTypeBridge = 1;
// Bits of the bridge control register that software may set (7.5.1.3.13). Of them the reset alone does something.
constexpr uint16_t kControlMask = 0x7f;
constexpr uint8_t kPrefetch64 = 1;  // of the base's and limit's lowest four bits: they have upper halves

constexpr uint64_t kMemoryUnit = 1 << 20;
constexpr uint64_t kIoUnit = 1 << 12;

}  // namespace

PciBridge::PciBridge(const PciSite& site, const std::string& name, const Identity& identity, bool express)
    : PciFunction(site, name, identity),
      express_(express),
      memory_bars_(site.topology.container(name + ".memory", mem::kEntireSpace)),
      io_bars_(site.topology.container(name + ".io", site.io_bars->size())) {
    set(pci::kHeaderType, 1, kHeaderTypeBridge);
    set_writable(pci::kPrimaryBus, 4, 0x00ffffff);
    set_writable(pci::kIoBase, 1, 0xf0);
    set_writable(pci::kIoLimit, 1, 0xf0);
    set_writable(pci::kMemoryBase, 4, 0xfff0fff0);
    set(pci::kPrefetchBase, 1, kPrefetch64);
    set(pci::kPrefetchLimit, 1, kPrefetch64);
    set_writable(pci::kPrefetchBase, 4, 0xfff0fff0);
    set_writable(pci::kPrefetchBaseHigh, 4, UINT32_MAX);
    set_writable(pci::kPrefetchLimitHigh, 4, UINT32_MAX);
    set_writable(pci::kBridgeControl, 2, kControlMask);
}

// 2.2.6 and table 9-1 of the bridge specification: INTx of a slot is the bridge's pin x + slot.
void PciBridge::plugged_in(unsigned slot) {
    below_.emplace(PciSite{.topology = site().topology,
                           .memory = master(),
                           .memory_bars = memory_bars_,
                           .io_bars = io_bars_,
                           .wires = site().wires,
                           .swizzle = site().swizzle + slot,
                           .express = express_});
}

void PciBridge::show_window(Window& window, const mem::RegionPtr& space, const mem::RegionPtr& below,
                            bool open, uint64_t first, uint64_t last) {
    if (window.region != nullptr && open && window.first == first && window.last == last) {
        return;
    }
    if (window.region != nullptr) {
        space->remove_subregion(*window.region);
        window.region.reset();
    }
    if (open) {
        window = {site().topology.alias("bridge-window", below, first, last - first + 1), first, last};
        space->add_subregion(first, window.region, 1);
    }
}

void PciBridge::map_windows() {
    const uint32_t command = get(pci::kCommand, 2);
    const bool memory = (command & pci::kMemory) != 0;
    const mem::Transaction transaction(site().topology);
    // A window whose limit is below its base is closed (3.2.5.6, 3.2.5.8, 3.2.5.9).
    uint64_t first = uint64_t{get(pci::kMemoryBase, 2) >> 4} * kMemoryUnit;
    uint64_t last = uint64_t{get(pci::kMemoryLimit, 2) >> 4} * kMemoryUnit + kMemoryUnit - 1;
    show_window(memory_, site().memory_bars, memory_bars_, memory && first <= last, first, last);
    first = uint64_t{get(pci::kPrefetchBase, 2) >> 4} * kMemoryUnit | uint64_t{get(pci::kPrefetchBaseHigh, 4)}
                                                                          << 32;
    last = (uint64_t{get(pci::kPrefetchLimit, 2) >> 4} * kMemoryUnit + kMemoryUnit - 1) |
           uint64_t{get(pci::kPrefetchLimitHigh, 4)} << 32;
    // All of the 64-bit space has no size that can be said.
    const bool whole = first == 0 && last == UINT64_MAX;
    show_window(prefetch_, site().memory_bars, memory_bars_, memory && first <= last && !whole, first, last);
    first = uint64_t{get(pci::kIoBase, 1) >> 4} * kIoUnit;
    last = uint64_t{get(pci::kIoLimit, 1) >> 4} * kIoUnit + kIoUnit - 1;
    show_window(io_, site().io_bars, io_bars_, (command & pci::kIo) != 0 && first <= last, first, last);
}

void PciBridge::config_written(unsigned offset, unsigned size) {
    if (offset < pci::kBridgeEnd) {
        map_windows();
    }
    if (offset < pci::kBridgeEnd && offset + size > pci::kBridgeControl) {
        // 3.2.5.18: what is behind the bridge is reset as long as the bit is set, and nobody there is configured meanwhile.
        const bool reset = (get(pci::kBridgeControl, 2) & pci::kBridgeReset) != 0;
        if (reset && !std::exchange(in_reset_, reset)) {
            bus_.reset();
        }
        in_reset_ = reset;
    }
}

// All that a bridge has is in its configuration space. What is behind it was reset, or will be loaded as it is.
void PciBridge::visit_device(StateVisitor& visitor) {
    if (visitor.loads()) {
        in_reset_ = (get(pci::kBridgeControl, 2) & pci::kBridgeReset) != 0;
        map_windows();
    }
}

void PciBridge::reset_device() {
    in_reset_ = false;
    map_windows();
    bus_.reset();
}

}  // namespace weft::hw
