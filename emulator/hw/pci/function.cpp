#include "emulator/hw/pci/function.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/bits.h"

namespace weft::hw {

void PciWires::change(unsigned wire, bool assert) {
    const MutexLock lock(mutex_);
    asserting_[wire] += assert ? 1 : -1u;
    lines_[wire].set(asserting_[wire] != 0);
}

namespace {

// What a bus master reaches: all of memory, or nothing.
mem::RegionPtr make_master(const PciSite& site, const std::string& name) {
    mem::RegionPtr master = site.topology.container(name + ".master", mem::kEntireSpace);
    const mem::Transaction transaction(site.topology);
    master->add_subregion(0, site.topology.alias(name + ".memory", site.memory, 0, mem::kEntireSpace));
    master->set_enabled(false);
    return master;
}

}  // namespace

PciFunction::PciFunction(const PciSite& site, const std::string& name, const Identity& identity)
    : site_(site), master_(make_master(site, name)), dma_space_(site.topology, name, master_) {
    set(pci::kVendor, 2, identity.vendor);
    set(pci::kDevice, 2, identity.device);
    set(pci::kRevision, 1, identity.revision);
    set(pci::kClass, 1, identity.class_code & 0xff);
    set(pci::kClass + 1, 2, identity.class_code >> 8);
    set(pci::kSubsystemVendor, 2, identity.subsystem_vendor);
    set(pci::kSubsystem, 2, identity.subsystem);
    set_writable(pci::kCommand, 2,
                 pci::kIo | pci::kMemory | pci::kMaster | pci::kParity | pci::kSystemError | pci::kNoIntx);
    set_writable(pci::kCacheLine, 1, 0xff);
    set_writable(pci::kLatency, 1, 0xff);
    set_writable(pci::kInterruptLine, 1, 0xff);
}

void PciFunction::plug(unsigned slot, unsigned function, bool multifunction) {
    // PCI-to-PCI Bridge Architecture Specification, 2.2.6 (INTA of slot 0 is wire 0).
    const unsigned pin = get(pci::kInterruptPin, 1);
    wire_ = (site_.swizzle + slot + (pin == 0 ? 0 : pin - 1)) % PciWires::kCount;
    if (multifunction && function == 0) {
        set(pci::kHeaderType, 1, get(pci::kHeaderType, 1) | 0x80);
    }
    plugged_in(slot);
}

void PciFunction::set(unsigned offset, unsigned size, uint32_t value) {
    show(offset, size, value);
    std::copy_n(config_.begin() + offset, size, initial_.begin() + offset);
}

void PciFunction::show(unsigned offset, unsigned size, uint32_t value) {
    for (unsigned i = 0; i < size; ++i) {
        config_[offset + i] = static_cast<uint8_t>(value >> 8 * i);
    }
}

void PciFunction::set_writable(unsigned offset, unsigned size, uint32_t mask) {
    for (unsigned i = 0; i < size; ++i) {
        writable_[offset + i] = static_cast<uint8_t>(mask >> 8 * i);
    }
}

void PciFunction::set_write_clears(unsigned offset, unsigned size, uint32_t mask) {
    for (unsigned i = 0; i < size; ++i) {
        write_clears_[offset + i] = static_cast<uint8_t>(mask >> 8 * i);
    }
}

uint32_t PciFunction::get(unsigned offset, unsigned size) const {
    uint32_t value = 0;
    for (unsigned i = 0; i < size; ++i) {
        value |= uint32_t{config_[offset + i]} << 8 * i;
    }
    return value;
}

void PciFunction::add_bar(unsigned index, BarKind kind, mem::RegionPtr region) {
    const uint64_t size = region->size();
    WEFT_ASSERT(is_power_of_two(size) && size >= (kind == BarKind::io ? 4 : 16) && size <= 1u << 31);
    const unsigned at = pci::kBar0 + 4 * index;
    // 6.2.5.1: bits below the size read as zero, which tells the size.
    set_writable(at, 4, ~(static_cast<uint32_t>(size) - 1));
    switch (kind) {
        case BarKind::io:
            set(at, 4, 1);
            break;
        case BarKind::memory32:
            break;
        case BarKind::memory64:
            set(at, 4, 0xc);
            set_writable(at + 4, 4, UINT32_MAX);
            break;
    }
    bars_[index] = {.kind = kind, .region = std::move(region)};
}

unsigned PciFunction::add_capability(uint8_t id, unsigned size) {
    const unsigned offset = next_capability_;
    next_capability_ = static_cast<unsigned>(align_up(offset + size, 4));
    WEFT_ASSERT(next_capability_ <= kConfigSize);
    set(offset, 1, id);
    set(last_capability_ == 0 ? unsigned{pci::kCapabilities} : last_capability_ + 1, 1, offset);
    set(pci::kStatus, 2, pci::kHasCapabilities);
    last_capability_ = offset;
    return offset;
}

void PciFunction::before_config_read(unsigned, unsigned) {}
void PciFunction::config_written(unsigned, unsigned) {}

uint32_t PciFunction::config_read(unsigned offset, unsigned size) {
    before_config_read(offset, size);
    uint32_t value = get(offset, size);
    if (offset <= pci::kStatus && pci::kStatus < offset + size) {
        const MutexLock lock(interrupt_mutex_);
        value |= (level_ ? uint32_t{pci::kInterrupt} : 0) << 8 * (pci::kStatus - offset);
    }
    return value;
}

void PciFunction::config_write(unsigned offset, unsigned size, uint32_t value) {
    for (unsigned i = 0; i < size; ++i) {
        const uint8_t mask = writable_[offset + i];
        const auto byte = static_cast<uint8_t>(value >> 8 * i);
        const int kept = config_[offset + i] & ~mask & ~(byte & write_clears_[offset + i]);
        config_[offset + i] = static_cast<uint8_t>(kept | (byte & mask));
    }
    if (offset < pci::kBar0 + 4 * kBars) {
        map();
    }
    config_written(offset, size);
}

void PciFunction::reset() {
    config_ = initial_;
    map();
    reset_device();
}

void PciFunction::visit_state(StateVisitor& visitor) {
    std::array<uint32_t, kConfigSize / 4> words{};
    for (unsigned i = 0; i < words.size(); ++i) {
        words[i] = get(4 * i, 4);
    }
    visitor.numbers("configuration", std::span(words));
    if (visitor.loads()) {
        for (unsigned i = 0; i < kConfigSize; ++i) {
            const auto saved = static_cast<uint8_t>(words[i / 4] >> 8 * (i % 4));
            config_[i] = static_cast<uint8_t>((initial_[i] & ~writable_[i]) | (saved & writable_[i]));
        }
        map();
    }
    visit_device(visitor);
}

// UINT64_MAX: not decoded. So are addresses that nothing can be at: all ones, which drivers write to learn the size, and, of memory,
// zero. I/O may be at zero: the board's window begins there, and EDK2 gives that address to the first device.
uint64_t PciFunction::bar_address(unsigned index, const Bar& bar) const {
    const uint16_t command = static_cast<uint16_t>(get(pci::kCommand, 2));
    const bool io = bar.kind == BarKind::io;
    if ((command & (io ? pci::kIo : pci::kMemory)) == 0) {
        return UINT64_MAX;
    }
    const unsigned at = pci::kBar0 + 4 * index;
    uint64_t address = get(at, 4) & (io ? ~uint32_t{3} : ~uint32_t{15});
    uint64_t limit = io ? 0xffff : UINT32_MAX;
    if (bar.kind == BarKind::memory64) {
        address |= uint64_t{get(at + 4, 4)} << 32;
        limit = UINT64_MAX;
    }
    const uint64_t last = address + bar.region->last();
    return (address == 0 && !io) || last < address || last >= limit ? UINT64_MAX : address;
}

// Regions and bus mastering as the registers say.
void PciFunction::map_bars() {
    const mem::Transaction transaction(site_.topology);
    for (unsigned i = 0; i < kBars; ++i) {
        Bar& bar = bars_[i];
        if (bar.region == nullptr) {
            continue;
        }
        const mem::RegionPtr& space = bar.kind == BarKind::io ? site_.io_bars : site_.memory_bars;
        const uint64_t address = bar_address(i, bar);
        if (bar.mapped && address != bar.address) {
            space->remove_subregion(*bar.region);
            bar.mapped = false;
        }
        if (!bar.mapped && address != UINT64_MAX) {
            space->add_subregion(address, bar.region, 1);
            bar.mapped = true;
            bar.address = address;
        }
    }
    master_->set_enabled((get(pci::kCommand, 2) & pci::kMaster) != 0);
}

// The same of the pin. No lock is taken inside a transaction.
void PciFunction::map() {
    map_bars();
    const MutexLock lock(interrupt_mutex_);
    disabled_ = (get(pci::kCommand, 2) & pci::kNoIntx) != 0;
    update_interrupt();
}

void PciFunction::set_interrupt(bool level) {
    const MutexLock lock(interrupt_mutex_);
    level_ = level;
    update_interrupt();
}

void PciFunction::update_interrupt() {
    const bool assert = level_ && !disabled_;
    if (assert != asserted_) {
        asserted_ = assert;
        site_.wires.change(wire_, assert);
    }
}

}  // namespace weft::hw
