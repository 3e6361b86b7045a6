// Running and compiling units for text tests (file_kinds.h).
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "weft/ir.h"

namespace weft::tcg::test {

// Runs both units from random states on every backend. Fails with the first thing that is not the same.
Result<> same_from_random_states(const ir::Unit& plain, const ir::Unit& optimized);

// Runs both units everywhere from the state that `words` set, and says how they left and what has changed: one line.
Result<std::string> run_everywhere(const ir::Unit& plain, const ir::Unit& optimized,
                                   const std::vector<std::string>& words);

// The unit's x86-64 code as text.
Result<std::string> compile_for_x86_64(const ir::Unit& unit, const std::vector<std::string>& words);

}  // namespace weft::tcg::test
