// A frame a datagram: -netdev dgram, and -netdev socket with udp=, mcast= or a datagram socket's descriptor.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "emulator/backend/net/frame_line.h"
#include "emulator/backend/net/net_socket.h"

namespace weft::backend {

namespace {

class DatagramLine final : public FrameLine {
  public:
    // Where `remote` is empty the socket is connected. `own`: the path that it was bound to, to be removed at the end.
    DatagramLine(UniqueFd fd, SocketAddress remote, std::string own)
        : fd_(std::move(fd)), remote_(remote), own_(std::move(own)) {}
    ~DatagramLine() override {
        if (!own_.empty()) {
            unlink(own_.c_str());
        }
    }

    void send(FrameQueue& frames) override {
        waits_ = false;
        while (!frames.empty()) {
            const std::span<const uint8_t> frame = frames.first();
            const ssize_t count = sendto(fd_.get(), frame.data(), frame.size(), MSG_NOSIGNAL,
                                         remote_.size != 0 ? remote_.get() : nullptr, remote_.size);
            if (count < 0 && errno == EINTR) {
                continue;
            }
            if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                waits_ = true;
                return;
            }
            // Nobody at the other end, or too long: gone.
            frames.drop_first();
        }
    }

    void receive(FrameQueue& frames) override {
        while (frames.has_room(kMaxFrame)) {
            const std::span<uint8_t> frame = frames.add(kMaxFrame);
            const ssize_t count = recv(fd_.get(), frame.data(), frame.size(), MSG_TRUNC);
            const int error = errno;
            frames.drop_last();
            if (count > 0 && static_cast<size_t>(count) <= kMaxFrame) {
                // The bytes are where they have to be.
                static_cast<void>(frames.add(static_cast<size_t>(count)));
            } else if (count < 0 && (error == EAGAIN || error == EWOULDBLOCK)) {
                return;
            } else if (count < 0 && error != EINTR && error != ECONNREFUSED) {
                return;
            }
        }
    }

    int wait_for(std::vector<pollfd>& descriptors, bool receives) override {
        const int events = (receives ? POLLIN : 0) | (waits_ ? POLLOUT : 0);
        wait_for_events(descriptors, fd_.get(), events);
        return -1;
    }

  private:
    const UniqueFd fd_;
    const SocketAddress remote_;
    const std::string own_;
    bool waits_ = false;
};

const sockaddr_in* ipv4(const SocketAddress& address) {
    return address.family() == AF_INET ? reinterpret_cast<const sockaddr_in*>(&address.storage) : nullptr;
}

bool is_group(const SocketAddress& address) {
    const sockaddr_in* const one = ipv4(address);
    return one != nullptr && IN_MULTICAST(ntohl(one->sin_addr.s_addr));
}

// All that are in a group hear one another, also on one host (ip(7)).
Result<> join_group(const UniqueFd& fd, const SocketAddress& group, const NetAddress& local) {
    ip_mreqn request{};
    request.imr_multiaddr = ipv4(group)->sin_addr;
    if (local.kind == NetAddress::Kind::inet) {
        const NetAddress interface{.kind = NetAddress::Kind::inet, .host = local.host, .port = "0"};
        const Result<SocketAddress> address = resolve(interface, SOCK_DGRAM, true);
        if (!address || ipv4(*address) == nullptr) {
            return address ? fail(fmt::format("{}: not an IPv4 address", describe(local)))
                           : std::unexpected(address.error());
        }
        request.imr_address = ipv4(*address)->sin_addr;
    }
    const int on = 1;
    if (setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd.get(), group.get(), group.size) != 0 ||
        setsockopt(fd.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) != 0 ||
        setsockopt(fd.get(), IPPROTO_IP, IP_MULTICAST_LOOP, &on, sizeof on) != 0 ||
        (local.kind == NetAddress::Kind::inet &&
         setsockopt(fd.get(), IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) != 0)) {
        return fail_errno("cannot join the group");
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<FrameLine>> open_datagram_line(const LineNetConfig& config) {
    if (config.local.kind == NetAddress::Kind::descriptor) {
        Result<UniqueFd> fd = adopt_socket(config.local.descriptor, SOCK_DGRAM);
        return fd ? Result<std::unique_ptr<FrameLine>>(
                        std::make_unique<DatagramLine>(std::move(*fd), SocketAddress(), ""))
                  : std::unexpected(fd.error());
    }
    const Result<SocketAddress> remote = resolve(config.remote, SOCK_DGRAM, false);
    if (!remote) {
        return std::unexpected(remote.error());
    }
    Result<UniqueFd> fd = new_socket(remote->family(), SOCK_DGRAM);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    std::string own;
    if (is_group(*remote)) {
        if (Result<> joined = join_group(*fd, *remote, config.local); !joined) {
            return std::unexpected(joined.error().within(describe(config.remote)));
        }
    } else if (config.local.kind != NetAddress::Kind::none) {
        const Result<SocketAddress> local = resolve(config.local, SOCK_DGRAM, true);
        if (!local) {
            return std::unexpected(local.error());
        }
        if (local->family() != remote->family()) {
            return fail(fmt::format("{} and {} are of different kinds", describe(config.local),
                                    describe(config.remote)));
        }
        const int on = 1;
        setsockopt(fd->get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        remove_stale(config.local);
        if (bind(fd->get(), local->get(), local->size) != 0) {
            return fail_errno(describe(config.local));
        }
        if (config.local.kind == NetAddress::Kind::unix_socket && !config.local.abstract) {
            own = config.local.path;
        }
    }
    return std::make_unique<DatagramLine>(std::move(*fd), *remote, std::move(own));
}

}  // namespace weft::backend
