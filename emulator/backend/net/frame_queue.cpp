#include "emulator/backend/net/frame_queue.h"

#include <cstring>

#include "base/assert.h"

namespace weft::backend {

std::span<uint8_t> FrameQueue::add(size_t size) {
    WEFT_ASSERT(has_room(size));
    if (size > bytes_.size() - end_) {
        std::memmove(bytes_.data(), bytes_.data() + begin_, bytes());
        end_ -= begin_;
        begin_ = 0;
    }
    sizes_.push_back(size);
    end_ += size;
    return std::span(bytes_).subspan(end_ - size, size);
}

void FrameQueue::drop_last() {
    end_ -= sizes_.back();
    sizes_.pop_back();
}

void FrameQueue::drop_first() {
    begin_ += sizes_.front();
    sizes_.pop_front();
    if (sizes_.empty()) {
        clear();
    }
}

void FrameQueue::clear() {
    sizes_.clear();
    begin_ = 0;
    end_ = 0;
}

}  // namespace weft::backend
