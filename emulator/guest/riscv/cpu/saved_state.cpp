#include "emulator/guest/riscv/cpu/saved_state.h"

#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/csr_fields.h"
#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/guest/riscv/cpu/pmu.h"

namespace weft::riscv {
namespace {

constexpr uint64_t kAllFpFlags = 0x1f;

struct Csr {
    const char* name;
    uint64_t State::* field;
};
// Those that hold any value.
constexpr Csr kCsrs[] = {
    {"mie", &State::mie},           {"mideleg", &State::mideleg},
    {"medeleg", &State::medeleg},   {"mtvec", &State::mtvec},
    {"mepc", &State::mepc},         {"mcause", &State::mcause},
    {"mtval", &State::mtval},       {"mtval2", &State::mtval2},
    {"mscratch", &State::mscratch}, {"mcounteren", &State::mcounteren},
    {"menvcfg", &State::menvcfg},   {"mcountinhibit", &State::mcountinhibit},
    {"stvec", &State::stvec},       {"sepc", &State::sepc},
    {"scause", &State::scause},     {"stval", &State::stval},
    {"sscratch", &State::sscratch}, {"scounteren", &State::scounteren},
    {"senvcfg", &State::senvcfg},   {"stimecmp", &State::stimecmp},
    {"mseccfg", &State::mseccfg},
};

void visit_registers(State& state, StateVisitor& visitor) {
    StateHeader& header = state_header(&state);
    const uint64_t pc = visitor.number("pc", header.pc);
    visitor.require((pc & 1) == 0, "the pc is odd");
    // By number: where each lies in the state is the build's affair.
    std::array<uint64_t, 32> x{};
    for (unsigned n = 0; n < x.size(); ++n) {
        x[n] = gpr(state, n);
    }
    visitor.numbers("x", std::span(x));
    if (visitor.loads()) {
        for (unsigned n = 1; n < x.size(); ++n) {
            gpr(state, n) = x[n];
        }
    }
    visitor.numbers("f", std::span(state.fpr));
    visitor.number("fflags", header.fp_flags, static_cast<uint32_t>(kAllFpFlags));
    visitor.number("frm", state.frm, uint32_t{7});
    const Priv priv = visitor.choice("priv", state.priv, Priv::machine);
    visitor.require(priv != static_cast<Priv>(2), "there is no privilege 2");
    visitor.number("reservation", state.res_address);
    visitor.number("reserved value", state.res_value);
}

void visit_csrs(State& state, StateVisitor& visitor) {
    visitor.flag("critical error", state.critical_error);
    const uint64_t mstatus = visitor.number("mstatus", state.mstatus);
    visitor.require((mstatus & ~(kMstatusWritable | kStatusSd)) == 0 &&
                        (mstatus & kStatusMpp) != uint64_t{2} << kStatusMppShift,
                    "mstatus has bits that there are not");
    for (const Csr& csr : kCsrs) {
        visitor.number(csr.name, state.*csr.field);
    }
    const uint64_t satp = visitor.number("satp", state.satp);
    visitor.require(satp_mode_there(state, satp), "satp has a mode that the hart does not");
    visitor.numbers("pmpcfg", std::span(state.pmpcfg));
    visitor.numbers("pmpaddr", std::span(state.pmpaddr), kPmpAddrMask);
    visitor.numbers("mstateen", std::span(state.mstateen));
    // Any thread may have written it, but nobody does while the machine is paused.
    const uint64_t mip = visitor.value("mip", state.mip.load());
    const uint64_t mtimecmp = visitor.value("mtimecmp", state.mtimecmp.load());
    if (visitor.loads()) {
        state.mip.store(mip);
        state.mtimecmp.store(mtimecmp);
    }
}

// Counters and what they count, by number. What mcountinhibit says of them has been loaded.
void visit_counters(State& state, StateVisitor& visitor) {
    std::array<uint64_t, kPmuCounters> counts{};
    std::array<uint64_t, kPmuCounters> configs{};
    for (unsigned n = 0; n < kPmuCounters; ++n) {
        counts[n] = pmu_count(state, n);
        configs[n] = pmu_config(state, n);
    }
    visitor.numbers("counters", std::span(counts));
    visitor.numbers("events", std::span(configs));
    for (const uint64_t config : configs) {
        visitor.require((config & ~(kEventOf | kEventInhibitions | kEventNumber)) == 0,
                        "an event has bits that there are not");
    }
    if (!visitor.loads()) {
        return;
    }
    state.counters_running = 0;
    for (unsigned n = 0; n < kPmuCounters; ++n) {
        const bool is_there = (pmu_counters(state) >> n & 1) != 0;
        state.counters[n] = is_there ? PmuCounter{configs[n], counts[n], 0} : PmuCounter{};
    }
    pmu_update(state);
}

}  // namespace

void visit_state(State& state, StateVisitor& visitor) {
    visit_registers(state, visitor);
    visit_csrs(state, visitor);
    visit_counters(state, visitor);
    hart_of(state).visit_state(visitor);
    if (visitor.loads()) {
        state.exception_cause = 0;
        state.exception_tval = 0;
        state.timers_seen = 0;  // it looks at them before it runs
        hart_of(state).rearm_anew(state);
    }
}

}  // namespace weft::riscv
