// The code that stands once at the start of the buffer: prologue, epilogue, and the thunks through which units leave.
//
// All positions are offsets from the buffer's start, so that a unit, which knows its own offset, reaches them by rel32.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "tcg/code/code_address.h"
#include "tcg/runtime_map.h"
#include "tcg/x86_64/slow_path.h"
#include "weft/helper.h"

namespace weft::tcg::x86_64 {

struct RuntimeCode {
    uint32_t prologue;  // ExitKind prologue(void* state, const void* code), System V calling convention
    // Jumped to by units:
    uint32_t probe;          // lookup_and_goto_ptr where the probe is shared; pc in rcx
    uint32_t return_missed;  // a return to another pc than the return stack has; pc in rcx
    uint32_t lookup;         // lookup_and_goto_ptr that missed; pc in rcx
    uint32_t exit_lookup;    // exit_tb: back to the loop; pc in rcx
    uint32_t exit_indirect;  // lookup_and_goto_ptr, interrupted: the same
    uint32_t exit_halt;
    uint32_t exit_yield;
    // Made to go on there by Backend::redirect, from anywhere in a unit; 0 without direct memory.
    uint32_t fault_user;
    // Called by units, followed by a record:
    uint32_t exit_goto_tb;  // {uint32_t unit_index; uint16_t page_offset; uint8_t slot}
    uint32_t access;        // AccessRecord; keeps general registers
    uint32_t access_fp;     // AccessRecord; keeps xmm registers too
    uint32_t leader;        // LeaderRecord
    uint32_t leader_fp;     // LeaderRecord; keeps xmm registers too
    uint32_t atomic;        // AtomicRecord
    uint32_t atomic_fp;
    uint32_t soft_float;  // FloatRecord; keeps all registers
    // Called by units: one a helper, by its id.
    std::vector<uint32_t> helpers;
    // Constants of 16 bytes, aligned.
    uint32_t box_mask;       // upper half of the low quadword all ones
    uint32_t sign_f32;       // bit 31
    uint32_t sign_f64;       // bit 63
    uint32_t canonical_f32;  // canonical quiet NaN
    uint32_t canonical_f64;
    uint32_t fp_flags;  // 64 bytes: fp_flags_of_mxcsr, by MXCSR's exceptions

    uint32_t size;
    RuntimeMap map;
};

inline constexpr uint32_t kGotoTbRecordSize = 7;
// Of a goto_tb's stub, which is a call of exit_goto_tb and its record: the bytes in front of the record.
inline constexpr uint32_t kUnitIndexInStub = 5;
// What stands before that in the stub of a jump back to its own unit's loop: a call of what leaves the loop.
inline constexpr uint32_t kLeavingCall = 5;

// Generates it into the start of `window`. `helpers` is the guest's table; `context` outlives the code.
Result<RuntimeCode> emit_runtime_code(CodeWindow window, const RuntimeContext& context,
                                      std::span<const HelperDesc> helpers);

}  // namespace weft::tcg::x86_64
