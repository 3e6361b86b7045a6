// A PCI-to-PCI bridge: a function with a bus behind it (PCI-to-PCI Bridge Architecture Specification 1.2, chapter 3; PCI Express Base
// Specification 5.0, 7.5.1.3: the type 1 configuration space header).
//
// What lies in the bridge's windows goes to the bus behind it, which sees memory as far as the bridge is a bus master. Its functions'
// pins are led to the bridge's own by their slots.
#pragma once

#include <optional>

#include "emulator/hw/pci/bus.h"
#include "emulator/hw/pci/function.h"

namespace weft::hw {

namespace pci {
// Of type 1 headers.
enum BridgeRegister : uint16_t {
    kPrimaryBus = 0x18,
    kSecondaryBus = 0x19,
    kSubordinateBus = 0x1a,
    kSecondaryLatency = 0x1b,
    kIoBase = 0x1c,
    kIoLimit = 0x1d,
    kSecondaryStatus = 0x1e,
    kMemoryBase = 0x20,
    kMemoryLimit = 0x22,
    kPrefetchBase = 0x24,
    kPrefetchLimit = 0x26,
    kPrefetchBaseHigh = 0x28,
    kPrefetchLimitHigh = 0x2c,
    kBridgeControl = 0x3e,
    kBridgeEnd = 0x40,
};
enum BridgeControl : uint16_t { kBridgeReset = 0x40 };
}  // namespace pci

class PciBridge : public PciFunction {
  public:
    // `express`: what is behind it is a link of PCI Express.
    PciBridge(const PciSite& site, const std::string& name, const Identity& identity, bool express);

    PciBridge* bridge() final { return this; }

    // The bus behind it, and where its functions are to be made for. Once the bridge is plugged in.
    PciBus& bus() { return bus_; }
    const PciBus& bus() const { return bus_; }
    const PciSite& below() const { return *below_; }

    // Of the bus behind it; 0: none yet.
    unsigned secondary() const { return get(pci::kSecondaryBus, 1); }
    // Whether accesses to that bus are the bridge's to hand on, and it can.
    bool hands_on(unsigned bus) const {
        return secondary() != 0 && bus >= secondary() && bus <= get(pci::kSubordinateBus, 1) && !in_reset_ &&
               reachable();
    }

  protected:
    void config_written(unsigned offset, unsigned size) override;
    void reset_device() override;
    void plugged_in(unsigned slot) override;
    void visit_device(StateVisitor& visitor) override;
    // Whether what is behind it answers.
    virtual bool reachable() const { return true; }

  private:
    // The part of a space of addresses that goes to the bus behind the bridge.
    struct Window {
        mem::RegionPtr region;  // null: closed
        uint64_t first = 0, last = 0;
    };
    void show_window(Window& window, const mem::RegionPtr& space, const mem::RegionPtr& below, bool open,
                     uint64_t first, uint64_t last);
    void map_windows();

    const bool express_;
    const mem::RegionPtr memory_bars_, io_bars_;
    PciBus bus_;
    std::optional<PciSite> below_;
    Window memory_, prefetch_, io_;
    bool in_reset_ = false;  // the bus behind it
};

}  // namespace weft::hw
