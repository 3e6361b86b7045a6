// A TAP device of the host's (Documentation/networking/tuntap.rst of Linux): -netdev tap.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/text_values.h"
#include "base/unique_fd.h"
#include "emulator/backend/net/frame_line.h"

namespace weft::backend {

namespace {

constexpr const char* kControl = "/dev/net/tun";

class TapLine final : public FrameLine {
  public:
    // `header`: bytes that stand before each frame on the descriptor (IFF_VNET_HDR), which say nothing where they are zeros.
    TapLine(UniqueFd fd, size_t header) : fd_(std::move(fd)), header_(header) {}

    void send(FrameQueue& frames) override {
        waits_ = false;
        while (!frames.empty()) {
            const std::span<const uint8_t> frame = frames.first();
            std::array<uint8_t, kMaxHeader> zeros{};
            const iovec parts[] = {{zeros.data(), header_},
                                   {const_cast<uint8_t*>(frame.data()), frame.size()}};
            const ssize_t count = writev(fd_.get(), parts, 2);
            if (count < 0 && errno == EINTR) {
                continue;
            }
            if (count < 0 && errno == EAGAIN) {
                waits_ = true;
                return;
            }
            // The device is down, or the frame too long for it: gone.
            frames.drop_first();
        }
    }

    void receive(FrameQueue& frames) override {
        while (frames.has_room(kMaxFrame)) {
            const std::span<uint8_t> frame = frames.add(kMaxFrame);
            std::array<uint8_t, kMaxHeader> before;
            const iovec parts[] = {{before.data(), header_}, {frame.data(), frame.size()}};
            const ssize_t count = readv(fd_.get(), parts, 2);
            const int error = errno;
            frames.drop_last();
            if (count > static_cast<ssize_t>(header_)) {
                // The bytes are where they have to be.
                static_cast<void>(frames.add(static_cast<size_t>(count) - header_));
            } else if (count >= 0 || error != EINTR) {
                return;
            }
        }
    }

    int wait_for(std::vector<pollfd>& descriptors, bool receives) override {
        const int events = (receives ? POLLIN : 0) | (waits_ ? POLLOUT : 0);
        wait_for_events(descriptors, fd_.get(), events);
        return -1;
    }

    static constexpr size_t kMaxHeader = 32;

  private:
    const UniqueFd fd_;
    const size_t header_;
    bool waits_ = false;
};

Result<std::unique_ptr<FrameLine>> by_descriptor(int descriptor) {
    ifreq request{};
    if (ioctl(descriptor, TUNGETIFF, &request) != 0) {
        return fail_errno(fmt::format("descriptor {} is no TAP device", descriptor));
    }
    UniqueFd fd(descriptor);
    const int kind = request.ifr_flags;
    if ((kind & IFF_TAP) == 0 || (kind & IFF_NO_PI) == 0) {
        return fail(fmt::format("descriptor {} is no TAP device without packet information", descriptor));
    }
    int header = 0;
    if ((kind & IFF_VNET_HDR) != 0 && ioctl(descriptor, TUNGETVNETHDRSZ, &header) != 0) {
        return fail_errno(fmt::format("descriptor {}", descriptor));
    }
    if (header < 0 || static_cast<size_t>(header) > TapLine::kMaxHeader) {
        return fail(fmt::format("descriptor {}: headers of {} bytes", descriptor, header));
    }
    // Nothing is left to this side: whole frames with their checksums.
    if (ioctl(descriptor, TUNSETOFFLOAD, 0) != 0 && errno != EINVAL) {
        return fail_errno(fmt::format("descriptor {}", descriptor));
    }
    const int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) {
        return fail_errno(fmt::format("descriptor {}", descriptor));
    }
    return std::make_unique<TapLine>(std::move(fd), static_cast<size_t>(header));
}

}  // namespace

Result<std::unique_ptr<FrameLine>> open_tap_line(const LineNetConfig& config) {
    if (config.descriptor) {
        return by_descriptor(*config.descriptor);
    }
    UniqueFd fd(open(kControl, O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!fd) {
        return fail_errno(kControl);
    }
    ifreq request{};
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    std::memcpy(request.ifr_name, config.device.data(),
                std::min(config.device.size(), sizeof request.ifr_name - 1));
    if (ioctl(fd.get(), TUNSETIFF, &request) != 0) {
        return fail_errno(fmt::format("TAP device {}", in_quotes(config.device)));
    }
    return std::make_unique<TapLine>(std::move(fd), 0);
}

}  // namespace weft::backend
