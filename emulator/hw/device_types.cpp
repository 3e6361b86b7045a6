#include "emulator/hw/device_types.h"

#include "emulator/hw/pci/root_port.h"
#include "emulator/hw/virtio/balloon.h"
#include "emulator/hw/virtio/blk.h"
#include "emulator/hw/virtio/net.h"
#include "emulator/hw/virtio/rng.h"

namespace weft::hw {

std::span<const DeviceType* const> device_types() {
    static constexpr const DeviceType* kTypes[] = {
        &kVirtioBlkType,     &kVirtioNetType,        &kVirtioRngType,
        &kVirtioBlkPciType,  &kVirtioNetPciType,     &kVirtioRngPciType,
        &kVirtioBalloonType, &kVirtioBalloonPciType, &kPciRootPortType,
    };
    return kTypes;
}

const DeviceType* find_device_type(std::string_view name) {
    for (const DeviceType* type : device_types()) {
        if (name == type->name) {
            return type;
        }
    }
    return nullptr;
}

}  // namespace weft::hw
