// GuestArch::reset, of machines and of process mode.
#pragma once

namespace weft::riscv {

// Privileged specification 3.4. What it leaves open is zero, so that a reset is the same every time; compare
// registers are out of reach. Levels of interrupt lines stay, since they are the devices'. `model`, a CpuModel, is the state's from
// then on.
void reset(void* state, const void* model);

// As a program of Linux finds its hart: U mode, registers zero, floating point on where there is any, round to nearest, and of the counters cycle, time
// and instret readable. U mode can change none of it but registers and fcsr, so a translation depends on frm alone. The pc is 0;
// StateHeader::guest is not looked at.
void reset_user(void* state, const void* model);

}  // namespace weft::riscv
