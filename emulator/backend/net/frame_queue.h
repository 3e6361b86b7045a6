// Ethernet frames on their way, one behind the other in one piece of memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace weft::backend {

// First in, first out; bounded. Belongs to one thread.
class FrameQueue {
  public:
    // Holds so many bytes of frames at most.
    explicit FrameQueue(size_t capacity) : bytes_(capacity) {}

    bool empty() const { return sizes_.empty(); }
    size_t count() const { return sizes_.size(); }
    size_t bytes() const { return end_ - begin_; }
    // Whether a frame of that size can be added.
    bool has_room(size_t size) const { return size <= bytes_.size() - bytes(); }

    // Room for a frame behind the others, to be written to; valid until the queue changes. has_room() was true.
    std::span<uint8_t> add(size_t size);
    // Takes the last one out again.
    void drop_last();

    std::span<const uint8_t> first() const { return std::span(bytes_).subspan(begin_, sizes_.front()); }
    void drop_first();

    void clear();

  private:
    std::vector<uint8_t> bytes_;
    std::deque<size_t> sizes_;
    size_t begin_ = 0, end_ = 0;  // of what is used of bytes_
};

}  // namespace weft::backend
