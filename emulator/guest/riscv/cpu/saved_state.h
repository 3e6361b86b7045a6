// A hart's state as it is saved: all that its guest can tell apart.
#pragma once

#include <cstdint>

#include "base/state_visitor.h"
#include "emulator/guest/riscv/cpu/state.h"

namespace weft::riscv {

inline constexpr uint32_t kHartStateVersion = 2;

// Registers by their numbers, CSRs, privilege, reservation, pc. Counters are saved as what they show, whose accelerator begins them
// where it likes. Of State::mip the lines of interrupt controllers too, which these drive again when they are loaded.
//
// On the vCPU's thread, while it is paused; after loading, the accelerator is told (SaveOps::state_replaced). What is loaded is
// checked as far as a hart would trust it: pc and CSRs have no bits but those that writes could have left. Fields of several bits may hold
// what they could not have, which no hart acts on but as its guest could make it act.
void visit_state(State& state, StateVisitor& visitor);

}  // namespace weft::riscv
