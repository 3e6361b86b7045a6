// Unpacking gzip (RFC 1952).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace weft::hw {

bool is_gzip(std::span<const uint8_t> bytes);

// Unpacks one gzip member. Fails if that gives more than `limit` bytes. `name` is for messages.
Result<std::vector<uint8_t>> unpack_gzip(const std::string& name, std::span<const uint8_t> packed,
                                         uint64_t limit);

}  // namespace weft::hw
