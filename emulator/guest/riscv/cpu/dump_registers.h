// The hart's registers as text.
#pragma once

#include "weft/guest.h"

namespace weft::riscv {

// GuestArch::dump_registers: the general registers, floating-point registers where mstatus.FS is not off, and the CSRs that
// traps depend on.
void dump_registers(const void* state, const TextSink* sink);
// The same in process mode: pc, general and floating-point registers.
void dump_user_registers(const void* state, const TextSink* sink);

}  // namespace weft::riscv
