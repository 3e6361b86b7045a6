// Where things are on the `virt` board: addresses and interrupt numbers that RISC-V guests expect of it.
#pragma once

#include <cstdint>

namespace weft::hw::virt {

struct Range {
    uint64_t base, size;
};

inline constexpr Range kResetRom{0x1000, 0xf000};
inline constexpr Range kTestFinisher{0x100000, 0x1000};
inline constexpr Range kRtc{0x101000, 0x1000};
inline constexpr Range kClint{0x2000000, 0x10000};
// What lies there and beside it with aclint=on.
inline constexpr Range kAclintMswi{0x2000000, 0x4000};
inline constexpr Range kAclintMtimer{0x2004000, 0x8000};
inline constexpr Range kAclintSswi{0x2f00000, 0x4000};
inline constexpr Range kPlic{0xc000000, 0x600000};
inline constexpr Range kUart{0x10000000, 0x100};
inline constexpr Range kVirtio{0x10001000, 0x1000};  // the first of kVirtioSlots
inline constexpr Range kFwCfg{0x10100000, 0x18};
inline constexpr Range kFlash{0x20000000, 0x2000000};  // the first of kFlashes
inline constexpr Range kPciIo{0x3000000, 0x10000};
inline constexpr Range kPciEcam{0x30000000, 0x10000000};
inline constexpr Range kPciMemory{0x40000000, 0x40000000};
inline constexpr uint64_t kRamBase = 0x80000000;
// Behind RAM.
constexpr Range pci_high_memory(uint64_t ram_size) {
    constexpr uint64_t kSize = uint64_t{16} << 30;
    return {(kRamBase + ram_size + kSize - 1) / kSize * kSize, kSize};
}

inline constexpr unsigned kVirtioSlots = 8;
inline constexpr unsigned kFlashes = 2;
inline constexpr unsigned kMaxHarts = 512;

// PLIC sources.
inline constexpr unsigned kVirtioIrq = 1;  // + slot
inline constexpr unsigned kUartIrq = 10;
inline constexpr unsigned kRtcIrq = 11;
inline constexpr unsigned kPciIrq = 32;  // + wire

}  // namespace weft::hw::virt
