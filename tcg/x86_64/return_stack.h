// The return stack: where the guest's calls will return to, on the host's own stack, so that the host predicts the guest's returns.
//
// A call pushes the guest's return address and calls the callee's unit; the code behind that call instruction leads on to the unit at the
// guest's return address, by a jump that is linked as others are. A return compares where it goes to with what was pushed last:
// equal, it returns; else it empties the stack and looks its destination up.
//
//   frame ->  return address and registers of C++
//             a word that says nothing
//             the way that a return goes where nothing is left
//             the guest's return address      \  pushed by return_point
//             the host's                      /  by the call
//             ...
//
// Whatever comes back to the loop empties it. So all that is on it was pushed under the present TB flags and context, and by units whose
// memory is still theirs: what changes those comes back to the loop. A unit that was invalidated since has a jump behind its call that
// leads to the loop. At its end (kReturnStackBytes) it is emptied as well.
#pragma once

#include <cstdint>

namespace weft::tcg::x86_64 {

// A small part of the smallest stack that runs guests, 256 KiB.
inline constexpr int32_t kReturnStackBytes = 32 << 10;
// From the stack pointer: what was pushed last.
inline constexpr int32_t kReturnPcOffset = 8;

}  // namespace weft::tcg::x86_64
