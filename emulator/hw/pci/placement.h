// Where devices go on PCI: the buses that there are, and the places on them, from what the user says of each.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "emulator/hw/pci/bus.h"

namespace weft::hw {

struct PciPlace {
    const DeviceConfig* config;
    std::string bus;  // of the root port before it; empty: the host bridge's
    PciAddress address;
    bool several = false;  // others are in the slot
};

// Places for those of `devices` that are of Bus::pci: root ports first, in the order of buses and addresses. A device without an
// address gets the first slot that is free.
Result<std::vector<PciPlace>> place_on_pci(std::span<const DeviceConfig* const> devices);

// Whether a device may be added to the bus that it names while the machine runs, as far as its description goes.
Result<> check_hot_place(const DeviceConfig& device);

}  // namespace weft::hw
