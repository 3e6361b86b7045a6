// What carries the frames of a network that is a line to somewhere: a stream, datagrams, a TAP device.
#pragma once

#include <poll.h>

#include <memory>
#include <vector>

#include "base/error.h"
#include "emulator/backend/net/frame_queue.h"
#include "emulator/backend/net/line_net_config.h"

namespace weft::backend {

// Belongs to one thread. No function waits. What goes wrong after it was opened is what happens on wires: frames are lost.
class FrameLine {
  public:
    // The largest frame that comes.
    static constexpr size_t kMaxFrame = 65536 + 4096;

    virtual ~FrameLine() = default;

    // Sends frames from the beginning of the queue. Those that stay there have to wait; those that can never arrive are dropped.
    virtual void send(FrameQueue& frames) = 0;
    // Appends frames that came, as long as there is room for kMaxFrame.
    virtual void receive(FrameQueue& frames) = 0;
    // Adds what to wait for before the next call: that something comes if `receives`, that more can be sent if send() left something.
    // Returns after how many milliseconds to call in any case; -1: never.
    virtual int wait_for(std::vector<pollfd>& descriptors, bool receives) = 0;
};

// A descriptor that is waited for. Where nothing of it is wanted now it is left out: poll(2) would tell of errors and of the other end's
// going all the same, at once and again and again.
inline void wait_for_events(std::vector<pollfd>& descriptors, int fd, int events) {
    if (events != 0) {
        descriptors.push_back({fd, static_cast<short>(events), 0});
    }
}

// Opens what the configuration names. Errors say what was written.
Result<std::unique_ptr<FrameLine>> open_line(const LineNetConfig& config);

// Of one kind each, in the files of that name.
Result<std::unique_ptr<FrameLine>> open_stream_line(const LineNetConfig& config);
Result<std::unique_ptr<FrameLine>> open_datagram_line(const LineNetConfig& config);
Result<std::unique_ptr<FrameLine>> open_tap_line(const LineNetConfig& config);

}  // namespace weft::backend
