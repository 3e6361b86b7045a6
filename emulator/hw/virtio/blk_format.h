// Requests of virtio disks as they lie in guest memory (virtio 1.2, 5.2.6), and how the device cuts them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::hw::blk_format {

inline constexpr uint32_t kTypeIn = 0;
inline constexpr uint32_t kTypeOut = 1;
inline constexpr uint32_t kTypeFlush = 4;
inline constexpr uint32_t kTypeGetId = 8;
inline constexpr uint32_t kTypeDiscard = 11;
inline constexpr uint32_t kTypeWriteZeroes = 13;
inline constexpr size_t kHeaderSize = 16;

// struct virtio_blk_discard_write_zeroes
inline constexpr size_t kRangeSize = 16;
inline constexpr uint32_t kRangeUnmap = 1;

// Large requests go through a server's buffer in pieces.
inline constexpr size_t kBufferSize = 256 << 10;
// What is more than this is copied long enough for another server to be worth waking; and is not done under the lock.
inline constexpr size_t kSmall = 64 << 10;

}  // namespace weft::hw::blk_format
