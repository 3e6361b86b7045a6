// Optimizations as tests name them.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "tcg/opt/optimizer.h"

namespace weft::tcg::test {

using OptimizationName = std::pair<std::string_view, bool OptimizeOptions::*>;

inline constexpr std::array<OptimizationName, 8> kOptimizationNames = {{
    {"propagate_copies", &OptimizeOptions::propagate_copies},
    {"fold_constants", &OptimizeOptions::fold_constants},
    {"simplify", &OptimizeOptions::simplify},
    {"known_bits", &OptimizeOptions::known_bits},
    {"combine", &OptimizeOptions::combine},
    {"unbox", &OptimizeOptions::unbox},
    {"coalesce", &OptimizeOptions::coalesce},
    {"unreachable", &OptimizeOptions::unreachable},
}};

// The switch of this name, or null.
inline bool OptimizeOptions::* find_optimization(std::string_view name) {
    const auto found = std::ranges::find(kOptimizationNames, name, &OptimizationName::first);
    return found == kOptimizationNames.end() ? nullptr : found->second;
}

}  // namespace weft::tcg::test
