#include "emulator/hw/pci/root_port.h"

#include <fmt/format.h>

#include <utility>

#include "base/text_values.h"
#include "emulator/hw/pci/express.h"
#include "emulator/hw/pci/host.h"

namespace weft::hw {

namespace {

using namespace express;

// The numbers of the port that QEMU has under the same name, so that guests know it by them.
constexpr PciFunction::Identity kIdentity = {
    .vendor = 0x1b36,
    .device = 0x000c,
    .revision = 0,
    .class_code = 0x060400,
    .subsystem_vendor = 0,  // type 1 headers have none
    .subsystem = 0,
};

// Events and what enables their interrupts.
constexpr struct {
    uint16_t event, enable;
} kInterrupts[] = {
    {kButtonPressed, kButtonEnable}, {kPresenceChanged, kPresenceEnable}, {kLinkChanged, kLinkEnable}};

}  // namespace

PciRootPort::PciRootPort(const PciSite& site, MachineControl& control, Config config)
    : PciBridge(site, "pcie-root-port", kIdentity, true), config_(std::move(config)), control_(control) {
    set_interrupt_pin();
    express_ = add_capability(express::kId, express::kSize);
    const auto at = [&](Register offset) { return express_ + offset; };
    set(at(kFlags), 2, kVersion | kRootPort | kSlotImplemented);
    set(at(kDeviceCapabilities), 4, kRoleBasedErrors);
    set(at(kDeviceControl), 2, kDeviceControlReset);
    set_writable(at(kDeviceControl), 2, kDeviceControlMask);
    set(at(kLinkCapabilities), 4,
        kSpeed | kWidth | kReportsLinkActive | uint32_t{config_.port} << kPortShift);
    set_writable(at(kLinkControl), 2, kLinkControlMask);
    set(at(kLinkStatus), 2, kSpeed | kWidth);
    uint32_t slot = uint32_t{config_.slot} << kSlotShift;
    if (config_.hotplug) {
        slot |= kHasButton | kHasPowerController | kHasAttentionIndicator | kHasPowerIndicator | kHotPlug |
                kNoCommandCompleted;
        set(at(kSlotControl), 2, kAttentionOff | kPowerIndicatorOff);
        set_writable(at(kSlotControl), 2, kSlotControlMask);
        set_write_clears(at(kSlotStatus), 2, kSlotEvents);
    }
    set(at(kSlotCapabilities), 4, slot);
    set_writable(at(kRootControl), 2, 0x1f);
    set(at(kLinkCapabilities2), 4, kSpeeds);
    set(at(kLinkControl2), 2, kSpeed);
    set_writable(at(kLinkControl2), 2, kTargetSpeedMask);
}

uint32_t PciRootPort::slot_control() const { return get(express_ + kSlotControl, 2); }

void PciRootPort::plug_cold(PciAddress address, PciBus::Plugged plugged, bool multifunction) {
    bus().plug(address, std::move(plugged), multifunction);
    // What a reset brings back.
    if (config_.hotplug) {
        set(express_ + kSlotControl, 2, kAttentionOff | kPowerIndicatorOn);
    }
    link_up_ = true;
    set(express_ + kSlotStatus, 2, kPresent);
    set(express_ + kLinkStatus, 2, kSpeed | kWidth | kLinkActive);
}

Result<> PciRootPort::plug_hot(PciBus::Plugged plugged) {
    if (!config_.hotplug) {
        return fail(fmt::format("bus {} takes no devices while the machine is there (hotplug=off)",
                                in_quotes(config_.name)));
    }
    if (!bus().empty()) {
        return fail(fmt::format("bus {} has a device already", in_quotes(config_.name)));
    }
    bus().plug({0, 0}, std::move(plugged), false);
    show(express_ + kSlotStatus, 2, get(express_ + kSlotStatus, 2) | kPresent);
    raise(kPresenceChanged);
    update_slot();
    return {};
}

Result<> PciRootPort::press_button() {
    if (!config_.hotplug) {
        return fail(fmt::format("bus {} keeps its device while the machine is there (hotplug=off)",
                                in_quotes(config_.name)));
    }
    leaving_ = true;
    if ((slot_control() & kPowerOff) != 0) {
        let_go();
    } else {
        raise(kButtonPressed);
    }
    return {};
}

// 6.7.3.4: a wire is asserted as long as an event that may interrupt stands.
void PciRootPort::update_interrupt() {
    const uint32_t control = slot_control();
    const uint32_t status = get(express_ + kSlotStatus, 2);
    bool asserted = false;
    for (const auto& row : kInterrupts) {
        asserted = asserted || ((status & row.event) != 0 && (control & row.enable) != 0);
    }
    set_interrupt(asserted && (control & kInterruptEnable) != 0);
}

void PciRootPort::raise(uint16_t events) {
    if (config_.hotplug) {
        show(express_ + kSlotStatus, 2, get(express_ + kSlotStatus, 2) | events);
        update_interrupt();
    }
}

// The link is up where a device is present, has power and is not disabled.
bool PciRootPort::link_wanted() const {
    return !bus().empty() && (slot_control() & kPowerOff) == 0 &&
           (get(express_ + kLinkControl, 2) & kLinkDisable) == 0;
}

// A device that loses the link is reset.
void PciRootPort::update_slot() {
    const bool up = link_wanted();
    if (up == link_up_) {
        return;
    }
    link_up_ = up;
    show(express_ + kLinkStatus, 2, kSpeed | kWidth | (up ? kLinkActive : 0));
    if (!up) {
        bus().reset();
    }
    raise(kLinkChanged);
}

void PciRootPort::let_go() {
    leaving_ = false;
    bus().reset();
    for (PciBus::Plugged& plugged : bus().take_all()) {
        released_.push_back(std::move(plugged));
    }
    show(express_ + kSlotStatus, 2, get(express_ + kSlotStatus, 2) & ~uint32_t{kPresent});
    raise(kPresenceChanged);
    update_slot();
    control_.devices_released();
}

void PciRootPort::config_written(unsigned offset, unsigned size) {
    PciBridge::config_written(offset, size);
    if (offset + size <= express_ || offset >= express_ + express::kSize) {
        return;
    }
    update_slot();
    if (leaving_ && (slot_control() & kPowerOff) != 0) {
        let_go();
    }
    update_interrupt();
}

// The slot's device stays, with power, also where it was to go.
void PciRootPort::reset_device() {
    PciBridge::reset_device();
    leaving_ = false;
    const bool there = !bus().empty();
    link_up_ = there;
    if (config_.hotplug) {
        show(express_ + kSlotControl, 2, kAttentionOff | (there ? kPowerIndicatorOn : kPowerIndicatorOff));
    }
    show(express_ + kSlotStatus, 2, there ? kPresent : 0);
    show(express_ + kLinkStatus, 2, kSpeed | kWidth | (there ? kLinkActive : 0));
    set_interrupt(false);
}

// Whether there is a device is not the saved machine's to say: it is compared before. Registers that the guest may write are there already.
void PciRootPort::visit_device(StateVisitor& visitor) {
    PciBridge::visit_device(visitor);
    const unsigned status = express_ + kSlotStatus;
    const uint16_t possible = config_.hotplug ? kSlotEvents : 0;
    const auto events =
        visitor.value<uint16_t>("slot events", static_cast<uint16_t>(get(status, 2) & possible));
    visitor.require((events & ~possible) == 0, "'slot events' has some that there are not");
    const bool leaving = visitor.flag("leaving", leaving_);
    visitor.require(!leaving || (config_.hotplug && !bus().empty()), "'leaving' without a device that could");
    if (visitor.loads()) {
        link_up_ = link_wanted();
        show(status, 2, uint32_t{events} | (bus().empty() ? 0 : kPresent));
        show(express_ + kLinkStatus, 2, kSpeed | kWidth | (link_up_ ? kLinkActive : 0));
        update_interrupt();
    }
}

namespace {

constexpr DeviceProperty kProperties[] = {
    {"port", PropertyKind::number, "0", 0, 255, "its number among the ports"},
    {"chassis", PropertyKind::number, "0", 0, 255, "accepted"},
    {"slot", PropertyKind::number, "0", 0, 8191, "the number of its slot, which the guest tells"},
    {"hotplug", PropertyKind::on_off, "on", 0, 0, "whether devices come and go while the machine runs"},
};

}  // namespace

constexpr DeviceType kPciRootPortType = {
    .name = "pcie-root-port",
    .bus = Bus::pci,
    .help =
        "a root port: a bus of PCI Express, with its id for a name, that takes one device, also while the "
        "machine runs",
    .properties = kProperties,
    .make_virtio = nullptr,
    .make_pci = [](const DeviceConfig& config, const PciSite& site,
                   MachineControl& control) -> std::unique_ptr<PciFunction> {
        return std::make_unique<PciRootPort>(
            site, control,
            PciRootPort::Config{.name = config.id(),
                                .port = static_cast<uint8_t>(config.number("port")),
                                .slot = static_cast<uint16_t>(config.number("slot")),
                                .hotplug = config.on("hotplug")});
    },
    .makes_bus = true,
};

}  // namespace weft::hw
