// RISC-V as accelerators see it: the tables of isa/, what translate/ makes of instructions, the hart of cpu/.
#pragma once

#include "emulator/guest/riscv/isa/cpu_model.h"
#include "weft/guest.h"

namespace weft::riscv {

// The table of harts of this model, which outlives it. VcpuConfig::guest is the Hart.
GuestArch guest_arch(const CpuModel& model);

// The same for process mode: U mode, whose instructions are translated and interpreted by the same code.
// ProcessOps::attach's `guest`, StateHeader::guest then, is the emulator's own affair: nothing here looks at it, and there is no
// Hart. `time` is the accelerator's clock at 10 MHz. An exception stays recorded for the emulator, cpu/user_exception.h;
// registers are reached by cpu/user_registers.h. TB flags are the same at all times but for frm.
//
// Not there, as only a machine has them: walk, bus_error, address_space, take_interrupt, interrupt_known,
// has_work.
GuestArch guest_arch_user(const CpuModel& model);

}  // namespace weft::riscv
