// A PCI Express host bridge that is all of a generic ECAM (PCI Express Base Specification, 7.2.2), as QEMU's gpex: bus 0 with up to 32
// slots of eight functions, of which 00.0 is the bridge itself.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/mutex.h"
#include "emulator/hw/core/irq.h"
#include "emulator/hw/core/mmio.h"
#include "emulator/hw/pci/function.h"

namespace weft::hw {

// Where on the bus: "SLOT[.FN]" in hexadecimal digits, as -device's addr= has it.
struct PciAddress {
    unsigned slot = 0, function = 0;
    unsigned index() const { return slot * 8 + function; }
    bool operator==(const PciAddress&) const = default;
};
std::optional<PciAddress> parse_pci_address(std::string_view text);

class PciHost {
  public:
    static constexpr uint64_t kEcamSize = 256 << 20;
    static constexpr uint64_t kIoSize = 64 << 10;
    static constexpr unsigned kSlots = 32;
    static constexpr unsigned kFunctions = 8 * kSlots;

    // `memory` is what bus masters reach.
    PciHost(mem::Topology& topology, mem::RegionPtr memory,
            const std::array<IrqLine, PciWires::kCount>& lines);

    const mem::RegionPtr& ecam() const { return ecam_; }
    // The bus's memory and I/O addresses, of which the board shows windows.
    const mem::RegionPtr& memory_bars() const { return site_.memory_bars; }
    const mem::RegionPtr& io_bars() const { return site_.io_bars; }
    const PciSite& site() const { return site_; }

    // Before the machine runs. `multifunction`: there are others in the slot.
    void plug(PciAddress address, std::unique_ptr<PciFunction> function, bool multifunction);
    void reset();

    // Of each function that there is: where, what, and whether it can be saved.
    struct Plugged {
        PciAddress address;
        uint32_t vendor_and_device;
        bool can_be_saved;
    };
    std::vector<Plugged> plugged() const;
    // The function at an address where there is one.
    void visit_state(PciAddress address, StateVisitor& visitor);

  private:
    friend struct MmioOps<PciHost>;

    uint64_t mmio_read(uint64_t offset, unsigned size) WEFT_REQUIRES(mutex_);
    void mmio_write(uint64_t offset, unsigned size, uint64_t value) WEFT_REQUIRES(mutex_);
    PciFunction* at(uint64_t offset) WEFT_REQUIRES(mutex_);

    PciWires wires_;
    const PciSite site_;
    mutable Mutex mutex_;
    std::array<std::unique_ptr<PciFunction>, kFunctions> functions_ WEFT_GUARDED_BY(mutex_);
    const mem::RegionPtr ecam_;
};

}  // namespace weft::hw
