#include "emulator/guest/riscv/cpu/reset.h"

#include <algorithm>
#include <iterator>

#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/hart.h"

namespace weft::riscv {
namespace {

constexpr uint64_t kLines = kIntMsi | kIntMei | kSeipLine;

}  // namespace

void reset(void* state_pointer) {
    State& state = *static_cast<State*>(state_pointer);
    StateHeader& header = state_header(state_pointer);
    Hart& hart = *static_cast<Hart*>(header.guest);

    std::ranges::fill(state.gpr, 0);
    std::ranges::fill(state.fpr, 0);
    state.res_address = kNoReservation;
    state.res_value = 0;
    state.frm = 0;
    state.priv = Priv::machine;
    state.mstatus = 0;
    // A state that is new has seen no device yet.
    if (hart.attached()) {
        state.mip.fetch_and(kLines);
    } else {
        state.mip.store(0);
        state.time_offset.store(0);
    }
    for (uint64_t State::* field : {&State::mie,
                                    &State::mideleg,
                                    &State::medeleg,
                                    &State::mtvec,
                                    &State::mepc,
                                    &State::mcause,
                                    &State::mtval,
                                    &State::mscratch,
                                    &State::mcounteren,
                                    &State::menvcfg,
                                    &State::mcountinhibit,
                                    &State::stvec,
                                    &State::sepc,
                                    &State::scause,
                                    &State::stval,
                                    &State::sscratch,
                                    &State::scounteren,
                                    &State::senvcfg,
                                    &State::satp,
                                    &State::exception_cause,
                                    &State::exception_tval,
                                    &State::mcycle_base,
                                    &State::minstret_base,
                                    &State::timers_seen}) {
        state.*field = 0;
    }
    std::ranges::fill(state.pmpcfg, uint8_t{0});
    std::ranges::fill(state.pmpaddr, 0);
    state.mhartid = hart.id();
    state.stimecmp = UINT64_MAX;
    hart.reset_timers(state);

    header.pc = hart.reset_pc();
    header.fp_flags = 0;
}

}  // namespace weft::riscv
