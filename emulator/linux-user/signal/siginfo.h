// What is known of a signal: siginfo_t, whose 128 bytes are the same on riscv64 and x86-64.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "emulator/linux-user/riscv/abi.h"

namespace weft::user {

struct Siginfo {
    std::array<uint64_t, abi::kSiginfoSize / sizeof(uint64_t)> words{};

    // asm-generic/siginfo.h: signo, errno, code, then what depends on them, si_addr for a fault.
    int signal() const { return static_cast<int>(static_cast<uint32_t>(words[0])); }
    int code() const { return static_cast<int>(static_cast<uint32_t>(words[1])); }
    uint64_t address() const { return words[2]; }

    std::array<uint8_t, abi::kSiginfoSize> bytes() const {
        std::array<uint8_t, abi::kSiginfoSize> all;
        std::memcpy(all.data(), words.data(), all.size());
        return all;
    }

    // Of an exception of the processor's; `address` is the guest's.
    static Siginfo fault(int signal, int code, uint64_t address) {
        Siginfo info;
        info.words[0] = static_cast<uint32_t>(signal);
        info.words[1] = static_cast<uint32_t>(code);
        info.words[2] = address;
        return info;
    }
};

// Bit of a mask: n - 1 for signal n.
constexpr uint64_t signal_bit(int signal) { return uint64_t{1} << (signal - 1); }

inline constexpr uint64_t kNeverBlocked = signal_bit(9) | signal_bit(19);  // SIGKILL, SIGSTOP

}  // namespace weft::user
