// The fields of control and status registers that weft implements.
// Sections are those of the privileged specification 1.12 (20211203).
#pragma once

#include <cstdint>

#include "emulator/guest/riscv/isa/csr_numbers.h"

namespace weft::riscv {

// mstatus and sstatus, privileged specification 3.1.6 and 4.1.1.
inline constexpr uint64_t kStatusSie = uint64_t{1} << 1;
inline constexpr uint64_t kStatusMie = uint64_t{1} << 3;
inline constexpr uint64_t kStatusSpie = uint64_t{1} << 5;
inline constexpr uint64_t kStatusMpie = uint64_t{1} << 7;
inline constexpr uint64_t kStatusSpp = uint64_t{1} << 8;
inline constexpr unsigned kStatusMppShift = 11;
inline constexpr uint64_t kStatusMpp = uint64_t{3} << kStatusMppShift;
inline constexpr unsigned kStatusFsShift = 13;
inline constexpr uint64_t kStatusFs = uint64_t{3} << kStatusFsShift;
inline constexpr uint64_t kStatusMprv = uint64_t{1} << 17;
inline constexpr uint64_t kStatusSum = uint64_t{1} << 18;
inline constexpr uint64_t kStatusMxr = uint64_t{1} << 19;
inline constexpr uint64_t kStatusTvm = uint64_t{1} << 20;
inline constexpr uint64_t kStatusTw = uint64_t{1} << 21;
inline constexpr uint64_t kStatusTsr = uint64_t{1} << 22;
inline constexpr uint64_t kStatusSdt = uint64_t{1} << 24;  // Ssdbltrp
inline constexpr uint64_t kStatusMdt = uint64_t{1} << 42;  // Smdbltrp
inline constexpr uint64_t kStatusUxl64 = uint64_t{2} << 32;
inline constexpr uint64_t kStatusSxl64 = uint64_t{2} << 34;
inline constexpr uint64_t kStatusSd = uint64_t{1} << 63;

// mip and mie, privileged specification 3.1.9.
inline constexpr uint64_t kIntSsi = uint64_t{1} << 1;
inline constexpr uint64_t kIntMsi = uint64_t{1} << 3;
inline constexpr uint64_t kIntSti = uint64_t{1} << 5;
inline constexpr uint64_t kIntMti = uint64_t{1} << 7;
inline constexpr uint64_t kIntSei = uint64_t{1} << 9;
inline constexpr uint64_t kIntMei = uint64_t{1} << 11;
inline constexpr uint64_t kIntLcofi = uint64_t{1} << 13;  // Sscofpmf
inline constexpr uint64_t kIntSupervisor = kIntSsi | kIntSti | kIntSei | kIntLcofi;
inline constexpr uint64_t kIntAll = kIntSupervisor | kIntMsi | kIntMti | kIntMei;

// menvcfg and senvcfg, privileged specification 3.1.18 and 4.1.10; Sstc, Zicbom and Zicboz ("CMO"), Svadu, Svpbmt.
inline constexpr uint64_t kEnvcfgFiom = 1;
inline constexpr unsigned kEnvcfgCbieShift = 4;
inline constexpr uint64_t kEnvcfgCbie = uint64_t{3}
                                        << kEnvcfgCbieShift;  // Zicbom: 0 illegal, 1 flush, 3 invalidate
inline constexpr uint64_t kEnvcfgCbcfe = uint64_t{1} << 6;
inline constexpr uint64_t kEnvcfgCbze = uint64_t{1} << 7;
// "Pointer masking": in menvcfg for the next lower mode, in senvcfg for U mode, in mseccfg for M mode. 0: no masking; 1 is reserved;
// 2 and 3: 7 and 16 bits.
inline constexpr unsigned kPmmShift = 32;
inline constexpr uint64_t kPmm = uint64_t{3} << kPmmShift;
inline constexpr uint64_t kPmmSeven = 2;
inline constexpr uint64_t kPmmSixteen = 3;
inline constexpr uint64_t kEnvcfgDte = uint64_t{1} << 59;  // of menvcfg: Ssdbltrp
inline constexpr uint64_t kEnvcfgAdue = uint64_t{1} << 61;
inline constexpr uint64_t kEnvcfgPbmte = uint64_t{1} << 62;
inline constexpr uint64_t kEnvcfgStce = uint64_t{1} << 63;

// mstateen0 to mstateen3, privileged specification "Smstateen/Ssstateen", as far as there is state that they guard.
inline constexpr uint64_t kStateenEnvcfg = uint64_t{1} << 62;  // of mstateen0
inline constexpr uint64_t kStateenSe = uint64_t{1} << 63;

// mcounteren, scounteren, mcountinhibit, privileged specification 3.1.11 and 3.1.12.
inline constexpr uint64_t kCounterCy = 1;
inline constexpr uint64_t kCounterTm = 2;
inline constexpr uint64_t kCounterIr = 4;

// mhpmevent, "Sscofpmf"; the same fields in mcyclecfg and minstretcfg, "Smcntrpmf".
inline constexpr uint64_t kEventOf = uint64_t{1} << 63;    // the counter has overflowed
inline constexpr uint64_t kEventMinh = uint64_t{1} << 62;  // it does not count in M mode
inline constexpr uint64_t kEventSinh = uint64_t{1} << 61;
inline constexpr uint64_t kEventUinh = uint64_t{1} << 60;
inline constexpr uint64_t kEventInhibitions = kEventMinh | kEventSinh | kEventUinh;
inline constexpr uint64_t kEventNumber = (uint64_t{1} << 56) - 1;

// satp, privileged specification 4.1.11.
inline constexpr unsigned kSatpModeShift = 60;
inline constexpr unsigned kSatpAsidShift = 44;
inline constexpr uint64_t kSatpAsidMask = 0xffff;
inline constexpr uint64_t kSatpPpn = (uint64_t{1} << 44) - 1;
enum class SatpMode : uint64_t { bare = 0, sv39 = 8, sv48 = 9, sv57 = 10 };
constexpr SatpMode satp_mode(uint64_t satp) { return static_cast<SatpMode>(satp >> kSatpModeShift); }

// pmpNcfg, privileged specification 3.7.1.
inline constexpr uint8_t kPmpRead = 1;
inline constexpr uint8_t kPmpWrite = 2;
inline constexpr uint8_t kPmpExec = 4;
inline constexpr uint8_t kPmpModeMask = 0x18;
inline constexpr uint8_t kPmpOff = 0x00;
inline constexpr uint8_t kPmpTor = 0x08;
inline constexpr uint8_t kPmpNa4 = 0x10;
inline constexpr uint8_t kPmpNapot = 0x18;
inline constexpr uint8_t kPmpLock = 0x80;
inline constexpr uint8_t kPmpWritable = kPmpRead | kPmpWrite | kPmpExec | kPmpModeMask | kPmpLock;
// mseccfg, privileged specification 3.1.19, "Smepmp"; unprivileged specification, "Zkr".
inline constexpr uint64_t kSecMml = 1;
inline constexpr uint64_t kSecMmwp = 2;
inline constexpr uint64_t kSecRlb = 4;
inline constexpr uint64_t kSecUseed = uint64_t{1} << 8;
inline constexpr uint64_t kSecSseed = uint64_t{1} << 9;

// seed, unprivileged specification, "Zkr": OPST, above 16 bits of entropy.
inline constexpr uint64_t kSeedWait = uint64_t{1} << 30;
inline constexpr uint64_t kSeedEs16 = uint64_t{2} << 30;

// Physical addresses have 56 bits; pmpaddr holds bits 55 to 2.
inline constexpr unsigned kPhysicalBits = 56;
inline constexpr uint64_t kPmpAddrMask = (uint64_t{1} << (kPhysicalBits - 2)) - 1;

}  // namespace weft::riscv
