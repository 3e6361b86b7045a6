// GuestArch::reset.
#pragma once

namespace weft::riscv {

// Privileged specification 3.4. What it leaves open is zero, so that a reset is the same every time; compare
// registers are out of reach. Levels of interrupt lines stay, since they are the devices'.
void reset(void* state);

}  // namespace weft::riscv
