#include "emulator/guest/riscv/cpu/reset.h"

#include <algorithm>
#include <iterator>

#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/guest/riscv/cpu/pmu.h"

namespace weft::riscv {
namespace {

constexpr uint64_t kLines = kIntMsi | kIntMei | kSeipLine;

// All but what devices and boards have a say in: privilege, interrupts, timers, the hart's number and the pc.
void clear(State& state, const void* model) {
    state.model = static_cast<const CpuModel*>(model);
    state.recent_insns = {};
    std::ranges::fill(state.gpr, 0);
    std::ranges::fill(state.fpr, 0);
    state.res_address = kNoReservation;
    state.res_value = 0;
    state.frm = 0;
    state.mstatus = has(state, Extension::smdbltrp) ? kStatusMdt : 0;
    for (uint64_t State::* field :
         {&State::mie,      &State::mideleg,         &State::medeleg,        &State::mtvec,
          &State::mepc,     &State::mcause,          &State::mtval,          &State::mtval2,
          &State::mscratch, &State::mcounteren,      &State::menvcfg,        &State::mcountinhibit,
          &State::mseccfg,  &State::stvec,           &State::sepc,           &State::scause,
          &State::stval,    &State::sscratch,        &State::scounteren,     &State::senvcfg,
          &State::satp,     &State::exception_cause, &State::exception_tval, &State::timers_seen}) {
        state.*field = 0;
    }
    // As QEMU has it: memory types mean something, and pages are marked by hardware but where Svade is there too, until software asks
    // otherwise.
    state.menvcfg = (has(state, Extension::svpbmt) ? kEnvcfgPbmte : 0) |
                    (has(state, Extension::svadu) && !has(state, Extension::svade) ? kEnvcfgAdue : 0);
    pmu_reset(state);
    state.in_process = false;
    state.critical_error = false;
    state.exception_fault = MemoryFault::unmapped;
    std::ranges::fill(state.pmpcfg, uint8_t{0});
    std::ranges::fill(state.pmpaddr, 0);
    std::ranges::fill(state.mstateen, 0);
    state.stimecmp = UINT64_MAX;
    state_header(&state).fp_flags = 0;
}

}  // namespace

void reset(void* state_pointer, const void* model) {
    State& state = *static_cast<State*>(state_pointer);
    StateHeader& header = state_header(state_pointer);
    Hart& hart = *static_cast<Hart*>(header.guest);

    clear(state, model);
    state.priv = Priv::machine;
    // A state that is new has seen no device yet.
    if (hart.attached()) {
        state.mip.fetch_and(kLines);
    } else {
        state.mip.store(0);
        state.time_offset.store(0);
    }
    state.mhartid = hart.id();
    hart.reset_timers(state);
    header.pc = hart.reset_pc();
}

void reset_user(void* state_pointer, const void* model) {
    State& state = *static_cast<State*>(state_pointer);
    clear(state, model);
    state.priv = Priv::user;
    state.mstatus = has(state, Extension::f) ? kStatusFs : 0;
    state.mcounteren = kCounterCy | kCounterTm | kCounterIr;
    state.scounteren = state.mcounteren;
    // As Linux has it for programs: blocks may be cleaned, flushed and zeroed.
    state.menvcfg = kEnvcfgCbcfe | kEnvcfgCbze;
    state.senvcfg = state.menvcfg;
    state.in_process = true;
    state.mip.store(0);
    state.mtimecmp.store(UINT64_MAX);
    state.time_offset.store(0);
    state.mhartid = 0;
    state_header(state_pointer).pc = 0;
}

}  // namespace weft::riscv
