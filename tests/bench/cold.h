#pragma once

#include <array>
#include <cstdint>

namespace bench::cold {

using Function = std::uint64_t (*)(std::uint64_t, std::uint64_t);

/// Functions that make_cold.py writes; all differ.
using Part = std::array<Function, 2000>;

}  // namespace bench::cold

/// The object that make_cold.py's source gives is linked ten times, each copy under a name of its own: ten times the code, at
/// other addresses.
extern "C" {
extern const bench::cold::Part bench_cold;
extern const bench::cold::Part bench_cold_0, bench_cold_1, bench_cold_2, bench_cold_3, bench_cold_4;
extern const bench::cold::Part bench_cold_5, bench_cold_6, bench_cold_7, bench_cold_8, bench_cold_9;
}
