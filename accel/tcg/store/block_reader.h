// Reads files in blocks, and remembers those that it read last.
//
// Files of stored units are read by pread(2) and not mapped. A mapping has to live with SIGBUS where a file is shortened. And a page
// that is touched first may cost far more than a system call: where this was measured, a virtual machine, 35 us with the pages
// that Linux maps around it against 2 us. A process of 1,500 units spent 4 ms on touching pages of the file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace weft::accel {

// One thread's at a time.
class BlockReader {
  public:
    static constexpr size_t kBlock = 4096;

    // Throws std::bad_alloc.
    BlockReader() : memory_(std::make_unique_for_overwrite<uint8_t[]>(kBlocks * kBlock)) {}

    // Copies the bytes from `offset` on of the file `fd`, whose blocks are remembered under the number `file`: as the file is, or was
    // not long ago. False: they are not all there.
    bool read(uint32_t file, int fd, uint64_t offset, std::span<uint8_t> to);

  private:
    static constexpr uint32_t kNone = ~uint32_t{0};
    static constexpr size_t kBlocks = 32;

    struct Block {
        uint32_t file = kNone;
        uint64_t number = 0;
        size_t size = 0;    // of what there was of it
        uint64_t used = 0;  // when it was used last
    };

    // The first `size` bytes of a block. Null: they are not there.
    const uint8_t* block(uint32_t file, int fd, uint64_t number, size_t size);
    uint8_t* bytes_of(const Block& block) {
        return memory_.get() + static_cast<size_t>(&block - blocks_.data()) * kBlock;
    }

    const std::unique_ptr<uint8_t[]> memory_;
    std::array<Block, kBlocks> blocks_;
    uint64_t uses_ = 0;
};

// What pread(2) and pwrite(2) make of one call: all of it, or false with errno set; 0 where a file ends before.
bool read_all(int fd, uint64_t offset, std::span<uint8_t> to);
bool write_all(int fd, uint64_t offset, std::span<const uint8_t> from);

}  // namespace weft::accel
