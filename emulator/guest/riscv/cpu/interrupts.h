// Pending interrupts and the timers behind them, privileged specification 3.1.9, 3.2.1, 4.1.3 and Sstc.
//
// What is pending comes from three sources: bits that software and devices set in State::mip, and the two
// timers, which are pending while the time has reached their compare registers. So that a timer needs no look
// at the clock until it may be due, the hart keeps the accelerator's deadline at the next compare value that
// an enabled timer waits for.
#pragma once

#include <cstdint>

#include "emulator/guest/riscv/cpu/state.h"

namespace weft::riscv {

// mip as a CSR read gives it: all sources, timers by the present time.
uint64_t mip_value(const State& state);

// Interrupts that are pending and enabled in mie, the global enables aside. Also from other threads while the
// vCPU is halted.
uint64_t pending_interrupts(const State& state);

// Of `pending`, what the global enables and the delegation let through now (3.1.9): no more than one
// privilege's worth.
uint64_t deliverable_interrupts(const State& state, uint64_t pending);

// After mie's timer bits, menvcfg.STCE or stimecmp changed: sets the deadline anew. On the vCPU's thread.
void timers_changed(State& state);

// After anything changed that may let a pending interrupt through: asks the accelerator to look, if one may be taken now, and
// returns that. On the vCPU's thread.
bool interrupts_changed(State& state);

// GuestArch::take_interrupt, interrupt_known and has_work.
bool take_interrupt(void* state);
bool interrupt_known(const void* state);
bool has_work(const void* state);

}  // namespace weft::riscv
