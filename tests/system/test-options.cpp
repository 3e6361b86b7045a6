// The command line: what is accepted, and the message for each thing that is not.
#include <catch2/catch.hpp>

#include "emulator/system/options.h"

using namespace weft;
using namespace weft::sys;

namespace {

weft::Result<Options> parse(std::initializer_list<const char*> arguments) {
    return parse_options(std::span(arguments.begin(), arguments.size()));
}

Options good(std::initializer_list<const char*> arguments) {
    weft::Result<Options> options = parse(arguments);
    INFO((options ? "" : options.error().message()));
    REQUIRE(options);
    return *options;
}

std::string bad(std::initializer_list<const char*> arguments) {
    const weft::Result<Options> options = parse(arguments);
    return options ? "(accepted)" : options.error().message();
}

}  // namespace

TEST_CASE("nothing at all is a machine", "[options]") {
    const Options options = good({});
    CHECK(options.help == HelpTopic::none);
    REQUIRE(options.accelerators.size() == 1);
    CHECK(options.accelerators[0].name == "tcg");
    CHECK(options.cpus == 1);
    CHECK(options.max_cpus == 1);
    CHECK(options.memory_bytes == 128u << 20);
    CHECK(options.bios == "default");
    CHECK(options.serial.kind == SerialChoice::Kind::mux_stdio);
    CHECK_FALSE(options.monitor_on_stdio);
}

TEST_CASE("options take one dash, two, a separate value or one after '='", "[options]") {
    CHECK(good({"-smp", "4"}).cpus == 4);
    CHECK(good({"--smp", "4"}).cpus == 4);
    CHECK(good({"-smp=4"}).cpus == 4);
    CHECK(good({"--smp=cpus=4"}).cpus == 4);
    CHECK(good({"-kernel", "-odd-name"}).kernel == "-odd-name");
    CHECK(good({"-kernel", "k", "-append", ""}).append == "");
    CHECK(good({"-kernel", "k", "-append", "root=/dev/vda ro"}).append == "root=/dev/vda ro");
    CHECK(good({"-M", "virt", "-machine", "virt"}).cpus == 1);
    CHECK(good({"-no-reboot", "-S"}).no_reboot);
    CHECK(good({"-S"}).start_stopped);
    CHECK(good({"-m", "64", "-m", "1G"}).memory_bytes == 1u << 30);
}

TEST_CASE("options for perf are properties of each accelerator", "[options]") {
    const Options options = good({"-accel", "tcg,thread=single", "-accel", "other", "-jitdump", "-perfmap"});
    REQUIRE(options.accelerators.size() == 2);
    REQUIRE(options.accelerators[0].properties.size() == 3);
    CHECK(options.accelerators[0].properties[1].key == "perfmap");
    CHECK(options.accelerators[0].properties[1].value == "on");
    CHECK(options.accelerators[0].properties[2].key == "jitdump");
    CHECK(options.accelerators[1].properties.size() == 2);
    CHECK(good({"-perfmap"}).accelerators[0].properties.size() == 1);
    CHECK(good({}).accelerators[0].properties.empty());
    CHECK(bad({"-perfmap=on"}) == "-perfmap: takes no value");
}

TEST_CASE("unknown and incomplete options are told", "[options]") {
    CHECK(bad({"-frobnicate"}) == "unknown option '-frobnicate' (-help lists them)");
    CHECK(bad({"-"}) == "'-' is no option (disk images are given with -drive)");
    CHECK(bad({"--"}) == "unknown option '--' (-help lists them)");
    CHECK(bad({"disk.img"}) == "'disk.img' is no option (disk images are given with -drive)");
    CHECK(bad({"-kernel"}) == "-kernel: needs a value: FILE");
    CHECK(bad({"-kernel", ""}) == "-kernel: the value is empty");
    CHECK(bad({"-no-reboot=on"}) == "-no-reboot: takes no value");
}

TEST_CASE("-smp", "[options]") {
    CHECK(good({"-smp", "512"}).cpus == 512);
    const Options both = good({"-smp", "cpus=2,maxcpus=8"});
    CHECK(both.cpus == 2);
    CHECK(both.max_cpus == 8);
    CHECK(good({"-smp", "maxcpus=8"}).cpus == 8);
    CHECK(good({"-smp", "2,maxcpus=8"}).max_cpus == 8);
    CHECK(bad({"-smp", "0"}) == "-smp: the number of CPUs must be a number from 1 to 512, not '0'");
    CHECK(bad({"-smp", "513"}) == "-smp: the number of CPUs must be a number from 1 to 512, not '513'");
    CHECK(bad({"-smp", "-1"}) == "-smp: the number of CPUs must be a number from 1 to 512, not '-1'");
    CHECK(bad({"-smp", "cpus=x"}) == "-smp: cpus must be a number from 1 to 512, not 'x'");
    CHECK(bad({"-smp", "4,maxcpus=2"}) == "-smp: maxcpus (2) is less than cpus (4)");
    CHECK(bad({"-smp", "4,legs=2"}) == "-smp: unknown parameter 'legs' (there are cpus and maxcpus)");
}

TEST_CASE("-m", "[options]") {
    CHECK(good({"-m", "256"}).memory_bytes == 256u << 20);
    CHECK(good({"-m", "2048K"}).memory_bytes == 2u << 20);
    CHECK(good({"-m", "size=1G"}).memory_bytes == 1u << 30);
    CHECK(bad({"-m", "1X"}) ==
          "-m: invalid size '1X' (a number with a suffix K, M, G or T; MiB without one)");
    CHECK(bad({"-m", "0"}) == "-m: the size must be from 1M to 16T, not '0'");
    CHECK(bad({"-m", "17T"}) == "-m: the size must be from 1M to 16T, not '17T'");
    CHECK(bad({"-m", "1025K"}) == "-m: the size must be a multiple of 4K, not '1025K'");
}

TEST_CASE("machines and CPUs", "[options]") {
    CHECK(std::string(good({}).machine->name) == "virt");
    CHECK(good({"-machine", "type=virt"}).machine == good({}).machine);
    CHECK(machines_text().find("\n  virt  RISC-V VirtIO board, up to 512 CPUs and 8 devices (default)\n") !=
          std::string::npos);
    CHECK(bad({"-M", "spike,aia=aplic"}) == "-M: unknown machine 'spike' (there is 'virt')");
    CHECK(bad({"-M", "spike"}) == "-M: unknown machine 'spike' (there is 'virt')");
    CHECK(bad({"-machine", "virt,aia=aplic"}) == "-machine: machine 'virt' has no property 'aia'");
    CHECK(good({}).cpu == "rv64");
    CHECK(good({"-cpu", "rv64"}).cpu == "rv64");
    CHECK(bad({"-cpu", "max"}) == "-cpu: unknown CPU 'max' (there is 'rv64')");
    CHECK(bad({"-cpu", "rv64,v=on"}) == "-cpu: CPU 'rv64' has no property 'v'");
    CHECK(good({"-M", "virt,accel=a:b"}).accelerators.size() == 2);
    CHECK(bad({"-M", "virt,accel=tcg", "-accel", "tcg"}) ==
          "-accel and the machine property accel exclude each other");
}

TEST_CASE("accelerators keep their order and properties", "[options]") {
    const Options options = good({"-accel", "one,a=1,b,a=2", "--accel", "two"});
    REQUIRE(options.accelerators.size() == 2);
    CHECK(options.accelerators[0].name == "one");
    REQUIRE(options.accelerators[0].properties.size() == 3);
    CHECK(options.accelerators[0].properties[2].value == "2");
    CHECK(options.accelerators[1].name == "two");
    CHECK(bad({"-accel", "../x"}) == "-accel: invalid accelerator name '../x'");
    CHECK(bad({"-accel", "a=b"}) == "-accel: the accelerator's name comes first: NAME[,property=value...]");
    CHECK(bad({"-accel", "tcg,"}) == "-accel: 'tcg,' has an empty element");
}

TEST_CASE("help wins over what a machine would miss, the first request over later ones", "[options]") {
    CHECK(good({"-help"}).help == HelpTopic::usage);
    CHECK(good({"-h"}).help == HelpTopic::usage);
    CHECK(good({"-version", "-help"}).help == HelpTopic::version);
    CHECK(good({"-accel", "help", "-module-dir", "x"}).module_dir == "x");
    CHECK(good({"-accel", "help"}).help == HelpTopic::accels);
    const Options properties = good({"-accel", "tcg,help"});
    CHECK(properties.help == HelpTopic::accel_properties);
    CHECK(properties.help_subject == "tcg");
    CHECK(good({"-M", "help"}).help == HelpTopic::machines);
    CHECK(good({"-cpu", "help"}).help == HelpTopic::cpus);
    CHECK(good({"-device", "help"}).help == HelpTopic::devices);
    const Options device_help = good({"-device", "virtio-blk-device,help"});
    CHECK(device_help.help == HelpTopic::device_properties);
    CHECK(device_help.help_subject == "virtio-blk-device");
    CHECK(good({"-d", "help"}).help == HelpTopic::log_items);
    CHECK(good({"-append", "x", "-help"}).help == HelpTopic::usage);
}

TEST_CASE("who has the terminal", "[options]") {
    using Kind = SerialChoice::Kind;
    CHECK(good({"-nographic"}).serial.kind == Kind::mux_stdio);
    CHECK(good({"-nographic", "-monitor", "none"}).serial.kind == Kind::stdio);
    CHECK(good({"-serial", "stdio"}).serial.kind == Kind::stdio);
    CHECK(good({"-serial", "none"}).serial.kind == Kind::null);
    CHECK_FALSE(good({"-serial", "null"}).monitor_on_stdio);
    CHECK(good({"-serial", "null", "-nographic"}).monitor_on_stdio);
    CHECK(good({"-serial", "file:x", "-monitor", "stdio"}).monitor_on_stdio);
    CHECK(good({"-serial", "file:a:b"}).serial.path == "a:b");
    const Options monitor = good({"-monitor", "stdio"});
    CHECK(monitor.serial.kind == Kind::null);
    CHECK(monitor.monitor_on_stdio);
    CHECK(bad({"-serial", "tcp:1"}) == "-serial: 'tcp:1' is none of stdio, mon:stdio, file:PATH, null, none");
    CHECK(bad({"-serial", "file:"}) == "-serial: 'file:' is none of stdio, mon:stdio, file:PATH, null, none");
    CHECK(bad({"-serial", "null", "-serial", "null"}) ==
          "-serial: the board has one serial port, and it is spoken for");
    CHECK(bad({"-serial", "stdio", "-monitor", "stdio"}) ==
          "-serial and -monitor both ask for stdio (-serial mon:stdio shares it)");
    CHECK(bad({"-monitor", "vc"}) == "-monitor: 'vc' is neither stdio nor none");
}

TEST_CASE("drives and devices", "[options]") {
    const Options options = good({"-drive", "file=a,,b.img,format=raw,if=none,id=hd0,readonly=on", "-drive",
                                  "file=c", "-device", "virtio-blk-device,drive=hd0"});
    REQUIRE(options.drives.size() == 2);
    CHECK(options.drives[0].file == "a,b.img");
    CHECK(options.drives[0].read_only);
    CHECK_FALSE(options.drives[0].attach);
    CHECK(options.drives[1].attach);
    REQUIRE(options.devices.size() == 2);
    CHECK(options.devices[0].drive == 1);
    CHECK(options.devices[1].drive == 0);
    CHECK(options.devices[1].config.text("serial").empty());
    CHECK(good({"-drive", "file=a,if=none,id=d", "-device", "virtio-blk-device,drive=d,serial=S1"})
              .devices[0]
              .config.text("serial") == "S1");

    CHECK(bad({"-drive", "format=raw"}) == "-drive: a file must be named: file=PATH");
    CHECK(bad({"-drive", "file="}) == "-drive: 'file' needs a value");
    CHECK(bad({"-drive", "file=a,format=qcow2"}) == "-drive: unknown image format 'qcow2' (there is 'raw')");
    CHECK(bad({"-drive", "file=a,if=ide"}) == "-drive: if is 'none' or 'virtio', not 'ide'");
    CHECK(bad({"-drive", "file=a,readonly=maybe"}) == "-drive: readonly is 'on' or 'off', not 'maybe'");
    CHECK(bad({"-drive", "file=a,cache=none"}) ==
          "-drive: unknown parameter 'cache' (there are file, format, if, id and readonly)");
    CHECK(bad({"-drive", "file=a,id=x", "-drive", "file=b,id=x"}) == "-drive: two drives have the id 'x'");
    CHECK(bad({"-device", "e1000"}) == "-device: unknown device 'e1000' (-device help lists them)");
    CHECK(bad({"-device", "virtio-blk-device"}) == "-device: device 'virtio-blk-device' needs drive=ID");
    CHECK(bad({"-device", "virtio-blk-device,drive=x"}) == "-device: there is no drive with the id 'x'");
    CHECK(bad({"-device", "virtio-blk-device,colour=x"}) ==
          "-device: device 'virtio-blk-device' has no property 'colour'");
    CHECK(bad({"-drive", "file=a,id=x", "-device", "virtio-blk-device,drive=x"}) ==
          "-device: drive 'x' is in use already (if=none leaves it to -device)");
}

TEST_CASE("-global changes parts of the board and all devices of a kind", "[options]") {
    const auto legacy = [](const Options& options) {
        return options.parts.empty() ? "default" : options.parts[0].on("force-legacy") ? "on" : "off";
    };
    CHECK(legacy(good({})) == std::string("default"));
    CHECK(legacy(good({"-global", "virtio-mmio.force-legacy=false"})) == std::string("off"));
    CHECK(legacy(good({"-global", "virtio-mmio.force-legacy=off", "-global",
                       "virtio-mmio.force-legacy=on"})) == std::string("on"));
    CHECK(legacy(good({"-global", "driver=virtio-mmio,property=force-legacy,value=false"})) ==
          std::string("off"));
    // Wherever it stands; the device's own word holds.
    const Options options =
        good({"-drive", "file=a,if=none,id=a", "-drive", "file=b,if=none,id=b", "-drive", "file=c", "-device",
              "virtio-blk-device,drive=a", "-device", "virtio-blk-device,drive=b,serial=own", "-global",
              "virtio-blk-device.serial=all"});
    REQUIRE(options.devices.size() == 3);
    CHECK(options.devices[0].config.text("serial") == "all");
    CHECK(options.devices[1].config.text("serial") == "all");
    CHECK(options.devices[2].config.text("serial") == "own");

    CHECK(bad({"-global", "foo.bar=1"}) == "-global: there is no device 'foo'");
    CHECK(bad({"-global", "virtio-mmio.bar=1"}) == "-global: device 'virtio-mmio' has no property 'bar'");
    CHECK(bad({"-global", "virtio-blk-device.bus=x"}) ==
          "-global: device 'virtio-blk-device' has no property 'bus'");
    CHECK(bad({"-global", "virtio-mmio.force-legacy=2"}) ==
          "-global: device 'virtio-mmio': force-legacy is on or off, not '2'");
    CHECK(bad({"-global", "virtio-mmio.force-legacy"}) ==
          "-global: 'virtio-mmio.force-legacy' is not DRIVER.PROPERTY=VALUE");
    CHECK(bad({"-global", "driver=virtio-mmio,value=1"}) ==
          "-global: needs DRIVER.PROPERTY=VALUE, or driver=, property= and value=");
    CHECK(bad({"-global", "driver=virtio-mmio,colour=1"}) ==
          "-global: unknown parameter 'colour' (there are driver, property and value)");
    CHECK(bad({"-device", "virtio-mmio"}) ==
          "-device: unknown device 'virtio-mmio' (-device help lists them)");
}

TEST_CASE("a device may come before its drive, and choose its place", "[options]") {
    const Options options = good({"-device", "virtio-blk-device,drive=x0,bus=virtio-mmio-bus.0", "-drive",
                                  "file=fs.img,if=none,format=raw,id=x0"});
    REQUIRE(options.devices.size() == 1);
    CHECK(options.devices[0].drive == 0);
    CHECK(options.devices[0].config.bus() == "virtio-mmio-bus.0");
    CHECK(good({"-drive", "file=a,if=none,id=x", "-device", "driver=virtio-blk-device,drive=x"})
              .devices.size() == 1);
    const auto on = [](const char* bus) {
        const std::string device = std::string("virtio-blk-device,drive=x,bus=") + bus;
        return bad({"-device", device.c_str(), "-drive", "file=a,if=none,id=x", "-device",
                    "virtio-blk-device,drive=y,bus=virtio-mmio-bus.3", "-drive", "file=b,if=none,id=y"});
    };
    CHECK(on("virtio-mmio-bus.7") == "(accepted)");
    CHECK(on("virtio-mmio-bus.8") ==
          "-device: device 'virtio-blk-device': the board has no bus 'virtio-mmio-bus.8' (there are "
          "virtio-mmio-bus.0 to virtio-mmio-bus.7)");
    CHECK(on("pcie.0").find("the board has no bus 'pcie.0'") != std::string::npos);
    CHECK(on("virtio-mmio-bus.").find("the board has no bus") != std::string::npos);
    CHECK(on("virtio-mmio-bus.3") == "-device: virtio slot 3 is given to two devices");
}

TEST_CASE("the board's slots are counted", "[options]") {
    std::vector<const char*> arguments;
    for (int i = 0; i < 8; ++i) {
        arguments.insert(arguments.end(), {"-drive", "file=x"});
    }
    CHECK(parse_options(arguments));
    arguments.insert(arguments.end(), {"-drive", "file=x"});
    const auto options = parse_options(arguments);
    REQUIRE_FALSE(options);
    CHECK(options.error().message() == "-drive and -device: the board has slots for 8 devices, not 9");
}

TEST_CASE("what needs a kernel says so", "[options]") {
    CHECK(bad({"-append", "x"}) == "-append: needs -kernel");
    CHECK(bad({"-initrd", "x"}) == "-initrd: needs -kernel");
}

TEST_CASE("-help names every option in lines that fit a terminal", "[options]") {
    const std::string text = usage_text();
    for (const char* option :
         {"-accel",   "-machine, -M", "-cpu",        "-smp",       "-m",         "-bios",
          "-kernel",  "-initrd",      "-append",     "-dtb",       "-nographic", "-serial",
          "-monitor", "-drive",       "-device",     "-no-reboot", "-S",         "-d",
          "-D",       "-dfilter",     "-module-dir", "-version",   "-help, -h"}) {
        INFO(option);
        CHECK(text.find(std::string("\n  ") + option) != std::string::npos);
    }
    for (const std::string& line : split(text, '\n')) {
        INFO(line);
        CHECK(line.size() <= 85);
    }
}
