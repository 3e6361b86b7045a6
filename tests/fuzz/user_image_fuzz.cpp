// Programs of user mode: headers are refused, or what is planned lies within the space and is placed where it says. And `#!` lines.
#include "base/assert.h"
#include "emulator/linux-user/loader/place.h"
#include "emulator/linux-user/loader/script.h"
#include "entry.h"

using namespace weft;
using namespace weft::user;

namespace {

constexpr uint64_t kLimit = uint64_t{1} << 46;

class Input final : public FileBytes {
  public:
    Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}
    std::expected<size_t, int> read_at(uint64_t offset, std::span<std::byte> out) const override {
        const size_t count = offset < size_ ? std::min<size_t>(out.size(), size_ - offset) : 0;
        if (count != 0) {
            std::memcpy(out.data(), data_ + offset, count);
        }
        return count;
    }

  private:
    const uint8_t* data_;
    size_t size_;
};

// A space in which there is nothing else.
class EmptySpace final : public ImageMapper {
  public:
    int reserve(Range range) override {
        WEFT_ASSERT(range.size != 0);
        if (range.size > kLimit || range.start > kLimit - range.size) {
            return 1;
        }
        taken_ += range.size;
        return 0;
    }
    std::expected<uint64_t, int> reserve_anywhere(uint64_t size, uint64_t alignment,
                                                  uint64_t remainder) override {
        WEFT_ASSERT(remainder < alignment);
        if (remainder > kLimit || size > kLimit - remainder) {
            return std::unexpected(1);
        }
        taken_ += size;
        return remainder;
    }
    int map_file(Range range, uint64_t, unsigned) override { return check(range); }
    int map_anonymous(Range range, unsigned) override { return check(range); }
    int protect(Range range, unsigned) override { return check(range); }
    int zero(Range range) override { return check(range); }
    void release(Range range) override {
        WEFT_ASSERT(range.size <= taken_);
        taken_ -= range.size;
    }
    uint64_t taken() const { return taken_; }

  private:
    static int check(Range range) {
        WEFT_ASSERT(range.size != 0 && range.size <= kLimit && range.start <= kLimit - range.size);
        return 0;
    }

    uint64_t taken_ = 0;
};

void check_image(const Input& file, ImageRole role) {
    const auto headers = read_image_headers(file, role);
    if (!headers) {
        WEFT_ASSERT(headers.error().number != 0 && !headers.error().message.empty());
        return;
    }
    const auto plan = plan_image(*headers, kLimit);
    if (!plan) {
        return;
    }
    WEFT_ASSERT(plan->low <= plan->high && plan->high <= kLimit && !plan->segments.empty());
    EmptySpace space;
    const auto placed = place_image(*plan, space, kLimit / 3 * 2, kLimit);
    WEFT_ASSERT(placed ? placed->entry < kLimit : space.taken() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const Input file(data, size);
    check_image(file, ImageRole::program);
    check_image(file, ImageRole::interpreter);
    const auto line =
        parse_script(std::span(reinterpret_cast<const char*>(data), std::min<size_t>(size, kScriptBytes)));
    WEFT_ASSERT(!line || line->interpreter.size() < kScriptBytes);
    return 0;
}
