// The frame of a signal on the guest's stack: made for a handler, and read back by rt_sigreturn (call 139).
//
// Pure functions over values; memory, masks and dispositions are the caller's. They do what the kernel does for riscv64
// (signal(7), sigaltstack(2); layout in abi.h): ra is the address of the vDSO's rt_sigreturn, which unwinders know by its code.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "emulator/linux-user/riscv/abi.h"

namespace weft::user {

struct FrameRegisters {
    uint64_t pc = 0;
    std::array<uint64_t, 32> x{};  // x[0] is 0
    std::array<uint64_t, 32> f{};
    uint32_t fcsr = 0;
};

// Flags of an alternate stack, as sigaltstack gave them.
inline constexpr uint32_t kSsOnstack = 1;
inline constexpr uint32_t kSsDisable = 2;
inline constexpr uint32_t kSsAutodisarm = uint32_t{1} << 31;
inline constexpr abi::Stack kNoAltStack = {.sp = 0, .flags = kSsDisable, .pad = 0, .size = 0};

// Whether a stack pointer is within an alternate stack: in (sp, sp + size], as stacks grow down. Never with SS_AUTODISARM: its
// handler may leave the stack for good.
bool is_on_alt_stack(const abi::Stack& alt, uint64_t sp);

struct SignalDelivery {
    uint32_t signal;
    uint64_t handler;
    bool use_alt_stack;  // the action's SA_ONSTACK
    uint64_t restorer;   // of the vDSO
    std::span<const uint8_t, abi::kSiginfoSize> info;
    uint64_t mask;  // to be restored: that from before the handler, and from before a call that swaps masks
    abi::Stack alt_stack;
};

struct SignalFrame {
    uint64_t address;  // of `bytes`; a multiple of 16
    abi::RtSigframe bytes;
    FrameRegisters registers;  // the handler's
    abi::Stack alt_stack;      // from now on: disabled by SS_AUTODISARM
};

// Nothing: the frame would not fit on the alternate stack that is in use, and the guest dies of SIGSEGV. That `address` can be
// written is the caller's to find out; it may have wrapped.
std::optional<SignalFrame> make_frame(const FrameRegisters& registers, const SignalDelivery& delivery);

struct RestoredFrame {
    FrameRegisters registers;
    uint64_t mask;         // without SIGKILL and SIGSTOP
    abi::Stack alt_stack;  // to be set as sigaltstack would, whose errors do not matter
};

// What lay at the stack pointer. Nothing: a reserved word is not 0 (or announces state that this CPU has not), and the guest gets
// SIGSEGV. The kernel wants no alignment of the stack pointer. Of fcsr and pc the bits are taken that registers have.
std::optional<RestoredFrame> read_frame(const abi::RtSigframe& frame);

}  // namespace weft::user
