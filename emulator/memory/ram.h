// Blocks of guest RAM (and ROM) and the machine's space of RAM offsets.
//
// Every block has a range of its own in one space of offsets, whatever guest-physical addresses it is seen at; an offset
// identifies a byte of RAM to the accelerator (translations, dirty tracking).
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/mapping.h"
#include "base/mutex.h"
#include "weft/memory.h"

namespace weft::mem {

class RamSpace;

// Host memory that a guest sees, mapped as long as anybody holds the block: zero at first, or what a file has (ram_backing.h).
class RamBlock {
  public:
    ~RamBlock();
    RamBlock(const RamBlock&) = delete;
    RamBlock& operator=(const RamBlock&) = delete;

    const std::string& name() const { return name_; }
    uint64_t size() const { return size_; }              // bytes, a multiple of the page size
    uint64_t ram_offset() const { return ram_offset_; }  // of the first byte; a multiple of kRamAlignment

    // The first byte. Its contents are touched through weft/guest_ram.h alone.
    uint8_t* host() const { return reinterpret_cast<uint8_t*>(mapping_.data()); }

    // Gives whole pages of the host's, from `offset` on, back to it: they read as zero until they are written to, and become a hole in a
    // file that is shared. Announced by the caller as a write. Fails where the host refuses, as it does for private views of a file,
    // whose contents would be seen again.
    Result<> discard(uint64_t offset, uint64_t size) const;

  private:
    friend class RamSpace;
    RamBlock(std::shared_ptr<RamSpace> space, std::string name, uint64_t size, Mapping mapping);

    const std::shared_ptr<RamSpace> space_;
    const std::string name_;
    const uint64_t size_;
    const Mapping mapping_;
    uint64_t ram_offset_ = 0;
};

// Alignment of blocks in host memory and in the space of offsets: that of huge pages.
inline constexpr uint64_t kRamAlignment = uint64_t{2} << 20;

// Gives blocks their offsets and finds them again. All functions: any thread.
class RamSpace : public std::enable_shared_from_this<RamSpace> {
  public:
    explicit RamSpace(const HostCalls& calls = HostCalls::real()) : calls_(calls) {}
    RamSpace(const RamSpace&) = delete;
    RamSpace& operator=(const RamSpace&) = delete;

    // `size` bytes, a positive multiple of the page size, aligned to kRamAlignment, with huge pages where the host has
    // them. Fails if the host refuses the memory.
    Result<std::shared_ptr<RamBlock>> allocate(std::string name, uint64_t size);

    // Who is told before and after bytes of RAM are written by other than guest instructions (AccelOps::ram_write_begins and
    // ram_written), and when a block ends: its bytes are no more then, and its offsets may be given to another. On the thread
    // that writes or lets go of the block. Set before the machine runs and cleared (nulls) after it stopped.
    struct WriteHooks {
        void (*begins)(void* opaque, RamWrite* write) = nullptr;
        void (*written)(void* opaque, RamWrite* write) = nullptr;
        void* opaque = nullptr;
    };
    void set_write_hooks(const WriteHooks& hooks) { write_hooks_ = hooks; }

    // A write of bytes of RAM by other than guest instructions, while the object lives.
    class Writing {
      public:
        Writing(const RamSpace& space, uint64_t ram_offset, uint64_t size)
            : hooks_(space.write_hooks_), write_{ram_offset, size, nullptr, nullptr} {
            if (hooks_.begins != nullptr) {
                hooks_.begins(hooks_.opaque, &write_);
            }
        }
        ~Writing() {
            if (hooks_.written != nullptr) {
                hooks_.written(hooks_.opaque, &write_);
            }
        }
        Writing(const Writing&) = delete;
        Writing& operator=(const Writing&) = delete;

      private:
        const WriteHooks hooks_;
        RamWrite write_;
    };

    // Above every offset in use. Grows and shrinks with the blocks.
    uint64_t size() const { return size_.load(std::memory_order_acquire); }

    // The host address of the byte at `ram_offset`; null if no block has it. The caller knows that the block stays.
    uint8_t* host_of(uint64_t ram_offset) const;
    // The offset of the byte at `host`.
    std::optional<uint64_t> offset_of(const uint8_t* host) const;

    // All blocks, by their offsets. The caller knows that they stay.
    std::vector<const RamBlock*> blocks() const;
    // A number that depends on the offsets, sizes and contents of all blocks. While nobody writes to them.
    uint64_t hash() const;

  private:
    friend class RamBlock;
    void remove(const RamBlock& block);

    const HostCalls& calls_;
    WriteHooks write_hooks_;
    mutable Mutex mutex_;
    std::map<uint64_t, const RamBlock*> by_offset_ WEFT_GUARDED_BY(mutex_);
    std::map<const uint8_t*, const RamBlock*> by_host_ WEFT_GUARDED_BY(mutex_);
    // Written under mutex_; release, pairs with the acquire in size(): who saw a block sees a size above it.
    std::atomic<uint64_t> size_{0};
};

}  // namespace weft::mem
