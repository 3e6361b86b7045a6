#include "emulator/hw/flash/cfi_chip.h"

#include <algorithm>

namespace weft::hw {

namespace {

constexpr uint16_t kManufacturer = 0x89;  // Intel
constexpr uint16_t kDevice = 0x18;

// JESD68.01, table 1; values and places as QEMU has them, so that guests measure the same timeouts.
struct QueryEntry {
    uint8_t word;
    uint8_t value;
};
constexpr QueryEntry kQuery[] = {
    {0x10, 'Q'},
    {0x11, 'R'},
    {0x12, 'Y'},
    {0x13, 0x01},  // command set 0001
    {0x15, 0x31},  // where its own table is
    {0x1b, 0x45},
    {0x1c, 0x55},  // 4.5 V to 5.5 V
    {0x1f, 0x07},
    {0x20, 0x07},
    {0x21, 0x0a},  // usual times, powers of two: word and buffer in µs, block in ms
    {0x23, 0x04},
    {0x24, 0x04},
    {0x25, 0x04},  // so many times that at most, as powers of two
    {0x27, 24},    // size in bytes, a power of two
    {0x28, 0x02},  // 8 and 16 bits
    {0x2a, 11},    // buffer in bytes, a power of two
    {0x2c, 1},     // regions of equal blocks
    {0x2d, (CfiChip::kBlocks - 1) & 0xff},
    {0x2f, 2 * CfiChip::kBlockWords / 256 & 0xff},
    {0x30, 2 * CfiChip::kBlockWords / 256 >> 8},
    {0x31, 'P'},
    {0x32, 'R'},
    {0x33, 'I'},
    {0x34, '1'},
    {0x35, '0'},   // none of the optional features
    {0x3f, 0x01},  // protection registers
};

uint16_t query(uint32_t word) {
    const auto found = std::ranges::find(kQuery, word & 0xff, &QueryEntry::word);
    return found != std::end(kQuery) ? found->value : 0;
}

enum Command : uint8_t {
    kProgramOld = 0x10,
    kErase = 0x20,
    kProgram = 0x40,
    kClearStatus = 0x50,
    kLock = 0x60,
    kReadStatus = 0x70,
    kReadIdentifier = 0x90,
    kReadQuery = 0x98,
    kConfirm = 0xd0,
    kBuffer = 0xe8,
    kReset = 0xf0,  // of other command sets: drivers that look for them write it
    kReadArray = 0xff,
};

}  // namespace

void CfiChip::reset() {
    shown_ = Shown::array;
    next_ = Next::command;
    status_ = kReady;
    locked_.reset();
    buffer_.clear();
}

uint16_t CfiChip::identifier(uint32_t word) const {
    switch (word % kBlockWords) {
        case 0:
            return word == 0 ? kManufacturer : 0;
        case 1:
            return word == 1 ? kDevice : 0;
        case 2:
            return locked_[word / kBlockWords] ? 1 : 0;
        default:
            return 0;
    }
}

uint16_t CfiChip::read(uint32_t word) const {
    switch (shown_) {
        case Shown::status:
            return status_;
        case Shown::identifier:
            return identifier(word);
        case Shown::query:
            return query(word);
        default:
            return cells_.load(word);
    }
}

void CfiChip::write(uint32_t word, uint16_t value, uint16_t mask) {
    const auto low = static_cast<uint8_t>(value);
    // Bits of bytes that are not written stay.
    const auto cells = static_cast<uint16_t>(value | ~mask);
    if (next_ == Next::program || next_ == Next::data) {
        next_ == Next::program ? program(word, cells) : buffer(word, cells);
        return;
    }
    if ((mask & 0xff) == 0) {
        return;  // commands are not looked for there
    }
    switch (next_) {
        case Next::erase:
            low == kConfirm ? erase(word / kBlockWords) : sequence_error();
            break;
        case Next::lock:
            lock(low, word / kBlockWords);
            break;
        case Next::count:
            buffer_left_ = uint32_t{static_cast<uint16_t>(value & mask)} + 1;
            if (buffer_left_ > kBufferWords) {
                sequence_error();
            } else {
                next_ = Next::data;
            }
            break;
        case Next::confirm:
            low == kConfirm ? program_buffer() : sequence_error();
            break;
        default:
            command(low, word);
            break;
    }
}

void CfiChip::command(uint8_t value, uint32_t word) {
    switch (value) {
        case kReadStatus:
            shown_ = Shown::status;
            break;
        case kReadIdentifier:
            shown_ = Shown::identifier;
            break;
        case kReadQuery:
            shown_ = Shown::query;
            break;
        case kClearStatus:
            status_ = kReady;
            break;
        case kProgram:
        case kProgramOld:
            setup(Next::program);
            break;
        case kErase:
            setup(Next::erase);
            break;
        case kLock:
            setup(Next::lock);
            break;
        case kBuffer:
            buffer_.clear();
            buffer_block_ = word / kBlockWords;
            setup(Next::count);
            break;
        case kReadArray:
        case kReset:
        default:
            // What no chip knows comes of drivers that look for other chips; they want to see their cells again.
            shown_ = Shown::array;
            break;
    }
}

// The second cycle is to come; reads show the status meanwhile and afterwards.
void CfiChip::setup(Next next) {
    shown_ = Shown::status;
    next_ = next;
}

void CfiChip::visit_state(StateVisitor& visitor) {
    visitor.choice("shown", shown_, Shown::query);
    const Next next = visitor.choice("next", next_, Next::confirm);
    visitor.number("status", status_);
    visitor.bits("locked", locked_);
    visitor.number("buffer's block", buffer_block_, kBlocks - 1);
    const uint32_t left = visitor.number("words to come", buffer_left_, UINT16_MAX + 1);
    // A count that is too large was refused, and stays until the next.
    visitor.require(next != Next::data || (left != 0 && left <= kBufferWords),
                    "it waits for words that do not come");
    visitor.list("buffer", buffer_, kBufferWords, [&](Buffered& one) {
        visitor.number("word", one.word, kWords - 1);
        visitor.number("value", one.value);
    });
}

void CfiChip::sequence_error() {
    next_ = Next::command;
    status_ |= kProgramError | kEraseError;
}

void CfiChip::program(uint32_t word, uint16_t value) {
    next_ = Next::command;
    if (locked_[word / kBlockWords]) {
        status_ |= kProgramError | kLockError;
    } else if (!cells_.program(word, value)) {
        status_ |= kProgramError;
    }
}

void CfiChip::erase(uint32_t block) {
    next_ = Next::command;
    if (locked_[block]) {
        status_ |= kEraseError | kLockError;
    } else if (!cells_.erase(block)) {
        status_ |= kEraseError;
    }
}

void CfiChip::lock(uint8_t value, uint32_t block) {
    next_ = Next::command;
    switch (value) {
        case 0x01:  // lock
        case 0x2f:  // lock down
            locked_[block] = true;
            break;
        case kConfirm:
            locked_[block] = false;
            break;
        default:
            sequence_error();
            break;
    }
}

void CfiChip::buffer(uint32_t word, uint16_t value) {
    buffer_.push_back({word, value});
    if (--buffer_left_ == 0) {
        next_ = Next::confirm;
    }
}

void CfiChip::program_buffer() {
    // A buffer is programmed within one block.
    for (const Buffered& one : buffer_) {
        if (one.word / kBlockWords != buffer_block_) {
            sequence_error();
            return;
        }
    }
    for (const Buffered& one : buffer_) {
        program(one.word, one.value);
    }
    next_ = Next::command;
}

}  // namespace weft::hw
