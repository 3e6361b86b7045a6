// RISC-V Semihosting 1.0: how a hart calls, and the memory that it calls with.
//
//   slli x0, x0, 0x1f; ebreak; srai x0, x0, 7      a0: the operation, and its result; a1: the parameter
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "emulator/guest/riscv/cpu/state.h"

namespace weft::riscv {

// Who does a hart's calls. The hart's board has one made for it.
class SemihostingCalls {
  public:
    virtual ~SemihostingCalls() = default;
    // Whether U mode may call, besides M and S mode. Constant.
    virtual bool in_user_mode() const = 0;
    // What a0 becomes; nothing: the hart is to call again, once it has looked at its interrupts. The thread of its vCPU.
    virtual std::optional<uint64_t> call(State& state, uint64_t operation, uint64_t parameter) = 0;
};

// Where the recorded exception is a breakpoint: looks whether it is a call that the hart may make, and has it done. True: it was one,
// and no exception is left. GuestArch::deliver's thread.
bool semihosting_call(State& state);

// The memory that loads and stores would reach now, translated and protected like them; of devices what they give. Stores are announced
// like any. How many bytes there are from `vaddr` on, up to the first that cannot be had; addresses wrap. Neither raises anything, nor
// do watchpoints see it.
size_t load_bytes(State& state, uint64_t vaddr, std::span<uint8_t> bytes);
size_t store_bytes(State& state, uint64_t vaddr, std::span<const uint8_t> bytes);

}  // namespace weft::riscv
