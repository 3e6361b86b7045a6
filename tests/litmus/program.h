// What the host tells the litmus guest: at isa::kProgramBase.
#pragma once

#include <stdint.h>

namespace weft::litmus {

struct Program {
    uint64_t harts;   // the tests for this many are run
    uint64_t rounds;  // of each test
    uint64_t seed;    // of the delays before the rounds
    uint64_t only;    // a test's number, or all by kAll
};
inline constexpr uint64_t kAll = ~uint64_t{0};

}  // namespace weft::litmus
