#include "emulator/guest/riscv/cpu/csr_fields.h"
#include "emulator/guest/riscv/cpu/pmp.h"

namespace weft::riscv {
namespace {

// RV64 has eight entries in each of the registers with an even number (3.7.1).
constexpr unsigned kEntriesPerCfg = 8;
constexpr unsigned first_entry(unsigned number) { return (number - kCsrPmpcfg0) / 2 * kEntriesPerCfg; }

}  // namespace

uint64_t read_pmpcfg(const State& state, unsigned number) {
    uint64_t value = 0;
    for (unsigned i = 0; i < kEntriesPerCfg; ++i) {
        value |= static_cast<uint64_t>(state.pmpcfg[first_entry(number) + i]) << 8 * i;
    }
    return value;
}

void write_pmpcfg(State& state, unsigned number, uint64_t value, uint64_t) {
    bool changed = false;
    for (unsigned i = 0; i < kEntriesPerCfg; ++i) {
        changed |= pmp_write_cfg(state, first_entry(number) + i, static_cast<uint8_t>(value >> 8 * i));
    }
    if (changed) {
        flush_translations(state);
    }
}

uint64_t read_pmpaddr(const State& state, unsigned number) { return state.pmpaddr[number - kCsrPmpaddr0]; }

void write_pmpaddr(State& state, unsigned number, uint64_t value, uint64_t) {
    if (pmp_write_addr(state, number - kCsrPmpaddr0, value)) {
        flush_translations(state);
    }
}

void write_mseccfg(State& state, unsigned, uint64_t value, uint64_t) {
    value &= (has(state, Extension::smepmp) ? kSecMml | kSecMmwp | kSecRlb : 0) |
             (has(state, Extension::zkr) ? kSecUseed | kSecSseed : 0) |
             (has(state, Extension::smmpm) ? kPmm : 0);
    value = legal_pmm(state.mseccfg, value);
    const bool masks_changed = ((state.mseccfg ^ value) & kPmm) != 0;
    if (pmp_write_security(state, value) || masks_changed) {
        flush_translations(state);
    }
}

}  // namespace weft::riscv
