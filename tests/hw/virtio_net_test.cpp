// The network device between a driver, written from virtio 1.2, section 5.1, and a backend that does what the test says.
#include "emulator/hw/virtio/net.h"

#include <atomic>
#include <functional>
#include <numeric>
#include <thread>

#include "emulator/hw/virtio/net_checksum.h"
#include "tests/hw/virtio_driver.h"
#include "tests/support/random.h"

namespace weft::hw {
namespace {

constexpr uint64_t kVersion1 = uint64_t{1} << 32;
constexpr uint64_t kEventIndex = uint64_t{1} << 29;
constexpr uint64_t kCsum = 1, kGuestCsum = 2, kMac = 1 << 5, kTso4 = 1 << 11, kMerge = 1 << 15,
                   kStatus = 1 << 16;
constexpr MacAddress kAddress = {0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc};

struct Network : backend::NetBackend {
    backend::NetClient* client = nullptr;
    std::atomic<int> wakes = 0;
    bool large = true, valid = true;
    void set_client(backend::NetClient* one) override { client = one; }
    void set_running(bool) override {}
    void wake() override { ++wakes; }
    size_t max_frame() const override { return 65549; }
    bool large_tcp() const override { return large; }
    bool checksums_hold() const override { return valid; }
};

using Bytes = std::vector<uint8_t>;

struct Net : test::VirtioBench {
    static constexpr uint64_t kRoom = kData + 0x40000;

    struct Ring {
        unsigned index;
        uint64_t base;
        uint16_t offered = 0, seen = 0;
        uint64_t descriptors() const { return base; }
        uint64_t available() const { return base + 0x1000; }
        uint64_t used() const { return base + 0x2000; }
    };
    Network network;
    Ring receive{0, test::kGuestRam + 0x1000};
    Ring transmit{1, test::kGuestRam + 0x4000};
    backend::FrameQueue sent{1 << 19}, coming{1 << 19};
    uint64_t accepted = 0;

    Net() { install(std::make_unique<VirtioNet>(&network, control, kAddress)); }

    void start_net(uint64_t wanted = kVersion1 | kMerge | kCsum) {
        accepted = wanted;
        write(0x70, 0);
        write(0x70, 3);
        accept(wanted);
        write(0x70, 0xb);
        REQUIRE(read(0x70) == 0xb);
        for (Ring* ring : {&receive, &transmit}) {
            store_bytes(ring->base, Bytes(0x3000));
            ring->offered = ring->seen = 0;
            write(0x30, ring->index);
            write(0x38, size);
            for (const auto& [at, value] :
                 {std::pair{0x80u, ring->descriptors()}, {0x90u, ring->available()}, {0xa0u, ring->used()}}) {
                write(at, value & 0xffffffff);
                write(at + 4, value >> 32);
            }
            write(0x44, 1);
        }
        write(0x70, 0xf);
    }
    void offer_to(Ring& ring, uint16_t head) {
        store<uint16_t>(ring.available() + 4 + 2 * (ring.offered % size), head);
        store<uint16_t>(ring.available() + 2, ++ring.offered);
    }
    std::vector<Used> used_of(Ring& ring) {
        std::vector<Used> result;
        while (ring.seen != load<uint16_t>(ring.used() + 2)) {
            const uint64_t entry = ring.used() + 4 + 8 * (ring.seen++ % size);
            result.push_back(Used{load<uint32_t>(entry), load<uint32_t>(entry + 4)});
        }
        return result;
    }

    // A header that leaves nothing to the device.
    Bytes header(size_t bytes = 12) { return Bytes(bytes); }
    static Bytes frame_of(size_t size, uint8_t first) {
        Bytes frame(size);
        std::iota(frame.begin(), frame.end(), first);
        return frame;
    }
    void send(const Bytes& head, const Bytes& frame, uint16_t number = 0) {
        Bytes both = head;
        both.insert(both.end(), frame.begin(), frame.end());
        const uint64_t at = kData + number * 0x4000;
        store_bytes(at, both);
        descriptor(transmit.descriptors(), number, at, static_cast<uint32_t>(both.size()), 0);
        offer_to(transmit, number);
    }
    // What the backend's thread does.
    std::vector<Bytes> pull() {
        std::vector<Bytes> frames;
        bool more = true;
        while (more) {
            more = network.client->transmit(sent);
            for (; !sent.empty(); sent.drop_first()) {
                frames.emplace_back(sent.first().begin(), sent.first().end());
            }
        }
        return frames;
    }
    void deliver(const Bytes& frame) {
        std::ranges::copy(frame, coming.add(frame.size()).begin());
        network.client->receive(coming);
    }
    void room(uint16_t number, uint32_t bytes) {
        descriptor(receive.descriptors(), number, kRoom + number * 0x1000, bytes, kWrite);
        offer_to(receive, number);
    }
};

TEST_CASE_METHOD(Net, "a network card: features, address, link") {
    CHECK(read(8) == 1);
    write(0x30, 0);
    CHECK(read(0x34) == 256);
    write(0x30, 1);
    CHECK(read(0x34) == 256);
    write(0x30, 2);
    CHECK(read(0x34) == 0);
    const uint64_t always = kVersion1 | kEventIndex | 1 << 28 | kMac | kStatus | kMerge | kCsum;
    CHECK(features() == (always | kGuestCsum | kTso4));
    network.large = network.valid = false;
    CHECK(features() == always);
    for (unsigned i = 0; i < 6; ++i) {
        CHECK(read(0x100 + i, 1) == kAddress[i]);
    }
    CHECK(read(0x106, 2) == 1);
    CHECK(read(0x108, 4) == 0);
    CHECK(control.errors.empty());
    start_net();
    write(0x100, 1, 1);
    CHECK(control.errors.size() == 1);
    CHECK(read(0x100, 1) == 0x52);
}

TEST_CASE_METHOD(Net, "frames go out without their header, many at a time") {
    start_net();
    network.wakes = 0;
    send(header(), frame_of(60, 1), 0);
    send(header(), frame_of(1514, 7), 1);
    notify(1);
    CHECK(network.wakes == 1);
    CHECK(pull() == std::vector<Bytes>{frame_of(60, 1), frame_of(1514, 7)});
    CHECK(used_of(transmit) == std::vector<Used>{{0, 0}, {1, 0}});
    CHECK(irq());
    CHECK(pull().empty());

    // Cut anywhere: header in two parts, the frame in three.
    Bytes both = header();
    const Bytes frame = frame_of(100, 3);
    both.insert(both.end(), frame.begin(), frame.end());
    store_bytes(kData, both);
    descriptor(transmit.descriptors(), 0, kData, 5, kNext, 1);
    descriptor(transmit.descriptors(), 1, kData + 5, 10, kNext, 2);
    descriptor(transmit.descriptors(), 2, kData + 15, 0, kNext, 3);
    descriptor(transmit.descriptors(), 3, kData + 15, 97, 0);
    offer_to(transmit, 0);
    CHECK(pull() == std::vector<Bytes>{frame});
    CHECK(control.errors.empty());
}

TEST_CASE_METHOD(Net, "the driver that asks for no interrupts gets none, and is asked for notifications") {
    start_net(kVersion1 | kEventIndex);
    store<uint16_t>(transmit.available() + 4 + 2 * size, 1);  // when two were used
    send(header(), frame_of(60, 1));
    pull();
    CHECK(!irq());
    CHECK(load<uint16_t>(transmit.used() + 4 + 8 * size) == 1);
    send(header(), frame_of(60, 1));
    pull();
    CHECK(irq());
}

TEST_CASE_METHOD(Net, "the header has its full length without merged buffers, too") {
    start_net(kVersion1);
    send(header(12), frame_of(64, 9));
    CHECK(pull() == std::vector<Bytes>{frame_of(64, 9)});
    room(0, 1526);
    deliver(frame_of(64, 2));
    CHECK(used_of(receive) == std::vector<Used>{{0, 76}});
    Bytes expected = header();
    expected[10] = 1;  // num_buffers
    CHECK(load_bytes(kRoom, 12) == expected);
    CHECK(load_bytes(kRoom + 12, 64) == frame_of(64, 2));
}

// A transport whose driver agreed on what the test says, and that never fails.
struct Agreed final : VirtioTransport {
    explicit Agreed(Net& one) : net(one), reader(one.space) {
        for (const Net::Ring& ring : {net.receive, net.transmit}) {
            Virtqueue& queue = queues[ring.index];
            queue.set_size(net.size);
            queue.set_descriptors(ring.descriptors());
            queue.set_available(ring.available());
            queue.set_used(ring.used());
            CHECK(queue.enable(0));
        }
    }
    Mutex& mutex() override { return lock; }
    mem::Reader& dma() override { return reader; }
    Virtqueue& queue(unsigned index) override { return queues[index]; }
    bool running() const override { return true; }
    uint64_t negotiated() const override { return features; }
    void used(Virtqueue&) override {}
    void failure(const std::string& reason) override { FAIL(reason); }
    void config_changed() override {}
    Net& net;
    Mutex lock;
    mem::Reader reader;
    Virtqueue queues[2] = {Virtqueue(256), Virtqueue(256)};
    uint64_t features = 0;
};

TEST_CASE_METHOD(Net, "a legacy driver's header is shorter, unless buffers are merged") {
    Agreed agreed(*this);
    VirtioNet card(&network, control, kAddress);
    card.attach(agreed);
    send(header(10), frame_of(64, 9));
    CHECK(pull() == std::vector<Bytes>{frame_of(64, 9)});
    room(0, 1524);
    deliver(frame_of(64, 2));
    CHECK(used_of(receive) == std::vector<Used>{{0, 74}});
    CHECK(load_bytes(kRoom, 10) == Bytes(10));
    CHECK(load_bytes(kRoom + 10, 64) == frame_of(64, 2));

    agreed.features = kMerge;
    room(1, 2000);
    deliver(frame_of(64, 3));
    CHECK(used_of(receive) == std::vector<Used>{{1, 76}});
    CHECK(load_bytes(kRoom + 0x1000 + 12, 64) == frame_of(64, 3));
    // Its driver may set the address.
    card.config_write(5, 1, 0x77);
    CHECK(card.config_read(0, 6) == 0x77bbaa005452);
    CHECK(control.errors.empty());
    card.config_write(5, 2, 0);
    CHECK(control.errors.size() == 1);
    // Until the next.
    card.reset();
    CHECK(card.config_read(0, 6) == 0xccbbaa005452);
}

TEST_CASE_METHOD(Net, "checksums that are left to the device") {
    start_net(kVersion1 | kCsum);
    // RFC 1071's example behind a frame's header: 0001 f203 f4f5 f6f7 sum up to ddf2 with the carries.
    Bytes frame(14);
    for (const uint8_t byte : {0x00, 0x00, 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}) {
        frame.push_back(byte);
    }
    Bytes head = header();
    head[0] = 1;
    head[6] = 14;
    head[8] = 0;
    send(head, frame);
    Bytes expected = frame;
    expected[14] = 0x22;
    expected[15] = 0x0d;
    CHECK(pull() == std::vector<Bytes>{expected});
    // A sum that is zero is sent in its other form.
    frame.resize(14);
    for (const uint8_t byte : {0x12, 0x00, 0xed, 0xff, 0x00}) {
        frame.push_back(byte);
    }
    head[8] = 2;
    send(head, frame);
    expected = frame;
    expected[16] = expected[17] = 0xff;
    CHECK(pull() == std::vector<Bytes>{expected});
    CHECK(control.errors.empty());

    // Outside the frame: dropped, and told. The driver gets its buffer back.
    used_of(transmit);
    for (const auto& [start, offset] : {std::pair{14, 4}, {14, 0xffff}, {20, 0}, {0xffff, 0}, {18, 0}}) {
        head[6] = static_cast<uint8_t>(start);
        head[7] = static_cast<uint8_t>(start >> 8);
        head[8] = static_cast<uint8_t>(offset);
        head[9] = static_cast<uint8_t>(offset >> 8);
        send(head, frame);
        CHECK(pull().empty());
        CHECK(used_of(transmit).size() == 1);
    }
    CHECK(control.errors.size() == 5);
    CHECK(!needs_reset());
    control.errors.clear();
    start_net(kVersion1);
    head = header();
    head[0] = 1;
    send(head, frame_of(60, 0));
    CHECK(pull().empty());
    CHECK(control.errors.size() == 1);
}

TEST_CASE("checksums of any frame, against the sum by bytes") {
    INFO("WEFT_TEST_SEED=" << weft::test::test_seed());
    weft::test::Random random(weft::test::test_seed());
    for (int round = 0; round < 2000; ++round) {
        Bytes frame(16 + random.below(200));
        for (uint8_t& byte : frame) {
            byte = static_cast<uint8_t>(random.below(256));
        }
        const size_t start = random.below(8);
        const size_t offset = random.below(7);
        uint32_t sum = 0;
        for (size_t i = start; i < frame.size(); ++i) {
            sum += (i - start) % 2 == 0 ? uint32_t{frame[i]} << 8 : frame[i];
        }
        while (sum >> 16 != 0) {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        uint16_t expected = static_cast<uint16_t>(~sum);
        expected = expected == 0 ? 0xffff : expected;
        REQUIRE(complete_checksum(frame, start, offset));
        REQUIRE(frame[start + offset] == expected >> 8);
        REQUIRE(frame[start + offset + 1] == (expected & 0xff));
    }
}

TEST_CASE_METHOD(Net, "large packets of TCP, where that was agreed on") {
    start_net(kVersion1 | kCsum | kTso4);
    Bytes head = header();
    head[0] = 1;
    head[1] = 1;
    head[2] = 54;
    head[4] = 0xb4;
    head[5] = 0x05;
    head[6] = 34;
    head[8] = 16;
    const Bytes large = frame_of(40000, 5);
    send(head, large);
    const auto frames = pull();
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].size() == large.size());
    // Without a type of segmentation it is a frame that no wire carries.
    head[1] = 0;
    send(head, large);
    CHECK(pull().empty());
    // IPv6's, UDP's, and one without a checksum.
    for (const uint8_t type : {4, 3, 5, 0x81}) {
        head[1] = type;
        send(head, large);
        CHECK(pull().empty());
    }
    head[0] = 0;
    head[1] = 1;
    send(head, large);
    CHECK(pull().empty());
    CHECK(control.errors.size() == 6);
    // Not agreed on.
    start_net(kVersion1 | kCsum);
    head[0] = 1;
    send(head, frame_of(1000, 0));
    CHECK(pull().empty());
    CHECK(!needs_reset());
}

TEST_CASE_METHOD(Net, "frames of a size that cannot be are dropped") {
    start_net();
    for (const size_t count : {size_t{0}, size_t{13}, size_t{1519}, size_t{9000}}) {
        send(header(), Bytes(count));
        CHECK(pull().empty());
        CHECK(used_of(transmit).size() == 1);
    }
    CHECK(control.errors.size() == 4);
    send(header(), Bytes(1518));
    CHECK(pull().size() == 1);
}

TEST_CASE_METHOD(Net, "frames come in with a header, into one buffer or several") {
    start_net(kVersion1 | kMerge | kGuestCsum);
    room(0, 1536);
    deliver(frame_of(60, 4));
    CHECK(used_of(receive) == std::vector<Used>{{0, 72}});
    Bytes head = header();
    head[0] = 2;  // DATA_VALID
    head[10] = 1;
    CHECK(load_bytes(kRoom, 12) == head);
    CHECK(load_bytes(kRoom + 12, 60) == frame_of(60, 4));
    CHECK(irq());
    CHECK(coming.empty());

    room(1, 100);
    room(2, 50);
    room(3, 4000);
    const Bytes frame = frame_of(1000, 9);
    deliver(frame);
    CHECK(used_of(receive) == std::vector<Used>{{1, 100}, {2, 50}, {3, 862}});
    head[10] = 3;
    CHECK(load_bytes(kRoom + 0x1000, 12) == head);
    CHECK(load_bytes(kRoom + 0x1000 + 12, 88) == Bytes(frame.begin(), frame.begin() + 88));
    CHECK(load_bytes(kRoom + 0x2000, 50) == Bytes(frame.begin() + 88, frame.begin() + 138));
    CHECK(load_bytes(kRoom + 0x3000, 862) == Bytes(frame.begin() + 138, frame.end()));
    CHECK(control.errors.empty());
}

TEST_CASE_METHOD(Net, "frames wait for buffers, and come in order") {
    start_net();
    deliver(frame_of(60, 1));
    deliver(frame_of(61, 2));
    CHECK(coming.count() == 2);
    CHECK(used_of(receive).empty());
    // Part of the room for the first: it waits for the rest.
    room(0, 40);
    network.wakes = 0;
    notify(0);
    CHECK(network.wakes == 1);
    network.client->receive(coming);
    CHECK(coming.count() == 2);
    CHECK(used_of(receive).empty());
    room(1, 2000);
    room(2, 2000);
    network.client->receive(coming);
    CHECK(coming.empty());
    CHECK(used_of(receive) == std::vector<Used>{{0, 40}, {1, 32}, {2, 73}});
    CHECK(load_bytes(kRoom + 0x2000 + 12, 61) == frame_of(61, 2));
}

TEST_CASE_METHOD(Net, "without merged buffers a frame that does not fit its buffer is dropped") {
    start_net(kVersion1);
    room(0, 50);
    room(1, 2000);
    deliver(frame_of(60, 1));
    CHECK(coming.empty());
    CHECK(control.errors.size() == 1);
    CHECK(used_of(receive).empty());
    // The buffer is there for what fits.
    deliver(frame_of(30, 2));
    CHECK(used_of(receive) == std::vector<Used>{{0, 42}});
    deliver(frame_of(60, 3));
    CHECK(used_of(receive) == std::vector<Used>{{1, 72}});
    CHECK(load_bytes(kRoom + 0x1000 + 12, 60) == frame_of(60, 3));
}

TEST_CASE_METHOD(Net, "a frame that is larger than all the driver's buffers together is dropped") {
    start_net();
    for (uint16_t i = 0; i < size; ++i) {
        room(i, 20);
    }
    deliver(frame_of(20 * size, 1));
    CHECK(coming.empty());
    CHECK(control.errors.size() == 1);
    CHECK(used_of(receive).empty());
    // All of them are there for what fits.
    deliver(frame_of(28, 2));
    CHECK(used_of(receive) == std::vector<Used>{{0, 20}, {1, 20}});
    CHECK(load<uint16_t>(kRoom + 10) == 2);
    deliver(frame_of(8, 3));
    CHECK(used_of(receive) == std::vector<Used>{{2, 20}});
    CHECK(load_bytes(kRoom + 0x2000 + 12, 8) == frame_of(8, 3));
}

TEST_CASE_METHOD(Net, "a driver that is not there gets nothing, and finds nothing later") {
    deliver(frame_of(60, 1));
    CHECK(coming.empty());
    start_net();
    room(0, 40);
    deliver(frame_of(60, 2));
    CHECK(coming.count() == 1);
    // A reset between: the buffer that was taken is nobody's.
    start_net();
    store_bytes(kRoom, Bytes(60, 0xee));
    room(3, 2000);
    network.client->receive(coming);
    CHECK(used_of(receive) == std::vector<Used>{{3, 72}});
    CHECK(load_bytes(kRoom, 60) == Bytes(60, 0xee));
    CHECK(network.client->restarted());
    CHECK_FALSE(network.client->restarted());
    network.wakes = 0;
    write(0x70, 0);
    CHECK(network.wakes == 1);
    CHECK(network.client->restarted());
    deliver(frame_of(60, 3));
    CHECK(coming.empty());
    CHECK(pull().empty());
}

TEST_CASE_METHOD(Net, "a guest that breaks the rules is told to reset") {
    const auto broken = [&](const std::function<void()>& set_up) {
        control.errors.clear();
        start_net();
        set_up();
        pull();
        coming.clear();
        deliver(frame_of(60, 1));
        CHECK(control.errors.size() == 1);
        CHECK(pull().empty());
        return needs_reset();
    };
    const uint64_t out = transmit.descriptors();
    const uint64_t in = receive.descriptors();
    const uint64_t end = test::kGuestRam + test::kGuestRamSize;
    const auto sends = [&] { offer_to(transmit, 0); };
    const auto takes = [&] { offer_to(receive, 0); };
    CHECK(broken([&] { descriptor(out, 0, kData, 11, 0), sends(); }));
    CHECK(broken([&] { descriptor(out, 0, kData, 100, kWrite), sends(); }));
    CHECK(broken([&] { descriptor(out, 0, end - 6, 100, 0), sends(); }));
    CHECK(broken([&] { descriptor(out, 0, end - 20, 100, 0), sends(); }));
    CHECK(broken([&] { descriptor(out, 0, kData, 100, kNext, 0), sends(); }));
    CHECK(broken([&] { store<uint16_t>(transmit.available() + 2, 100); }));
    CHECK(broken([&] { descriptor(in, 0, kRoom, 2000, 0), takes(); }));
    CHECK(broken([&] { descriptor(in, 0, kRoom, 11, kWrite), takes(); }));
    CHECK(broken([&] { descriptor(in, 0, end - 6, 2000, kWrite), takes(); }));
    CHECK(broken([&] { descriptor(in, 0, end - 20, 2000, kWrite), takes(); }));
    CHECK(broken([&] { store<uint16_t>(receive.available() + 2, 100); }));
    control.errors.clear();
    start_net();
    room(0, 2000);
    coming.clear();
    deliver(frame_of(60, 1));
    CHECK(used_of(receive).size() == 1);
}

TEST_CASE_METHOD(Net, "a card that is not plugged in says so, and sends into nothing") {
    install(std::make_unique<VirtioNet>(nullptr, control, kAddress));
    CHECK(features() == (kVersion1 | kEventIndex | 1 << 28 | kMac | kStatus | kMerge | kCsum));
    CHECK(read(0x106, 2) == 0);
    start_net();
    send(header(), frame_of(60, 1), 0);
    send(header(), frame_of(60, 1), 1);
    notify(1);
    CHECK(control.work() == 1);
    CHECK(used_of(transmit) == std::vector<Used>{{0, 0}, {1, 0}});
    send(header(), frame_of(60, 1), 2);
    notify(1);
    CHECK(control.work() == 1);
    CHECK(used_of(transmit) == std::vector<Used>{{2, 0}});
    notify(0);
    CHECK(control.errors.empty());
}

TEST_CASE_METHOD(Net, "the guest and the backend's thread at once") {
    // The guest starts anew again and again, in the middle of frames both ways.
    start_net();
    std::atomic<bool> done = false;
    std::atomic<uint64_t> moved = 0;
    std::thread thread([&] {
        backend::FrameQueue out(1 << 19);
        backend::FrameQueue in(1 << 19);
        while (!done) {
            network.client->transmit(out);
            for (; !out.empty(); out.drop_first()) {
                moved += out.first().size() == 200 ? 1 : 0;
            }
            if (in.empty()) {
                std::ranges::fill(in.add(100), uint8_t{7});
            }
            network.client->receive(in);
        }
    });
    for (int round = 0; round < 200; ++round) {
        for (uint16_t i = 0; i < 8; ++i) {
            room(i, 60);
            send(header(), frame_of(200, 1), i);
        }
        notify(1);
        notify(0);
        const uint64_t before = moved;
        while (round % 8 == 0 && moved == before && load<uint16_t>(transmit.used() + 2) == 0) {
            std::this_thread::yield();
        }
        start_net();
    }
    done = true;
    thread.join();
    CHECK(moved > 0);
    CHECK(control.errors.empty());
}

TEST_CASE("frames wait in one piece of memory, in order") {
    backend::FrameQueue queue(100);
    CHECK(queue.has_room(100));
    CHECK(!queue.has_room(101));
    uint8_t next = 0;
    uint8_t expected = 0;
    for (int round = 0; round < 50; ++round) {
        while (queue.has_room(30)) {
            std::ranges::fill(queue.add(30), next++);
        }
        CHECK(queue.count() == 3);
        for (int i = 0; i < 2; ++i) {
            const std::span<const uint8_t> first = queue.first();
            REQUIRE(Bytes(first.begin(), first.end()) == Bytes(30, expected++));
            queue.drop_first();
        }
    }
    std::ranges::fill(queue.add(10), uint8_t{1});
    queue.drop_last();
    CHECK(queue.bytes() == 30);
    queue.clear();
    CHECK(queue.empty());
    CHECK(queue.has_room(100));
}

}  // namespace
}  // namespace weft::hw
