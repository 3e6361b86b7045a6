// Writes code bytes into a bounded span.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace weft::tcg::x86_64 {

// The architecture's limit on the length of an instruction is 15; one more makes a power of two.
inline constexpr size_t kMaxInstructionBytes = 16;

// The bytes of one unit of code, written through the writable mapping of the code buffer. Positions are
// offsets from the start of the unit, so the code may execute at any other address.
//
// Whatever does not fit is dropped as a whole, and overflowed() is true from then on: nothing more is
// written, and the offsets that emitting functions return mean nothing. Callers check it now and then and
// start again elsewhere. Bytes of the span after offset() may have been scribbled on. Not synchronised: one
// thread.
class Emitter {
  public:
    // Units are at most this long, so that offsets leave room for tags in the fields of waiting references.
    static constexpr size_t kMaxUnitBytes = size_t{1} << 28;

    explicit Emitter(std::span<uint8_t> unit);

    Emitter(const Emitter&) = delete;
    Emitter& operator=(const Emitter&) = delete;

    uint32_t offset() const { return static_cast<uint32_t>(cursor_ - start_); }
    bool overflowed() const { return overflowed_; }
    // Instructions emitted so far, padding included; data are none.
    uint32_t instructions() const { return instructions_; }

    // The bytes emitted so far.
    std::span<const uint8_t> bytes() const { return {start_, cursor_}; }

    // Goes back to an earlier offset() of this unit, and forgets an overflow. No label may be awaited from,
    // or bound in, what is dropped.
    void rewind(uint32_t offset);

    // Constants. Not aligned by themselves.
    void data(std::span<const uint8_t> bytes);
    void data32(uint32_t value);
    void data64(uint64_t value);

    // Fills with int3 up to the next multiple of `alignment`, a power of two, from the unit's start: where
    // nothing executes, such as before constants. See Assembler::align for code.
    void align_data(uint32_t alignment);

    // Little-endian fields of the code that was emitted. Writing does nothing after an overflow.
    uint32_t read32(uint32_t offset) const;
    void patch8(uint32_t offset, uint8_t value);
    void patch32(uint32_t offset, uint32_t value);
    void patch64(uint32_t offset, uint64_t value);

    // From now on the offsets of fields that hold the distance to something in front of the unit are appended to `fields`.
    // They are below 2^16. Throws std::bad_alloc.
    void note_outside(std::vector<uint16_t>* fields) { outside_ = fields; }

    // Makes the 32-bit field at `field` reach `target` (an offset from the unit's start, perhaps outside of
    // it) as a displacement counted from the end of the field.
    void patch_rel32(uint32_t field, int64_t target);

  protected:
    // Room for one instruction: in place where the span has it, else beside.
    uint8_t* begin() {
        return limit_ - cursor_ >= static_cast<ptrdiff_t>(kMaxInstructionBytes) ? cursor_ : scratch_.data();
    }

    // Takes what was written from begin() to `end`. False if it did not fit.
    bool commit(const uint8_t* begin, const uint8_t* end) {
        ++instructions_;
        if (begin == cursor_) [[likely]] {
            cursor_ += end - begin;
            return true;
        }
        return append({begin, end});
    }

    // Of an instruction that was taken: its field at `field` holds the distance to `target`, an offset from the unit's start.
    void refers_to(uint32_t field, int64_t target) {
        if (target < 0 && outside_ != nullptr) {
            outside_->push_back(static_cast<uint16_t>(field));
        }
    }

  private:
    bool append(std::span<const uint8_t> bytes);

    uint8_t* start_;
    uint8_t* cursor_;
    uint8_t* limit_;     // the cursor, once overflowed
    uint8_t* unit_end_;  // what limit_ is after a rewind
    uint32_t instructions_ = 0;
    bool overflowed_ = false;
    std::vector<uint16_t>* outside_ = nullptr;
    std::array<uint8_t, kMaxInstructionBytes> scratch_{};
};

}  // namespace weft::tcg::x86_64
