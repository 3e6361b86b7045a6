// What semihosting reaches of the guest that calls: memory, time and the machine's end, without a word about the architecture.
//
// emulator/semihosting does the calls by which a program without an operating system uses the host's files and terminal
// (RISC-V Semihosting 1.0, which takes its operations from "Semihosting for AArch32 and AArch64" 2.0; numbers of chapters below are
// those of the latter). Host is what a board gives a CPU's calls to, and emulator/system makes one; it knows base and the interface of
// character backends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::semihosting {

// One CPU while it calls. The thread of its vCPU.
class Guest {
  public:
    virtual ~Guest() = default;

    // The memory that an instruction of the CPU would access now. How many bytes were there from `address` on, up to the first one that
    // may not be read or written; addresses wrap.
    virtual size_t read(uint64_t address, std::span<uint8_t> bytes) = 0;
    virtual size_t write(uint64_t address, std::span<const uint8_t> bytes) = 0;

    // Ends the emulator with this exit code; returns at once.
    virtual void end(int exit_code) = 0;

    // Since the machine was made, and since 1970.
    virtual uint64_t elapsed_ns() = 0;
    virtual uint64_t wall_clock_ns() = 0;

    // Memory that nothing was loaded to: all of [base, limit).
    struct Heap {
        uint64_t base, limit;
    };
    virtual Heap heap() = 0;

    // A one-line note on what the guest did wrong.
    virtual void guest_error(const char* message) = 0;
};

}  // namespace weft::semihosting
