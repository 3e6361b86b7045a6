// Networks that are lines: frames between two of them, and with a program that speaks the wire's format by hand.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

#include "emulator/backend/net/line_net.h"
#include "emulator/backend/net/stream_frames.h"
#include "tests/support/subprocess.h"
#include "tests/support/wait.h"

namespace weft::backend {
namespace {

using Bytes = std::vector<uint8_t>;
using Kind = NetAddress::Kind;

Bytes frame(uint8_t mark, size_t size = 60) {
    Bytes bytes(size);
    for (size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<uint8_t>(mark + i);
    }
    return bytes;
}

// A network with a card whose frames a test writes and reads.
class End final : public NetClient {
  public:
    explicit End(const LineNetConfig& config) {
        auto made = LineNet::create(config);
        INFO((made ? "" : made.error().message()));
        REQUIRE(made);
        net = std::move(*made);
        net->set_client(this);
        net->set_running(true);
    }
    ~End() override { net->set_client(nullptr); }

    bool restarted() override { return false; }
    bool transmit(FrameQueue& frames) override {
        const std::lock_guard lock(mutex_);
        for (; !out_.empty() && frames.has_room(out_.front().size()); out_.pop_front()) {
            std::ranges::copy(out_.front(), frames.add(out_.front().size()).begin());
        }
        return !out_.empty();
    }
    void receive(FrameQueue& frames) override {
        const std::lock_guard lock(mutex_);
        for (; takes_ && !frames.empty(); frames.drop_first()) {
            in_.emplace_back(frames.first().begin(), frames.first().end());
        }
        changed_.notify_all();
    }

    void send(Bytes bytes) {
        {
            const std::lock_guard lock(mutex_);
            out_.push_back(std::move(bytes));
        }
        net->wake();
    }
    Bytes next() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return !in_.empty(); });
        Bytes bytes = std::move(in_.front());
        in_.pop_front();
        return bytes;
    }
    void set_takes(bool takes) {
        {
            const std::lock_guard lock(mutex_);
            takes_ = takes;
        }
        net->wake();
    }
    bool sent_all() {
        const std::lock_guard lock(mutex_);
        return out_.empty();
    }

    std::unique_ptr<LineNet> net;

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Bytes> out_, in_;
    bool takes_ = true;
};

NetAddress at_path(const std::string& path) { return {.kind = Kind::unix_socket, .path = path}; }

// What cannot be opened, without the names of the test's folder.
std::string refusal(const LineNetConfig& config) {
    const auto made = LineNet::create(config);
    return made ? "(opened)" : made.error().message();
}

// Both ways, more than sockets and queues hold, in order.
void exchange(End& a, End& b) {
    // Until the other end is there frames go nowhere.
    a.send(frame(1));
    CHECK((b.next() == frame(1)));
    b.send(frame(2, 1518));
    CHECK((a.next() == frame(2, 1518)));
    constexpr int kMany = 4000;
    b.set_takes(false);
    for (int i = 0; i < kMany; ++i) {
        a.send(frame(static_cast<uint8_t>(i), 600 + static_cast<size_t>(i) % 900));
    }
    b.set_takes(true);
    for (int i = 0; i < kMany; ++i) {
        REQUIRE((b.next() == frame(static_cast<uint8_t>(i), 600 + static_cast<size_t>(i) % 900)));
    }
}

// A port of this host's that was free a moment ago; the kernel gives it to nobody else soon.
std::string free_port(int type) {
    const UniqueFd fd(socket(AF_INET, type | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    return std::to_string(ntohs(address.sin_port));
}

NetAddress at_port(const std::string& host, const std::string& port) {
    return {.kind = Kind::inet, .host = host, .port = port};
}

bool read_fully(int fd, std::span<uint8_t> bytes) {
    while (!bytes.empty()) {
        const ssize_t count = read(fd, bytes.data(), bytes.size());
        if (count <= 0) {
            return false;
        }
        bytes = bytes.subspan(static_cast<size_t>(count));
    }
    return true;
}

}  // namespace

TEST_CASE("two machines over a stream on a unix socket, in either order", "[line-net]") {
    const test::TempDir dir;
    const std::string path = dir.file("socket");
    {
        End server({.remote = at_path(path), .server = true});
        End client({.remote = at_path(path)});
        exchange(client, server);
    }
    // The client first, which tries again. The socket of the first server is still there.
    {
        End client({.remote = at_path(path), .reconnect_ms = 1});
        End server({.remote = at_path(path), .server = true});
        // What is sent before they have met is lost.
        client.set_takes(true);
        std::atomic<bool> met = false;
        std::thread waiter([&] {
            server.next();
            met = true;
        });
        test::wait_until([&] {
            client.send(frame(9));
            return met.load();
        });
        waiter.join();
        server.send(frame(3));
        CHECK((client.next() == frame(3)));
    }
}

TEST_CASE("a peer that goes, and another one that comes", "[line-net]") {
    const test::TempDir dir;
    const std::string path = dir.file("socket");
    End server({.remote = at_path(path), .server = true});
    for (uint8_t round = 0; round < 3; ++round) {
        End client({.remote = at_path(path)});
        client.send(frame(round));
        CHECK((server.next() == frame(round)));
        server.send(frame(round, 100));
        CHECK((client.next() == frame(round, 100)));
    }
}

TEST_CASE("the stream's format: 32 bits of length, most significant first", "[line-net]") {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const UniqueFd peer(ends[0]);
    {
        End end({.remote = {.kind = Kind::descriptor, .descriptor = ends[1]}});
        end.send(frame(5, 300));
        Bytes header(4);
        REQUIRE(read_fully(peer.get(), header));
        CHECK((header == Bytes{0, 0, 1, 44}));
        Bytes body(300);
        REQUIRE(read_fully(peer.get(), body));
        CHECK((body == frame(5, 300)));
        // Byte by byte, and two at once.
        Bytes stream;
        append_stream_frame(stream, frame(6));
        for (const uint8_t& byte : stream) {
            REQUIRE(write(peer.get(), &byte, 1) == 1);
        }
        CHECK((end.next() == frame(6)));
        stream.clear();
        append_stream_frame(stream, frame(7, 14));
        append_stream_frame(stream, frame(8, 65536));
        REQUIRE(write(peer.get(), stream.data(), stream.size()) == static_cast<ssize_t>(stream.size()));
        CHECK((end.next() == frame(7, 14)));
        CHECK((end.next() == frame(8, 65536)));
        // A length that no frame has ends the connection.
        const Bytes wrong = {0xff, 0xff, 0xff, 0xff};
        REQUIRE(write(peer.get(), wrong.data(), wrong.size()) == 4);
        uint8_t byte = 0;
        CHECK(read(peer.get(), &byte, 1) == 0);
    }
}

TEST_CASE("datagrams: unix sockets, and a pair of descriptors", "[line-net]") {
    const test::TempDir dir;
    const auto datagrams = [](NetAddress local, NetAddress remote) {
        return LineNetConfig{
            .kind = LineNetConfig::Kind::datagram, .remote = std::move(remote), .local = std::move(local)};
    };
    const auto both_ways = [](End& a, End& b) {
        a.send(frame(1));
        CHECK((b.next() == frame(1)));
        b.send(frame(2, 1518));
        CHECK((a.next() == frame(2, 1518)));
    };
    {
        End a(datagrams(at_path(dir.file("a")), at_path(dir.file("b"))));
        a.send(frame(7));  // to nobody
        test::wait_until([&] { return a.sent_all(); });
        End b(datagrams(at_path(dir.file("b")), at_path(dir.file("a"))));
        both_ways(a, b);
    }
    CHECK(access(dir.file("a").c_str(), F_OK) != 0);
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0);
    {
        End a(datagrams({.kind = Kind::descriptor, .descriptor = ends[0]}, {}));
        // Of -netdev socket,fd=: what it is, it says itself.
        const NetAddress fd{.kind = Kind::descriptor, .descriptor = ends[1]};
        End b({.remote = fd, .local = fd});
        both_ways(a, b);
    }
}

TEST_CASE("two machines over TCP, over UDP, and in a group", "[line-net]") {
    {
        const std::string port = free_port(SOCK_STREAM);
        End server({.remote = at_port("", port), .server = true});
        End client({.remote = at_port("127.0.0.1", port)});
        exchange(client, server);
    }
    {
        const NetAddress first = at_port("127.0.0.1", free_port(SOCK_DGRAM));
        const NetAddress second = at_port("127.0.0.1", free_port(SOCK_DGRAM));
        End a({.kind = LineNetConfig::Kind::datagram, .remote = second, .local = first});
        End b({.kind = LineNetConfig::Kind::datagram, .remote = first, .local = second});
        a.send(frame(1));
        CHECK((b.next() == frame(1)));
        b.send(frame(2, 1518));
        CHECK((a.next() == frame(2, 1518)));
    }
    const LineNetConfig group{.kind = LineNetConfig::Kind::datagram,
                              .remote = at_port("239.77.1.1", free_port(SOCK_DGRAM)),
                              .local = at_port("127.0.0.1", "0")};
    End a(group);
    End b(group);
    a.send(frame(3));
    CHECK((b.next() == frame(3)));
    // Who sends is in the group as well.
    CHECK((a.next() == frame(3)));
    b.send(frame(4));
    CHECK((a.next() == frame(4)));
}

TEST_CASE("what cannot be opened is said in a line", "[line-net]") {
    const test::TempDir dir;
    const std::string path = dir.file("nobody");
    CHECK(refusal({.remote = at_path(path)}) == "'" + path + "': cannot connect: No such file or directory");
    CHECK(refusal({.remote = at_path(std::string(200, 'x'))}) ==
          "'" + std::string(200, 'x') + "': File name too long");
    CHECK(refusal({.remote = {.kind = Kind::inet, .host = "127.0.0.1", .port = "no-port"}})
              .starts_with("'127.0.0.1:no-port': "));
    const NetAddress none{.kind = Kind::descriptor, .descriptor = 1000};
    CHECK(refusal({.remote = none}) == "descriptor 1000 is no socket: Bad file descriptor");
    CHECK(refusal({.kind = LineNetConfig::Kind::tap, .descriptor = 1000}) ==
          "descriptor 1000 is no TAP device: Bad file descriptor");
    const UniqueFd datagram(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    CHECK(refusal({.remote = {.kind = Kind::descriptor, .descriptor = datagram.get()}}) ==
          fmt::format("descriptor {} is no stream socket", datagram.get()));
}

TEST_CASE("a TAP device, by its name and by a descriptor", "[line-net]") {
    const UniqueFd control(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    if (!control) {
        WARN("no right to make TAP devices: left out");
        return;
    }
    for (const bool with_header : {false, true}) {
        UniqueFd fd(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
        ifreq request{};
        request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | (with_header ? IFF_VNET_HDR : 0));
        std::strcpy(request.ifr_name, "weft%d");
        if (ioctl(fd.get(), TUNSETIFF, &request) != 0) {
            WARN("no right to make TAP devices: left out");
            return;
        }
        const UniqueFd link(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ifreq up{};
        std::memcpy(up.ifr_name, request.ifr_name, sizeof up.ifr_name);
        REQUIRE(ioctl(link.get(), SIOCGIFFLAGS, &up) == 0);
        up.ifr_flags = static_cast<short>(up.ifr_flags | IFF_UP);
        REQUIRE(ioctl(link.get(), SIOCSIFFLAGS, &up) == 0);
        End end({.kind = LineNetConfig::Kind::tap, .descriptor = fd.release()});
        // The kernel itself speaks there: IPv6's first words, as soon as the device is up. Each is a whole Ethernet frame.
        const Bytes first = end.next();
        REQUIRE(first.size() >= 14);
        CHECK((first[12] << 8 | first[13]) == 0x86dd);
    }
    End by_name({.kind = LineNetConfig::Kind::tap, .device = "wefttest0"});
    CHECK(refusal({.kind = LineNetConfig::Kind::tap, .device = "wefttest0"}) ==
          "TAP device 'wefttest0': Device or resource busy");
}

TEST_CASE("a line that is not to receive is not woken by what came, nor by the other end's going",
          "[line-net]") {
    for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
        CAPTURE(type);
        int ends[2];
        REQUIRE(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) == 0);
        UniqueFd other(ends[1]);
        const NetAddress given{.kind = Kind::descriptor, .descriptor = ends[0]};
        const auto line = open_line({.remote = given, .local = given});
        REQUIRE(line);
        const auto wakes = [&](bool receives) {
            std::vector<pollfd> descriptors;
            static_cast<void>((*line)->wait_for(descriptors, receives));
            return poll(descriptors.data(), descriptors.size(), 0) > 0;
        };
        CHECK(!wakes(true));
        const Bytes sent = frame(1);
        REQUIRE(write(other.get(), sent.data(), sent.size()) > 0);
        CHECK(!wakes(false));
        CHECK(wakes(true));
        other.reset();
        CHECK(!wakes(false));
        CHECK(wakes(true));
    }
}

}  // namespace weft::backend
