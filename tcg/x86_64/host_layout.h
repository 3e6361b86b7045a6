// How weft's generated code uses the registers of x86-64.
//
//   rbp           the state pointer
//   rsp           the host's stack: below the prologue's frame the guest's calls that have not returned (return_stack.h)
//   rbx r12-r15 r8-r10   the guest's eight best-ranked integer globals, from the prologue to the epilogue
//   rax rcx rdx rsi rdi r11   values of the running unit
//   xmm0-xmm14    floating-point values of the running unit;  xmm15: scratch of the backend's
//
// Helpers and slow paths are called through thunks (runtime_code.h), which save and restore what C++ clobbers.
#pragma once

#include <array>
#include <cstdint>

#include "tcg/regalloc/allocator.h"
#include "tcg/x86_64/registers.h"

namespace weft::tcg::x86_64 {

inline constexpr Gpr kState = Gpr::rbp;

// In order of preference: those that C++ preserves come first, since only they survive a helper without a reload.
inline constexpr std::array<Gpr, 8> kPinnable = {Gpr::rbx, Gpr::r12, Gpr::r13, Gpr::r14,
                                                 Gpr::r15, Gpr::r8,  Gpr::r9,  Gpr::r10};
inline constexpr unsigned kPreservedPinnable = 5;

inline constexpr Xmm kXmmScratch = Xmm::xmm15;

// Numbering for the allocator: 0-15 general registers, 16-31 xmm registers.
constexpr HostReg host(Gpr reg) { return static_cast<HostReg>(reg); }
constexpr HostReg host(Xmm reg) { return static_cast<HostReg>(16 + static_cast<unsigned>(reg)); }
constexpr bool is_xmm(HostReg reg) { return reg >= 16; }
constexpr Gpr gpr(HostReg reg) { return static_cast<Gpr>(reg); }
constexpr Xmm xmm(HostReg reg) { return static_cast<Xmm>(reg - 16); }
constexpr RegMask mask(Gpr reg) { return mask_of(host(reg)); }

inline constexpr RegMask kLocalGprs =
    mask(Gpr::rax) | mask(Gpr::rcx) | mask(Gpr::rdx) | mask(Gpr::rsi) | mask(Gpr::rdi) | mask(Gpr::r11);
inline constexpr RegMask kLocalXmms = 0x7fff0000;  // xmm0-xmm14

// Where a call thunk expects a helper's IR arguments; it puts the state and the fifth and sixth C++ argument in place
// itself, because their registers may hold pinned globals.
inline constexpr std::array<Gpr, 5> kArgsAfterState = {Gpr::rsi, Gpr::rdx, Gpr::rcx, Gpr::r11, Gpr::rax};
inline constexpr std::array<Gpr, 5> kArgsWithoutState = {Gpr::rdi, Gpr::rsi, Gpr::rdx, Gpr::rcx, Gpr::r11};

}  // namespace weft::tcg::x86_64
