// What most sources of weft include of foreign headers, compiled once a library (meson's b_pch). No source relies on it: each
// includes what it needs, and `-Db_pch=false` builds the same.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
