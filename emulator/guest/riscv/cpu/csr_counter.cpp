// Counters, privileged specification 3.1.10 to 3.1.12, 3.2.1 and 4.1.5, and Zicntr.
//
// With the instruction clock both counters count this hart's instructions; minstret leaves out those that raised an exception
// (3.3.1). Else nobody counts, and both advance with the clock, a count a nanosecond.
#include "emulator/guest/riscv/cpu/csr_fields.h"
#include "emulator/guest/riscv/cpu/hart.h"
#include "weft/guest.h"

namespace weft::riscv {
namespace {

uint64_t now_ns(const State& state) {
    const StateHeader& header = state_header(&state);
    return header.services->now_ns(header.vcpu);
}

uint64_t cycles(const State& state) {
    const StateHeader& header = state_header(&state);
    return (state.mcountinhibit & kCounterCy) != 0 ? 0 : header.services->cycles(header.vcpu);
}

uint64_t instret(const State& state) {
    const StateHeader& header = state_header(&state);
    return (state.mcountinhibit & kCounterIr) != 0 ? 0 : header.services->instret(header.vcpu);
}

}  // namespace

uint64_t read_cycle(const State& state, unsigned) { return state.mcycle_base + cycles(state); }

void write_cycle(State& state, unsigned, uint64_t value, uint64_t) {
    state.mcycle_base = value - cycles(state);
}

uint64_t read_instret(const State& state, unsigned) { return state.minstret_base + instret(state); }

void write_instret(State& state, unsigned, uint64_t value, uint64_t) {
    state.minstret_base = value - instret(state);
}

uint64_t read_time(const State& state, unsigned) { return time_at(state, now_ns(state)); }

void write_mcountinhibit(State& state, unsigned number, uint64_t value, uint64_t mask) {
    // The counters keep their values over the change of what their bases mean.
    const uint64_t cycle = read_cycle(state, number);
    const uint64_t instret = read_instret(state, number);
    state.mcountinhibit = value;
    write_cycle(state, number, cycle, mask);
    write_instret(state, number, instret, mask);
}

bool counter_allowed(const State& state, unsigned number) {
    const uint64_t bit = uint64_t{1} << (number & 31);
    return state.priv == Priv::machine || ((state.mcounteren & bit) != 0 &&
                                           (state.priv == Priv::supervisor || (state.scounteren & bit) != 0));
}

}  // namespace weft::riscv
