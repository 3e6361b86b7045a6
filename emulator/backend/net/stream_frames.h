// Frames on a stream of bytes, each behind its length: 32 bits, most significant byte first, as QEMU, passt and VDE's tools have it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "emulator/backend/net/frame_queue.h"

namespace weft::backend {

// Puts frames together of what comes in any pieces. Belongs to one thread.
class StreamFrames {
  public:
    explicit StreamFrames(size_t max_frame);

    // Where the next bytes are to be read to; never empty after take() has taken what it can.
    std::span<uint8_t> room() { return std::span(bytes_).subspan(end_); }
    // So many were.
    void filled(size_t count) { end_ += count; }

    // Appends whole frames to the queue while it has room for the largest. An error: a length that no frame has; the stream is of no use any
    // more.
    Result<> take(FrameQueue& frames);
    void clear() { begin_ = end_ = 0; }

  private:
    const size_t max_frame_;
    std::vector<uint8_t> bytes_;
    size_t begin_ = 0, end_ = 0;  // of what came and was not taken
};

// Appends length and frame to bytes that are to be sent.
void append_stream_frame(std::vector<uint8_t>& bytes, std::span<const uint8_t> frame);

}  // namespace weft::backend
