#include "emulator/guest/riscv/cpu/csr_fields.h"
#include "emulator/guest/riscv/cpu/interrupts.h"
#include "emulator/guest/riscv/cpu/pmu.h"

namespace weft::riscv {
namespace {

bool has_sstc(const State& state) { return (state.menvcfg & kEnvcfgStce) != 0; }

// Other threads drive bits of the same word, so a write touches no bit but those that the instruction names.
// That is what 3.1.9 asks of SEIP, too: the interrupt controller's line takes no part in a read-modify-write.
void change_mip(State& state, uint64_t value, uint64_t mask) {
    pmu_note_overflows(state);  // what came before the write is overwritten by it
    if ((mask & value) != 0) {
        state.mip.fetch_or(mask & value);
    }
    if ((mask & ~value) != 0) {
        state.mip.fetch_and(~(mask & ~value));
    }
    interrupts_changed(state);
}

// 3.1.9: interrupts of S mode and Sscofpmf are there with these.
uint64_t known_interrupts(const State& state, uint64_t interrupts) {
    interrupts &= has(state, Extension::s) ? ~uint64_t{0} : ~kIntSupervisor;
    return has(state, Extension::sscofpmf) ? interrupts : interrupts & ~kIntLcofi;
}

// 3.1.18: fields of extensions that are not there are read-only zero. CBIE 2 is reserved.
uint64_t legal_envcfg(const State& state, uint64_t old, uint64_t value, Extension masks_pointers) {
    struct Row {
        Extension extension;
        uint64_t fields;
    };
    const Row fields[] = {{masks_pointers, kPmm},           {Extension::zicbom, kEnvcfgCbie | kEnvcfgCbcfe},
                          {Extension::zicboz, kEnvcfgCbze}, {Extension::ssdbltrp, kEnvcfgDte},
                          {Extension::svadu, kEnvcfgAdue},  {Extension::svpbmt, kEnvcfgPbmte},
                          {Extension::sstc, kEnvcfgStce}};
    for (const Row& row : fields) {
        value &= has(state, row.extension) ? ~uint64_t{0} : ~row.fields;
    }
    value = legal_pmm(old, value);
    constexpr uint64_t kReserved = uint64_t{2} << kEnvcfgCbieShift;
    return (value & kEnvcfgCbie) == kReserved ? (value & ~kEnvcfgCbie) | (old & kEnvcfgCbie) : value;
}

// "Pointer masking" asks for no SFENCE.VMA. TLBs hold what misaligned accesses found beyond the last address that counts (walk).
void masks_changed(State& state, uint64_t changed) {
    if ((changed & kPmm) != 0) {
        flush_translations(state);
    }
}

}  // namespace

uint64_t read_mip(const State& state, unsigned) { return mip_value(state); }

void write_mip(State& state, unsigned, uint64_t value, uint64_t mask) {
    // Sstc: with menvcfg.STCE, STIP is the timer's and read-only.
    mask = known_interrupts(state, mask);
    change_mip(state, value, has_sstc(state) ? mask & ~kIntSti : mask);
}

void write_mie(State& state, unsigned, uint64_t value, uint64_t) {
    value = known_interrupts(state, value);
    const uint64_t changed = state.mie ^ value;
    state.mie = value;
    if ((changed & (kIntMti | kIntSti | kIntLcofi)) != 0) {
        timers_changed(state);
    }
    interrupts_changed(state);
}

// 4.1.3: sip and sie show the interrupts that mideleg hands to S mode; the others read as zero and cannot be
// written.
uint64_t read_sip(const State& state, unsigned) { return mip_value(state) & state.mideleg; }

void write_sip(State& state, unsigned, uint64_t value, uint64_t mask) {
    change_mip(state, value, mask & state.mideleg);
}

uint64_t read_sie(const State& state, unsigned) { return state.mie & state.mideleg; }

void write_sie(State& state, unsigned number, uint64_t value, uint64_t mask) {
    write_mie(state, number, (state.mie & ~state.mideleg) | (value & state.mideleg), mask);
}

void write_mideleg(State& state, unsigned, uint64_t value, uint64_t) {
    state.mideleg = known_interrupts(state, value);
    interrupts_changed(state);
}

void write_senvcfg(State& state, unsigned, uint64_t value, uint64_t) {
    value = legal_envcfg(state, state.senvcfg, value, Extension::ssnpm);
    const uint64_t changed = state.senvcfg ^ value;
    state.senvcfg = value;
    masks_changed(state, changed);
}

void write_menvcfg(State& state, unsigned, uint64_t value, uint64_t) {
    value = legal_envcfg(state, state.menvcfg, value, Extension::smnpm);
    const uint64_t changed = state.menvcfg ^ value;
    state.menvcfg = value;
    masks_changed(state, changed);
    if ((value & kEnvcfgDte) == 0) {
        state.mstatus &= ~kStatusSdt;  // read-only zero
    }
    if ((changed & kEnvcfgStce) != 0) {
        timers_changed(state);
        interrupts_changed(state);
    }
}

// Sstc: M mode may always; S mode with mcounteren.TM and menvcfg.STCE.
bool stimecmp_allowed(const State& state, unsigned) {
    return state.priv == Priv::machine || ((state.mcounteren & kCounterTm) != 0 && has_sstc(state));
}

void write_stimecmp(State& state, unsigned, uint64_t value, uint64_t) {
    state.stimecmp = value;
    timers_changed(state);
    interrupts_changed(state);
}

}  // namespace weft::riscv
