// The user network against frames that are written by hand: ARP, DHCP, TCP both ways, forwarded ports.
#include "emulator/backend/net/user_net.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "emulator/system/option_user_net.h"
#include "tests/support/subprocess.h"
#include "tests/support/wait.h"

namespace weft::backend {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr uint8_t kMac[] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
constexpr uint32_t kGuest = 0x0a00020f;
constexpr uint32_t kHost = 0x0a000202;

void put16(Bytes& bytes, uint32_t value) {
    bytes.push_back(static_cast<uint8_t>(value >> 8));
    bytes.push_back(static_cast<uint8_t>(value));
}
void put32(Bytes& bytes, uint32_t value) {
    put16(bytes, value >> 16);
    put16(bytes, value);
}
uint32_t get16(const Bytes& bytes, size_t at) { return uint32_t{bytes.at(at)} << 8 | bytes.at(at + 1); }
uint32_t get32(const Bytes& bytes, size_t at) { return get16(bytes, at) << 16 | get16(bytes, at + 2); }

uint16_t checksum(const Bytes& bytes) {
    uint32_t sum = 0;
    for (size_t i = 0; i < bytes.size(); ++i) {
        sum += i % 2 == 0 ? uint32_t{bytes[i]} << 8 : bytes[i];
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<uint16_t>(~sum);
}

Bytes ethernet(uint16_t type) {
    Bytes frame(6, 0xff);
    frame.insert(frame.end(), std::begin(kMac), std::end(kMac));
    put16(frame, type);
    return frame;
}

// An IPv4 packet of a protocol whose checksum, over the pseudo header, lies at `sum_at` of its payload.
Bytes packet(uint8_t protocol, uint32_t from, uint32_t to, Bytes payload, size_t sum_at) {
    Bytes pseudo;
    put32(pseudo, from);
    put32(pseudo, to);
    put16(pseudo, protocol);
    put16(pseudo, static_cast<uint32_t>(payload.size()));
    pseudo.insert(pseudo.end(), payload.begin(), payload.end());
    const uint16_t sum = checksum(pseudo);
    payload[sum_at] = static_cast<uint8_t>(sum >> 8);
    payload[sum_at + 1] = static_cast<uint8_t>(sum);
    Bytes ip = {0x45, 0};
    put16(ip, static_cast<uint32_t>(20 + payload.size()));
    put32(ip, 0);
    ip.push_back(64);
    ip.push_back(protocol);
    put16(ip, 0);
    put32(ip, from);
    put32(ip, to);
    const uint16_t ip_sum = checksum(ip);
    ip[10] = static_cast<uint8_t>(ip_sum >> 8);
    ip[11] = static_cast<uint8_t>(ip_sum);
    Bytes frame = ethernet(0x0800);
    frame.insert(frame.end(), ip.begin(), ip.end());
    frame.insert(frame.end(), payload.begin(), payload.end());
    return frame;
}

constexpr uint8_t kSyn = 2, kRst = 4, kPush = 8, kAck = 16;

// A card whose frames a test writes and reads.
class Card final : public NetClient {
  public:
    bool restarted() override { return restarted_.exchange(false); }
    bool transmit(FrameQueue& frames) override {
        const std::lock_guard lock(mutex_);
        for (; !out_.empty() && frames.has_room(out_.front().size()); out_.pop_front()) {
            std::ranges::copy(out_.front(), frames.add(out_.front().size()).begin());
        }
        return !out_.empty();
    }
    void receive(FrameQueue& frames) override {
        const std::lock_guard lock(mutex_);
        ++offered;
        for (; takes && !frames.empty(); frames.drop_first()) {
            in_.emplace_back(frames.first().begin(), frames.first().end());
        }
        changed_.notify_all();
    }
    void send(NetBackend& net, Bytes frame) {
        {
            const std::lock_guard lock(mutex_);
            out_.push_back(std::move(frame));
        }
        net.wake();
    }
    // The next frame of a kind; others are passed over.
    template <class Wanted>
    Bytes next(const Wanted& wanted) {
        std::unique_lock lock(mutex_);
        while (true) {
            for (; !in_.empty(); in_.pop_front()) {
                if (wanted(in_.front())) {
                    Bytes frame = std::move(in_.front());
                    in_.pop_front();
                    return frame;
                }
            }
            changed_.wait(lock);
        }
    }
    void set_takes(bool on) {
        const std::lock_guard lock(mutex_);
        takes = on;
    }
    void restart() { restarted_ = true; }
    bool restart_seen() const { return !restarted_; }
    int offers() {
        const std::lock_guard lock(mutex_);
        return offered;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Bytes> out_, in_;
    bool takes = true;
    int offered = 0;
    std::atomic<bool> restarted_{false};
};

UserNetConfig config(std::initializer_list<KeyValue> items) {
    const auto parsed = sys::parse_user_net(std::span(items.begin(), items.size()));
    INFO((parsed ? "" : parsed.error().message()));
    REQUIRE(parsed);
    return *parsed;
}

struct Net {
    explicit Net(std::initializer_list<KeyValue> items = {}) {
        auto made = UserNet::create(config(items), std::make_shared<SlirpLibrary>());
        INFO((made ? "" : made.error().message()));
        REQUIRE(made);
        net = std::move(*made);
        net->set_client(&card);
        net->set_running(true);
    }
    ~Net() {
        if (net != nullptr) {
            net->set_client(nullptr);
        }
    }

    void arp(uint32_t target) {
        Bytes frame = ethernet(0x0806);
        for (const uint32_t word : {1u, 0x0800u, 0x0604u, 1u}) {
            put16(frame, word);
        }
        frame.insert(frame.end(), std::begin(kMac), std::end(kMac));
        put32(frame, kGuest);
        frame.insert(frame.end(), 6, 0);
        put32(frame, target);
        card.send(*net, frame);
    }
    // `us` and `them` are ports; `sequence` ours.
    void tcp(uint32_t us, uint32_t them, uint32_t sequence, uint32_t ack, uint8_t flags,
             const Bytes& data = {}) {
        Bytes segment;
        put16(segment, us);
        put16(segment, them);
        put32(segment, sequence);
        put32(segment, ack);
        put16(segment, 0x5000u | flags);
        put16(segment, 60000);
        put32(segment, 0);
        segment.insert(segment.end(), data.begin(), data.end());
        card.send(*net, packet(6, kGuest, kHost, segment, 16));
    }
    Bytes next_tcp() {
        return card.next([](const Bytes& frame) {
            return frame.size() >= 54 && get16(frame, 12) == 0x0800 && frame[23] == 6;
        });
    }
    static uint8_t flags(const Bytes& frame) { return frame.at(47); }
    static Bytes data_of(const Bytes& frame) {
        const size_t begin = 34 + (frame.at(46) >> 4) * 4u;
        return Bytes(frame.begin() + static_cast<ptrdiff_t>(begin), frame.begin() + 14 + get16(frame, 16));
    }
    // The port that a forwarded one of the host turned out to be.
    uint16_t forwarded_port() {
        const std::string text = net->describe();
        const size_t line = text.find("HOST_FORWARD");
        REQUIRE(line != std::string::npos);
        unsigned fd = 0;
        unsigned port = 0;
        char address[64] = {};
        REQUIRE(sscanf(text.c_str() + text.find(']', line), "] %u %63s %u", &fd, address, &port) == 3);
        CHECK(std::string(address) == "127.0.0.1");
        return static_cast<uint16_t>(port);
    }

    Card card;
    std::unique_ptr<UserNet> net;
};

UniqueFd connected(uint16_t port) {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    REQUIRE(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    return fd;
}

struct Listener {
    UniqueFd fd{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    uint16_t port = 0;
    Listener() {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(listen(fd.get(), 4) == 0);
        REQUIRE(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port = ntohs(address.sin_port);
    }
};

Bytes read_exactly(int fd, size_t count) {
    Bytes bytes(count);
    for (size_t done = 0; done < count;) {
        const ssize_t got = read(fd, bytes.data() + done, count - done);
        REQUIRE(got > 0);
        done += static_cast<size_t>(got);
    }
    return bytes;
}

const Bytes kHello = {'h', 'e', 'l', 'l', 'o'};

TEST_CASE("ARP: the host and the name server answer, others do not", "[user-net]") {
    Net net;
    const auto reply = [](const Bytes& frame) { return get16(frame, 12) == 0x0806 && get16(frame, 20) == 2; };
    net.arp(0x0a000209);
    net.arp(kHost);
    const Bytes host = net.card.next(reply);
    CHECK(get32(host, 28) == kHost);
    CHECK(std::equal(std::begin(kMac), std::end(kMac), host.begin()));
    net.arp(0x0a000203);
    CHECK(get32(net.card.next(reply), 28) == 0x0a000203);
}

TEST_CASE("DHCP gives the address that was configured", "[user-net]") {
    Net net({{"net", "192.168.76.0/24"}, {"dhcpstart", "192.168.76.9"}, {"hostname", "riscv"}});
    Bytes message = {1, 1, 6, 0};
    put32(message, 0x12345678);
    message.resize(28);
    message.insert(message.end(), std::begin(kMac), std::end(kMac));
    message.resize(236);
    put32(message, 0x63825363);
    message.insert(message.end(), {53, 1, 1, 255});  // DISCOVER
    Bytes datagram;
    put16(datagram, 68);
    put16(datagram, 67);
    put16(datagram, static_cast<uint32_t>(8 + message.size()));
    put16(datagram, 0);
    datagram.insert(datagram.end(), message.begin(), message.end());
    net.card.send(*net.net, packet(17, 0, 0xffffffff, datagram, 6));
    const Bytes offer = net.card.next([](const Bytes& frame) {
        return get16(frame, 12) == 0x0800 && frame[23] == 17 && get16(frame, 36) == 68;
    });
    CHECK(get32(offer, 42 + 4) == 0x12345678);
    CHECK(get32(offer, 42 + 16) == 0xc0a84c09);
    const std::string text(offer.begin(), offer.end());
    CHECK(text.find("riscv") != std::string::npos);
}

TEST_CASE("a connection of the guest's is one of this process to the host's loopback", "[user-net]") {
    Net net;
    const Listener server;
    net.arp(kHost);
    net.tcp(1000, server.port, 100, 0, kSyn);
    const Bytes answer = net.next_tcp();
    REQUIRE(Net::flags(answer) == (kSyn | kAck));
    uint32_t theirs = get32(answer, 38) + 1;
    CHECK(get32(answer, 42) == 101);
    const UniqueFd peer(accept4(server.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(peer);
    net.tcp(1000, server.port, 101, theirs, kAck | kPush, kHello);
    CHECK(read_exactly(peer.get(), 5) == kHello);
    REQUIRE(write(peer.get(), "world!", 6) == 6);
    Bytes data;
    while (data.empty()) {
        data = Net::data_of(net.next_tcp());
    }
    CHECK(std::string(data.begin(), data.end()) == "world!");
    // As large a packet as there is, as a card with segmentation sends it.
    Bytes large(60000);
    for (size_t i = 0; i < large.size(); ++i) {
        large[i] = static_cast<uint8_t>(i * 7 + i / 256);
    }
    theirs += 6;
    net.tcp(1000, server.port, 106, theirs, kAck | kPush, large);
    CHECK(read_exactly(peer.get(), large.size()) == large);
}

TEST_CASE("a forwarded port of the host leads to the guest, both ways", "[user-net]") {
    Net net({{"hostfwd", "tcp:127.0.0.1:0-:22"}});
    net.arp(kHost);
    const UniqueFd peer = connected(net.forwarded_port());
    const Bytes syn = net.next_tcp();
    REQUIRE(Net::flags(syn) == kSyn);
    CHECK(get32(syn, 30) == kGuest);
    CHECK(get16(syn, 36) == 22);
    const uint32_t port = get16(syn, 34);
    const uint32_t theirs = get32(syn, 38) + 1;
    net.tcp(22, port, 500, theirs, kSyn | kAck);
    net.tcp(22, port, 501, theirs, kAck | kPush, kHello);
    CHECK(read_exactly(peer.get(), 5) == kHello);
    REQUIRE(write(peer.get(), "ab", 2) == 2);
    Bytes data;
    while (data.empty()) {
        data = Net::data_of(net.next_tcp());
    }
    CHECK(data == Bytes{'a', 'b'});
    // The guest resets: so does the connection end.
    net.tcp(22, port, 506, theirs + 2, kRst | kAck);
    char rest = 0;
    CHECK(read(peer.get(), &rest, 1) <= 0);
}

TEST_CASE("a restricted guest reaches nothing", "[user-net]") {
    Net net({{"restrict", "on"}});
    const Listener server;
    net.arp(kHost);
    net.tcp(1000, server.port, 100, 0, kSyn);
    // When a question that came later is answered, libslirp has connected, or never will: on the loopback that takes no time.
    net.arp(0x0a000203);
    net.card.next(
        [](const Bytes& frame) { return get16(frame, 12) == 0x0806 && get32(frame, 28) == 0x0a000203; });
    REQUIRE(fcntl(server.fd.get(), F_SETFL, O_NONBLOCK) == 0);
    CHECK(accept4(server.fd.get(), nullptr, nullptr, SOCK_CLOEXEC) == -1);
    CHECK(errno == EAGAIN);
}

TEST_CASE("a program behind an address of the network", "[user-net]") {
    Net net({{"guestfwd", "tcp:10.0.2.100:7-cmd:cat"}});
    net.arp(0x0a000264);
    Bytes segment;
    const auto send = [&](uint32_t sequence, uint32_t ack, uint8_t flags, const Bytes& data) {
        segment.clear();
        put16(segment, 1000);
        put16(segment, 7);
        put32(segment, sequence);
        put32(segment, ack);
        put16(segment, 0x5000u | flags);
        put16(segment, 60000);
        put32(segment, 0);
        segment.insert(segment.end(), data.begin(), data.end());
        net.card.send(*net.net, packet(6, kGuest, 0x0a000264, segment, 16));
    };
    send(100, 0, kSyn, {});
    const Bytes answer = net.next_tcp();
    REQUIRE(Net::flags(answer) == (kSyn | kAck));
    send(101, get32(answer, 38) + 1, kAck | kPush, kHello);
    Bytes data;
    while (data.empty()) {
        data = Net::data_of(net.next_tcp());
    }
    CHECK(data == kHello);
}

TEST_CASE("nothing is offered while the machine stands still, and it comes afterwards", "[user-net]") {
    Net net;
    net.net->set_running(false);
    const int before = net.card.offers();
    net.arp(kHost);
    // Other instances' work goes on; this one's card is left alone.
    Net other;
    other.arp(kHost);
    const auto reply = [](const Bytes& frame) { return get16(frame, 12) == 0x0806; };
    other.card.next(reply);
    CHECK(net.card.offers() == before);
    net.net->set_running(true);
    CHECK(get32(net.card.next(reply), 28) == kHost);
}

TEST_CASE("what waited for a driver is not for the next one", "[user-net]") {
    constexpr uint32_t kNameServer = kHost + 1;
    Net net;
    net.card.set_takes(false);
    net.arp(kHost);
    test::wait_until([&] { return net.card.offers() != 0; });
    net.card.restart();
    net.net->wake();
    test::wait_until([&] { return net.card.restart_seen(); });
    net.card.set_takes(true);
    net.arp(kNameServer);
    const Bytes answer = net.card.next([](const Bytes& frame) { return get16(frame, 12) == 0x0806; });
    CHECK(get32(answer, 28) == kNameServer);
}

TEST_CASE("who sends to a guest that does not take is held up, and nothing is lost", "[user-net]") {
    Net net({{"hostfwd", "tcp:127.0.0.1:0-:22"}});
    net.arp(kHost);
    const UniqueFd peer = connected(net.forwarded_port());
    const Bytes syn = net.next_tcp();
    const uint32_t port = get16(syn, 34);
    uint32_t theirs = get32(syn, 38) + 1;
    net.tcp(22, port, 500, theirs, kSyn | kAck);
    net.tcp(22, port, 501, theirs, kAck);
    net.card.set_takes(false);
    Bytes sent(100000);
    for (size_t i = 0; i < sent.size(); ++i) {
        sent[i] = static_cast<uint8_t>(i ^ i >> 8);
    }
    for (size_t done = 0; done < sent.size();) {
        const ssize_t count = write(peer.get(), sent.data() + done, sent.size() - done);
        REQUIRE(count > 0);
        done += static_cast<size_t>(count);
    }
    net.card.set_takes(true);
    net.net->wake();
    Bytes got;
    while (got.size() < sent.size()) {
        const Bytes frame = net.next_tcp();
        const Bytes data = Net::data_of(frame);
        if (!data.empty() && get32(frame, 38) == theirs) {
            got.insert(got.end(), data.begin(), data.end());
            theirs += static_cast<uint32_t>(data.size());
            net.tcp(22, port, 501, theirs, kAck);
        }
    }
    CHECK(got == sent);
}

TEST_CASE("networks end with connections open and frames on their way", "[user-net]") {
    for (int round = 0; round < 20; ++round) {
        Net net({{"hostfwd", "tcp:127.0.0.1:0-:22"}, {"hostfwd", "udp:127.0.0.1:0-:53"}});
        const Listener server;
        net.arp(kHost);
        const UniqueFd peer = connected(net.forwarded_port());
        net.tcp(1000, server.port, 100, 0, kSyn);
        net.net->set_running(false);
    }
}

TEST_CASE("ports that cannot be had are an error that names them", "[user-net]") {
    const Listener taken;
    const std::string forward = "tcp:127.0.0.1:" + std::to_string(taken.port) + "-:22";
    const KeyValue items[] = {{"hostfwd", forward}};
    const auto parsed = sys::parse_user_net(items);
    REQUIRE(parsed);
    const auto made = UserNet::create(*parsed, std::make_shared<SlirpLibrary>());
    REQUIRE(!made);
    CHECK(made.error().message() == "cannot forward '" + forward + "': Address already in use");
    const auto outside =
        UserNet::create(config({{"guestfwd", "tcp:10.0.3.1:7-cmd:cat"}}), std::make_shared<SlirpLibrary>());
    REQUIRE(!outside);
    CHECK(outside.error().message() ==
          "cannot forward 'tcp:10.0.3.1:7-cmd:cat': the address is not in the network, or spoken for");
}

}  // namespace
}  // namespace weft::backend
