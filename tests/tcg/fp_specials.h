// Floating-point values at which implementations differ most easily: zeros, ones, infinities, NaNs, subnormals, and the limits of what
// conversions to integers and to the other precision can represent. As bits.
#pragma once

#include <cstdint>

namespace weft::tcg::test {

inline constexpr uint64_t kFp64Specials[] = {
    0,
    0x8000000000000000,
    0x3ff0000000000000,
    0xbff0000000000000,
    0x7ff0000000000000,
    0xfff0000000000000,
    0x7ff8000000000000,
    0xfff8000000001234,
    0x7ff0000000000001,
    0x0000000000000001,
    0x800fffffffffffff,
    0x0010000000000000,
    0x7fefffffffffffff,
    0x4340000000000000,
    0x43e0000000000000,
    0xc1e0000000000000,
    0x41dfffffffc00000,
    0x3fe0000000000000,
    0x3ca0000000000000,
    0x47efffffe0000000,
    0x36a0000000000000,
    0x3800000000000000,
};
inline constexpr uint32_t kFp32Specials[] = {
    0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000,
    0x7fc00000, 0xffc12345, 0x7f800001, 0x00000001, 0x807fffff, 0x00800000,
    0x7f7fffff, 0x4b000000, 0x4f000000, 0xcf000000, 0x5f000000, 0x3f000000,
};

}  // namespace weft::tcg::test
