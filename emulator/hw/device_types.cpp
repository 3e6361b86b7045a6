#include "emulator/hw/device_types.h"

#include <utility>

#include "emulator/hw/pci/root_port.h"
#include "emulator/hw/virtio/9p.h"
#include "emulator/hw/virtio/balloon.h"
#include "emulator/hw/virtio/blk.h"
#include "emulator/hw/virtio/net.h"
#include "emulator/hw/virtio/rng.h"
#include "emulator/hw/virtio/serial.h"

namespace weft::hw {

std::span<const DeviceType* const> device_types() {
    static constexpr const DeviceType* kTypes[] = {
        &kVirtioBlkType,     &kVirtioNetType,        &kVirtioRngType,    &kVirtio9pType,
        &kVirtioBlkPciType,  &kVirtioNetPciType,     &kVirtioRngPciType, &kVirtio9pPciType,
        &kVirtioSerialType,  &kVirtioSerialPciType,  &kVirtConsoleType,  &kVirtSerialPortType,
        &kVirtioBalloonType, &kVirtioBalloonPciType, &kPciRootPortType,
    };
    return kTypes;
}

const DeviceType* find_device_type(std::string_view name) {
    // Other names, which are QEMU's.
    static constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
        {"virtio-9p", "virtio-9p-pci"},
        {"virtio-serial", "virtio-serial-pci"},
    };
    for (const auto& [alias, type] : kAliases) {
        name = name == alias ? type : name;
    }
    for (const DeviceType* type : device_types()) {
        if (name == type->name) {
            return type;
        }
    }
    return nullptr;
}

bool is_balloon(const DeviceType& type) {
    return &type == &kVirtioBalloonType || &type == &kVirtioBalloonPciType;
}

}  // namespace weft::hw
