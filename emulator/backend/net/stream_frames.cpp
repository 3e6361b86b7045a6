#include "emulator/backend/net/stream_frames.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace weft::backend {

namespace {
constexpr size_t kLengthSize = 4;
}  // namespace

StreamFrames::StreamFrames(size_t max_frame) : max_frame_(max_frame), bytes_(2 * (kLengthSize + max_frame)) {}

Result<> StreamFrames::take(FrameQueue& frames) {
    while (end_ - begin_ >= kLengthSize && frames.has_room(max_frame_)) {
        const uint8_t* const at = bytes_.data() + begin_;
        const size_t size = size_t{at[0]} << 24 | size_t{at[1]} << 16 | size_t{at[2]} << 8 | at[3];
        if (size == 0 || size > max_frame_) {
            return fail(fmt::format("a frame of {} bytes", size));
        }
        if (end_ - begin_ < kLengthSize + size) {
            break;
        }
        std::memcpy(frames.add(size).data(), at + kLengthSize, size);
        begin_ += kLengthSize + size;
    }
    if (begin_ == end_) {
        clear();
    } else if (begin_ > bytes_.size() / 2) {
        std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    return {};
}

void append_stream_frame(std::vector<uint8_t>& bytes, std::span<const uint8_t> frame) {
    const auto size = static_cast<uint32_t>(frame.size());
    for (const unsigned shift : {24u, 16u, 8u, 0u}) {
        bytes.push_back(static_cast<uint8_t>(size >> shift));
    }
    bytes.insert(bytes.end(), frame.begin(), frame.end());
}

}  // namespace weft::backend
