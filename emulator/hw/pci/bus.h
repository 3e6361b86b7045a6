// A PCI bus: which functions are plugged into it, and who answers a configuration access to it and to what is behind its bridges.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/hw/core/device_type.h"
#include "emulator/hw/pci/function.h"

namespace weft::hw {

// Where on a bus: "SLOT[.FN]" in hexadecimal digits, as -device's addr= has it.
struct PciAddress {
    unsigned slot = 0, function = 0;
    unsigned index() const { return slot * 8 + function; }
    bool operator==(const PciAddress&) const = default;
};
std::optional<PciAddress> parse_pci_address(std::string_view text);

class PciBridge;

// All of it under the host bridge's lock.
class PciBus {
  public:
    static constexpr unsigned kSlots = 32;
    static constexpr unsigned kFunctions = 8 * kSlots;

    // A function, and what it was made from; that has no value for parts of the board.
    struct Plugged {
        std::unique_ptr<PciFunction> function;
        std::optional<DeviceConfig> config;
    };

    // `multifunction`: there are others in the slot. The place is free.
    void plug(PciAddress address, Plugged plugged, bool multifunction);
    // Takes out everything that is plugged in.
    std::vector<Plugged> take_all();
    bool empty() const;
    void reset();

    // The function at that place; null: none.
    PciFunction* at(unsigned index) const { return functions_[index].function.get(); }
    // The function that answers on bus number `bus`, where this bus has the number `own`; null: none. PCI-to-PCI Bridge
    // Architecture Specification 1.2, 3.1.2: a bridge hands on what is for its secondary bus or those below it.
    PciFunction* find(unsigned own, unsigned bus, unsigned index) const;
    const std::vector<PciBridge*>& bridges() const { return bridges_; }

    // What the device `id` was made from, if it is here or behind a bridge.
    struct Found {
        const PciBus* bus;
        const DeviceConfig* config;
    };
    std::optional<Found> find_device(std::string_view id) const;

  private:
    std::array<Plugged, kFunctions> functions_;
    std::vector<PciBridge*> bridges_;  // those of functions_
};

}  // namespace weft::hw
