// The console device with its ports, driven as a guest does it (virtio 1.2, section 5.3).
#include "emulator/hw/virtio/serial.h"

#include <map>

#include "emulator/saved/fields.h"
#include "tests/hw/virtio_driver.h"

namespace weft::hw {
namespace {

using test::kGuestRam;

// A line that may be full, and says who comes and goes.
struct Line : test::FakeChar {
    bool full = false;
    bool write_whole(std::span<const uint8_t> data) override {
        if (full) {
            return false;
        }
        write(data);
        return true;
    }
};

struct Control {
    uint32_t port;
    uint16_t event, value;
    std::string text = {};
    bool operator==(const Control&) const = default;
};

enum : uint16_t { kReady = 0, kAdd = 1, kPortReady = 3, kConsole = 4, kOpen = 6, kName = 7 };

// A driver with several queues, each with places of its own.
struct Serial : test::VirtioBench {
    static constexpr unsigned kToDriver = 2, kFromDriver = 3;
    struct Ring {
        uint16_t available = 0, used = 0;
    };
    std::map<unsigned, Ring> rings;
    Line console, agent;

    static uint64_t ring_at(unsigned queue) { return kGuestRam + 0x10000 + queue * 0x4000; }
    static uint64_t buffer_at(unsigned queue, unsigned index) {
        return kGuestRam + 0x200000 + queue * 0x10000 + index * 0x2000;
    }

    Serial() {
        install(std::make_unique<VirtioSerial>(
            std::vector<SerialPortConfig>{
                {.number = 0, .console = true, .name = "", .backend = &console},
                {.number = 3, .console = false, .name = "org.example.agent", .backend = &agent},
                {.number = 4, .console = false, .name = "", .backend = nullptr}},
            31, true, control));
    }
    static constexpr uint64_t kWanted = uint64_t{1} << 32 | VirtioSerial::kFeatureMultiport;
    void begin(uint64_t wanted = kWanted) {
        rings.clear();
        write(0x70, 0);
        write(0x70, 1);
        write(0x70, 3);
        accept(wanted);
        write(0x70, 0xb);
        REQUIRE(read(0x70) == 0xb);
        // The last one is of a port that there is not: drivers set up all that there may be.
        for (const unsigned index : {0u, 1u, 2u, 3u, 8u, 9u, 10u, 11u, 12u}) {
            store_bytes(ring_at(index), std::vector<uint8_t>(0x3000));
            write(0x30, index);
            write(0x38, size);
            for (const auto& [at, value] : {std::pair{0x80u, ring_at(index)},
                                            {0x90u, ring_at(index) + 0x1000},
                                            {0xa0u, ring_at(index) + 0x2000}}) {
                write(at, value & 0xffffffff);
                write(at + 4, value >> 32);
            }
            write(0x44, 1);
        }
        write(0x70, 0xf);
    }
    void put(unsigned queue, uint64_t address, uint32_t length, uint16_t flags) {
        Ring& ring = rings[queue];
        const uint16_t index = ring.available % size;
        descriptor(ring_at(queue), index, address, length, flags);
        store<uint16_t>(ring_at(queue) + 0x1000 + 4 + 2 * index, index);
        store<uint16_t>(ring_at(queue) + 0x1000 + 2, ++ring.available);
        write(0x50, queue);
    }
    void room(unsigned queue, uint32_t length = 64) {
        put(queue, buffer_at(queue, rings[queue].available % size), length, kWrite);
    }
    void send(unsigned queue, const std::string& text) {
        const uint64_t at = buffer_at(queue, rings[queue].available % size);
        store_bytes(at, std::vector<uint8_t>(text.begin(), text.end()));
        put(queue, at, static_cast<uint32_t>(text.size()), 0);
    }
    void tell(const Control& message) {
        std::string bytes(8, '\0');
        std::memcpy(bytes.data(), &message.port, 4);
        std::memcpy(bytes.data() + 4, &message.event, 2);
        std::memcpy(bytes.data() + 6, &message.value, 2);
        send(kFromDriver, bytes);
    }
    // What the device put into the queue's buffers since it was last asked.
    std::vector<std::string> taken(unsigned queue) {
        std::vector<std::string> texts;
        Ring& ring = rings[queue];
        while (ring.used != load<uint16_t>(ring_at(queue) + 0x2000 + 2)) {
            const uint64_t entry = ring_at(queue) + 0x2000 + 4 + 8 * (ring.used++ % size);
            const std::vector<uint8_t> bytes =
                load_bytes(buffer_at(queue, load<uint32_t>(entry)), load<uint32_t>(entry + 4));
            texts.emplace_back(bytes.begin(), bytes.end());
        }
        return texts;
    }
    std::vector<Control> told() {
        std::vector<Control> messages;
        for (const std::string& bytes : taken(kToDriver)) {
            REQUIRE(bytes.size() >= 8);
            Control message{};
            std::memcpy(&message.port, bytes.data(), 4);
            std::memcpy(&message.event, bytes.data() + 4, 2);
            std::memcpy(&message.value, bytes.data() + 6, 2);
            message.text = bytes.substr(8);
            messages.push_back(message);
        }
        return messages;
    }
    void offer_control_room() {
        for (unsigned i = 0; i < size; ++i) {
            room(kToDriver);
        }
    }
};

TEST_CASE_METHOD(Serial, "the device: its queues, features and configuration") {
    CHECK(read(8) == 3);
    CHECK((features() & 7) == 6);
    CHECK(read(0x100) == 0);
    CHECK(read(0x104) == 31);
    write(0x30, 63);
    CHECK(read(0x34) == 128);
    write(0x30, 64);
    CHECK(read(0x34) == 0);
    // A character at any time.
    write(0x108, 'x');
    CHECK(console.written == "x");
    write(0x104, 1);
    CHECK(control.errors.size() == 1);
}

TEST_CASE_METHOD(Serial, "ports are announced, and what they are") {
    begin();
    offer_control_room();
    tell({UINT32_MAX, kReady, 1});
    CHECK(told() == std::vector<Control>{{0, kAdd, 1}, {3, kAdd, 1}, {4, kAdd, 1}});
    tell({0, kPortReady, 1});
    CHECK(told() == std::vector<Control>{{0, kConsole, 1}, {0, kOpen, 1}});
    tell({3, kPortReady, 1});
    CHECK(told() == std::vector<Control>{{3, kName, 1, "org.example.agent"}});
    for (unsigned i = 0; i < 5; ++i) {
        room(kToDriver);
    }
    tell({4, kPortReady, 1});
    CHECK(told().empty());
    // Somebody comes to the line, and goes.
    agent.receiver->opened();
    agent.receiver->opened();
    CHECK(told() == std::vector<Control>{{3, kOpen, 1}});
    agent.receiver->closed();
    CHECK(told() == std::vector<Control>{{3, kOpen, 0}});
    // A console is open whoever is there.
    console.receiver->opened();
    console.receiver->closed();
    CHECK(told().empty());
    CHECK(control.errors.empty());
    CHECK_FALSE(needs_reset());
}

TEST_CASE_METHOD(Serial, "messages wait for room, and are cut to it") {
    begin();
    tell({0, kReady, 1});
    tell({3, kPortReady, 1});
    CHECK(told().empty());
    offer_control_room();
    CHECK(told().size() == 4);
    tell({3, kPortReady, 1});
    CHECK(told() == std::vector<Control>{{3, kName, 1, "org.example.agent"}});
    while (rings[kToDriver].available % size != 0) {
        room(kToDriver);
    }
    begin();
    room(kToDriver, 11);
    tell({3, kPortReady, 1});
    CHECK(told() == std::vector<Control>{{3, kName, 1, "org"}});
    room(kToDriver, 7);
    tell({3, kPortReady, 1});
    CHECK(needs_reset());
}

TEST_CASE_METHOD(Serial, "output goes to the line; where nobody is there it is lost") {
    begin();
    send(1, "hello");
    CHECK(console.written == "hello");
    CHECK(taken(1).size() == 1);
    CHECK(irq());
    send(9, "lost");
    CHECK(agent.written.empty());
    CHECK(taken(9).size() == 1);
    agent.receiver->opened();
    send(9, std::string(8000, 'y'));
    CHECK(agent.written == std::string(8000, 'y'));
    send(11, "nowhere");
    CHECK(taken(11).size() == 1);
    CHECK(control.errors.empty());
}

TEST_CASE_METHOD(Serial, "a line that is full keeps the output waiting, and loses none") {
    begin();
    console.full = true;
    send(1, "one");
    send(1, "two");
    CHECK(taken(1).empty());
    CHECK(control.timer_count() == 1);
    control.advance(VirtioSerial::kRetryNs);
    CHECK(taken(1).empty());
    console.full = false;
    control.advance(VirtioSerial::kRetryNs);
    CHECK(console.written == "onetwo");
    CHECK(taken(1).size() == 2);
    control.advance(VirtioSerial::kRetryNs);
    CHECK(control.timer_count() == 0);
    // A driver that resets takes back what waits.
    console.full = true;
    send(1, "never");
    begin();
    console.full = false;
    control.advance(VirtioSerial::kRetryNs);
    send(1, "!");
    CHECK(console.written == "onetwo!");
}

TEST_CASE_METHOD(Serial, "input waits until the port is open and there is room") {
    begin();
    CHECK(console.receiver->can_receive() == 0);
    tell({0, kOpen, 1});
    CHECK(console.receiver->can_receive() == 0);
    const int before = console.accepted;
    room(0, 4);
    CHECK(console.accepted > before);
    CHECK(console.receiver->can_receive() == 4);
    console.type("ab");
    CHECK(taken(0) == std::vector<std::string>{"ab"});
    CHECK(console.receiver->can_receive() == 0);
    room(0, 8192);
    CHECK(console.receiver->can_receive() == 4096);
    tell({0, kOpen, 0});
    CHECK(console.receiver->can_receive() == 0);
    tell({0, kOpen, 1});
    console.type("cd");
    CHECK(taken(0) == std::vector<std::string>{"cd"});
    // The room of a driver that has gone is nobody's.
    room(0, 4);
    CHECK(console.receiver->can_receive() == 4);
    begin();
    CHECK(console.receiver->can_receive() == 0);
    tell({0, kOpen, 1});
    CHECK(console.receiver->can_receive() == 0);
    console.type("lost");
    room(0, 4);
    CHECK(taken(0).empty());
}

// The device and the guest's memory of one machine in another.
void carry_over(Serial& from, Serial& to) {
    REQUIRE(from.slot->why_not_saved() == nullptr);
    saved::FieldWriter writer;
    from.slot->visit_state(writer);
    const auto bytes = writer.take();
    REQUIRE(bytes);
    saved::FieldReader reader(StateVisitor::Purpose::load, *bytes);
    to.slot->visit_state(reader);
    REQUIRE(reader.finish());
    std::memcpy(to.ram->host(), from.ram->host(), test::kGuestRamSize);
    to.rings = from.rings;
}

TEST_CASE("what a console's ports had taken goes on where they were saved") {
    Serial one;
    one.begin();
    one.tell({0, kOpen, 1});
    one.room(0, 4);
    CHECK(one.console.receiver->can_receive() == 4);
    one.console.full = true;
    one.send(1, "first");
    one.send(1, "second");
    one.tell({UINT32_MAX, kReady, 1});  // and there is no room for answers
    Serial other;
    carry_over(one, other);
    CHECK(other.console.receiver->can_receive() == 4);
    other.console.type("ab");
    CHECK(other.taken(0) == std::vector<std::string>{"ab"});
    CHECK(other.console.written.empty());
    other.control.advance(VirtioSerial::kRetryNs);
    CHECK(other.console.written == "firstsecond");
    other.offer_control_room();
    CHECK(other.told() == std::vector<Control>{{0, kAdd, 1}, {3, kAdd, 1}, {4, kAdd, 1}});
    CHECK(other.control.errors.empty());
}

TEST_CASE("a driver is told who is at the other end where it was loaded") {
    Serial one;
    one.begin();
    one.agent.receiver->opened();
    one.offer_control_room();
    CHECK(one.told().size() == 1);
    // Nobody there.
    Serial other;
    carry_over(one, other);
    CHECK(other.told().empty());
    other.control.advance(VirtioSerial::kRetryNs);
    CHECK(other.told() == std::vector<Control>{{3, kOpen, 0}});
    // And somebody again.
    Serial third;
    third.agent.receiver->opened();
    carry_over(other, third);
    third.control.advance(VirtioSerial::kRetryNs);
    CHECK(third.told() == std::vector<Control>{{3, kOpen, 1}});
    // The same on both: nothing is said.
    Serial fourth;
    fourth.agent.receiver->opened();
    carry_over(third, fourth);
    fourth.control.advance(VirtioSerial::kRetryNs);
    CHECK(fourth.told().empty());
}

TEST_CASE_METHOD(Serial, "a driver without several ports has the first one, open from the start") {
    begin(uint64_t{1} << 32);
    room(0, 4);
    CHECK(console.receiver->can_receive() == 4);
    console.type("ab");
    CHECK(taken(0) == std::vector<std::string>{"ab"});
    send(1, "out");
    CHECK(console.written == "out");
    agent.receiver->opened();
    offer_control_room();
    CHECK(told().empty());
    tell({0, kReady, 1});
    CHECK(told().empty());
    CHECK(control.errors.size() == 1);
}

TEST_CASE_METHOD(Serial, "control messages that are none") {
    begin();
    CHECK(control.errors.empty());
    offer_control_room();
    tell({7, kPortReady, 1});
    CHECK(control.errors.back() == "virtio-serial: a control message of port 7, which there is not");
    tell({0, 99, 1});
    CHECK(control.errors.back() == "virtio-serial: control message 99, which is none of a driver's");
    tell({0, kPortReady, 0});
    tell({0, kReady, 0});
    CHECK(told().empty());
    CHECK_FALSE(needs_reset());
    send(kFromDriver, "short");
    CHECK(needs_reset());
    begin();
    room(0, 0);
    tell({0, kOpen, 1});
    CHECK(console.receiver->can_receive() == 0);
    CHECK(needs_reset());
}

TEST_CASE_METHOD(Serial, "messages that nobody takes are bounded") {
    begin();
    for (unsigned i = 0; i < VirtioSerial::kMaxWaiting / 3 + 2; ++i) {
        tell({0, kReady, 1});
    }
    CHECK_FALSE(control.errors.empty());
    CHECK(control.errors.back() == "virtio-serial: the driver takes no control messages; one is lost");
}

std::string check(const std::vector<std::string>& ports, const char* device = "max_ports=4") {
    auto config = DeviceConfig::parse(kVirtioSerialType, parse_key_values(device, false)->items);
    REQUIRE(config);
    for (const std::string& port : ports) {
        const auto list = parse_key_values(port, true);
        const DeviceType& type = *list->head == "c" ? kVirtConsoleType : kVirtSerialPortType;
        config->children().push_back(DeviceConfig::parse(type, list->items).value());
    }
    const Result<> fits = kVirtioSerialType.check(*config);
    return fits ? "" : fits.error().message();
}

TEST_CASE("numbers of ports") {
    CHECK(check({"c", "p", "p", "p"}).empty());
    CHECK(check({"p", "p", "p", "c"}).empty());
    // Port 0 is kept for a console.
    CHECK(check({"p", "p", "p", "p"}) ==
          "device 'virtserialport': none of 4 ports is free (port 0 is a console's)");
    CHECK(check({"p,nr=0", "p", "p", "p"}).empty());
    CHECK(check({"c", "c", "c", "c"}).empty());
    CHECK(check({"c", "p,nr=0"}).empty());
    CHECK(check({"p,nr=2", "p,nr=2"}) == "device 'virtserialport': nr=2 is given to two ports");
    CHECK(check({"p,nr=4"}) == "device 'virtserialport': nr is below max_ports=4, not 4");
    CHECK(check({"p"}, "max_ports=1").empty());
    CHECK(check({"c", "p"}, "max_ports=1") == "device 'virtserialport': none of 1 ports is free");
}

}  // namespace
}  // namespace weft::hw
