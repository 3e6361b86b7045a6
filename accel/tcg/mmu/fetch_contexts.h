// Which address spaces may share what the jump cache knows.
//
// A kernel's code is mapped in all address spaces alike (RISC-V: the G bit). As long as a mode fetched through such mappings
// alone, what its pcs mean does not depend on the address space, and its jump-cache entries survive a change of it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "tcg/exec_state.h"
#include "weft/guest.h"

namespace weft::accel {

// Belongs to the thread that runs the vCPU.
class FetchContexts {
  public:
    // Whether the mode fetched from mappings of this address space alone.
    bool own(unsigned mode, const AddressSpaceKey& space) const {
        const Mode& known = modes_[mode];
        return known.all || std::find(known.spaces.begin(), known.spaces.begin() + known.count, space) !=
                                known.spaces.begin() + known.count;
    }
    // Notes that it did. True where that is new: contexts that were shared so far mean nothing any more.
    bool note_own(unsigned mode, const AddressSpaceKey& space) {
        if (own(mode, space)) {
            return false;
        }
        Mode& known = modes_[mode];
        if (known.count == known.spaces.size()) {
            known.all = true;  // a mode of programs, not of the kernel
        } else {
            known.spaces[known.count++] = space;
        }
        return true;
    }
    void clear() { modes_ = {}; }

  private:
    struct Mode {
        std::array<AddressSpaceKey, 4> spaces;
        size_t count;
        bool all;
    };
    std::array<Mode, tcg::kMmuModes> modes_{};
};

}  // namespace weft::accel
