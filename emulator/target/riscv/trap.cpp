#include "emulator/target/riscv/trap.h"

#include "emulator/target/riscv/csr_bits.h"
#include "weft/state.h"

namespace weft::riscv {
namespace {

constexpr uint64_t if_bit(bool condition, uint64_t bit) { return condition ? bit : 0; }

// Base of the handler: stvec and mtvec, 3.1.7. Vectored mode spreads interrupts only.
uint64_t handler_pc(uint64_t tvec, uint64_t cause) {
    const uint64_t base = tvec & ~uint64_t{3};
    const bool vectored = (tvec & 3) == 1 && (cause & kCauseInterrupt) != 0;
    return vectored ? base + 4 * (cause & ~kCauseInterrupt) : base;
}

void enter_trap(State& state, uint64_t cause, uint64_t tval) {
    StateHeader& header = state_header(&state);
    state.res_address = kNoReservation;

    // 3.1.8: a trap goes to M mode unless it came from below it and is delegated.
    const uint64_t delegated = (cause & kCauseInterrupt) != 0 ? state.mideleg : state.medeleg;
    const uint64_t number = cause & ~kCauseInterrupt;
    const uint64_t pc = header.pc & ~uint64_t{1};
    uint64_t status = state.mstatus;
    if (state.priv != Priv::machine && number < 64 && (delegated >> number & 1) != 0) {
        state.scause = cause;
        state.sepc = pc;
        state.stval = tval;
        status &= ~(kStatusSpie | kStatusSpp | kStatusSie);
        status |= if_bit((state.mstatus & kStatusSie) != 0, kStatusSpie) |
                  if_bit(state.priv == Priv::supervisor, kStatusSpp);
        state.priv = Priv::supervisor;
        header.pc = handler_pc(state.stvec, cause);
    } else {
        state.mcause = cause;
        state.mepc = pc;
        state.mtval = tval;
        status &= ~(kStatusMpie | kStatusMpp | kStatusMie);
        status |= if_bit((state.mstatus & kStatusMie) != 0, kStatusMpie) | static_cast<uint64_t>(state.priv)
                                                                               << kStatusMppShift;
        state.priv = Priv::machine;
        header.pc = handler_pc(state.mtvec, cause);
    }
    state.mstatus = status;
}

}  // namespace

void deliver(void* state_pointer) {
    State& state = *static_cast<State*>(state_pointer);
    enter_trap(state, state.exception_cause, state.exception_tval);
}

void enter_interrupt(State& state, Interrupt interrupt) {
    enter_trap(state, kCauseInterrupt | static_cast<uint64_t>(interrupt), 0);
}

// 3.1.6.1 and 3.1.6.3: the stack is popped; MPRV does not survive a return to less than M mode.
uint64_t return_from_machine(State& state) {
    const auto previous = static_cast<Priv>((state.mstatus & kStatusMpp) >> kStatusMppShift);
    uint64_t status = state.mstatus & ~(kStatusMie | kStatusMpp);
    status |= if_bit((state.mstatus & kStatusMpie) != 0, kStatusMie) | kStatusMpie;
    if (previous != Priv::machine) {
        status &= ~kStatusMprv;
    }
    state.mstatus = status;
    state.priv = previous;
    state.res_address = kNoReservation;
    return state.mepc;
}

uint64_t return_from_supervisor(State& state) {
    const Priv previous = (state.mstatus & kStatusSpp) != 0 ? Priv::supervisor : Priv::user;
    uint64_t status = state.mstatus & ~(kStatusSie | kStatusSpp | kStatusMprv);
    status |= if_bit((state.mstatus & kStatusSpie) != 0, kStatusSie) | kStatusSpie;
    state.mstatus = status;
    state.priv = previous;
    state.res_address = kNoReservation;
    return state.sepc;
}

}  // namespace weft::riscv
