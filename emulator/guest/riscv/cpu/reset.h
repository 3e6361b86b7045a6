// GuestArch::reset and dump_registers.
#pragma once

#include "weft/guest.h"

namespace weft::riscv {

// Privileged specification 3.4. What it leaves open is zero, so that a reset is the same every time; compare
// registers are out of reach. Levels of interrupt lines stay, since they are the devices'.
void reset(void* state);

// The general registers, floating-point registers where mstatus.FS is not off, and the CSRs that traps depend
// on.
void dump_registers(const void* state, const TextSink* sink);

}  // namespace weft::riscv
