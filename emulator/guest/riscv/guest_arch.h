// RISC-V as accelerators see it: the tables of isa/, what translate/ makes of instructions, the hart of cpu/.
#pragma once

#include "weft/guest.h"

namespace weft::riscv {

// Constant. VcpuConfig::guest is the Hart.
const GuestArch& guest_arch();

// The same for process mode: U mode of the same CPU model, whose instructions are translated and interpreted by the same code.
// ProcessOps::attach's `guest`, StateHeader::guest then, is the emulator's own affair: nothing here looks at it, and there is no
// Hart. `time` is the accelerator's clock at 10 MHz. An exception stays recorded for the emulator, cpu/user_exception.h;
// registers are reached by cpu/user_registers.h. TB flags are the same at all times but for frm.
//
// Not there, as only a machine has them: walk, bus_error, address_space, take_interrupt, has_work.
const GuestArch& guest_arch_user();

}  // namespace weft::riscv
