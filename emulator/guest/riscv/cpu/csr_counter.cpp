// CSRs of counters, privileged specification 3.1.10 to 3.1.12, 3.2.1 and 4.1.5, Zicntr, Zihpm, Sscofpmf and Smcntrpmf. What they
// count is pmu.h's.
#include "emulator/guest/riscv/cpu/csr_fields.h"
#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/guest/riscv/cpu/interrupts.h"
#include "emulator/guest/riscv/cpu/pmu.h"
#include "weft/guest.h"

namespace weft::riscv {
namespace {

uint64_t now_ns(const State& state) {
    const StateHeader& header = state_header(&state);
    return header.services->now_ns(header.vcpu);
}

// The low bits of counters' and events' numbers are the counter's.
constexpr unsigned counter_of(unsigned number) { return number & 31; }
static_assert(counter_of(kCsrMcycle) == 0 && counter_of(kCsrMinstret) == 2 &&
              counter_of(kCsrMhpmcounter3) == 3 && counter_of(kCsrHpmcounter31) == 31 &&
              counter_of(kCsrMhpmevent3) == 3);

constexpr unsigned configured_by(unsigned number) {
    return number == kCsrMcyclecfg ? counter_of(kCsrMcycle) : counter_of(number);
}
static_assert(configured_by(kCsrMinstretcfg) == counter_of(kCsrMinstret));

bool is_enabled(const State& state, unsigned counter) {
    const uint64_t bit = uint64_t{1} << counter;
    return state.priv == Priv::machine || ((state.mcounteren & bit) != 0 &&
                                           (state.priv == Priv::supervisor || (state.scounteren & bit) != 0));
}

// An interrupt of theirs may have become pending, or come at another time.
void counters_changed(State& state) {
    if ((state.mie & kIntLcofi) != 0) {
        timers_changed(state);
        interrupts_changed(state);
    }
}

}  // namespace

uint64_t read_counter(const State& state, unsigned number) { return pmu_count(state, counter_of(number)); }

void write_counter(State& state, unsigned number, uint64_t value, uint64_t) {
    pmu_set_count(state, counter_of(number), value);
    counters_changed(state);
}

uint64_t read_time(const State& state, unsigned) { return time_at(state, now_ns(state)); }

uint64_t read_event(const State& state, unsigned number) { return pmu_config(state, configured_by(number)); }

// A field for each mode that the hart has; without the extensions, none.
void write_event(State& state, unsigned number, uint64_t value, uint64_t) {
    const bool is_fixed = number < kCsrMhpmevent3;
    if (!is_fixed && !has(state, Extension::sscofpmf)) {
        value &= kEventNumber;
    }
    value &= has(state, Extension::s) ? ~uint64_t{0} : ~kEventSinh;
    pmu_set_config(state, configured_by(number), value);
    counters_changed(state);
}

void write_mcountinhibit(State& state, unsigned, uint64_t value, uint64_t) {
    pmu_note_overflows(state);
    state.mcountinhibit = value & pmu_counters(state);
    pmu_update(state);
    counters_changed(state);
}

bool counter_allowed(const State& state, unsigned number) { return is_enabled(state, counter_of(number)); }

// "Sscofpmf": S mode sees the bits of counters that mcounteren lets it read.
uint64_t read_scountovf(const State& state, unsigned) {
    uint64_t overflows = 0;
    for (unsigned n = counter_of(kCsrMhpmevent3); n <= counter_of(kCsrMhpmevent31); ++n) {
        const bool shown = state.priv == Priv::machine || (state.mcounteren >> n & 1) != 0;
        overflows |= shown && (pmu_config(state, n) & kEventOf) != 0 ? uint64_t{1} << n : 0;
    }
    return overflows;
}

}  // namespace weft::riscv
