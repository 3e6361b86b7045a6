#include "emulator/hw/virtio/blk_config.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/bits.h"

namespace weft::hw {

namespace {

constexpr uint32_t kSector = 512;

// 5.2.4
constexpr size_t kCapacity = 0;
constexpr size_t kSegMax = 12;
constexpr size_t kBlockSize = 20;
constexpr size_t kPhysicalBlockExponent = 24;
constexpr size_t kMinIoSize = 26;
constexpr size_t kOptIoSize = 28;
constexpr size_t kWriteback = 32;
constexpr size_t kQueues = 34;
constexpr size_t kMaxDiscardSectors = 36;
constexpr size_t kMaxDiscardRanges = 40;
constexpr size_t kDiscardAlignment = 44;
constexpr size_t kMaxZeroSectors = 48;
constexpr size_t kMaxZeroRanges = 52;
constexpr size_t kZeroesMayUnmap = 56;

}  // namespace

BlkConfig::BlkConfig(const BlkSettings& settings, uint64_t bytes, bool write_cache)
    : sectors_(align_down(bytes, settings.logical_block_size) / kSector), write_cache_(write_cache) {
    const auto put = [this](size_t at, auto value) { std::memcpy(bytes_.data() + at, &value, sizeof value); };
    const uint32_t block = settings.logical_block_size;
    put(kCapacity, sectors_);
    // The header and the status take a descriptor each.
    put(kSegMax, static_cast<uint32_t>(std::max(settings.queue_size - 2, 1)));
    put(kBlockSize, block);
    put(kPhysicalBlockExponent,
        static_cast<uint8_t>(std::countr_zero(std::max(settings.physical_block_size, block) / block)));
    put(kMinIoSize, static_cast<uint16_t>(std::min<uint32_t>(settings.min_io_size / block, UINT16_MAX)));
    put(kOptIoSize, settings.opt_io_size / block);
    put(kQueues, settings.queues);
    put(kMaxDiscardSectors, kBlkMaxRangeSectors);
    put(kMaxDiscardRanges, kBlkMaxRanges);
    put(kDiscardAlignment, std::max(settings.discard_granularity, block) / kSector);
    put(kMaxZeroSectors, kBlkMaxRangeSectors);
    put(kMaxZeroRanges, kBlkMaxRanges);
    put(kZeroesMayUnmap, uint8_t{1});
    reset();
}

uint64_t BlkConfig::read(uint64_t offset, unsigned size) const {
    uint64_t value = 0;
    for (unsigned i = 0; i < size && offset + i < bytes_.size(); ++i) {
        value |= uint64_t{bytes_[offset + i]} << 8 * i;
    }
    return value;
}

bool BlkConfig::write(uint64_t offset, unsigned size, uint64_t value) {
    if (offset != kWriteback || size != 1 || value > 1) {
        return false;
    }
    bytes_[kWriteback] = static_cast<uint8_t>(value);
    return true;
}

bool BlkConfig::write_cache() const { return bytes_[kWriteback] != 0; }

void BlkConfig::visit_state(StateVisitor& visitor) { visitor.number("write cache", bytes_[kWriteback], 1); }

void BlkConfig::reset() { bytes_[kWriteback] = write_cache_ ? 1 : 0; }

}  // namespace weft::hw
