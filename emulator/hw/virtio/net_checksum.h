// The checksum of TCP and UDP, which a driver may leave to the device (virtio 1.2, section 5.1.6.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::hw {

// Completes the checksum at `start` + `offset` of a frame: it holds the sum of the pseudo header, and covers everything from `start`
// on (RFC 1071). Zero, which for UDP means that there is none, becomes its other form. False: it does not lie in the frame.
bool complete_checksum(std::span<uint8_t> frame, size_t start, size_t offset);

}  // namespace weft::hw
