// The registers that IR names.
#pragma once

#include <span>

#include "weft/guest.h"

namespace weft::riscv {

// By number of the IR global (state.h): x1..x31, f0..f31, the reservation's address and value.
std::span<const GlobalDesc> global_table();

}  // namespace weft::riscv
