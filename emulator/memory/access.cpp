#include "emulator/memory/access.h"

#include <algorithm>
#include <bit>

namespace weft::mem {

namespace {

// Takes the region's lock, if it has one. Clang cannot follow a lock that may be none.
class RegionLock {
  public:
    explicit RegionLock(Mutex* mutex) WEFT_NO_THREAD_SAFETY_ANALYSIS : mutex_(mutex) {
        if (mutex_ != nullptr) {
            mutex_->lock();
        }
    }
    ~RegionLock() WEFT_NO_THREAD_SAFETY_ANALYSIS {
        if (mutex_ != nullptr) {
            mutex_->unlock();
        }
    }
    RegionLock(const RegionLock&) = delete;
    RegionLock& operator=(const RegionLock&) = delete;

  private:
    Mutex* const mutex_;
};

bool is_valid(const AccessSizes& valid, uint64_t offset, unsigned size) {
    return size >= valid.min && size <= valid.max && (valid.unaligned || (offset & (size - 1)) == 0);
}

bool is_direct(const AccessSizes& impl, uint64_t offset, unsigned size) {
    return size >= impl.min && size <= impl.max && (impl.unaligned || (offset & (size - 1)) == 0);
}

constexpr uint64_t mask_of(unsigned size) { return size >= 8 ? UINT64_MAX : (uint64_t{1} << 8 * size) - 1; }

// One call of the region's functions and the bytes of it that are wanted.
struct Piece {
    uint64_t offset;  // of the call
    unsigned size;    // of the call
    unsigned skip;    // bytes of it before the wanted ones
    unsigned wanted;
};

Piece next_piece(const AccessSizes& impl, uint64_t offset, unsigned left) {
    unsigned size = std::min<unsigned>(std::bit_floor(left), impl.max);
    if (!impl.unaligned && offset != 0) {
        size = static_cast<unsigned>(std::min<uint64_t>(size, uint64_t{1} << std::countr_zero(offset)));
    }
    if (size >= impl.min) {
        return Piece{offset, size, 0, size};
    }
    const auto skip = static_cast<unsigned>(offset & (impl.min - 1u));
    return Piece{offset - skip, impl.min, skip, std::min(left, impl.min - skip)};
}

}  // namespace

DeviceStatus region_read(const MemoryRegion& region, uint64_t offset, unsigned size, uint64_t* value) {
    const MemoryRegionOps& ops = region.ops();
    if (!is_valid(ops.valid, offset, size)) {
        return DeviceStatus::bus_error;
    }
    const RegionLock lock(region.lock());
    *value = 0;
    if (is_direct(ops.impl, offset, size)) {
        const DeviceStatus status = ops.read(region.opaque(), offset, size, value);
        *value &= mask_of(size);
        return status;
    }
    for (unsigned done = 0; done < size;) {
        const Piece piece = next_piece(ops.impl, offset + done, size - done);
        uint64_t part = 0;
        if (const auto status = ops.read(region.opaque(), piece.offset, piece.size, &part);
            status != DeviceStatus::ok) {
            return status;
        }
        *value |= (part >> 8 * piece.skip & mask_of(piece.wanted)) << 8 * done;
        done += piece.wanted;
    }
    return DeviceStatus::ok;
}

DeviceStatus region_write(const MemoryRegion& region, uint64_t offset, unsigned size, uint64_t value) {
    const MemoryRegionOps& ops = region.ops();
    if (!is_valid(ops.valid, offset, size)) {
        return DeviceStatus::bus_error;
    }
    value &= mask_of(size);
    const RegionLock lock(region.lock());
    if (is_direct(ops.impl, offset, size)) {
        return ops.write(region.opaque(), offset, size, value);
    }
    for (unsigned done = 0; done < size;) {
        const Piece piece = next_piece(ops.impl, offset + done, size - done);
        const uint64_t mask = mask_of(piece.wanted);
        uint64_t part = value >> 8 * done & mask;
        if (piece.wanted != piece.size) {
            uint64_t around = 0;
            if (const auto status = ops.read(region.opaque(), piece.offset, piece.size, &around);
                status != DeviceStatus::ok) {
                return status;
            }
            part = (around & ~(mask << 8 * piece.skip)) | part << 8 * piece.skip;
        }
        if (const auto status = ops.write(region.opaque(), piece.offset, piece.size, part);
            status != DeviceStatus::ok) {
            return status;
        }
        done += piece.wanted;
    }
    return DeviceStatus::ok;
}

}  // namespace weft::mem
