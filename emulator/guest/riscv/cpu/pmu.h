// Counters, privileged specification 3.1.10 to 3.1.12, "Sscofpmf" and "Smcntrpmf": mcycle, minstret and the programmable ones.
//
// With the instruction clock cycles and retired instructions are this hart's instructions, of which minstret and its event leave out
// those that raised an exception (3.3.1). Else nobody counts, and both advance with the clock, a count a nanosecond, also while
// the hart waits. Other events count nothing.
//
// A counter is not moved on: what it shows is what it showed at one time and what its event has counted since. So that an overflow
// is not missed it is noted before a counter's state changes and before software hears or changes what it led to; for its interrupt
// the hart has a deadline (Hart::rearm), which is that of the counters which run. One that begins to run by a change of mode makes it
// sooner; one that stops leaves it, so that the hart may find nothing when it comes, and sets the next one.
//
// All functions are for the vCPU's thread, unless said otherwise.
#pragma once

#include <cstdint>

#include "emulator/guest/riscv/cpu/state.h"

namespace weft::riscv {

// Of mhpmevent: what a programmable counter counts. SBI's numbers of the same events (SBI specification, "Hardware general events").
inline constexpr uint64_t kPmuEventCycles = 1;
inline constexpr uint64_t kPmuEventInstructions = 2;

// mcycle and minstret count what has happened since the accelerator began; the others nothing. Any thread, before the vCPU runs.
void pmu_reset(State& state);

// Counters that there are, by number: mcycle, minstret, and those of the model's mask.
uint32_t pmu_counters(const State& state);

// What counter `n`, 0 or 2 to 31, shows now.
uint64_t pmu_count(const State& state, unsigned n);
// Makes it show `value` now.
void pmu_set_count(State& state, unsigned n, uint64_t value);

// mhpmevent of a programmable counter; of counters 0 and 2 mcyclecfg and minstretcfg. Reading shows overflows that are not noted yet.
uint64_t pmu_config(const State& state, unsigned n);
void pmu_set_config(State& state, unsigned n, uint64_t value);

// After mcountinhibit, a configuration or the privilege has become another: counters stop and go on as these say. What counted until
// now counts as before. `retiring`: instructions that are not counted yet and are of before, too.
void pmu_update(State& state, uint64_t retiring = 0);
// The same after the privilege alone changed, which is all the time.
inline void pmu_trap_entered(State& state) {
    if (state.counters_filtered != 0) {
        pmu_update(state);
    }
}
// "Smcntrpmf": an MRET or SRET retires in the mode that it was executed in.
inline void pmu_trap_returned(State& state) {
    if (state.counters_filtered != 0) {
        pmu_update(state, 1);
    }
}

// Sscofpmf: sets OF, and LCOFIP in State::mip, for what has overflowed since this was last called.
void pmu_note_overflows(State& state);
// Whether there is one to be noted. Any thread while the vCPU is halted, with the host's clock.
bool pmu_has_overflow(const State& state);
// When the next of the counters that run overflows, noted ones aside, at the earliest: a time of the accelerator's clock. UINT64_MAX:
// none ever does.
uint64_t pmu_next_overflow_ns(const State& state);

}  // namespace weft::riscv
