// Frames over a stream socket: -netdev stream, and -netdev socket with listen=, connect= or a stream's descriptor.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "emulator/backend/net/frame_line.h"
#include "emulator/backend/net/net_socket.h"
#include "emulator/backend/net/stream_frames.h"

namespace weft::backend {

namespace {

// What is put together before it is sent.
constexpr size_t kSentTogether = 64 << 10;

int64_t now_ms() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// One peer at a time. While there is none, frames go nowhere, as on a wire whose other end is not plugged in.
class StreamLine final : public FrameLine {
  public:
    StreamLine(UniqueFd listener, UniqueFd peer, SocketAddress address, unsigned reconnect_ms)
        : listener_(std::move(listener)),
          peer_(std::move(peer)),
          address_(address),
          reconnect_ms_(reconnect_ms),
          frames_(kMaxFrame) {
        sent_.reserve(kSentTogether + kMaxFrame);
    }

    void send(FrameQueue& frames) override {
        if (!peer_ || connecting_) {
            frames.clear();
            return;
        }
        do {
            for (; !frames.empty() && sent_.size() < kSentTogether; frames.drop_first()) {
                append_stream_frame(sent_, frames.first());
            }
        } while (send_some() && !frames.empty());
        if (!peer_) {
            frames.clear();
        }
    }

    void receive(FrameQueue& frames) override {
        find_peer();
        while (peer_ && !connecting_ && frames.has_room(kMaxFrame)) {
            // What came before and had no room goes first.
            if (Result<> taken = frames_.take(frames); !taken) {
                lose_peer();
                return;
            }
            const std::span<uint8_t> room = frames_.room();
            if (room.empty()) {
                return;
            }
            const ssize_t count = recv(peer_.get(), room.data(), room.size(), 0);
            if (count > 0) {
                frames_.filled(static_cast<size_t>(count));
            } else if (count < 0 && errno == EINTR) {
                continue;
            } else {
                if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
                    lose_peer();
                }
                return;
            }
        }
    }

    int wait_for(std::vector<pollfd>& descriptors, bool receives) override {
        if (peer_) {
            const bool sends = connecting_ || !sent_.empty();
            const int events = (receives && !connecting_ ? POLLIN : 0) | (sends ? POLLOUT : 0);
            wait_for_events(descriptors, peer_.get(), events);
        } else if (listener_) {
            descriptors.push_back({listener_.get(), POLLIN, 0});
        } else if (reconnect_ms_ != 0) {
            return static_cast<int>(std::max<int64_t>(0, retry_at_ms_ - now_ms()));
        }
        return -1;
    }

    // Begins to connect. Whether it failed at once.
    Result<> connect_now() {
        Result<UniqueFd> fd = new_socket(address_.family(), SOCK_STREAM);
        if (!fd) {
            return std::unexpected(fd.error());
        }
        const bool done = connect(fd->get(), address_.get(), address_.size) == 0;
        if (!done && errno != EINPROGRESS) {
            return fail_errno("cannot connect");
        }
        connecting_ = !done;
        peer_ = std::move(*fd);
        begin();
        return {};
    }

    // Waits for the connection that was begun.
    Result<> await_connection() {
        while (peer_ && connecting_) {
            pollfd state{peer_.get(), POLLOUT, 0};
            poll(&state, 1, -1);
            if (const int error = connected(); error != 0 && error != EINPROGRESS) {
                return fail_errno("cannot connect", error);
            }
        }
        return {};
    }

    void retry_later() {
        peer_.reset();
        connecting_ = false;
        retry_at_ms_ = now_ms() + reconnect_ms_;
    }

  private:
    void begin() {
        frames_.clear();
        sent_.clear();
        done_ = 0;
        // Nothing comes of it on sockets that are not TCP's.
        const int on = 1;
        setsockopt(peer_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }

    // 0: the connection stands; EINPROGRESS: not yet; else why there is none.
    int connected() {
        pollfd state{peer_.get(), POLLOUT, 0};
        if (poll(&state, 1, 0) == 0) {
            return EINPROGRESS;
        }
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(peer_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        connecting_ = false;
        return error;
    }

    void find_peer() {
        if (peer_ && connecting_) {
            if (const int error = connected(); error == EINPROGRESS) {
                return;
            } else if (error != 0) {
                retry_later();
            }
        }
        if (!peer_ && listener_) {
            peer_.reset(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (peer_) {
                begin();
            }
        } else if (!peer_ && reconnect_ms_ != 0 && now_ms() >= retry_at_ms_) {
            if (!connect_now()) {
                retry_later();
            }
        }
    }

    void lose_peer() {
        retry_later();
        sent_.clear();
        done_ = 0;
        find_peer();
    }

    // True: everything was sent.
    bool send_some() {
        while (done_ != sent_.size()) {
            const ssize_t count =
                ::send(peer_.get(), sent_.data() + done_, sent_.size() - done_, MSG_NOSIGNAL);
            if (count >= 0) {
                done_ += static_cast<size_t>(count);
            } else if (errno != EINTR) {
                if (errno != EAGAIN && errno != EWOULDBLOCK) {
                    lose_peer();
                }
                return false;
            }
        }
        sent_.clear();
        done_ = 0;
        return true;
    }

    const UniqueFd listener_;
    UniqueFd peer_;
    const SocketAddress address_;
    const unsigned reconnect_ms_;
    bool connecting_ = false;
    int64_t retry_at_ms_ = 0;
    StreamFrames frames_;
    std::vector<uint8_t> sent_;  // lengths and frames
    size_t done_ = 0;            // of it, what was sent
};

Result<UniqueFd> listening_socket(const NetAddress& where, const SocketAddress& address) {
    Result<UniqueFd> fd = new_socket(address.family(), SOCK_STREAM);
    if (!fd) {
        return fd;
    }
    const int on = 1;
    setsockopt(fd->get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    remove_stale(where);
    if (bind(fd->get(), address.get(), address.size) != 0 || listen(fd->get(), 1) != 0) {
        return fail_errno(describe(where));
    }
    return fd;
}

}  // namespace

Result<std::unique_ptr<FrameLine>> open_stream_line(const LineNetConfig& config) {
    if (config.remote.kind == NetAddress::Kind::descriptor) {
        Result<UniqueFd> fd = adopt_socket(config.remote.descriptor, SOCK_STREAM);
        if (!fd) {
            return std::unexpected(fd.error());
        }
        return config.server ? std::make_unique<StreamLine>(std::move(*fd), UniqueFd(), SocketAddress(), 0)
                             : std::make_unique<StreamLine>(UniqueFd(), std::move(*fd), SocketAddress(), 0);
    }
    const Result<SocketAddress> address = resolve(config.remote, SOCK_STREAM, config.server);
    if (!address) {
        return std::unexpected(address.error());
    }
    if (config.server) {
        Result<UniqueFd> fd = listening_socket(config.remote, *address);
        return fd ? Result<std::unique_ptr<FrameLine>>(
                        std::make_unique<StreamLine>(std::move(*fd), UniqueFd(), SocketAddress(), 0))
                  : std::unexpected(fd.error());
    }
    auto line = std::make_unique<StreamLine>(UniqueFd(), UniqueFd(), *address, config.reconnect_ms);
    Result<> connected = line->connect_now();
    connected = connected ? line->await_connection() : connected;
    if (!connected && config.reconnect_ms == 0) {
        return std::unexpected(connected.error().within(describe(config.remote)));
    }
    if (!connected) {
        line->retry_later();
    }
    return line;
}

}  // namespace weft::backend
