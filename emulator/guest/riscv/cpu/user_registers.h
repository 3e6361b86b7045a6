// The registers of a program, for the emulator of process mode: arguments and results of calls, signal frames, new threads. `state`
// is ProcessOps::attach's. On the thread that enters the vCPU, outside enter, or before anybody does.
#pragma once

#include <array>
#include <cstdint>

#include "emulator/guest/riscv/cpu/state.h"

namespace weft::riscv {

// x[n]; x[0] is 0. The pc is StateHeader::pc.
inline uint64_t user_x(const void* state, unsigned n) { return gpr(*static_cast<const State*>(state), n); }
// Nothing for x[0].
inline void set_user_x(void* state, unsigned n, uint64_t value) {
    if (n != 0) {
        gpr(*static_cast<State*>(state), n) = value;
    }
}

struct UserRegisters {
    uint64_t pc = 0;
    std::array<uint64_t, 32> x{};  // x[0] is 0
    std::array<uint64_t, 32> f{};  // a single-precision value has its upper half all ones
    uint32_t fcsr = 0;  // bits 7:5 frm, 4:0 the accrued exceptions (unprivileged specification, "F")

    bool operator==(const UserRegisters&) const = default;
};

UserRegisters user_registers(const void* state);
// The program goes on there, as after a trap: its reservation ends. Bit 0 of pc, x[0] and bits of fcsr that are none are ignored. A
// frm that is reserved may be set; instructions that round by it are illegal then.
void set_user_registers(void* state, const UserRegisters& registers);

// How many upper bits of addresses do not count ("Pointer masking"): senvcfg.PMM. 0, 7 or 16.
void set_user_pointer_mask(void* state, unsigned bits);

}  // namespace weft::riscv
