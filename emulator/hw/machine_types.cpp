#include "emulator/hw/machine_types.h"

#include <algorithm>
#include <array>

#include "emulator/hw/riscv/virt.h"

namespace weft::hw {

std::span<const MachineType> machine_types() {
    static constexpr std::array<MachineType, 1> kTypes = {virt::kMachineType};
    return kTypes;
}

const MachineType* find_machine_type(std::string_view name) {
    const std::span<const MachineType> types = machine_types();
    const auto found =
        std::ranges::find(types, name, [](const MachineType& type) { return std::string_view(type.name); });
    return found == types.end() ? nullptr : &*found;
}

}  // namespace weft::hw
