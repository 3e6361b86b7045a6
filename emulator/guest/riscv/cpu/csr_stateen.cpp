// State enables, privileged specification "Smstateen/Ssstateen": what M mode lets the others see of state that came with extensions.
// Of what the specification lists, weft has senvcfg and sstateen0 to sstateen3 alone; the latter guard nothing that U mode has here, and
// are read-only zero.
#include "emulator/guest/riscv/cpu/csr_fields.h"

namespace weft::riscv {
namespace {

bool enabled(const State& state, unsigned index, uint64_t bit) {
    return state.priv == Priv::machine || (state.mstateen[index] & bit) != 0;
}

}  // namespace

uint64_t read_mstateen(const State& state, unsigned number) { return state.mstateen[number - kCsrMstateen0]; }

void write_mstateen(State& state, unsigned number, uint64_t value, uint64_t) {
    const unsigned index = number - kCsrMstateen0;
    state.mstateen[index] = index == 0 ? value : value & ~kStateenEnvcfg;
}

bool sstateen_allowed(const State& state, unsigned number) {
    return enabled(state, number - kCsrSstateen0, kStateenSe);
}

bool senvcfg_allowed(const State& state, unsigned) {
    return !has(state, Extension::smstateen) || enabled(state, 0, kStateenEnvcfg);
}

}  // namespace weft::riscv
