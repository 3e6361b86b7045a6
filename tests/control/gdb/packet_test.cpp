// Packets as bytes: what is taken, and what is not.
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "emulator/control/gdb/packet.h"

using namespace weft::control::gdb;
using Event = PacketReader::Event;

namespace {

std::vector<Event> feed(PacketReader& reader, const std::string& bytes) {
    std::vector<Event> events;
    for (const char byte : bytes) {
        const Event event = reader.feed(static_cast<uint8_t>(byte));
        if (event != Event::none) {
            events.push_back(event);
        }
    }
    return events;
}

}  // namespace

// The examples' checksums are of the manual's: "$m0,4#fd" and "$OK#9a".
TEST_CASE("packets end by their checksum") {
    PacketReader reader;
    CHECK(feed(reader, "$m0,4#fd") == std::vector{Event::packet});
    CHECK(reader.packet() == "m0,4");
    CHECK(feed(reader, "$OK#9A") == std::vector{Event::packet});
    CHECK(feed(reader, "$#00") == std::vector{Event::packet});
    CHECK(reader.packet().empty());
    CHECK(feed(reader, "$OK#9b") == std::vector{Event::damaged});
    CHECK(feed(reader, "$OK#g0") == std::vector{Event::damaged});
    CHECK(feed(reader, "$OK#9g") == std::vector{Event::damaged});
}

TEST_CASE("between packets there are acknowledgements, interrupts and noise") {
    PacketReader reader;
    CHECK(feed(reader, "+x-\3#12") == std::vector{Event::ack, Event::resend, Event::interrupt});
    // Within a packet they are bytes of it.
    CHECK(feed(reader, "$+\3#2e") == std::vector{Event::packet});
    CHECK(reader.packet() == "+\3");
}

TEST_CASE("a dollar begins anew") {
    PacketReader reader;
    CHECK(feed(reader, "$m0,4$OK#9a") == std::vector{Event::packet});
    CHECK(reader.packet() == "OK");
}

TEST_CASE("escapes are undone, and one at the end is an error") {
    PacketReader reader;
    CHECK(feed(reader, framed("a#$}*b")) == std::vector{Event::packet});
    CHECK(reader.packet() == "a#$}*b");
    CHECK(framed("a#b") ==
          "$a}\x03"
          "b#43");
    CHECK(feed(reader, "$a}#de") == std::vector{Event::damaged});
}

TEST_CASE("too long a packet is damaged, and the next one is taken") {
    PacketReader reader;
    CHECK(feed(reader, framed(std::string(kMostPacket, 'a'))) == std::vector{Event::packet});
    CHECK(feed(reader, framed(std::string(kMostPacket + 1, 'a'))) == std::vector{Event::damaged});
    CHECK(feed(reader, "$OK#9a") == std::vector{Event::packet});
}

TEST_CASE("all bytes come through") {
    std::string all;
    for (int byte = 0; byte < 256; ++byte) {
        all.push_back(static_cast<char>(byte));
    }
    PacketReader reader;
    CHECK(feed(reader, framed(all)) == std::vector{Event::packet});
    CHECK(reader.packet() == all);
    CHECK(from_hex(to_hex(all)) == all);
}

TEST_CASE("hex is strict") {
    CHECK(from_hex("0aF") == std::nullopt);
    CHECK(from_hex("0g") == std::nullopt);
    CHECK(hex_number("ffffffffffffffff") == UINT64_MAX);
    for (const char* text : {"", "-1", "0x1", "10000000000000000", " 1", "1 ", "g"}) {
        CHECK(hex_number(text) == std::nullopt);
    }
    std::string_view rest = "a,b";
    CHECK(take_until(rest, ',') == "a");
    CHECK(take_until(rest, ',') == "b");
    CHECK(take_until(rest, ',').empty());
}
