// The exceptions of process mode: recorded for the emulator, which reads here what it was when ProcessOps::enter came back with
// VcpuStop::exception. All functions: on the thread that enters the vCPU, outside enter; the state stays as it is.
//
// StateHeader::pc is then the instruction's, of which nothing was done. An ECALL's caller steps over it (4 bytes: it has no
// compressed form) before the vCPU is entered again.
#pragma once

#include <cstdint>

#include "emulator/guest/riscv/cpu/state.h"
#include "weft/guest.h"

namespace weft::riscv {

enum class UserExceptionKind : uint8_t {
    ecall,
    breakpoint,  // EBREAK and C.EBREAK
    illegal,  // no instruction of the CPU model, or one that U mode may not execute, WFI and privileged CSRs among them
    // An LR, SC or AMO at an address that is no multiple of its size (all other accesses may be misaligned); a jump to one that is no multiple
    // of 4, without 16-bit instructions.
    misaligned,
    memory_fault,  // UserMemoryOps::fault or fetch said that the memory cannot be had
};

struct UserException {
    UserExceptionKind kind;
    // Of misaligned and memory_fault. SC and AMO are stores.
    Access access;
    // Of memory_fault.
    MemoryFault fault;
    // misaligned: the address accessed; of a jump, the pc. memory_fault: the first byte that may not be accessed; an instruction that reaches into
    // a page that cannot be fetched has that page's address here. Else the pc, as Linux gives it in si_addr for SIGILL and SIGTRAP.
    // (Linux gives the pc for a misaligned access too: arch/riscv/kernel/traps.c.)
    uint64_t address;
};

UserException user_exception(const void* state);

// GuestArch functions of process mode.
//
// memory_fault: the cause is the page fault of the access, and for MemoryFault::bus its access fault.
void memory_fault(void* state, uint64_t vaddr, Access access, MemoryFault kind);
// deliver: false. A trap ends the reservation; Linux sees to that on its way back to the program (arch/riscv/kernel/entry.S).
bool leave_to_emulator(void* state);

}  // namespace weft::riscv
