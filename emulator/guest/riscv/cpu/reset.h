// GuestArch::reset, of machines and of process mode.
#pragma once

namespace weft::riscv {

// Privileged specification 3.4. What it leaves open is zero, so that a reset is the same every time; compare
// registers are out of reach. Levels of interrupt lines stay, since they are the devices'.
void reset(void* state);

// As a program of Linux finds its hart: U mode, registers zero, floating point on, round to nearest, and of the counters cycle, time
// and instret readable. U mode can change none of it but registers and fcsr, so a translation depends on frm alone. The pc is 0;
// StateHeader::guest is not looked at.
void reset_user(void* state);

}  // namespace weft::riscv
