// riscv_hwprobe (call 258): what a program can learn about the harts it runs on.
//
// The rules are those of the kernel's Documentation/arch/riscv/hwprobe.rst; the values come from the CPU model. All CPUs are
// alike, so what holds for one holds for any set of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "emulator/guest/riscv/isa/cpu_model.h"
#include "emulator/linux-user/riscv/abi.h"

namespace weft::user {

inline constexpr uint32_t kHwprobeWhichCpus = 1;  // RISCV_HWPROBE_WHICH_CPUS, the only flag

// Keys, asm/hwprobe.h.
namespace hwprobe_key {
inline constexpr int64_t kMvendorid = 0;
inline constexpr int64_t kMarchid = 1;
inline constexpr int64_t kMimpid = 2;
inline constexpr int64_t kBaseBehavior = 3;  // bits
inline constexpr int64_t kImaExt0 = 4;       // bits
inline constexpr int64_t kCpuperf0 = 5;      // bits, as it once was thought; deprecated
inline constexpr int64_t kZicbozBlockSize = 6;
inline constexpr int64_t kHighestVirtAddress = 7;
inline constexpr int64_t kTimeCsrFreq = 8;
inline constexpr int64_t kMisalignedScalarPerf = 9;
inline constexpr int64_t kMisalignedVectorPerf = 10;
inline constexpr int64_t kVendorExtThead0 = 11;  // bits
inline constexpr int64_t kZicbomBlockSize = 12;
inline constexpr int64_t kVendorExtSifive0 = 13;  // bits
inline constexpr int64_t kVendorExtMips0 = 14;    // bits
inline constexpr int64_t kZicbopBlockSize = 15;
}  // namespace hwprobe_key

// What the answers depend on.
struct HwprobeFacts {
    const riscv::CpuModel& model;
    uint64_t highest_address;  // the highest that a program may use: limit - 1
    uint64_t time_frequency;   // of the time CSR, in Hz
};

// Calls. Both change their arguments as the kernel does and return 0 or a negated errno; the caller copies them from and to the
// guest, and answers EFAULT where it cannot. Sets of CPUs: bit n of byte n / 8; `online` is as long as the kernel's own sets, and
// a caller's set that is longer counts only so far (cut it before). Pure functions: any thread.

// Without flags: fills in the values, for all CPUs of a set. `no_set`: size 0 and a null pointer, which stand for all online
// ones. EINVAL: unknown flags, or a set without an online CPU.
int hwprobe_values(std::span<abi::HwprobePair> pairs, bool no_set, std::span<const uint8_t> cpus,
                   std::span<const uint8_t> online, uint32_t flags, const HwprobeFacts& facts);

// With kHwprobeWhichCpus: leaves in `cpus` those for which all pairs hold; an empty set is all online ones first. An unknown key
// becomes -1 and no CPU is left. EINVAL: other flags too, or an empty span (size 0 or a null pointer).
int hwprobe_which_cpus(std::span<abi::HwprobePair> pairs, std::span<uint8_t> cpus,
                       std::span<const uint8_t> online, uint32_t flags, const HwprobeFacts& facts);

}  // namespace weft::user
