// What -device takes, from the tables: of a made-up device with a property of each kind, and of those there are.
#include "emulator/hw/core/device_type.h"

#include <array>
#include <catch2/catch.hpp>

#include "emulator/hw/device_types.h"
#include "tests/hw/support.h"

namespace weft::hw {
namespace {

constexpr DeviceProperty kProperties[] = {
    {"drive", PropertyKind::drive, nullptr, 0, 0, "its image"},
    {"label", PropertyKind::text, "none", 0, 4, "its name"},
    {"queues", PropertyKind::number, "2", 1, 8, "how many"},
    {"fast", PropertyKind::on_off, "off", 0, 0, "whether it is"},
    {"size", PropertyKind::power_of_two, "4", 2, 16, "how large"},
    {"limit", PropertyKind::number, "", 1, 9, "how much; none: no limit"},
    {"mood", PropertyKind::on_off_auto, "auto", 0, 0, "how it feels"},
    {"way", PropertyKind::accepted, "fast|slow", 0, 0, "accepted"},
    {"luck", PropertyKind::rng, "", 0, 0, "where from"},
};
constexpr DeviceType kToy = {"toy", Bus::virtio, "a toy", kProperties, nullptr};

Result<DeviceConfig> parse(const char* text) {
    return DeviceConfig::parse(kToy, parse_key_values(text, false)->items);
}

std::string error(const char* text) {
    const auto config = parse(text);
    return config ? "no error" : config.error().message();
}

TEST_CASE("defaults, and what is given over them, by kind") {
    const auto plain = parse("drive=d0,id=x");
    REQUIRE(plain);
    CHECK(plain->drive_id() == "d0");
    CHECK(plain->bus().empty());
    CHECK(parse("drive=d0,bus=b.1")->bus() == "b.1");
    CHECK(DeviceConfig::check(kToy, {"label", "abcd"}));
    CHECK_FALSE(DeviceConfig::check(kToy, {"label", "abcde"}));
    CHECK(plain->text("label") == "none");
    CHECK(plain->number("queues") == 2);
    CHECK_FALSE(plain->on("fast"));
    CHECK(plain->number("size") == 4);
    CHECK_FALSE(plain->optional_number("limit"));
    CHECK_FALSE(plain->on_off_auto("mood"));
    CHECK(parse("drive=d0,limit=9")->optional_number("limit") == 9);
    CHECK(parse("drive=d0,mood=off,mood=on,way=slow")->on_off_auto("mood") == true);
    CHECK(plain->reference(PropertyKind::rng).empty());
    CHECK(plain->rng() == nullptr);
    CHECK(parse("drive=d0,luck=r1")->reference(PropertyKind::rng) == "r1");
    const auto full = parse("fast,label=a,queues=0x8,drive=d0,drive=d1,label=abcd");
    REQUIRE(full);
    CHECK(full->drive_id() == "d1");
    CHECK(full->text("label") == "abcd");
    CHECK(full->number("queues") == 8);
    CHECK(full->on("fast"));
    test::FakeDisk disk(512);
    DeviceConfig connected = *full;
    connected.connect(disk);
    CHECK(&connected.drive() == &disk);
}

TEST_CASE("what a device does not take is an error that says what it does") {
    CHECK(error("label=a") == "device 'toy' needs drive=ID");
    CHECK(error("drive") == "'drive' needs a value");
    CHECK(error("drive=") == "'drive' needs a value");
    CHECK(error("drive=d,id=") == "'id' needs a value");
    CHECK(error("drive=d,colour=red") == "device 'toy' has no property 'colour'");
    CHECK(error("drive=d,label=abcde") == "device 'toy': label is up to 4 bytes, not 'abcde'");
    CHECK(error("drive=d,queues=0") == "device 'toy': queues is a number from 1 to 8, not '0'");
    CHECK(error("drive=d,queues=9") == "device 'toy': queues is a number from 1 to 8, not '9'");
    CHECK(error("drive=d,queues=x") == "device 'toy': queues is a number from 1 to 8, not 'x'");
    CHECK(error("drive=d,size=6") == "device 'toy': size is a power of two from 2 to 16, not '6'");
    CHECK(error("drive=d,size=32") == "device 'toy': size is a power of two from 2 to 16, not '32'");
    CHECK(error("drive=d,limit=0") == "device 'toy': limit is a number from 1 to 9, not '0'");
    CHECK(error("drive=d,limit=") == "'limit' needs a value");
    CHECK(error("drive=d,mood=low") == "device 'toy': mood is on, off or auto, not 'low'");
    CHECK(error("drive=d,way=back") == "device 'toy': way is fast|slow, not 'back'");
    CHECK(error("drive=d,fast=2") == "device 'toy': fast is on or off, not '2'");
}

TEST_CASE("help lists devices and properties") {
    const std::array<const DeviceType*, 1> types = {&kToy};
    CHECK(device_types_text(types) ==
          "Devices ('NAME,help' lists their properties):\nname \"toy\", bus virtio-bus, desc \"a toy\"\n");
    CHECK(device_properties_text(kToy) ==
          "toy: a toy\n"
          "  drive=<the id of a -drive> (must be given)\n      its image\n"
          "  label=<up to 4 bytes> (default: none)\n      its name\n"
          "  queues=<a number from 1 to 8> (default: 2)\n      how many\n"
          "  fast=<on or off> (default: off)\n      whether it is\n"
          "  size=<a power of two from 2 to 16> (default: 4)\n      how large\n"
          "  limit=<a number from 1 to 9> (default: none)\n      how much; none: no limit\n"
          "  mood=<on, off or auto> (default: auto)\n      how it feels\n"
          "  way=<fast|slow>\n      accepted\n"
          "  luck=<the id of an -object that gives random bytes> (default: none)\n      where from\n"
          "  id=<any name>\n      what the device is called\n"
          "  bootindex=<a number>\n      accepted, the board's firmware does not ask\n"
          "  bus=<a bus of the board's>\n      where the device goes\n");
}

TEST_CASE("the devices there are have defaults that hold, and one reference of a kind at most") {
    for (const DeviceType* type : device_types()) {
        INFO(type->name);
        CHECK(find_device_type(type->name) == type);
        // What is plugged into another device is made by that one.
        CHECK((type->make_virtio != nullptr) == (type->bus != Bus::virtio_serial && !type->makes_bus));
        CHECK((type->make_pci != nullptr) == (type->bus == Bus::pci));
        for (const PropertyKind kind : {PropertyKind::drive, PropertyKind::rng, PropertyKind::netdev,
                                        PropertyKind::fsdev, PropertyKind::chardev}) {
            CHECK(DeviceConfig(*type).reference(kind).empty());
            CHECK(std::ranges::count(type->properties, kind, &DeviceProperty::kind) <= 1);
        }
        CHECK(std::ranges::count(type->properties, std::string_view("id"), &DeviceProperty::name) == 0);
    }
    CHECK(find_device_type("e1000") == nullptr);
}

}  // namespace
}  // namespace weft::hw
