// Compressed clusters.
#pragma once

#include <cstdint>
#include <span>

#include "emulator/backend/block/qcow2/header.h"

namespace weft::backend::qcow2 {

// Fills `cluster` from what `packed` begins with; what follows there is ignored. False: it is damaged, or there is no memory. Pure.
bool decompress(Compression method, std::span<const uint8_t> packed, std::span<uint8_t> cluster);

}  // namespace weft::backend::qcow2
