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

// What of an address counts ("Pointer masking"): without its `length` upper bits, in whose place come copies of the highest one
// that counts, where addresses are translated, else zeros. Length 0: all of it counts.
struct PointerMask {
    uint8_t length = 0;  // 0, 7, 16
    bool extends_sign = false;

    constexpr uint64_t apply(uint64_t address) const {
        const uint64_t shifted = address << length;
        return extends_sign ? static_cast<uint64_t>(static_cast<int64_t>(shifted) >> length)
                            : shifted >> length;
    }
};

class TbFlags {
  public:
    constexpr TbFlags(Priv priv, MmuMode fetch_mode, MmuMode data_mode, FpState fp, unsigned frm,
                      PointerMask mask = {})
        : bits_(static_cast<uint64_t>(priv) | static_cast<uint64_t>(fetch_mode) << 2 |
                static_cast<uint64_t>(data_mode) << 4 | static_cast<uint64_t>(fp) << 6 |
                static_cast<uint64_t>(frm) << 8 | static_cast<uint64_t>(mask.length) << kMaskShift |
                static_cast<uint64_t>(mask.length != 0 && mask.extends_sign) << kMaskSignShift) {}
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
    // The hart executes nothing: it waits for its reset.
    constexpr bool stopped() const { return (bits_ >> kStoppedShift & 1) != 0; }
    constexpr TbFlags with_stop(bool stopped) const {
        return TbFlags(bits_ | static_cast<uint64_t>(stopped) << kStoppedShift);
    }
    // Of the addresses of loads and stores.
    constexpr PointerMask pointer_mask() const {
        return {static_cast<uint8_t>(bits_ >> kMaskShift & 31), (bits_ >> kMaskSignShift & 1) != 0};
    }
    // The host's rounding direction while units with these flags run (GuestArch::fp_rounding): to nearest where frm is
    // reserved, for then only instructions with a rounding mode of their own are legal.
    constexpr ir::Rounding fp_rounding() const {
        return frm() <= static_cast<unsigned>(ir::Rounding::nearest_away) ? static_cast<ir::Rounding>(frm())
                                                                          : ir::Rounding::nearest_even;
    }

  private:
    static constexpr unsigned kMaskShift = 11;
    static constexpr unsigned kMaskSignShift = 16;
    static constexpr unsigned kStoppedShift = 17;

    uint64_t bits_;
};

}  // namespace weft::riscv
