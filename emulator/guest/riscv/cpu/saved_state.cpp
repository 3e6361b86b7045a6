#include "emulator/guest/riscv/cpu/saved_state.h"

#include "emulator/guest/riscv/cpu/csr.h"
#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/csr_fields.h"
#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/guest/riscv/cpu/pmu.h"
#include "emulator/guest/riscv/isa/csr_numbers.h"

namespace weft::riscv {
namespace {

constexpr uint64_t kAllFpFlags = 0x1f;

struct Csr {
    const char* name;
    unsigned number;
    uint64_t State::* field;
};
// Those whose bits each stand for themselves.
constexpr Csr kCsrs[] = {
    {"mie", kCsrMie, &State::mie},
    {"mideleg", kCsrMideleg, &State::mideleg},
    {"medeleg", kCsrMedeleg, &State::medeleg},
    {"mtvec", kCsrMtvec, &State::mtvec},
    {"mepc", kCsrMepc, &State::mepc},
    {"mcause", kCsrMcause, &State::mcause},
    {"mtval", kCsrMtval, &State::mtval},
    {"mtval2", kCsrMtval2, &State::mtval2},
    {"mscratch", kCsrMscratch, &State::mscratch},
    {"mcounteren", kCsrMcounteren, &State::mcounteren},
    {"menvcfg", kCsrMenvcfg, &State::menvcfg},
    {"mcountinhibit", kCsrMcountinhibit, &State::mcountinhibit},
    {"stvec", kCsrStvec, &State::stvec},
    {"sepc", kCsrSepc, &State::sepc},
    {"scause", kCsrScause, &State::scause},
    {"stval", kCsrStval, &State::stval},
    {"sscratch", kCsrSscratch, &State::sscratch},
    {"scounteren", kCsrScounteren, &State::scounteren},
    {"senvcfg", kCsrSenvcfg, &State::senvcfg},
    {"stimecmp", kCsrStimecmp, &State::stimecmp},
    {"mseccfg", kCsrMseccfg, &State::mseccfg},
};

// The bits that a write of the register may set. What the hart has no such register for is there all the same, and was never written.
uint64_t writable(const State& state, unsigned number) {
    const CsrDesc* const own = find_csr(number, state.model->extensions);
    return (own != nullptr ? own : find_csr(number))->writable;
}

void visit_registers(State& state, StateVisitor& visitor) {
    StateHeader& header = state_header(&state);
    const uint64_t pc = visitor.number("pc", header.pc);
    const uint64_t unaligned = state.model->extensions.has(Extension::zca) ? 1 : 3;
    visitor.require((pc & unaligned) == 0, "the pc is not that of an instruction");
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
        const uint64_t value = visitor.number(csr.name, state.*csr.field);
        visitor.require((value & ~writable(state, csr.number)) == 0, "a CSR has bits that no write sets");
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
