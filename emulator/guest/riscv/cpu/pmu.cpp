#include "emulator/guest/riscv/cpu/pmu.h"

#include <algorithm>
#include <bit>

#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/hart.h"
#include "weft/guest.h"

namespace weft::riscv {
namespace {

constexpr unsigned kCycle = 0;
constexpr unsigned kInstret = 2;
constexpr uint32_t kFixed = uint32_t{1} << kCycle | uint32_t{1} << kInstret;

uint64_t event_of(const State& state, unsigned n) {
    return n == kCycle     ? kPmuEventCycles
           : n == kInstret ? kPmuEventInstructions
                           : state.counters[n].config & kEventNumber;
}

bool is_counted(uint64_t event) { return event == kPmuEventCycles || event == kPmuEventInstructions; }

// How often the counter's event has happened so far.
uint64_t happened(const State& state, unsigned n) {
    const StateHeader& header = state_header(&state);
    return event_of(state, n) == kPmuEventCycles ? header.services->cycles(header.vcpu)
                                                 : header.services->instret(header.vcpu);
}

uint64_t inhibition(Priv priv) {
    return priv == Priv::machine ? kEventMinh : priv == Priv::supervisor ? kEventSinh : kEventUinh;
}

bool is_set(uint32_t set, unsigned n) { return (set >> n & 1) != 0; }

// Calls fn(n) for each counter in the set.
template <class Function>
void each(uint32_t set, Function fn) {
    for (; set != 0; set &= set - 1) {
        fn(static_cast<unsigned>(std::countr_zero(set)));
    }
}

// Programmable counters whose overflow is something that happens.
uint32_t watched(const State& state) {
    return has(state, Extension::sscofpmf) ? state.counters_running & ~kFixed : 0;
}

// A counter that was set wraps around before the events that have happened since are 2^63: in 292 years at the earliest.
bool overflowed(const State& state, unsigned n) {
    const PmuCounter& counter = state.counters[n];
    const uint64_t since = happened(state, n) - counter.since;
    return static_cast<int64_t>(since) > 0 && counter.value + since < since;
}

// "Sscofpmf": the interrupt is asked for where OF was zero, and no more after that.
void mark_overflow(State& state, unsigned n) {
    uint64_t& config = state.counters[n].config;
    if ((config & kEventOf) == 0) {
        config |= kEventOf;
        state.mip.fetch_or(kIntLcofi);
    }
}

bool runs(const State& state, unsigned n) {
    return !is_set(static_cast<uint32_t>(state.mcountinhibit), n) && is_counted(event_of(state, n)) &&
           (state.counters[n].config & inhibition(state.priv)) == 0;
}

}  // namespace

void pmu_reset(State& state) {
    std::ranges::fill(state.counters, PmuCounter{});
    state.counters_running = kFixed;
    state.counters_filtered = 0;
}

uint32_t pmu_counters(const State& state) { return kFixed | state.model->pmu_mask; }

uint64_t pmu_count(const State& state, unsigned n) {
    const PmuCounter& counter = state.counters[n];
    if (!is_set(state.counters_running, n)) {
        return counter.value;
    }
    // Its beginning may lie ahead by the instruction that is retiring, or what takes its place where time is counted.
    const auto since = static_cast<int64_t>(happened(state, n) - counter.since);
    return counter.value + static_cast<uint64_t>(std::max(since, int64_t{0}));
}

void pmu_set_count(State& state, unsigned n, uint64_t value) {
    if (!is_set(pmu_counters(state), n)) {
        return;
    }
    pmu_note_overflows(state);
    state.counters[n].value = value;
    state.counters[n].since = is_set(state.counters_running, n) ? happened(state, n) : 0;
}

uint64_t pmu_config(const State& state, unsigned n) {
    const uint64_t config = state.counters[n].config;
    return is_set(watched(state), n) && overflowed(state, n) ? config | kEventOf : config;
}

void pmu_set_config(State& state, unsigned n, uint64_t value) {
    if (!is_set(pmu_counters(state), n)) {
        return;
    }
    // What has been counted is of the event before.
    pmu_note_overflows(state);
    state.counters[n].value = pmu_count(state, n);
    state.counters_running &= ~(uint32_t{1} << n);
    state.counters[n].config = value;
    pmu_update(state);
}

void pmu_update(State& state, uint64_t retiring) {
    pmu_note_overflows(state);
    uint32_t running = 0;
    uint32_t filtered = 0;
    each(pmu_counters(state), [&](unsigned n) {
        PmuCounter& counter = state.counters[n];
        counter.value = pmu_count(state, n);
        const uint64_t outstanding = event_of(state, n) == kPmuEventInstructions ? retiring : 0;
        if (is_set(state.counters_running, n)) {
            counter.value += outstanding;
            if (counter.value < outstanding && is_set(watched(state), n)) {
                mark_overflow(state, n);
            }
        }
        filtered |= (counter.config & kEventInhibitions) != 0 ? uint32_t{1} << n : 0;
        if (runs(state, n)) {
            running |= uint32_t{1} << n;
            counter.since = happened(state, n) + outstanding;
        }
    });
    const uint32_t begun = running & ~state.counters_running;
    state.counters_running = running;
    state.counters_filtered = filtered;
    if ((state.mie & kIntLcofi) != 0 && (begun & watched(state)) != 0 &&
        pmu_next_overflow_ns(state) < hart_of(state).deadline_ns()) {
        hart_of(state).rearm(state);
    }
}

void pmu_note_overflows(State& state) {
    each(watched(state), [&](unsigned n) {
        if (!overflowed(state, n)) {
            return;
        }
        PmuCounter& counter = state.counters[n];
        counter.value = pmu_count(state, n);
        counter.since = happened(state, n);
        mark_overflow(state, n);
    });
}

bool pmu_has_overflow(const State& state) {
    bool found = false;
    each(watched(state), [&](unsigned n) {
        found = found || ((state.counters[n].config & kEventOf) == 0 && overflowed(state, n));
    });
    return found;
}

uint64_t pmu_next_overflow_ns(const State& state) {
    const StateHeader& header = state_header(&state);
    uint64_t least = UINT64_MAX;
    each(watched(state), [&](unsigned n) {
        if ((state.counters[n].config & kEventOf) == 0) {
            // The number of events to zero, less one; no event takes less than a nanosecond.
            least = std::min(least, -pmu_count(state, n) - 1);
        }
    });
    const uint64_t now = header.services->now_ns(header.vcpu);
    return least >= UINT64_MAX - now ? UINT64_MAX : now + least + 1;
}

}  // namespace weft::riscv
