// What generated code calls when it cannot go on alone.
#pragma once

#include "tcg/backend.h"

namespace weft::accel {

// `stay_in_code`: Settings::stay_in_code.
tcg::RuntimeHooks runtime_hooks(bool stay_in_code);

}  // namespace weft::accel
