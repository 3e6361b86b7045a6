// What the accelerator says of itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace weft::accel {

class Accelerator;

// The report on `topic`: "stats" (JSON) or "jit" (text for people). Any thread that is no vCPU's.
Result<std::string> make_report(Accelerator& accelerator, std::string_view topic);

// The report on "stats" with a hash of the machine's final state.
std::string stats_report(Accelerator& accelerator, std::optional<uint64_t> state_hash);

}  // namespace weft::accel
