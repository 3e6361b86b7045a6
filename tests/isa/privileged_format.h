// The random operations of privileged behaviour that the host's generator leaves in memory for the guest's program
// (guest/privileged_main.cpp): plain data, seen by both.
#pragma once

#include <stdint.h>

#include "program_format.h"

namespace isa {

// Physical memory, from kProgramBase on. Each part has an entry of the PMP of its own.
inline constexpr uint64_t kMachineCode = 0x80140000;  // of operations in M mode
inline constexpr uint64_t kLowerCode = 0x80180000;    // of those in S and U mode
inline constexpr uint64_t kTables = 0x801bb000;       // page tables, those that the code needs first
inline constexpr uint64_t kCodeTablesEnd = 0x801c0000;
inline constexpr uint64_t kTablePages = 9;
inline constexpr uint64_t kDataPages = 16;
inline constexpr uint64_t kDataBegin = 0x801f0000;  // aligned to 64 KiB (Svnapot)

// The code of S and U mode begins with ECALLs, one for each cause of a vectored interrupt: the traps that S mode takes.
inline constexpr uint64_t kTrapSlots = 16;
// M mode's begins with one. Then each operation has a place.
inline constexpr uint64_t kCodeStart = 4 * kTrapSlots;
inline constexpr uint64_t kCodeStep = 64;
// U mode's view of that code with address translation; S mode sees it at its physical address.
inline constexpr uint64_t kUserAlias = 0x40000000;

// Tables, by number. The first three are the roots of Sv39, Sv48 and Sv57, each reached by entry 0 of the next; the roots' entries 2 and 3
// (Sv39) lead to the code. The others are the operations'.
enum Table : uint64_t {
    root39,
    root48,
    root57,
    supervisor_code,
    user_code,
    middle,
    other_middle,
    last,
    other_last
};
inline constexpr uint64_t table_address(uint64_t table) { return kTables + 4096 * table; }

// Where operations change tables, and what is looked at after each of them.
inline constexpr uint64_t kIndices[] = {0, 1, 2, 3, 4, 5, 510, 511};
inline constexpr uint64_t kWatchedOffsets[] = {0, 8, 0x100, 0x108, 0xfc0, 0xff0, 0xff8};

// Each halfword of the memory that is accessed: it ends a fetch by a trap (a reserved C.JR, zero, or with the next one a SYSTEM
// instruction that is not there).
inline constexpr uint64_t kReservedInsns = 0x8002800280028002;

inline constexpr uint64_t kOpArguments = 6;  // a0 to a5

struct PrivilegedOp {
    uint64_t mode;    // 0, 1 or 3
    uint64_t code;    // physical address; ends by an ECALL
    uint64_t status;  // mstatus to begin with: of S and U mode, MPIE is MIE
    uint64_t satp;
    uint64_t flags;   // OpFlag
    uint64_t logged;  // bit n: of a[n] at the end the bits of `compared` are
    uint64_t compared;
    uint64_t a[kOpArguments];
};
enum OpFlag : uint64_t {
    op_vectored = 1,       // of M mode's traps
    op_timer_pending = 2,  // with MTIP pending and enabled, for WFI
    op_hides_status = 4,   // mstatus at the end is not compared
    op_hides_tval = 8,
    op_fence_behind = 16,  // SFENCE.VMA when it has ended, for it may leave old translations in TLBs
};

// At kProgramBase; the operations follow.
struct PrivilegedProgram {
    uint64_t op_count;
    uint64_t lockdown;     // with Smepmp's mseccfg.MML
    uint64_t mseccfg;      // to begin with
    uint64_t first_shown;  // operations whose results are printed word by word rather than as a hash
    uint64_t end_shown;
};
inline constexpr uint64_t kMaxOps = 2000;
static_assert(sizeof(PrivilegedProgram) + kMaxOps * sizeof(PrivilegedOp) <= kMachineCode - kProgramBase);
static_assert(kCodeStart + kMaxOps * kCodeStep <= kTables - kLowerCode);

inline constexpr char kPrivilegedEnd[] = "end of the operations";

}  // namespace isa
