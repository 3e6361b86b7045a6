// Readers and writers of the CSRs that are more than a field of the state, for the table in csr.cpp (see
// CsrDesc there for what the parameters mean).
#pragma once

#include <cstdint>

#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/state.h"

namespace weft::riscv {

// csr_status.cpp
inline constexpr uint64_t kSstatusWritable =
    kStatusSie | kStatusSpie | kStatusSpp | kStatusFs | kStatusSum | kStatusMxr | kStatusSdt;
inline constexpr uint64_t kMstatusWritable = kSstatusWritable | kStatusMie | kStatusMpie | kStatusMpp |
                                             kStatusMprv | kStatusTvm | kStatusTw | kStatusTsr | kStatusMdt;
uint64_t read_mstatus(const State& state, unsigned number);
void write_mstatus(State& state, unsigned number, uint64_t value, uint64_t mask);
uint64_t read_sstatus(const State& state, unsigned number);
void write_sstatus(State& state, unsigned number, uint64_t value, uint64_t mask);
uint64_t read_misa(const State& state, unsigned number);
bool fp_enabled(const State& state, unsigned number);
uint64_t read_fp(const State& state, unsigned number);  // fflags, frm, fcsr
void write_fp(State& state, unsigned number, uint64_t value, uint64_t mask);
bool satp_mode_there(const State& state, uint64_t satp);  // whether the hart has the mode
bool satp_allowed(const State& state, unsigned number);
void write_satp(State& state, unsigned number, uint64_t value, uint64_t mask);

// csr_interrupt.cpp
uint64_t read_mip(const State& state, unsigned number);
void write_mip(State& state, unsigned number, uint64_t value, uint64_t mask);
void write_mie(State& state, unsigned number, uint64_t value, uint64_t mask);
uint64_t read_sip(const State& state, unsigned number);
void write_sip(State& state, unsigned number, uint64_t value, uint64_t mask);
uint64_t read_sie(const State& state, unsigned number);
void write_sie(State& state, unsigned number, uint64_t value, uint64_t mask);
void write_mideleg(State& state, unsigned number, uint64_t value, uint64_t mask);
inline constexpr uint64_t kSenvcfgWritable = kEnvcfgFiom | kEnvcfgCbie | kEnvcfgCbcfe | kEnvcfgCbze | kPmm;
inline constexpr uint64_t kMenvcfgWritable =
    kSenvcfgWritable | kEnvcfgDte | kEnvcfgAdue | kEnvcfgPbmte | kEnvcfgStce;
void write_senvcfg(State& state, unsigned number, uint64_t value, uint64_t mask);
void write_menvcfg(State& state, unsigned number, uint64_t value, uint64_t mask);
bool stimecmp_allowed(const State& state, unsigned number);
void write_stimecmp(State& state, unsigned number, uint64_t value, uint64_t mask);

// `value` with the field PMM of `old`, where that of `value` is reserved.
constexpr uint64_t legal_pmm(uint64_t old, uint64_t value) {
    constexpr uint64_t kReserved = uint64_t{1} << kPmmShift;
    return (value & kPmm) == kReserved ? (value & ~kPmm) | (old & kPmm) : value;
}

// csr_stateen.cpp
inline constexpr uint64_t kMstateenWritable = kStateenSe | kStateenEnvcfg;
uint64_t read_mstateen(const State& state, unsigned number);
void write_mstateen(State& state, unsigned number, uint64_t value, uint64_t mask);
bool sstateen_allowed(const State& state, unsigned number);
bool senvcfg_allowed(const State& state, unsigned number);

// csr_counter.cpp
uint64_t read_counter(const State& state, unsigned number);  // of M mode and of the others
void write_counter(State& state, unsigned number, uint64_t value, uint64_t mask);
uint64_t read_time(const State& state, unsigned number);
uint64_t read_event(const State& state, unsigned number);  // mhpmevent, mcyclecfg, minstretcfg
void write_event(State& state, unsigned number, uint64_t value, uint64_t mask);
uint64_t read_scountovf(const State& state, unsigned number);
void write_mcountinhibit(State& state, unsigned number, uint64_t value, uint64_t mask);
bool counter_allowed(const State& state, unsigned number);

// csr_pmp.cpp
uint64_t read_pmpcfg(const State& state, unsigned number);
void write_pmpcfg(State& state, unsigned number, uint64_t value, uint64_t mask);
uint64_t read_pmpaddr(const State& state, unsigned number);
void write_pmpaddr(State& state, unsigned number, uint64_t value, uint64_t mask);
inline constexpr uint64_t kMseccfgWritable = kSecMml | kSecMmwp | kSecRlb | kSecUseed | kSecSseed | kPmm;
void write_mseccfg(State& state, unsigned number, uint64_t value, uint64_t mask);

// csr_seed.cpp
uint64_t read_seed(const State& state, unsigned number);
bool seed_allowed(const State& state, unsigned number);

// Forgets all translations of this hart: what they depended on, apart from page tables, has changed.
void flush_translations(State& state);

}  // namespace weft::riscv
