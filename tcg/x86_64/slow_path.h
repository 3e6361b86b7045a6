// Slow paths of guest memory accesses: what stands behind the call in a unit's out-of-line part, and who reads it.
//
// The stub of an access is "call thunk" followed by a record. The thunk saves every register, so the record can name the
// registers that hold address and value at that point, and hands both to the functions below. They do the access by the
// runtime hooks, write the result into the saved registers and say where to go on.
#pragma once

#include <array>
#include <cstdint>

#include "tcg/backend.h"
#include "tcg/regalloc/allocator.h"
#include "weft/ir.h"

namespace weft::tcg::x86_64 {

// Registers as a slow-path thunk saves them: 0-15 general, 16-31 the low halves of xmm0-xmm15.
inline constexpr unsigned kSavedRegs = 32;

// A third of all guest instructions access memory, so this one is dense: of the memory op, what the slow path needs.
struct AccessRecord {
    enum Kind : uint8_t { load, signed_load, reserving_load, store };

    AccessRecord() = default;
    AccessRecord(HostReg base_reg, HostReg value_reg, ir::MemOp op, bool is_store)
        : base(base_reg & 15u),
          value(value_reg & 31u),
          kind(is_store       ? store
               : op.reserve() ? reserving_load
               : op.sign()    ? signed_load
                              : load),
          size_log2(op.size_log2() & 3u),
          aligned(op.aligned()),
          mmu_mode(op.mmu_mode() & 3u),
          displacement(static_cast<int16_t>(op.displacement())) {}

    ir::MemOp memop() const {
        return ir::MemOp(size_log2, mmu_mode,
                         (kind == signed_load ? ir::MemOp::kSign : 0) |
                             (kind == reserving_load ? ir::MemOp::kReserve : 0) |
                             (aligned ? ir::MemOp::kAligned : 0));
    }

    uint16_t base : 4;   // HostReg, a general register
    uint16_t value : 5;  // HostReg: of the result or of the value stored; kZeroValue
    uint16_t kind : 2;
    uint16_t size_log2 : 2;
    uint16_t aligned : 1;
    uint16_t mmu_mode : 2;
    int16_t displacement;   // of the address, from the base
    uint16_t back;          // from the record's end back to where to go on
} __attribute__((packed));  // it lies where the call ends
static_assert(sizeof(AccessRecord) == 6 && kMmuModes == 4);

// Of an access that probes for a group (access_groups.h).
struct LeaderRecord {
    AccessRecord access;
    int16_t low;     // the window: its first byte, from the base
    uint16_t bytes;  // ... and their number
    HostReg addend;  // a general register: what the window's TLB entry has, or 0 where there is no one entry
} __attribute__((packed));
static_assert(sizeof(LeaderRecord) == 11);
// Stores of zero need no register: this one never holds a value.
inline constexpr HostReg kZeroValue = 31;

struct AtomicRecord {
    uint8_t address;
    uint8_t result;  // HostReg
    uint8_t a, b;    // HostReg: as RuntimeHooks::atomic
    uint16_t memop;
    uint8_t op;  // ir::Opcode
    uint8_t reserved;
    int32_t resume;
} __attribute__((packed));
static_assert(sizeof(AtomicRecord) == 12);

// A floating-point op that softfloat computes: the whole op where the host cannot, or its rare operands.
struct FloatRecord {
    uint8_t op;        // ir::Opcode
    uint8_t type;      // ir::Type of the op
    uint8_t rounding;  // Op::cond
    uint8_t aux;       // Op::aux
    uint8_t result;    // HostReg
    uint8_t a, b, c;   // HostReg of the inputs there are
    int32_t resume;
} __attribute__((packed));
static_assert(sizeof(FloatRecord) == 12);

struct PinnedGlobal {
    uint16_t global;
    HostReg reg;
    int32_t home;
};

// What thunks and slow paths need to know; constant, owned by the backend.
struct RuntimeContext {
    RuntimeHooks hooks;
    std::array<PinnedGlobal, 8> pinned;
    unsigned pinned_count;
    bool count_insns;    // helpers find their return address in ExecState::exit_host_pc; slow paths always do
    bool profile;        // probes of the jump cache are counted
    bool check_helpers;  // NativeOptions::check_helpers
    MemoryModel memory;
};

// Called by the thunks: the address to resume at, or 0 when a guest exception was recorded (ExecState::exit_host_pc then
// says where, and the pinned globals are in their homes).
uintptr_t slow_access(const RuntimeContext* context, void* state, const AccessRecord* record, uint64_t* regs);
// The access of a group's leader: the next ones may find the addend.
uintptr_t slow_leader(const RuntimeContext* context, void* state, const LeaderRecord* record, uint64_t* regs);
uintptr_t slow_atomic(const RuntimeContext* context, void* state, const AtomicRecord* record, uint64_t* regs);
// Never faults. The guest's MXCSR is in ExecState::guest_mxcsr meanwhile (soft_float.cpp).
uintptr_t slow_float(const RuntimeContext* context, void* state, const FloatRecord* record, uint64_t* regs);

inline uintptr_t resume_address(const AccessRecord* record) {
    return reinterpret_cast<uintptr_t>(record + 1) - record->back;
}
inline uintptr_t resume_address(const LeaderRecord* record) {
    return reinterpret_cast<uintptr_t>(record + 1) - record->access.back;
}

// Where a record says to go on.
template <class Record>
uintptr_t resume_address(const Record* record) {
    return reinterpret_cast<uintptr_t>(record + 1) +
           static_cast<uintptr_t>(static_cast<intptr_t>(record->resume));
}

// MXCSR's sticky exceptions (SDM volume 1, 10.2.3.1) as ir::FpFlag bits; denormals have no counterpart.
constexpr uint32_t fp_flags_of_mxcsr(uint32_t mxcsr) {
    return (mxcsr & 1) << 4 | (mxcsr >> 2 & 1) << 3 | (mxcsr >> 3 & 1) << 2 | (mxcsr >> 4 & 1) << 1 |
           (mxcsr >> 5 & 1);
}
inline constexpr uint32_t kMxcsrExceptions = 0x3f;
inline constexpr uint32_t kMxcsrRounding = 0x6000;  // 0: to nearest, as C++ expects it

// MXCSR for units that round so, without exceptions. All are masked (SDM volume 1, 10.2.3): nothing traps, everything
// accumulates.
constexpr uint32_t clear_mxcsr(ir::Rounding rounding) {
    constexpr uint32_t kMasked = 0x1f80;
    constexpr unsigned kRoundingShift = 13;
    switch (rounding) {
        case ir::Rounding::down:
            return kMasked | 1u << kRoundingShift;
        case ir::Rounding::up:
            return kMasked | 2u << kRoundingShift;
        case ir::Rounding::toward_zero:
            return kMasked | 3u << kRoundingShift;
        default:
            return kMasked;  // nearest_away is softfloat's; what the host rounds meanwhile is exact
    }
}

}  // namespace weft::tcg::x86_64
