// What a RISC-V translation depends on besides the bytes: GuestArch::tb_flags.
#pragma once

#include <cstdint>

#include "emulator/guest/riscv/cpu/state.h"
#include "weft/ir.h"

namespace weft::riscv {

// MMU modes. S-mode with SUM set reads user pages, so it has a mode (and a TLB) of its own; MXR changes flush instead.
enum class MmuMode : uint8_t { user = 0, supervisor = 1, supervisor_sum = 2, machine = 3 };
inline constexpr uint32_t kMmuModeCount = 4;
inline constexpr uint32_t kSpaceDependentModes = 0b0111;
inline constexpr uint32_t kSteadyModes = 0b1001;

// mstatus.FS as a translator needs it.
enum class FpState : uint8_t { off = 0, clean = 1, dirty = 2 };  // clean: initial or clean

class TbFlags {
  public:
    constexpr TbFlags(Priv priv, MmuMode fetch_mode, MmuMode data_mode, FpState fp, unsigned frm)
        : bits_(static_cast<uint64_t>(priv) | static_cast<uint64_t>(fetch_mode) << 2 |
                static_cast<uint64_t>(data_mode) << 4 | static_cast<uint64_t>(fp) << 6 |
                static_cast<uint64_t>(frm) << 8) {}
    constexpr explicit TbFlags(uint64_t bits) : bits_(bits) {}

    constexpr uint64_t bits() const { return bits_; }
    constexpr Priv priv() const { return static_cast<Priv>(bits_ & 3); }
    constexpr MmuMode fetch_mode() const { return static_cast<MmuMode>(bits_ >> 2 & 3); }
    constexpr MmuMode data_mode() const {
        return static_cast<MmuMode>(bits_ >> 4 & 3);
    }  // with MPRV taken in
    constexpr FpState fp() const { return static_cast<FpState>(bits_ >> 6 & 3); }
    // The frm field, 0..7; 5 to 7 make dynamic rounding illegal. Zero while the FP state is off.
    constexpr unsigned frm() const { return bits_ >> 8 & 7; }
    // The host's rounding direction while units with these flags run (GuestArch::fp_rounding): to nearest where frm is
    // reserved, for then only instructions with a rounding mode of their own are legal.
    constexpr ir::Rounding fp_rounding() const {
        return frm() <= static_cast<unsigned>(ir::Rounding::nearest_away) ? static_cast<ir::Rounding>(frm())
                                                                          : ir::Rounding::nearest_even;
    }

  private:
    uint64_t bits_;
};

}  // namespace weft::riscv
