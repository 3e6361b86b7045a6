#include "emulator/backend/block/block_backend.h"

#include <algorithm>
#include <vector>

namespace weft::backend {

// Of images without a shorter way to say so.
Result<> BlockBackend::write_zeroes(uint64_t offset, uint64_t length, bool) {
    constexpr uint64_t kPiece = 1 << 20;
    const std::vector<uint8_t> zeros(static_cast<size_t>(std::min(length, kPiece)));
    while (length != 0) {
        const uint64_t piece = std::min(length, kPiece);
        if (Result<> written = write(offset, std::span(zeros).first(static_cast<size_t>(piece))); !written) {
            return written;
        }
        offset += piece;
        length -= piece;
    }
    return {};
}

}  // namespace weft::backend
