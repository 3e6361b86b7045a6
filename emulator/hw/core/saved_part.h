// A part of a board as it is saved and loaded: a CPU, a device.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/state_visitor.h"

namespace weft::hw {

struct SavedPart {
    std::string name;      // distinct on its board; the same for the same part in every run
    uint32_t version = 1;  // raised when what `visit` visits changes
    // Why it cannot be saved; empty: it can be.
    std::string refusal = {};
    // Visits its state. No vCPU runs, networks are stopped, and what was asked of the I/O worker is done; takes the part's own lock.
    std::function<void(StateVisitor&)> visit = {};
};

}  // namespace weft::hw
