// Catch2 v2's header by the means of v3, of which some distributions have nothing else (tests/meson.build chooses).
#pragma once

#include <catch2/catch_all.hpp>

namespace Catch {

using Matchers::ContainsSubstring;
inline auto Contains(const std::string& text) { return ContainsSubstring(text); }
using Generators::values;

}  // namespace Catch

using Catch::Approx;
