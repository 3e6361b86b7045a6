// The CPU of a guest thread as user mode sees it: registers, and why it stopped.
#pragma once

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

// By the thread that runs the CPU, outside enter().
class Cpu : public Registers {
  public:
    virtual uint64_t pc() const = 0;
    virtual void set_pc(uint64_t pc) = 0;
    // Integer registers, 1 to 31.
    virtual uint64_t x(unsigned index) const = 0;
    virtual void set_x(unsigned index, uint64_t value) = 0;
    // All of them by Registers' functions.

    // What is recorded; after VcpuStop::exception only.
    virtual CpuException exception() const = 0;
};

}  // namespace weft::user
