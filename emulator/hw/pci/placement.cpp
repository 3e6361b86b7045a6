#include "emulator/hw/pci/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text_values.h"
#include "emulator/hw/pci/host.h"

namespace weft::hw {

namespace {

std::string named(const DeviceConfig& device) { return "device " + in_quotes(device.type().name); }

bool on_root(const DeviceConfig& device) { return device.bus().empty() || device.bus() == PciHost::kBusName; }

Result<std::optional<PciAddress>> address_of(const DeviceConfig& device) {
    const std::string& text = device.pci().address;
    if (text.empty()) {
        return std::nullopt;
    }
    const std::optional<PciAddress> address = parse_pci_address(text);
    if (!address) {
        return fail(fmt::format("{}: addr is SLOT[.FN], 00 to 1f and 0 to 7, not {}", named(device),
                                in_quotes(text)));
    }
    return address;
}

// One bus and its devices, in the order of the command line.
class BusPlan {
  public:
    // `link`: behind a root port, where slot 0 is all there is.
    BusPlan(std::string name, bool link) : name_(std::move(name)), slots_(link ? 1 : PciBus::kSlots) {}

    Result<std::vector<PciPlace>> place(std::span<const DeviceConfig* const> devices) {
        Result<> done = take_addresses(devices);
        done = done ? take_free_slots(devices) : done;
        done = done ? check_functions() : done;
        if (!done) {
            return std::unexpected(done.error());
        }
        std::vector<PciPlace> places;
        for (unsigned index = 0; index < functions_.size(); ++index) {
            if (functions_[index] != nullptr) {
                const auto others = std::span(functions_).subspan(index + 1, 7 - index % 8);
                const bool several = index % 8 == 0 && std::ranges::any_of(others, [](const auto* one) {
                                         return one != nullptr;
                                     });
                places.push_back({functions_[index], name_, {index / 8, index % 8}, several});
            }
        }
        return places;
    }

  private:
    bool link() const { return slots_ == 1; }

    Result<> take_addresses(std::span<const DeviceConfig* const> devices) {
        for (const DeviceConfig* const device : devices) {
            const Result<std::optional<PciAddress>> address = address_of(*device);
            if (!address) {
                return std::unexpected(address.error());
            }
            if (!*address) {
                continue;
            }
            if (!link() && (*address)->index() == 0) {
                return fail("PCI function 00.0 is the host bridge's");
            }
            if ((*address)->slot >= slots_) {
                return fail(fmt::format("{}: bus {} has slot 00 alone", named(*device), in_quotes(name_)));
            }
            const DeviceConfig*& function = functions_[(*address)->index()];
            if (function != nullptr) {
                return fail(fmt::format("PCI function {:02x}.{} is given to two devices", (*address)->slot,
                                        (*address)->function));
            }
            function = device;
        }
        return {};
    }

    bool occupied(unsigned slot) const {
        return std::any_of(functions_.begin() + 8 * slot, functions_.begin() + 8 * (slot + 1),
                           [](const auto* device) { return device != nullptr; });
    }

    Result<> take_free_slots(std::span<const DeviceConfig* const> devices) {
        unsigned slot = link() ? 0 : 1;
        for (const DeviceConfig* const device : devices) {
            if (!device->pci().address.empty()) {
                continue;
            }
            while (slot < slots_ && occupied(slot)) {
                ++slot;
            }
            if (slot == slots_) {
                return link() ? fail(fmt::format("bus {} takes one device", in_quotes(name_)))
                              : fail(fmt::format("more than {} devices on PCI", PciBus::kSlots - 1));
            }
            functions_[PciAddress{slot, 0}.index()] = device;
        }
        return {};
    }

    // Guests look at the others only if the first of them is there.
    Result<> check_functions() const {
        for (unsigned index = link() ? 0 : 8; index < functions_.size(); ++index) {
            if (functions_[index] != nullptr && functions_[index / 8 * 8] == nullptr) {
                return fail(
                    fmt::format("PCI slot {:02x} has function {}, but no function 0", index / 8, index % 8));
            }
        }
        return {};
    }

    const std::string name_;
    const unsigned slots_;
    std::array<const DeviceConfig*, PciBus::kFunctions> functions_{};
};

}  // namespace

Result<std::vector<PciPlace>> place_on_pci(std::span<const DeviceConfig* const> devices) {
    std::vector<const DeviceConfig*> on_host;
    std::vector<std::string> buses;  // of root ports
    for (const DeviceConfig* const device : devices) {
        const DeviceType& type = device->type();
        if (type.bus != Bus::pci) {
            continue;
        }
        if (type.makes_bus && !on_root(*device)) {
            return fail(fmt::format("{} goes on bus {}, not {}", named(*device), PciHost::kBusName,
                                    in_quotes(device->bus())));
        }
        if (on_root(*device)) {
            on_host.push_back(device);
        }
        if (type.makes_bus && !device->id().empty()) {
            if (device->id() == PciHost::kBusName || std::ranges::find(buses, device->id()) != buses.end()) {
                return fail(
                    fmt::format("{}: there is a bus {} already", named(*device), in_quotes(device->id())));
            }
            buses.push_back(device->id());
        }
    }
    Result<std::vector<PciPlace>> places = BusPlan({}, false).place(on_host);
    if (!places) {
        return places;
    }
    for (const std::string& bus : buses) {
        std::vector<const DeviceConfig*> behind;
        std::ranges::copy_if(devices, std::back_inserter(behind), [&](const DeviceConfig* device) {
            return device->type().bus == Bus::pci && device->bus() == bus;
        });
        Result<std::vector<PciPlace>> more = BusPlan(bus, true).place(behind);
        if (!more) {
            return more;
        }
        places->insert(places->end(), more->begin(), more->end());
    }
    for (const DeviceConfig* const device : devices) {
        if (device->type().bus == Bus::pci && !on_root(*device) &&
            std::ranges::find(buses, device->bus()) == buses.end()) {
            std::string there = PciHost::kBusName;
            for (const std::string& bus : buses) {
                there += ", " + bus;
            }
            return fail(fmt::format("{}: the board has no bus {} (there is {})", named(*device),
                                    in_quotes(device->bus()), there));
        }
    }
    return places;
}

Result<> check_hot_place(const DeviceConfig& device) {
    if (device.type().bus != Bus::pci || device.type().makes_bus) {
        return fail(fmt::format("{} is there from the start, or not at all", named(device)));
    }
    if (on_root(device)) {
        return fail(
            fmt::format("{}: bus {} takes no devices while the machine is there (bus=ID of a "
                        "pcie-root-port does)",
                        named(device), PciHost::kBusName));
    }
    const Result<std::optional<PciAddress>> address = address_of(device);
    if (!address) {
        return std::unexpected(address.error());
    }
    if (*address && (*address)->index() != 0) {
        return fail(
            fmt::format("{}: bus {} takes a device at 00.0 alone", named(device), in_quotes(device.bus())));
    }
    return {};
}

}  // namespace weft::hw
