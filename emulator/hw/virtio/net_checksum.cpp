#include "emulator/hw/virtio/net_checksum.h"

#include <cstring>

namespace weft::hw {

bool complete_checksum(std::span<uint8_t> frame, size_t start, size_t offset) {
    if (start > frame.size() || offset > frame.size() - start || frame.size() - start - offset < 2) {
        return false;
    }
    // In the host's byte order: a sum with end-around carry only has its bytes swapped by that (RFC 1071, section 2 (B)). Of 32-bit
    // words, of which a frame has too few for 64 bits to overflow.
    const std::span<const uint8_t> covered = frame.subspan(start);
    uint64_t sum = 0;
    size_t at = 0;
    for (; covered.size() - at >= 4; at += 4) {
        uint32_t word = 0;
        std::memcpy(&word, covered.data() + at, 4);
        sum += word;
    }
    uint32_t rest = 0;
    std::memcpy(&rest, covered.data() + at, covered.size() - at);
    sum += rest;
    for (int i = 0; i < 4; ++i) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    uint16_t result = static_cast<uint16_t>(~sum);
    if (result == 0) {
        result = 0xffff;
    }
    std::memcpy(frame.data() + start + offset, &result, 2);
    return true;
}

}  // namespace weft::hw
