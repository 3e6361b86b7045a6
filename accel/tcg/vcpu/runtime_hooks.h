// What generated code calls when it cannot go on alone.
#pragma once

#include "tcg/backend.h"

namespace weft::accel {

tcg::RuntimeHooks runtime_hooks();

}  // namespace weft::accel
