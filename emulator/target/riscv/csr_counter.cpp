// Counters, privileged specification 3.1.10 to 3.1.12, 3.2.1 and 4.1.5, and Zicntr.
//
// Nobody counts instructions or cycles: both counters advance with the clock, a count a nanosecond. They are
// monotonic, and with the instruction clock they are deterministic.
#include "emulator/target/riscv/csr_fields.h"
#include "emulator/target/riscv/hart.h"
#include "weft/guest.h"

namespace weft::riscv {
namespace {

uint64_t now_ns(const State& state) {
    const StateHeader& header = state_header(&state);
    return header.services->now_ns(header.vcpu);
}

uint64_t clock_part(const State& state, uint64_t inhibit_bit) {
    return (state.mcountinhibit & inhibit_bit) != 0 ? 0 : now_ns(state);
}

}  // namespace

uint64_t read_cycle(const State& state, unsigned) {
    return state.mcycle_base + clock_part(state, kCounterCy);
}

void write_cycle(State& state, unsigned, uint64_t value, uint64_t) {
    state.mcycle_base = value - clock_part(state, kCounterCy);
}

uint64_t read_instret(const State& state, unsigned) {
    return state.minstret_base + clock_part(state, kCounterIr);
}

void write_instret(State& state, unsigned, uint64_t value, uint64_t) {
    state.minstret_base = value - clock_part(state, kCounterIr);
}

uint64_t read_time(const State& state, unsigned) { return hart_of(state).time_at(now_ns(state)); }

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
