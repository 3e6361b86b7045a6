// The CPU of a guest thread as user mode sees it: registers, and why it stopped.
#pragma once

#include <array>
#include <cstdint>

#include "emulator/linux-user/signal/thread_signals.h"
#include "weft/guest.h"

namespace weft::user {

// Why ProcessOps::enter gave VcpuStop::exception. The pc is that of the instruction, of which nothing was done.
struct CpuException {
    enum class Kind : uint8_t {
        call,        // ecall
        breakpoint,  // ebreak
        illegal,
        misaligned,  // an atomic access that must be aligned
        memory,      // an access that `fault` says the reason of
    };
    Kind kind = Kind::call;
    uint64_t address = 0;                       // misaligned, memory: of the access
    MemoryFault fault = MemoryFault::unmapped;  // memory
};

// What a system call's instruction asks for (RISC-V psABI: a7, and a0 to a5).
struct CpuCall {
    uint64_t number = 0;
    std::array<uint64_t, 6> arguments{};
};

// By the thread that runs the CPU, outside enter().
class Cpu : public Registers {
  public:
    virtual uint64_t pc() const = 0;
    // Of the instruction at pc.
    virtual CpuCall call() const = 0;
    // That instruction is done: its result goes to a0, and the pc is behind it.
    virtual void finish_call(uint64_t result) = 0;
    // All registers by Registers' functions.

    // What is recorded; after VcpuStop::exception only.
    virtual CpuException exception() const = 0;

    // From now on so many of the upper bits of a pointer do not count in loads, stores and atomic accesses ("Supm"): 0, 7 or 16. The
    // model has the extension where it is not 0.
    virtual void set_pointer_mask(unsigned bits) = 0;
};

}  // namespace weft::user
