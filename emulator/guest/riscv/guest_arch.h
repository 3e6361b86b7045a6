// RISC-V as accelerators see it: the tables of isa/, what translate/ makes of instructions, the hart of cpu/.
#pragma once

#include "weft/guest.h"

namespace weft::riscv {

// Constant. VcpuConfig::guest is the Hart.
const GuestArch& guest_arch();

}  // namespace weft::riscv
