// A PCI function: its configuration space, the regions behind its base addresses, and its interrupt pin (PCI Local Bus
// Specification 3.0, chapter 6).
//
// hw/pci holds the bus and what sits on it has in common. Boards make the host bridge, the list of device types makes functions; it
// knows memory and hw/core.
//
// The configuration space belongs to the host bridge's lock, under which base addresses move regions (a transaction of the topology)
// and a device may take its own lock. A device drives its interrupt under its own lock and takes none of the bridge's: the wire has
// one that nothing is called under but the interrupt controller.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/state_visitor.h"
#include "emulator/hw/core/irq.h"
#include "emulator/memory/topology.h"

namespace weft::hw {

// Registers of every function (table 6-1).
namespace pci {
enum Register : uint16_t {
    kVendor = 0x00,
    kDevice = 0x02,
    kCommand = 0x04,
    kStatus = 0x06,
    kRevision = 0x08,
    kClass = 0x09,  // three bytes
    kCacheLine = 0x0c,
    kLatency = 0x0d,
    kHeaderType = 0x0e,
    kBar0 = 0x10,
    kSubsystemVendor = 0x2c,
    kSubsystem = 0x2e,
    kCapabilities = 0x34,
    kInterruptLine = 0x3c,
    kInterruptPin = 0x3d,
    kFirstFree = 0x40,
};
enum Command : uint16_t {
    kIo = 1,
    kMemory = 2,
    kMaster = 4,
    kParity = 0x40,
    kSystemError = 0x100,
    kNoIntx = 0x400
};
enum Status : uint16_t { kInterrupt = 0x08, kHasCapabilities = 0x10, kErrors = 0xf900 };
}  // namespace pci

// One of the four interrupt lines of a bus, which functions share: it is asserted while one of them asserts it.
class PciWires {
  public:
    static constexpr unsigned kCount = 4;
    explicit PciWires(const std::array<IrqLine, kCount>& lines) : lines_(lines) {}
    // A function begins or ends to assert a line. Any thread.
    void change(unsigned wire, bool assert);

  private:
    const std::array<IrqLine, kCount> lines_;
    Mutex mutex_;
    std::array<unsigned, kCount> asserting_ WEFT_GUARDED_BY(mutex_){};
};

// Where functions are plugged in; all of it outlives them.
struct PciSite {
    mem::Topology& topology;
    mem::RegionPtr memory;                // what bus masters reach
    mem::RegionPtr memory_bars, io_bars;  // the bus's two spaces of addresses
    PciWires& wires;
    unsigned swizzle = 0;  // what bridges on the way add to a function's pin
    bool express = false;  // a link of PCI Express, behind a port: its functions say that they are at its end
};

class PciBridge;

class PciFunction {
  public:
    static constexpr unsigned kConfigSize = 256;
    static constexpr unsigned kBars = 6;

    struct Identity {
        uint16_t vendor, device;
        uint8_t revision;
        uint32_t class_code;  // 24 bits
        uint16_t subsystem_vendor, subsystem;
    };

    PciFunction(const PciSite& site, const std::string& name, const Identity& identity);
    virtual ~PciFunction() = default;
    PciFunction(const PciFunction&) = delete;
    PciFunction& operator=(const PciFunction&) = delete;

    // Where it sits: decides which wire its pin leads to. Before anything else.
    void plug(unsigned slot, unsigned function, bool multifunction);

    // The function as a bridge; null: it is none.
    virtual PciBridge* bridge() { return nullptr; }

    // Accesses of 1, 2 or 4 bytes, aligned, within kConfigSize. Under the bridge's lock.
    uint32_t config_read(unsigned offset, unsigned size);
    void config_write(unsigned offset, unsigned size, uint32_t value);
    // The machine's. Under the bridge's lock.
    void reset();

    // Null: visit_state() visits all that it has. Else the reason, and machines that have it are not saved. Under the bridge's lock.
    virtual const char* why_not_saved() { return "there is no form for it"; }
    // What it is, for who compares two machines.
    uint32_t vendor_and_device() const { return get(pci::kVendor, 4); }
    // Under the bridge's lock. Of the configuration space what the guest may write is loaded.
    void visit_state(StateVisitor& visitor);

    // Asserts or releases INTA. Under the device's own lock.
    void set_interrupt(bool level);

  protected:
    enum class BarKind : uint8_t {
        io,
        memory32,
        memory64
    };  // memory64 takes the next number, too, and is prefetchable

    // `region` has a size that is a power of two, at least 16 bytes (4 for I/O).
    void add_bar(unsigned index, BarKind kind, mem::RegionPtr region);
    void set_interrupt_pin() { set(pci::kInterruptPin, 1, 1); }
    // Appends a capability of so many bytes, its two-byte header among them, to the list (6.7); its offset.
    unsigned add_capability(uint8_t id, unsigned size);
    void set(unsigned offset, unsigned size, uint32_t value);   // what reads show
    void show(unsigned offset, unsigned size, uint32_t value);  // until the reset
    void set_writable(unsigned offset, unsigned size, uint32_t mask);
    // Bits that writing a one clears.
    void set_write_clears(unsigned offset, unsigned size, uint32_t mask);
    uint32_t get(unsigned offset, unsigned size) const;

    const PciSite& site() const { return site_; }
    // The same as a region, for bus masters behind a bridge.
    const mem::RegionPtr& master() const { return master_; }
    // Memory as the device reaches it: nothing, where the guest has not made it a bus master.
    mem::AddressSpace& dma_space() { return dma_space_; }

    // Around accesses of the configuration space: what a register has to show, and that one was written. Under the bridge's lock.
    virtual void before_config_read(unsigned offset, unsigned size);
    virtual void config_written(unsigned offset, unsigned size);
    // The machine's reset, besides the configuration space.
    virtual void reset_device() {}
    // As SavedPart::visit, of all but the configuration space, which has been loaded before.
    virtual void visit_device(StateVisitor&) {}
    virtual void plugged_in(unsigned) {}  // its slot

  private:
    struct Bar {
        BarKind kind = BarKind::memory32;
        mem::RegionPtr region;
        bool mapped = false;
        uint64_t address = 0;
    };

    uint64_t bar_address(unsigned index, const Bar& bar) const;
    void map_bars();
    void map();
    void update_interrupt() WEFT_REQUIRES(interrupt_mutex_);

    const PciSite site_;
    const mem::RegionPtr master_;  // memory, seen while the guest allows it
    mem::AddressSpace dma_space_;
    std::array<uint8_t, kConfigSize> config_{};
    std::array<uint8_t, kConfigSize> initial_{};
    std::array<uint8_t, kConfigSize> writable_{};
    std::array<uint8_t, kConfigSize> write_clears_{};
    std::array<Bar, kBars> bars_{};
    unsigned next_capability_ = pci::kFirstFree;
    unsigned last_capability_ = 0;
    unsigned wire_ = 0;

    Mutex interrupt_mutex_;
    bool level_ WEFT_GUARDED_BY(interrupt_mutex_) = false;
    bool disabled_ WEFT_GUARDED_BY(interrupt_mutex_) = false;
    bool asserted_ WEFT_GUARDED_BY(interrupt_mutex_) = false;
};

}  // namespace weft::hw
