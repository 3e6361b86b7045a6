#include "emulator/guest/riscv/cpu/interrupts.h"

#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/guest/riscv/cpu/pmu.h"
#include "emulator/guest/riscv/cpu/trap.h"
#include "weft/guest.h"

namespace weft::riscv {
namespace {

constexpr uint64_t kTimers = kIntMti | kIntSti;
// Those that come by themselves: the hart has a deadline for the next one that is enabled in mie.
constexpr uint64_t kTimed = kTimers | kIntLcofi;

uint64_t now_ns(const State& state) {
    const StateHeader& header = state_header(&state);
    return header.services->now_ns(header.vcpu);
}

uint64_t time_of(const State& state) { return time_at(state, now_ns(state)); }

bool has_sstc(const State& state) { return (state.menvcfg & kEnvcfgStce) != 0; }

// What software and devices have set. With Sstc in use, the software's STIP is out of sight.
uint64_t external_bits(const State& state) {
    const uint64_t mip = state.mip.load();
    uint64_t bits = mip & kIntAll;
    if ((mip & kSeipLine) != 0) {
        bits |= kIntSei;
    }
    return has_sstc(state) ? bits & ~kIntSti : bits;
}

uint64_t due_overflow(const State& state) { return pmu_has_overflow(state) ? kIntLcofi : 0; }

// Timers that are due at `ticks`.
uint64_t due_timers(const State& state, uint64_t ticks) {
    uint64_t due = ticks >= state.mtimecmp.load() ? kIntMti : 0;
    if (has_sstc(state) && ticks >= state.stimecmp) {
        due |= kIntSti;
    }
    return due;
}

}  // namespace

uint64_t mip_value(const State& state) {
    return external_bits(state) | due_timers(state, time_of(state)) | due_overflow(state);
}

uint64_t pending_interrupts(const State& state) {
    uint64_t pending = external_bits(state);
    if ((state.mie & kTimers) != 0) {
        pending |= due_timers(state, time_of(state));
    }
    if ((state.mie & kIntLcofi) != 0) {
        pending |= due_overflow(state);
    }
    return pending & state.mie;
}

uint64_t deliverable_interrupts(const State& state, uint64_t pending) {
    const bool machine_enabled = state.priv != Priv::machine || (state.mstatus & kStatusMie) != 0;
    if (const uint64_t machine = pending & ~state.mideleg; machine_enabled && machine != 0) {
        return machine;
    }
    const bool supervisor_enabled =
        state.priv == Priv::user || (state.priv == Priv::supervisor && (state.mstatus & kStatusSie) != 0);
    return supervisor_enabled ? pending & state.mideleg : 0;
}

void timers_changed(State& state) {
    pmu_note_overflows(state);
    hart_of(state).rearm(state);
    state.timers_seen = (state.mie & kTimers) == 0 ? 0 : due_timers(state, time_of(state)) & state.mie;
}

// A timer that came due since the last look at the clock has its deadline to announce it.
bool interrupt_known(const void* state_pointer) {
    const State& state = *static_cast<const State*>(state_pointer);
    const uint64_t pending = (external_bits(state) | state.timers_seen) & state.mie;
    return deliverable_interrupts(state, pending) != 0;
}

bool interrupts_changed(State& state) {
    if (!interrupt_known(&state)) {
        return false;
    }
    const StateHeader& header = state_header(&state);
    header.services->kick(header.vcpu);
    return true;
}

bool take_interrupt(void* state_pointer) {
    State& state = *static_cast<State*>(state_pointer);
    if (state.critical_error) {
        return false;
    }
    if ((state.mie & kIntLcofi) != 0) {
        pmu_note_overflows(state);
    }
    uint64_t pending = external_bits(state);
    if ((state.mie & kTimed) != 0) {
        const uint64_t now = now_ns(state);
        const uint64_t due = due_timers(state, time_at(state, now)) & state.mie;
        state.timers_seen = due;
        if (now >= hart_of(state).deadline_ns()) {
            hart_of(state).rearm(state);  // one timer came due: the other may still wait for its turn
        }
        pending |= due;
    }
    const uint64_t deliverable = deliverable_interrupts(state, pending & state.mie);
    // 3.1.9: MEI, MSI, MTI, SEI, SSI, STI, LCOFI, in decreasing order of priority.
    for (const Interrupt interrupt :
         {Interrupt::machine_external, Interrupt::machine_software, Interrupt::machine_timer,
          Interrupt::supervisor_external, Interrupt::supervisor_software, Interrupt::supervisor_timer,
          Interrupt::counter_overflow}) {
        if ((deliverable >> static_cast<unsigned>(interrupt) & 1) != 0) {
            enter_interrupt(state, interrupt);
            return true;
        }
    }
    return false;
}

// 3.3.3: WFI resumes for a locally enabled interrupt that is pending, whatever the global enables and the delegation. It may for no
// reason: so it does at a deadline of counters, for which nothing is pending where these stand by now, and take_interrupt sets the next.
bool has_work(const void* state_pointer) {
    const State& state = *static_cast<const State*>(state_pointer);
    if (state.critical_error) {
        return false;
    }
    return pending_interrupts(state) != 0 ||
           ((state.mie & kIntLcofi) != 0 && now_ns(state) >= hart_of(state).deadline_ns());
}

}  // namespace weft::riscv
