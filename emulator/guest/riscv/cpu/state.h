// The architectural state of a RISC-V hart: what lies behind the state pointer (weft/state.h).
//
// Everything here belongs to the thread that runs the vCPU, but for the atomics. Translators reach fields by offset.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "emulator/guest/riscv/cpu/recent_insns.h"
#include "emulator/guest/riscv/isa/cpu_model.h"
#include "weft/guest.h"
#include "weft/state.h"

namespace weft::riscv {

// Where x[n] is stored: the first sixteen slots are reached with one-byte displacements, so registers that are used often
// but seldom pinned come first.
inline constexpr std::array<uint8_t, 32> kGprSlot = [] {
    // ra t0 t1 t2 s1 a6 a7 s2 s3 s4 s5 t3 t4 t5 t6 s6 | then those a backend pins, and the rest
    constexpr uint8_t kOrder[32] = {1,  5,  6,  7,  9, 16, 17, 18, 19, 20, 21, 28, 29, 30, 31, 22,
                                    15, 14, 10, 13, 2, 12, 11, 8,  23, 24, 25, 26, 27, 3,  4,  0};
    std::array<uint8_t, 32> slots{};
    for (uint8_t i = 0; i < 32; ++i) {
        slots[kOrder[i]] = i;
    }
    return slots;
}();

enum class Priv : uint8_t { user = 0, supervisor = 1, machine = 3 };

// Physical memory protection, privileged specification 3.7.
inline constexpr unsigned kPmpEntries = 16;

// A counter (pmu.h).
struct PmuCounter {
    uint64_t config;  // mhpmevent; of mcycle and minstret, mcyclecfg and minstretcfg
    uint64_t
        value;  // what it showed when its event had happened `since` times; while it stands, what it shows
    uint64_t since;
};
inline constexpr unsigned kPmuCounters = 32;

struct State {
    uint64_t gpr[32];  // by slot; the slot of x0 stays zero
    uint64_t fpr[32];  // f0..f31; an f32 has its upper half all ones

    // LR/SC reservation; kNoReservation in res_address: none. It ends where the address may come to mean other memory
    // (end_reservation).
    uint64_t
        res_address;     // guest virtual, with bit 0 set for a reservation of 8 bytes (addresses are aligned)
    uint64_t res_value;  // sign-extended where it is 4 bytes

    uint32_t frm;  // rounding mode field of fcsr, 0..7 (accrued exceptions are in StateHeader::fp_flags)
    Priv priv;
    bool in_process;      // process mode: there are no page tables
    bool critical_error;  // "Smdbltrp": it executes nothing until it is reset
    uint8_t reserved_;

    uint64_t mstatus;
    // Pending interrupts that software or devices set (mip bits; MTIP and STIP are computed from the time as well; the
    // level of the supervisor external line is kSeipLine, apart from the SEIP bit that software writes).
    // Written by any thread with sequentially consistent read-modify-write operations, followed by a kick.
    std::atomic<uint64_t> mip;
    uint64_t mie, mideleg, medeleg;
    uint64_t mtvec, mepc, mcause, mtval, mtval2, mscratch, mcounteren, menvcfg, mcountinhibit;
    uint64_t stvec, sepc, scause, stval, sscratch, scounteren, senvcfg, satp;
    // Sstc: the supervisor timer interrupt is pending while time >= stimecmp (with menvcfg.STCE).
    uint64_t stimecmp;
    // CLINT: the machine timer interrupt is pending while time >= mtimecmp. Written by any thread through
    // Hart::set_mtimecmp, which sets the hart's deadline and kicks it afterwards.
    std::atomic<uint64_t> mtimecmp;
    // Ticks that `time` is ahead of the accelerator's clock; the machine's, so a reset leaves it. Written by any thread through
    // Hart::set_time_offset, which sets the hart's deadline and kicks it afterwards. Always 0 in process mode.
    std::atomic<uint64_t> time_offset;

    uint8_t pmpcfg[kPmpEntries];
    uint64_t pmpaddr[kPmpEntries];
    uint64_t mseccfg;
    uint64_t mstateen[4];
    uint64_t mhartid;

    // The recorded exception, to be delivered by GuestArch::deliver.
    uint64_t exception_cause;
    uint64_t exception_tval;
    // Where it is one that memory_fault() recorded: why. Process mode alone.
    MemoryFault exception_fault;

    // Timer interrupts (mip bits, enabled in mie) that had come due when this vCPU last looked.
    uint64_t timers_seen;

    // By number: 0 is mcycle, 2 minstret, 1 nobody's.
    PmuCounter counters[kPmuCounters];
    // A bit for each: those that count now; those that do not in every mode.
    uint32_t counters_running, counters_filtered;

    // What this hart has. Set by the reset, and never null after the first one.
    const CpuModel* model;

    RecentInsns recent_insns;
};

// In State::mip: the level of the interrupt controller's supervisor line. Reads as SEIP, and no CSR write reaches it.
inline constexpr uint64_t kSeipLine = uint64_t{1} << 63;

inline constexpr uint64_t kNoReservation = ~uint64_t{0};

inline bool has(const State& state, Extension extension) { return state.model->extensions.has(extension); }

// The next SC fails. For all that may change what memory an address means; in GuestArch functions, and in helpers that may
// write IR globals (kHelperMayRaise).
inline void end_reservation(State& state) { state.res_address = kNoReservation; }

constexpr int32_t gpr_offset(unsigned n) {
    return static_cast<int32_t>(offsetof(State, gpr) + 8u * kGprSlot[n]);
}
constexpr int32_t fpr_offset(unsigned n) { return static_cast<int32_t>(offsetof(State, fpr) + 8u * n); }

// x[n] outside generated code.
inline uint64_t& gpr(State& state, unsigned n) { return state.gpr[kGprSlot[n]]; }
inline uint64_t gpr(const State& state, unsigned n) { return state.gpr[kGprSlot[n]]; }

// Numbers of the IR globals: x1..x31, f0..f31, then the reservation.
constexpr unsigned gpr_global(unsigned n) { return n - 1; }
constexpr unsigned fpr_global(unsigned n) { return 31 + n; }
inline constexpr unsigned kResAddressGlobal = 63;
inline constexpr unsigned kResValueGlobal = 64;
inline constexpr unsigned kGlobalCount = 65;

}  // namespace weft::riscv
