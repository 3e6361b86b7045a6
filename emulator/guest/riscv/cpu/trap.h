// Entering and leaving traps, privileged specification 3.1.6 to 3.1.8, 3.1.14 to 3.1.16, 3.3.2 and their
// supervisor counterparts in 4.1.
#pragma once

#include <cstdint>

#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/guest/riscv/cpu/state.h"

namespace weft::riscv {

// mcause and scause of an interrupt.
inline constexpr uint64_t kCauseInterrupt = uint64_t{1} << 63;

// GuestArch::deliver: enters the handler of the recorded exception, unless it is a semihosting call (semihosting.h). True.
bool deliver(void* state);

// Enters the handler of an interrupt that may be taken now.
void enter_interrupt(State& state, Interrupt interrupt);

// MRET and SRET, once they are known to be legal: changes the privilege and gives the pc to continue at.
uint64_t return_from_machine(State& state);
uint64_t return_from_supervisor(State& state);

}  // namespace weft::riscv
