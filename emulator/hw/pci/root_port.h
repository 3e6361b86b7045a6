// A root port of PCI Express: a bridge whose bus is a link to one device, with a slot in which that is exchanged while the machine
// runs (PCI Express Base Specification 5.0, 6.7: PCI Express Hot-Plug Support; 7.5.3: the capability).
//
// The slot has an attention button, an attention and a power indicator and a power controller; commands complete at once. A device
// that comes is present, and where the slot has power its link is up. One that is to go makes the port press the button; it goes when the
// guest has taken the power away. A slot has power until the guest takes it, so that guests without a driver for slots find what came when
// they look for devices again.
//
// Under the host bridge's lock, as all functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/pci/bridge.h"

namespace weft::hw {

class PciRootPort final : public PciBridge {
  public:
    struct Config {
        std::string name;     // of the bus behind it; empty: nobody can name it
        uint8_t port = 0;     // its number, which the link capabilities tell
        uint16_t slot = 0;    // the number on the slot's lid
        bool hotplug = true;  // devices may come and go
    };
    // `control` outlives it.
    PciRootPort(const PciSite& site, MachineControl& control, Config config);

    // The name of the bus behind it.
    const std::string& name() const { return config_.name; }
    const char* why_not_saved() override { return nullptr; }

    // Before the machine runs.
    void plug_cold(PciAddress address, PciBus::Plugged plugged, bool multifunction);
    // Fails where a device is there already, or the slot is none of these.
    Result<> plug_hot(PciBus::Plugged plugged);
    // Fails where the slot does not let go of devices. MachineControl::devices_released() tells when the device has gone.
    Result<> press_button();
    std::vector<PciBus::Plugged> take_released() { return std::exchange(released_, {}); }

  private:
    void config_written(unsigned offset, unsigned size) override;
    void reset_device() override;
    void visit_device(StateVisitor& visitor) override;
    bool reachable() const override { return link_up_; }

    uint32_t slot_control() const;
    void raise(uint16_t events);
    bool link_wanted() const;
    void update_slot();
    void update_interrupt();
    void let_go();

    const Config config_;
    MachineControl& control_;
    unsigned express_ = 0;  // the capability
    bool link_up_ = false;
    bool leaving_ = false;  // the button was pressed for a device that is to go
    std::vector<PciBus::Plugged> released_;
};

// pcie-root-port.
extern const DeviceType kPciRootPortType;

}  // namespace weft::hw
