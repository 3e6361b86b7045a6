// What a virtio disk offers and tells its driver: features and configuration space (virtio 1.2, 5.2.3 to 5.2.5).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/state_visitor.h"

namespace weft::hw {

// Features (5.2.3).
inline constexpr uint64_t kBlkSegMax = 1 << 2;
inline constexpr uint64_t kBlkReadOnly = 1 << 5;
inline constexpr uint64_t kBlkBlockSize = 1 << 6;
inline constexpr uint64_t kBlkFlush = 1 << 9;
inline constexpr uint64_t kBlkTopology = 1 << 10;
inline constexpr uint64_t kBlkConfigWce = 1 << 11;
inline constexpr uint64_t kBlkMultiQueue = 1 << 12;
inline constexpr uint64_t kBlkDiscard = 1 << 13;
inline constexpr uint64_t kBlkWriteZeroes = 1 << 14;

// What a request to discard or to write zeros may ask for: ranges, and sectors of each. That is the largest number of sectors whose bytes
// 32 bits can count, less what is no whole MiB.
inline constexpr uint32_t kBlkMaxRanges = 16;
inline constexpr uint32_t kBlkMaxRangeSectors = (1u << 23) - 2048;

struct BlkSettings {
    std::string serial = {};  // up to 20 bytes of it are told to the guest
    uint16_t queues = 1;
    uint16_t queue_size = 256;           // the largest, a power of two
    uint32_t logical_block_size = 512;   // a power of two
    uint32_t physical_block_size = 512;  // the same, no smaller
    uint32_t min_io_size = 0;            // bytes; 0: not told, as below
    uint32_t opt_io_size = 0;            // bytes
    uint32_t discard_granularity = 0;    // bytes; 0: a logical block
    bool discard = true;                 // whether these two are offered
    bool write_zeroes = true;
    bool config_wce = true;                // whether the driver may switch the write cache
    std::optional<bool> write_cache = {};  // none: as the image was opened
};

class BlkConfig {
  public:
    // `bytes`: the disk's size. `write_cache`: whether there is one at first.
    BlkConfig(const BlkSettings& settings, uint64_t bytes, bool write_cache);

    // Zero where there is none (struct virtio_blk_config, 5.2.4).
    uint64_t read(uint64_t offset, unsigned size) const;
    // The driver's write; false: it may not write there, or not that.
    bool write(uint64_t offset, unsigned size, uint64_t value);

    // Sectors of 512 bytes that the guest is told of: whole logical blocks.
    uint64_t sectors() const { return sectors_; }
    // The driver's choice, which counts if it agreed on CONFIG_WCE (5.2.6.2).
    bool write_cache() const;
    void reset();
    void visit_state(StateVisitor& visitor);

  private:
    std::array<uint8_t, 60> bytes_{};
    const uint64_t sectors_;
    const bool write_cache_;
};

}  // namespace weft::hw
