// The command set of one flash chip of 16 bits (Common Flash Interface, JEDEC JESD68.01; the Intel basic and extended command sets,
// number 0001).
//
// hw/flash holds flash memories. Boards make them; it knows memory, hw/core and the interface of block backends.
#pragma once

#include <bitset>
#include <cstdint>
#include <vector>

#include "base/state_visitor.h"

namespace weft::hw {

// The chip's cells, by 16-bit words. Programming clears bits, erasing sets those of a block.
class FlashCells {
  public:
    virtual ~FlashCells() = default;
    virtual uint16_t load(uint32_t word) const = 0;
    // False: the cells cannot be changed.
    virtual bool program(uint32_t word, uint16_t value) = 0;
    virtual bool erase(uint32_t block) = 0;
};

// Commands and what reads show. All operations are complete when the write that starts them returns. Guarded by its owner's lock.
class CfiChip {
  public:
    static constexpr uint32_t kWords = 8 << 20;        // 16 MiB
    static constexpr uint32_t kBlockWords = 64 << 10;  // 128 KiB
    static constexpr uint32_t kBlocks = kWords / kBlockWords;
    static constexpr uint32_t kBufferWords = 1024;

    // The status register's bits.
    enum Status : uint8_t {
        kLockError = 0x02,
        kProgramError = 0x10,
        kEraseError = 0x20,
        kReady = 0x80,
    };

    // The cells outlive the chip.
    explicit CfiChip(FlashCells& cells) : cells_(cells) {}

    // Power on: reads show the cells, no block is locked.
    void reset();
    // Whether reads show the cells, and no command waits for its second cycle.
    bool shows_array() const { return shown_ == Shown::array && next_ == Next::command; }

    uint16_t read(uint32_t word) const;
    // `mask`: 0xffff, or the byte that is written. Commands are in the low byte.
    void write(uint32_t word, uint16_t value, uint16_t mask);
    // The cells are their owner's.
    void visit_state(StateVisitor& visitor);
    // What was started could not be kept: the status says that it failed.
    void fail() { status_ |= kProgramError | kEraseError; }

  private:
    enum class Shown : uint8_t { array, status, identifier, query };
    enum class Next : uint8_t { command, program, erase, lock, count, data, confirm };
    struct Buffered {
        uint32_t word;
        uint16_t value;
    };

    void command(uint8_t value, uint32_t word);
    void setup(Next next);
    void sequence_error();
    void program(uint32_t word, uint16_t value);
    void erase(uint32_t block);
    void lock(uint8_t value, uint32_t block);
    void buffer(uint32_t word, uint16_t value);
    void program_buffer();
    uint16_t identifier(uint32_t word) const;

    FlashCells& cells_;
    Shown shown_ = Shown::array;
    Next next_ = Next::command;
    uint8_t status_ = kReady;
    std::bitset<kBlocks> locked_;
    uint32_t buffer_block_ = 0;
    uint32_t buffer_left_ = 0;
    std::vector<Buffered> buffer_;
};

}  // namespace weft::hw
