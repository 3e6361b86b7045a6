// The devices that a user may add, for -device.
#pragma once

#include <span>
#include <string_view>

#include "emulator/hw/core/device_type.h"

namespace weft::hw {

std::span<const DeviceType* const> device_types();

// By name, or by another one that QEMU has for it; null: there is none.
const DeviceType* find_device_type(std::string_view name);

// Whether it is a balloon, on whatever bus.
bool is_balloon(const DeviceType& type);

}  // namespace weft::hw
