// Ports of virtio console devices: which device they are plugged into, and which lines they have.
#include <catch2/catch.hpp>

#include "tests/system/parsed_options.h"

using namespace weft;
using namespace weft::sys;
using weft::test::bad;
using weft::test::good;

TEST_CASE("ports go to the device whose bus they name", "[options]") {
    const Options options =
        good({"-device", "virtio-serial-device,id=a", "-device", "virtio-serial-pci", "-device",
              "virtio-serial,max_ports=2", "-chardev", "socket,id=s,path=/tmp/s,server=on,wait=off",
              "-device", "virtserialport,chardev=s,name=org.qemu.guest_agent.0", "-device",
              "virtconsole,bus=virtio-serial-bus.1", "-device", "virtconsole,bus=virtio-serial-bus.0",
              "-device", "virtserialport,bus=a.0,nr=7"});
    REQUIRE(options.devices.size() == 3);
    REQUIRE(options.devices[0].config.children().size() == 2);
    CHECK(options.devices[0].config.children()[0].text("name") == "org.qemu.guest_agent.0");
    CHECK(options.devices[0].config.children()[1].number("nr") == 7);
    CHECK(options.devices[1].config.children().size() == 1);
    CHECK(options.devices[2].config.children().size() == 1);
    REQUIRE(options.device_lines.size() == 1);
    CHECK(options.device_lines[0].id == "s");
    CHECK(options.device_lines[0].socket.path == "/tmp/s");
    // The port may come first.
    CHECK(good({"-device", "virtconsole", "-device", "virtio-serial-device"})
              .devices[0]
              .config.children()
              .size() == 1);
}

TEST_CASE("a port on the terminal leaves it none else", "[options]") {
    const Options options = good(
        {"-chardev", "stdio,id=c", "-device", "virtio-serial-device", "-device", "virtconsole,chardev=c"});
    CHECK(options.serial.kind == SerialChoice::Kind::null);
    CHECK_FALSE(options.monitor_on_stdio);
    CHECK(options.device_lines[0].kind == SerialChoice::Kind::stdio);
    CHECK(good({"-nographic", "-chardev", "stdio,id=c", "-device", "virtio-serial-device", "-device",
                "virtconsole,chardev=c"})
              .serial.kind == SerialChoice::Kind::null);
    const auto port = [](std::vector<const char*> more) {
        more.insert(more.end(), {"-device", "virtio-serial-device", "-device", "virtconsole,chardev=c"});
        const Result<Options> parsed = parse_options(more);
        return parsed ? "(accepted)" : parsed.error().message();
    };
    CHECK(port({"-chardev", "stdio,id=c", "-serial", "mon:stdio"}) ==
          "-device: stdio is another's (-serial null -monitor none)");
    CHECK(port({"-chardev", "stdio,id=c", "-serial", "chardev:c"}) == "-device: chardev 'c' is used already");
    CHECK(port({"-chardev", "stdio,id=c,mux=on"}) ==
          "-device: chardev 'c' can be shared by the serial port and the monitor alone");
    CHECK(port({"-chardev", "stdio,id=c", "-qmp", "stdio"}) ==
          "-device: stdio is another's (-serial null -monitor none)");
    CHECK(port({"-chardev", "null,id=c", "-qmp", "chardev:c"}) == "-device: chardev 'c' is used already");
    CHECK(port({"-chardev", "null,id=c", "-device", "virtconsole,chardev=c"}) ==
          "-device: chardev 'c' is used already");
}

TEST_CASE("ports that cannot be", "[options]") {
    CHECK(bad({"-device", "virtconsole"}) ==
          "-device: device 'virtconsole' needs a virtio-serial-device or a virtio-serial-pci");
    CHECK(bad({"-device", "virtio-serial-device", "-device", "virtconsole,bus=x.0"}) ==
          "-device: device 'virtconsole': there is no bus 'x.0' (a virtio-serial device's is "
          "virtio-serial-bus.N, or "
          "ID.0 where it has an id)");
    CHECK(bad({"-device", "virtio-serial-device", "-device", "virtconsole,chardev=x"}) ==
          "-device: there is no chardev 'x'");
    CHECK(bad({"-device", "virtio-serial-device", "-device", "virtconsole,nr=40"}) ==
          "-device: device 'virtconsole': nr is below max_ports=31, not 40");
    CHECK(bad({"-device", "virtio-serial-device,max_ports=0"}) ==
          "-device: device 'virtio-serial-device': max_ports is a number from 1 to 511, not '0'");
}
