// The boards there are, for -machine.
#pragma once

#include <span>
#include <string_view>

#include "emulator/hw/core/board.h"

namespace weft::hw {

// The first is what a user gets who names none.
std::span<const MachineType> machine_types();

// By name; null: there is none.
const MachineType* find_machine_type(std::string_view name);

}  // namespace weft::hw
