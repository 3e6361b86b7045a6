// A network that is a line to another program or to the host's kernel (-netdev stream, dgram, socket, tap).
#pragma once

#include <memory>
#include <vector>

#include "emulator/backend/net/frame_line.h"
#include "emulator/backend/net/threaded_net.h"

namespace weft::backend {

// A thread of its own carries the frames between card and line. What the guest has no buffers for is kept, up to kHeldBytes; then nothing is
// taken from the line, so that who sends on a stream is held up, and the kernel drops what else comes.
class LineNet final : public ThreadedNet {
  public:
    // With a VLAN tag. The card has large packets cut by the guest, since nobody here would.
    static constexpr size_t kMaxSent = 1518;
    static constexpr size_t kHeldBytes = size_t{1} << 20;

    static Result<std::unique_ptr<LineNet>> create(const LineNetConfig& config);
    ~LineNet() override { stop(); }

    // NetBackend
    size_t max_frame() const override { return kMaxSent; }
    bool large_tcp() const override { return false; }
    bool checksums_hold() const override { return false; }

  private:
    static constexpr size_t kSentBytes = size_t{256} << 10;

    explicit LineNet(std::unique_ptr<FrameLine> line)
        : ThreadedNet(kSentBytes, kHeldBytes), line_(std::move(line)) {}
    void serve_once() override;

    // The thread's.
    const std::unique_ptr<FrameLine> line_;
    std::vector<pollfd> descriptors_;
};

}  // namespace weft::backend
