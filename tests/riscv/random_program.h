// Random programs drawn from the instruction tables, for running the same code on two machines and comparing
// them.
//
// A program neither traps nor loops, and ends behind its last byte. What it needs from who runs it:
//  - x2 and x8 hold the address of scratch memory: kScratchSize bytes from kScratchBelow bytes before it on.
//  It is
//    aligned to 16 bytes;
//  - mstatus.FS is on and frm holds 0..4 where the floating family is drawn from;
//  - the code is at the same address on both machines where the control family is drawn from (auipc and
//  links).
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "emulator/guest/riscv/isa/decode.h"

namespace weft::riscv {

// What instructions a program may have. A row needs all the families it belongs to: c.fld is compressed,
// memory and floating.
enum Family : uint32_t {
    kFamilyInteger = 1 << 0,     // RV64I computations
    kFamilyMultiply = 1 << 1,    // M
    kFamilyBitmanip = 1 << 2,    // Zba, Zbb, Zbs
    kFamilyFloating = 1 << 3,    // F and D in all rounding modes, and their CSRs
    kFamilyAtomic = 1 << 4,      // A, and fences
    kFamilyMemory = 1 << 5,      // loads and stores, misaligned ones too
    kFamilyCompressed = 1 << 6,  // C
    kFamilyControl = 1 << 7,     // short forward branches and jumps
    kFamilyAll = 255,
};

// The families of a row, as a mask.
uint32_t families_of(const InsnDesc& desc);

inline constexpr uint32_t kScratchBelow = 2048;
inline constexpr uint32_t kScratchSize = 4096 + 8;

// How often each row was drawn.
class InsnCoverage {
  public:
    void add(InsnId id) { ++counts_[static_cast<unsigned>(id)]; }
    uint64_t count(InsnId id) const { return counts_[static_cast<unsigned>(id)]; }
    // One line a row that was never drawn: mnemonic, extension, and whether random programs have it at all.
    std::string untested() const;

  private:
    std::array<uint64_t, kInsnCount> counts_{};
};

struct RandomProgramOptions {
    uint64_t seed = 0;
    unsigned insns = 100;            // at least; a sequence that belongs together is not cut
    uint32_t families = kFamilyAll;  // Family bits
    uint32_t reserved_x = 0;         // further x registers that the program leaves alone, as a mask
};

// The program's bytes. Equal options give equal programs. Each instruction is counted in *coverage (may be
// null).
std::vector<uint8_t> random_program(const RandomProgramOptions& options, InsnCoverage* coverage);

// Register contents to start from, with the values in which arithmetic has its corners: extremes, single
// bits, NaNs, infinities, subnormals, properly and improperly NaN-boxed singles.
struct RandomRegisters {
    std::array<uint64_t, 32>
        x{};  // x[0] is zero; who runs a program puts the scratch address into x[2] and x[8]
    std::array<uint64_t, 32> f{};
};
RandomRegisters random_registers(uint64_t seed);

}  // namespace weft::riscv
