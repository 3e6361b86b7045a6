#pragma once

#include <cstdint>
#include <span>

/// The functions that make_cold.py writes; all differ.
namespace bench::cold {

using Function = std::uint64_t (*)(std::uint64_t, std::uint64_t);

std::span<const Function> functions();

}  // namespace bench::cold
