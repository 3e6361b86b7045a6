#include "tcg/x86_64/emitter.h"

#include <cstring>
#include <limits>

#include "base/assert.h"

namespace weft::tcg::x86_64 {

Emitter::Emitter(std::span<uint8_t> unit)
    : start_(unit.data()), cursor_(unit.data()), limit_(unit.data() + unit.size()), unit_end_(limit_) {
    WEFT_ASSERT(unit.size() <= kMaxUnitBytes);
}

bool Emitter::append(std::span<const uint8_t> bytes) {
    if (overflowed_ || bytes.size() > static_cast<size_t>(limit_ - cursor_)) {
        overflowed_ = true;
        limit_ = cursor_;
        return false;
    }
    if (!bytes.empty())
        std::memcpy(cursor_, bytes.data(), bytes.size());
    cursor_ += bytes.size();
    return true;
}

void Emitter::rewind(uint32_t offset) {
    WEFT_ASSERT(offset <= this->offset());
    cursor_ = start_ + offset;
    while (outside_ != nullptr && !outside_->empty() && outside_->back() >= offset)
        outside_->pop_back();
    limit_ = unit_end_;
    overflowed_ = false;
}

void Emitter::data(std::span<const uint8_t> bytes) { append(bytes); }

void Emitter::data32(uint32_t value) {
    std::array<uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &value, sizeof(value));
    append(bytes);
}

void Emitter::data64(uint64_t value) {
    std::array<uint8_t, 8> bytes;
    std::memcpy(bytes.data(), &value, sizeof(value));
    append(bytes);
}

void Emitter::align_data(uint32_t alignment) {
    WEFT_ASSERT(alignment != 0 && (alignment & (alignment - 1)) == 0);
    constexpr uint8_t kInt3 = 0xcc;
    while (!overflowed_ && (offset() & (alignment - 1)) != 0)
        append({&kInt3, 1});
}

uint32_t Emitter::read32(uint32_t offset) const {
    WEFT_ASSERT(size_t{offset} + 4 <= this->offset());
    uint32_t value;
    std::memcpy(&value, start_ + offset, sizeof(value));
    return value;
}

void Emitter::patch8(uint32_t offset, uint8_t value) {
    if (overflowed_)
        return;
    WEFT_ASSERT(offset < this->offset());
    start_[offset] = value;
}

void Emitter::patch32(uint32_t offset, uint32_t value) {
    if (overflowed_)
        return;
    WEFT_ASSERT(size_t{offset} + 4 <= this->offset());
    std::memcpy(start_ + offset, &value, sizeof(value));
}

void Emitter::patch64(uint32_t offset, uint64_t value) {
    if (overflowed_)
        return;
    WEFT_ASSERT(size_t{offset} + 8 <= this->offset());
    std::memcpy(start_ + offset, &value, sizeof(value));
}

void Emitter::patch_rel32(uint32_t field, int64_t target) {
    const int64_t distance = target - (int64_t{field} + 4);
    WEFT_ASSERT(distance >= std::numeric_limits<int32_t>::min() &&
                distance <= std::numeric_limits<int32_t>::max());
    patch32(field, static_cast<uint32_t>(distance));
}

}  // namespace weft::tcg::x86_64
