#include "emulator/backend/block/sparse_disk.h"

#include <cstring>

namespace weft::backend {

namespace {

bool all_zeros(std::span<const uint8_t> data) {
    // Each byte equals the one before it, and the first is zero.
    return data.empty() || (data[0] == 0 && std::memcmp(data.data(), data.data() + 1, data.size() - 1) == 0);
}

}  // namespace

Result<> SparseDisk::write(uint64_t offset, std::span<const uint8_t> data) {
    if (zeroes_ == DetectZeroes::off || !all_zeros(data)) {
        return image_->write(offset, data);
    }
    return image_->write_zeroes(offset, data.size(), unmap_ && zeroes_ == DetectZeroes::unmap);
}

}  // namespace weft::backend
