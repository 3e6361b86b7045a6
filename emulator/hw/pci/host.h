// A PCI Express host bridge that is all of a generic ECAM (PCI Express Base Specification, 7.2.2), as QEMU's gpex: bus 0 with up to 32
// slots of eight functions, of which 00.0 is the bridge itself, and buses behind root ports (root_port.h).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/mutex.h"
#include "emulator/hw/core/irq.h"
#include "emulator/hw/core/mmio.h"
#include "emulator/hw/pci/bus.h"
#include "emulator/hw/pci/function.h"

namespace weft::hw {

class PciRootPort;

class PciHost {
  public:
    static constexpr uint64_t kEcamSize = 256 << 20;
    static constexpr uint64_t kIoSize = 64 << 10;
    static constexpr const char* kBusName = "pcie.0";
    static constexpr unsigned kSlots = PciBus::kSlots;
    static constexpr unsigned kFunctions = PciBus::kFunctions;

    // `memory` is what bus masters reach.
    PciHost(mem::Topology& topology, mem::RegionPtr memory,
            const std::array<IrqLine, PciWires::kCount>& lines);

    const mem::RegionPtr& ecam() const { return ecam_; }
    // The bus's memory and I/O addresses, of which the board shows windows.
    const mem::RegionPtr& memory_bars() const { return site_.memory_bars; }
    const mem::RegionPtr& io_bars() const { return site_.io_bars; }
    const PciSite& site() const { return site_; }

    // Before the machine runs. `multifunction`: there are others in the slot. `bus`: empty, or that of the root port of that name,
    // which is plugged in already.
    void plug(PciAddress address, std::unique_ptr<PciFunction> function, bool multifunction);
    void plug(std::string_view bus, PciAddress address, PciBus::Plugged plugged, bool multifunction);
    // Where functions of that bus are to be made for; null: there is no such bus.
    const PciSite* site_of(std::string_view bus);
    void reset();

    // Where a function is: on bus 0, or behind a root port there.
    struct Place {
        PciAddress address;
        std::optional<PciAddress> port = std::nullopt;
    };
    // Of each function: where, what, and why it cannot be saved (null: it can be). What is behind a port comes next after it.
    struct Plugged {
        Place place;
        uint32_t vendor_and_device;
        const char* why_not_saved;
    };
    std::vector<Plugged> plugged() const;
    // The function at a place where there is one.
    void visit_state(const Place& place, StateVisitor& visitor);

    // While the machine runs, on the main loop's thread. A function for the link behind a root port, made for its site; what does not
    // fit comes back with the reason.
    Result<> hot_plug(std::string_view bus, PciBus::Plugged plugged);
    // Asks the guest to let go of a device, which it does some time: MachineControl::devices_released() tells.
    Result<> ask_to_release(std::string_view id);
    // What guests have let go of since it was last asked. Nothing of it is mapped or reached any more.
    std::vector<PciBus::Plugged> take_released();
    // What the device `id` was made from, while it is plugged in; nothing: there is none.
    std::optional<DeviceConfig> device(std::string_view id);

  private:
    friend struct MmioOps<PciHost>;

    uint64_t mmio_read(uint64_t offset, unsigned size) WEFT_REQUIRES(mutex_);
    void mmio_write(uint64_t offset, unsigned size, uint64_t value) WEFT_REQUIRES(mutex_);
    PciFunction* at(uint64_t offset) WEFT_REQUIRES(mutex_);

    PciWires wires_;
    const PciSite site_;
    mutable Mutex mutex_;
    PciRootPort* port(std::string_view bus) WEFT_REQUIRES(mutex_);
    const PciBus& bus_of(const Place& place) const WEFT_REQUIRES(mutex_);

    PciBus bus_ WEFT_GUARDED_BY(mutex_);
    const mem::RegionPtr ecam_;
};

}  // namespace weft::hw
