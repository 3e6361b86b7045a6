#pragma once

#include "harness.h"

namespace litmus {

extern const Test kTests[];
extern const uint64_t kTestCount;

}  // namespace litmus
