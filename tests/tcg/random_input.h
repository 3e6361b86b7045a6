// Random states to run units of IR from.
#pragma once

#include <random>

#include "backend_harness.h"

namespace weft::tcg::test {

// A random state, memory, flags and page. The same generator gives the same.
Input random_input(std::mt19937_64& random);

}  // namespace weft::tcg::test
