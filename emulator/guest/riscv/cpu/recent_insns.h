// What the instructions that a hart ran without a translation lately are (GuestArch::run). To find an instruction's row by its bits
// takes longer than to run it, and code that is run so is met several times.
#pragma once

#include <array>
#include <cstdint>

namespace weft::riscv {

// Direct-mapped, by the bits alone: an instruction is what it is wherever it lies, so no store to code makes an entry wrong. What a
// hart has never changes. All zero: empty, as no instruction is zero. The thread's that runs the vCPU.
class RecentInsns {
  public:
    struct Entry {
        uint32_t bits;
        uint16_t row;  // InsnId + 1; 0: no instruction that is run without a translation
    };

    // Where the entry of `bits` belongs. It is theirs if it says so.
    Entry& at(uint32_t bits) { return entries_[bits * kMultiplier >> (32 - kIndexBits)]; }

  private:
    static constexpr unsigned kIndexBits = 12;
    static constexpr uint32_t kMultiplier = 0x9e3779b1;  // 2^32 by the golden ratio, a prime

    std::array<Entry, 1u << kIndexBits> entries_;
};

}  // namespace weft::riscv
