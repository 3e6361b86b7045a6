// What the host's generators leave in guest memory for the guest's programs: plain data, seen by both.
#pragma once

#include <stdint.h>

namespace isa {

inline constexpr uint64_t kRamBase = 0x80000000;
inline constexpr uint64_t kProgramBase = 0x80100000;

// Memory that test code reads and writes: on both sides of a page boundary, as far as a 12-bit displacement
// from an address near kScratchMiddle and the widest access reach.
inline constexpr uint64_t kScratchMiddle = 0x80081000;
inline constexpr uint64_t kScratchBegin = kScratchMiddle - 2048;
inline constexpr uint64_t kScratchEnd = kScratchMiddle + 2048 + 32;
inline constexpr uint64_t kScratchWords = (kScratchEnd - kScratchBegin) / 8;

inline constexpr uint64_t kNoCase = ~uint64_t{0};

// --- random sequences ---

enum CaseMode : uint64_t { machine, supervisor_bare, supervisor_sv39, user_bare, user_sv39 };
inline constexpr uint64_t kCaseModes = 5;

// One sequence and what it starts with. `code_size` bytes of code follow, then padding to `size` bytes. The
// code ends by a c.ebreak, its last two bytes.
struct Case {
    uint64_t size;
    uint64_t code_size;
    uint64_t mode;  // CaseMode
    uint64_t scratch_seed;
    uint64_t fcsr;
    uint64_t x[32];  // x[0] is not looked at
    uint64_t f[32];
};

inline constexpr uint64_t kPoolWords = 256;

// At kProgramBase; the cases follow one after the other.
struct RandomProgram {
    uint64_t case_count;
    uint64_t first_printed;     // cases before this one run silently
    uint64_t dumped;            // the case whose state is printed word by word, the last to run; or kNoCase
    uint64_t pool[kPoolWords];  // three quarters of the words in the scratch memory are taken from here
};

// The state after a case, in the order in which it is hashed and dumped; the traps follow, then the scratch
// memory. status_fault: 1 if mstatus.FS missed changes, 2 if SD
// does not follow it.
inline constexpr uint64_t kMaxTraps = 64;  // recorded ones
struct FinalState {
    uint64_t x[31];  // x1 to x31
    uint64_t f[32];
    uint64_t fcsr;
    uint64_t status_fault;
    uint64_t sscratch;
    uint64_t trap_count;
};
struct Trap {
    uint64_t cause;
    uint64_t tval;
    uint64_t epc;  // from the beginning of the code
};

// --- single instructions at their corners ---

inline constexpr uint64_t kStubBase = 0x80090000;  // where the instruction under test is put
inline constexpr uint64_t kStubHalfwords = 16;
inline constexpr uint64_t kWindowWords = 8;  // of the scratch memory, hashed where a job touches memory
inline constexpr uint64_t kWindowBegin = kScratchMiddle - 32;

// The instruction with all combinations of values for x10, x11, x12 (and f10, f11, f12: the same bits) and frm. It
// leaves by c.jr x5, which also fills up the code. x1, x2 and x13 start with fixed values, x2 within the scratch memory.
struct CornerJob {
    uint16_t code[kStubHalfwords];
    uint64_t first[3];  // positions in the table of values
    uint64_t count[3];
    uint64_t first_frm;
    uint64_t frm_count;
    uint64_t bias;  // added to the first value: an address minus the displacement in the instruction
    uint64_t touches_memory;  // the third value is also stored, at the address x10 - bias, or x2 + sp_offset
    uint64_t uses_sp;
    uint64_t sp_offset;
    uint64_t verbose;  // prints CornerState (and the window) after each combination rather than a hash of all
};

// At kProgramBase; `value_count` values follow, then the jobs.
struct CornerProgram {
    uint64_t job_count;
    uint64_t value_count;
};

struct CornerState {
    uint64_t x1;
    uint64_t x2;
    uint64_t x10;
    uint64_t x11;
    uint64_t x12;
    uint64_t x13;
    uint64_t f10;
    uint64_t f11;
    uint64_t f12;
    uint64_t f13;
    uint64_t fcsr;
    uint64_t trap_count;
    uint64_t causes;  // all of them: multiplied by 64, the next one added
    uint64_t tvals;   // multiplied by 5, the next one added
};

// --- directed system programs ---

// At kProgramBase. These programs write lines of text. They print a hash of each `lines_per_hash` of them, one of the rest,
// and kSystemEnd; or, where that is 0, the lines from `first_shown` on and before `end_shown`.
inline constexpr char kSystemEnd[] = "end of the report";
struct SystemProgram {
    uint64_t lines_per_hash;
    uint64_t first_shown;
    uint64_t end_shown;
    uint64_t on_peer;  // for what the peer is known to do otherwise
};

}  // namespace isa
