// A place in a unit of code that jumps and rip-relative operands refer to before or after it is known.
#pragma once

#include <cstdint>

namespace weft::tcg::x86_64 {

// Plain data without allocation: the references that wait for the place are chained through their own
// displacement fields in the code; the label holds the newest. A copy takes the chain over, so only one of
// the copies may be used (arrays of labels may be grown and reset).
class Label {
  public:
    bool bound() const { return position_ >= 0; }

    // Some instruction waits for this label to be bound.
    bool awaited() const { return newest_ >= 0 || newest_short_ >= 0; }

    // Offset from the start of the unit; only when bound.
    uint32_t position() const { return static_cast<uint32_t>(position_); }

  private:
    friend class Assembler;

    int32_t position_ = -1;
    int32_t newest_ = -1;        // unit offset of the newest waiting 32-bit field
    int32_t newest_short_ = -1;  // unit offset of the newest waiting 8-bit field
};

}  // namespace weft::tcg::x86_64
