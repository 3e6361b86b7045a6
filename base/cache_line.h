// The unit in which processors hand memory to each other.
#pragma once

#include <cstddef>

namespace weft {

// 64 bytes on every host weft knows. A constant rather than std::hardware_destructive_interference_size,
// whose value may differ between compilers and options and would then change layouts that cross the plugin
// boundary.
inline constexpr std::size_t kCacheLine = 64;

}  // namespace weft
