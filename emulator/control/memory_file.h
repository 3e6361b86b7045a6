// Guest memory into a file of the host's: memsave and pmemsave, of the monitor and of QMP.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "emulator/machine/operations.h"

namespace weft::control {

// `size` bytes at the virtual addresses of a CPU or at physical ones. The file is made, or emptied. Piece by piece: what the guest
// writes meanwhile may be seen in one and not in another, unless the machine is stopped. Fails where there is no such memory or
// the file cannot be written; it holds what came before then.
Result<> save_memory(machine::MachineOperations& machine, std::optional<unsigned> cpu, uint64_t address,
                     uint64_t size, const std::string& path);

}  // namespace weft::control
