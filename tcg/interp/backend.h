// The interpreter as a backend.
#pragma once

#include <memory>

#include "tcg/backend.h"

namespace weft::tcg {

// Needs no executable memory; the oracle of the native backend.
std::unique_ptr<Backend> make_interp_backend(const BackendConfig& config);

}  // namespace weft::tcg
