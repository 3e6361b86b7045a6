// What -device says of virtio console devices and their ports.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "emulator/hw/virtio/pci.h"
#include "emulator/hw/virtio/serial.h"

namespace weft::hw {

namespace {

constexpr const char* kDefaultPorts = "31";
// A port that is given no number gets the first that is free.
constexpr uint64_t kAnyNumber = VirtioSerial::kMaxPorts;
constexpr const char* kAnyNumberText = "511";
static_assert(kAnyNumber == 511);

constexpr DeviceProperty kDeviceProperties[] = {
    {"max_ports", PropertyKind::number, kDefaultPorts, 1, VirtioSerial::kMaxPorts,
     "how many ports there may be"},
    {"emergency-write", PropertyKind::on_off, "on", 0, 0,
     "whether the guest may write single characters before it has a driver"},
};

constexpr DeviceProperty kPortProperties[] = {
    {"chardev", PropertyKind::chardev, "", 0, 0, "where its characters go; none: nowhere"},
    {"name", PropertyKind::text, "", 0, 255, "what the guest's programs find it by"},
    {"nr", PropertyKind::number, kAnyNumberText, 0, kAnyNumber,
     "the port's number; 511: the first that is free"},
};

Result<std::vector<SerialPortConfig>> ports_of(const DeviceConfig& device) {
    const auto max_ports = static_cast<unsigned>(device.number("max_ports"));
    std::vector<SerialPortConfig> ports;
    std::vector<bool> used(max_ports, false);
    for (const DeviceConfig& child : device.children()) {
        const uint64_t number = child.number("nr");
        if (number == kAnyNumber) {
            continue;
        }
        if (number >= max_ports) {
            return fail(fmt::format("device {}: nr is below max_ports={}, not {}",
                                    in_quotes(child.type().name), max_ports, number));
        }
        if (used[number]) {
            return fail(
                fmt::format("device {}: nr={} is given to two ports", in_quotes(child.type().name), number));
        }
        used[number] = true;
    }
    for (const DeviceConfig& child : device.children()) {
        const bool console = &child.type() == &kVirtConsoleType;
        uint64_t number = child.number("nr");
        if (number == kAnyNumber) {
            // Port 0 is a console's: drivers without several ports know no other.
            const auto from = used.begin() + (console || max_ports == 1 ? 0 : 1);
            const auto free = std::find(from, used.end(), false);
            if (free == used.end()) {
                return fail(fmt::format("device {}: none of {} ports is free{}", in_quotes(child.type().name),
                                        max_ports, from == used.begin() ? "" : " (port 0 is a console's)"));
            }
            *free = true;
            number = static_cast<uint64_t>(free - used.begin());
        }
        ports.push_back({.number = static_cast<unsigned>(number),
                         .console = console,
                         .name = child.text("name"),
                         .backend = child.chardev()});
    }
    return ports;
}

Result<> check_ports(const DeviceConfig& device) {
    const auto ports = ports_of(device);
    return ports ? Result<>() : std::unexpected(ports.error());
}

std::unique_ptr<VirtioDevice> make_serial(const DeviceConfig& config, MachineControl& control) {
    return std::make_unique<VirtioSerial>(*ports_of(config),
                                          static_cast<unsigned>(config.number("max_ports")),
                                          config.on("emergency-write"), control);
}

}  // namespace

constexpr DeviceType kVirtioSerialType = {
    .name = "virtio-serial-device",
    .bus = Bus::virtio,
    .help = "a console device, with ports",
    .properties = kDeviceProperties,
    .make_virtio = make_serial,
    .own_bus = Bus::virtio_serial,
    .check = check_ports,
};

constexpr DeviceType kVirtioSerialPciType = {
    .name = "virtio-serial-pci",
    .bus = Bus::pci,
    .help = "a console device on PCI, with ports",
    .properties = kDeviceProperties,
    .make_virtio = make_serial,
    .make_pci = make_virtio_pci,
    .own_bus = Bus::virtio_serial,
    .check = check_ports,
};

constexpr DeviceType kVirtConsoleType = {
    .name = "virtconsole",
    .bus = Bus::virtio_serial,
    .help = "a port that is a console",
    .properties = kPortProperties,
    .make_virtio = nullptr,
};

constexpr DeviceType kVirtSerialPortType = {
    .name = "virtserialport",
    .bus = Bus::virtio_serial,
    .help = "a port for programs of the guest's",
    .properties = kPortProperties,
    .make_virtio = nullptr,
};

}  // namespace weft::hw
