// The command line: what is accepted, and the message for each thing that is not.
#include <catch2/catch.hpp>

#include "tests/system/parsed_options.h"

using namespace weft;
using namespace weft::sys;
using weft::test::bad;
using weft::test::good;

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
    CHECK(bad({"-smp", "4,legs=2"}) ==
          "-smp: unknown parameter 'legs' (there are cpus, maxcpus, sockets, clusters, cores and threads)");
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
    CHECK(machines_text().find(
              "\nvirt                 RISC-V VirtIO board, up to 512 CPUs and 263 devices (default)\n") !=
          std::string::npos);
    CHECK(bad({"-M", "spike,aia=aplic"}) == "-M: unknown machine 'spike' (there is 'virt', 'none')");
    CHECK(bad({"-M", "spike"}) == "-M: unknown machine 'spike' (there is 'virt', 'none')");
    CHECK(bad({"-machine", "virt,aia=aplic"}) == "-machine: aia=aplic is not supported (only none)");
    CHECK(good({}).cpu == "rv64");
    CHECK(good({"-cpu", "rv64"}).cpu == "rv64");
    CHECK(good({"-cpu", "max,zba=off"}).cpu == "max,zba=off");
    CHECK(bad({"-cpu", "z80"}) == "-cpu: unknown CPU 'z80' ('help' lists them)");
    CHECK(bad({"-cpu", "rv64,x=on"}) == "-cpu: CPU 'rv64' has no property 'x'");
    CHECK(bad({"-cpu", "rv64,v=on"}) == "-cpu: property 'v' cannot be on: weft does not have this");
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
    CHECK(bad({"-serial", "tcp:1"}) == "-serial: 'tcp:1' is not tcp:HOST:PORT");
    const std::string lines =
        " is none of stdio, file:PATH, pty, null, none, tcp:HOST:PORT, telnet:HOST:PORT, unix:PATH, "
        "chardev:ID, "
        "mon:LINE";
    CHECK(bad({"-serial", "file:"}) == "-serial: 'file:'" + lines);
    CHECK(bad({"-serial", "vc"}) == "-serial: 'vc'" + lines);
    CHECK(good({"-serial", "stdio", "-serial", "null", "-serial", "none"}).serial.kind == Kind::stdio);
    CHECK(bad({"-serial", "null", "-serial", "stdio"}) ==
          "-serial: the board has one serial port (others can be null or none)");
    CHECK(bad({"-serial", "stdio", "-monitor", "stdio"}) ==
          "-serial and -monitor both ask for stdio (-serial mon:stdio shares it)");
    // A debugger's line, which listens where it is TCP's.
    CHECK(!good({}).gdb);
    for (const Options& usual :
         {good({"-s"}), good({"-gdb", "tcp::1234"}), good({"-gdb", "tcp::1234,wait=off,server=off"})}) {
        REQUIRE(usual.gdb);
        CHECK((usual.gdb->socket.server && !usual.gdb->socket.wait));
        CHECK((usual.gdb->socket.host.empty() && usual.gdb->socket.port == "1234"));
    }
    CHECK(!good({"-s", "-gdb", "none"}).gdb);
    CHECK(!good({"-gdb", "chardev:n", "-chardev", "null,id=n"}).gdb);
    CHECK(good({"-gdb", "unix:/p,server=on,wait=off"}).gdb->socket.path == "/p");
    CHECK(
        good({"-gdb", "chardev:c", "-chardev", "socket,id=c,path=/p,server=on,wait=off"}).gdb->socket.path ==
        "/p");
    CHECK(good({"-gdb", "stdio", "-serial", "null", "-monitor", "none"}).gdb->kind == Kind::stdio);
    CHECK(bad({"-gdb", "stdio"}).starts_with("-gdb stdio: the serial port or the monitor has the terminal"));
    CHECK(bad({"-gdb", "file:x"}).starts_with("-gdb: 'file:x': a debugger's line is none"));
    CHECK(bad({"-gdb", "mon:tcp::1"}).starts_with("-gdb: "));
    CHECK(bad({"-gdb", "chardev:c"}) == "-gdb: there is no chardev 'c'");
    CHECK(bad({"-gdb", "chardev:c", "-serial", "chardev:c", "-chardev", "pty,id=c"}) ==
          "-gdb: a debugger shares its line with nobody");
    CHECK(bad({"-gdb", "chardev:c", "-chardev", "pty,id=c,mux=on"}) ==
          "-gdb: a debugger shares its line with nobody");
    CHECK(bad({"-monitor", "vc"}) == "-monitor: 'vc'" + lines);
    CHECK(bad({"-qmp", "vc"}) == "-qmp: 'vc'" + lines);
}

TEST_CASE("lines over sockets and pseudo-terminals", "[options]") {
    using Kind = SerialChoice::Kind;
    const SerialChoice server = good({"-serial", "tcp:127.0.0.1:4444,server,nowait"}).serial;
    CHECK(server.kind == Kind::socket);
    CHECK(server.socket.host == "127.0.0.1");
    CHECK(server.socket.port == "4444");
    CHECK(server.socket.server);
    CHECK_FALSE(server.socket.wait);
    CHECK(good({"-serial", "tcp::1,server=on"}).serial.socket.wait);
    CHECK_FALSE(good({"-serial", "tcp::1,server=on,wait=off"}).serial.socket.wait);
    CHECK_FALSE(good({"-serial", "tcp:host:1"}).serial.socket.server);
    CHECK(good({"-serial", "tcp:[::1]:1"}).serial.socket.host == "::1");
    CHECK(good({"-serial", "telnet::1,server,nowait"}).serial.socket.telnet);
    CHECK(good({"-serial", "unix:/tmp/a,server,nowait"}).serial.socket.path == "/tmp/a");
    CHECK(good({"-serial", "pty"}).serial.kind == Kind::pty);
    CHECK_FALSE(good({"-serial", "pty"}).serial.shared);
    CHECK(good({"-serial", "mon:pty"}).serial.shared);
    const Options apart = good({"-serial", "stdio", "-monitor", "unix:m,server,nowait"});
    CHECK(apart.monitor->socket.path == "m");
    CHECK_FALSE(apart.monitor_on_stdio);
    CHECK(bad({"-serial", "tcp::"}) == "-serial: 'tcp::' is not tcp:HOST:PORT");
    CHECK(bad({"-serial", "tcp::1,colour"}).find("unknown parameter 'colour'") != std::string::npos);
    CHECK(bad({"-serial", "tcp::1,wait=on"}) == "-serial: wait=on is a server's");

    const Options shared =
        good({"-chardev", "stdio,mux=on,id=c0", "-mon", "chardev=c0", "-serial", "chardev:c0"});
    CHECK(shared.serial.kind == Kind::mux_stdio);
    CHECK_FALSE(shared.monitor_on_stdio);
    const Options socket = good({"-serial", "chardev:s", "-monitor", "chardev:s", "-chardev",
                                 "socket,id=s,path=/tmp/s,server=on,wait=off,mux=on"});
    CHECK(socket.serial.shared);
    CHECK(socket.serial.socket.path == "/tmp/s");
    CHECK_FALSE(socket.monitor);
    const Options two =
        good({"-chardev", "socket,id=a,host=::1,port=5,telnet=on,server=on,wait=off", "-chardev", "pty,id=b",
              "-serial", "chardev:a", "-mon", "chardev=b,mode=readline"});
    CHECK(two.serial.socket.telnet);
    CHECK(two.monitor->kind == Kind::pty);
    const Options file = good({"-chardev", "file,id=f,path=x,append=on", "-serial", "chardev:f"});
    CHECK(file.serial.path == "x");
    CHECK(file.serial.append);
    CHECK(good({"-chardev", "stdio,id=c", "-monitor", "chardev:c"}).monitor_on_stdio);
    CHECK(good({"-chardev", "null,id=c", "-serial", "chardev:c"}).serial.kind == Kind::null);
    CHECK(bad({"-serial", "mon:stdio", "-monitor", "unix:m,server,nowait"}) ==
          "-monitor: the serial port's line has the monitor already (-serial without mon: or mux=on leaves "
          "it)");
    CHECK(bad({"-chardev", "stdio,id=c", "-serial", "chardev:c", "-monitor", "chardev:c"}) ==
          "-serial and -monitor both ask for chardev 'c' (mux=on lets them)");
    CHECK(bad({"-serial", "chardev:c"}) == "-serial: there is no chardev 'c'");
    CHECK(bad({"-mon", "chardev=c"}) == "-monitor: there is no chardev 'c'");
    CHECK(bad({"-chardev", "stdio"}) == "-chardev: a chardev must be named: id=ID");
    CHECK(bad({"-chardev", "vc,id=c"}) ==
          "-chardev: unknown kind 'vc' (there are stdio, null, file, pty and socket)");
    CHECK(bad({"-chardev", "null,id=c", "-chardev", "null,id=c"}) ==
          "-chardev: two chardevs have the id 'c'");
    CHECK(bad({"-chardev", "file,id=c"}) == "-chardev: a file needs path=PATH");
    CHECK(bad({"-chardev", "socket,id=c"}) == "-chardev: a socket needs path=PATH, or host= and port=");
    CHECK(bad({"-chardev", "pty,id=c,path=x"}) == "-chardev: pty has no parameter 'path'");
    CHECK(bad({"-mon", "chardev=c,mode=control"}) == "-qmp: there is no chardev 'c'");
}

TEST_CASE("QMP's lines", "[options]") {
    using Kind = SerialChoice::Kind;
    CHECK(good({}).qmp.empty());
    CHECK(good({"-qmp", "none"}).qmp.empty());
    const Options options =
        good({"-qmp", "unix:q,server=on,wait=off", "-qmp-pretty", "tcp:127.0.0.1:4444", "-mon",
              "chardev=c,mode=control,pretty=on", "-chardev", "pty,id=c", "-mon", "d,mode=control",
              "-chardev", "null,id=d", "-name", "guest=box,debug-threads=on", "-uuid",
              "12345678-1234-1234-1234-123456789abc"});
    REQUIRE(options.qmp.size() == 4);
    CHECK(options.qmp[0].line.socket.path == "q");
    CHECK_FALSE(options.qmp[0].line.socket.wait);
    CHECK_FALSE(options.qmp[0].pretty);
    CHECK(options.qmp[1].line.socket.port == "4444");
    CHECK(options.qmp[1].pretty);
    CHECK(options.qmp[2].line.kind == Kind::pty);
    CHECK(options.qmp[2].pretty);
    CHECK(options.qmp[3].line.id == "d");
    CHECK(options.name == "box");
    CHECK(options.uuid == "12345678-1234-1234-1234-123456789abc");
    // The terminal is one's alone.
    const Options terminal = good({"-qmp", "stdio"});
    CHECK(terminal.serial.kind == Kind::null);
    CHECK_FALSE(terminal.monitor_on_stdio);
    CHECK_FALSE(good({"-nographic", "-serial", "null", "-qmp", "stdio"}).monitor_on_stdio);
    const std::string taken = "-qmp: stdio is the serial port's or the monitor's";
    CHECK(bad({"-nographic", "-qmp", "stdio"}) == taken);
    CHECK(bad({"-serial", "mon:stdio", "-qmp", "stdio"}) == taken);
    CHECK(bad({"-monitor", "stdio", "-qmp", "stdio"}) == taken);
    CHECK(bad({"-qmp", "stdio", "-qmp", "stdio"}) == "-qmp: stdio is asked for twice");
    CHECK(bad({"-qmp", "mon:pty"}) == "-qmp: its line cannot be shared");
    CHECK(bad({"-qmp", "chardev:x"}) == "-qmp: there is no chardev 'x'");
    CHECK(bad({"-chardev", "pty,id=a", "-serial", "chardev:a", "-qmp", "chardev:a"}) ==
          "-qmp: chardev 'a' is used already");
    CHECK(bad({"-mon", "c,mode=x"}) == "-mon: mode=x: there are readline and control");
    CHECK(bad({"-mon", "c,pretty=on"}) == "-mon: pretty is for mode=control");
    CHECK(bad({"-mon", "c,mode=control,pretty=x"}).starts_with("-mon: "));
    CHECK(good({"-machine", "none"}).no_machine);
    CHECK_FALSE(good({"-machine", "none", "-machine", "virt"}).no_machine);
    CHECK(good({"-nodefaults", "-nographic", "-daemonize", "-qmp", "unix:q,server,nowait"}).daemonize);
    CHECK(bad({"-nodefaults", "-daemonize", "-qmp", "stdio"}).starts_with("-daemonize: "));
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
    using backend::ImageFormat;
    CHECK(good({"-drive", "file=a"}).drives[0].format == ImageFormat::probe);
    CHECK(good({"-drive", "file=a,format=raw"}).drives[0].format == ImageFormat::raw);
    CHECK(good({"-drive", "file=a,format=qcow2,lazy-refcounts=on,l2-cache-size=1M"}).drives[0].format ==
          ImageFormat::qcow2);
    CHECK(good({"-hda", "a.qcow2"}).drives[0].format == ImageFormat::probe);
    for (const std::string format : {"vmdk", "vdi", "vhdx", "vpc", "qed", "qcow"}) {
        CHECK(bad({"-drive", ("file=a,format=" + format).c_str()}) ==
              "-drive: unknown image format '" + format + "' (there are 'raw' and 'qcow2')");
    }
    CHECK(bad({"-drive", "file=a,if=ide"}) == "-drive: if is 'none', 'virtio' or 'pflash', not 'ide'");
    CHECK(bad({"-drive", "file=a,readonly=maybe"}) == "-drive: readonly is 'on' or 'off', not 'maybe'");
    CHECK(bad({"-drive", "file=a,colour=none"}) ==
          "-drive: unknown parameter 'colour' (there are file, format, if, id, readonly, snapshot and cache; "
          "aio, "
          "discard, media, index and unit are accepted)");
    CHECK(bad({"-drive", "file=a,id=x", "-drive", "file=b,id=x"}) == "-drive: two drives have the id 'x'");
    CHECK(bad({"-device", "e1000"}) == "-device: unknown device 'e1000' (-device help lists them)");
    CHECK(bad({"-device", "virtio-blk-device"}) == "-device: device 'virtio-blk-device' needs drive=ID");
    CHECK(bad({"-device", "virtio-blk-device,drive=x"}) == "-device: there is no drive with the id 'x'");
    CHECK(bad({"-device", "virtio-blk-device,colour=x"}) ==
          "-device: device 'virtio-blk-device' has no property 'colour'");
    CHECK(bad({"-drive", "file=a,id=x", "-device", "virtio-blk-device,drive=x"}) ==
          "-device: drive 'x' is in use already (if=none leaves it to -device)");
}

TEST_CASE("-smp with levels: what they say agrees with the number of CPUs", "[options]") {
    CHECK(good({"-smp", "4,sockets=1,cores=4,threads=1"}).cpus == 4);
    CHECK(good({"-smp", "cores=4"}).cpus == 4);
    CHECK(good({"-smp", "sockets=2,cores=2,threads=1"}).max_cpus == 4);
    CHECK(good({"-smp", "4,sockets=2,cores=1"}).cpus == 4);
    const Options hotplug = good({"-smp", "2,sockets=1,cores=4,threads=1"});
    CHECK(hotplug.cpus == 2);
    CHECK(hotplug.max_cpus == 4);
    CHECK(good({"-smp", "8,dies=1,clusters=2"}).cpus == 8);
    CHECK(bad({"-smp", "4,sockets=1,cores=2,threads=1"}) ==
          "-smp: the product of sockets, cores and threads (2) is not maxcpus (4)");
    CHECK(bad({"-smp", "4,cores=3"}) ==
          "-smp: the product of sockets, cores and threads (3) is not maxcpus (4)");
    CHECK(bad({"-smp", "4,cores=0"}) == "-smp: cores must be a number from 1 to 512, not '0'");
    CHECK(bad({"-smp", "4,cores=512,sockets=512,threads=512,dies=512,books=512"})
              .find("has 1 to 512 CPUs, not 1048576") != std::string::npos);
}

TEST_CASE("-m in its long form", "[options]") {
    CHECK(good({"-m", "size=3072"}).memory_bytes == uint64_t{3} << 30);
    CHECK(good({"-m", "1G,slots=0"}).memory_bytes == 1u << 30);
    CHECK(bad({"-m", "1G,slots=2,maxmem=2G"}) ==
          "-m: 'slots' is not supported: memory is not added while the machine runs");
}

TEST_CASE("-machine: what the board is anyway, and where its tree goes", "[options]") {
    const Options options = good({"-M", "virt,acpi=off,aclint=off,aia=none,usb=no,dumpdtb=a.dtb,accel=tcg"});
    CHECK(options.dump_tree == "a.dtb");
    CHECK(options.accelerators[0].name == "tcg");
    CHECK(bad({"-M", "virt,aclint=on"}) == "-M: aclint=on is not supported (only off)");
    CHECK(bad({"-M", "virt,acpi=on"}) == "-M: acpi=on is not supported (only off|auto)");
    CHECK(bad({"-M", "virt,dumpdtb="}) == "-M: 'dumpdtb' needs a value");
    CHECK(bad({"-M", "virt,pflash2=p"}) == "-M: machine 'virt' has no property 'pflash2'");
}

TEST_CASE("images of flash memories", "[options]") {
    using Flash = std::vector<std::optional<size_t>>;
    CHECK(good({}).flash.empty());
    // In order, by number, by the short option; a disk among them.
    CHECK(good({"-drive", "if=pflash,file=a,format=raw", "-drive", "file=disk", "-drive",
                "if=pflash,file=b,readonly=on"})
              .flash == Flash{0, 2});
    CHECK(good({"-drive", "if=pflash,file=a,unit=1"}).flash == Flash{std::nullopt, 0});
    CHECK(good({"-drive", "if=pflash,file=a,index=1", "-drive", "if=pflash,file=b,unit=0"}).flash ==
          Flash{1, 0});
    CHECK(good({"-pflash", "a", "-pflash", "b"}).flash == Flash{0, 1});
    CHECK(good({"-pflash", "a"}).devices.empty());
    // By name, of drives and block nodes, in any order.
    const Options named = good({"-M", "virt,pflash0=code,pflash1=vars", "-drive", "if=none,id=vars,file=v",
                                "-blockdev", "driver=file,filename=c,node-name=code,read-only=on"});
    CHECK(named.flash == Flash{1, 0});
    CHECK(named.drives[1].read_only);
    CHECK(bad({"-drive", "if=pflash,file=a,unit=2"}) == "-drive: there is no flash memory 2 (0 to 1)");
    CHECK(bad({"-pflash", "a", "-pflash", "b", "-pflash", "c"}) ==
          "-drive: there is no flash memory 2 (0 to 1)");
    CHECK(bad({"-drive", "if=pflash,file=a,unit=0", "-drive", "if=pflash,file=b,unit=0"}) ==
          "-drive: flash memory 0 is given two images");
    CHECK(bad({"-pflash", ""}) == "-pflash: the value is empty");
    CHECK(bad({"-M", "virt,pflash0=p"}) == "-machine: pflash0: there is no drive with the id 'p'");
    CHECK(bad({"-M", "virt,pflash0="}) == "-M: 'pflash0' needs a value");
    CHECK(bad({"-M", "virt,pflash0=p", "-drive", "file=a,id=p"}) ==
          "-machine: pflash0: drive 'p' is in use already (if=none leaves it to others)");
    CHECK(bad({"-M", "virt,pflash0=p,pflash1=p", "-drive", "file=a,id=p,if=none"}) ==
          "-machine: pflash1: drive 'p' is another flash memory's");
    CHECK(bad({"-M", "virt,pflash0=p", "-drive", "file=a,id=p,if=none", "-pflash", "b"}) ==
          "-machine: flash memory 0 is given two images");
    CHECK(bad({"-M", "virt,pflash0=p", "-drive", "file=a,id=p,if=none", "-device",
               "virtio-blk-device,drive=p"}) == "-device: drive 'p' is in use already");
}

TEST_CASE("-fw_cfg: a file's or its own text", "[options]") {
    const Options options = good({"-fw_cfg", "name=opt/a,string=x,,y", "-fw_cfg", "opt/b,file=path"});
    REQUIRE(options.fw_cfg.size() == 2);
    CHECK(options.fw_cfg[0].name == "opt/a");
    CHECK(options.fw_cfg[0].text == "x,y");
    CHECK(options.fw_cfg[0].file.empty());
    CHECK(options.fw_cfg[1].name == "opt/b");
    CHECK(options.fw_cfg[1].file == "path");
    const std::string needs = "-fw_cfg: needs name=NAME and file=PATH or string=TEXT";
    CHECK(bad({"-fw_cfg", "name=opt/a"}) == needs);
    CHECK(bad({"-fw_cfg", "string=x"}) == needs);
    CHECK(bad({"-fw_cfg", "name=opt/a,file="}) == "-fw_cfg: 'file' needs a value");
    CHECK(bad({"-fw_cfg", "name=a,file=b,string=c"}) == "-fw_cfg: file= and string= exclude each other");
    CHECK(bad({"-fw_cfg", "name=a,gen_id=b"}) ==
          "-fw_cfg: unknown parameter 'gen_id' (there are name, file and string)");
}

TEST_CASE("devices on PCI and their places", "[options]") {
    const Options options = good({"-device", "virtio-rng-pci,bus=pcie.0,addr=0x1f.7", "-device",
                                  "virtio-net-pci,multifunction=on,addr=1f,romfile=,rombar=0,vectors=4",
                                  "-device", "virtio-rng-pci,disable-legacy=on,disable-modern=off"});
    CHECK(options.devices[0].config.pci().address == "0x1f.7");
    CHECK(options.devices[0].config.pci().legacy);
    CHECK(options.devices[1].config.pci().multifunction);
    CHECK(options.devices[1].config.mac() == hw::kFirstMac);
    CHECK_FALSE(options.devices[2].config.pci().legacy);
    CHECK(good({"-device", "virtio-rng-pci,disable-legacy=auto"}).devices[0].config.pci().legacy);
    CHECK_FALSE(good({"-global", "virtio-rng-pci.disable-legacy=on", "-device", "virtio-rng-pci"})
                    .devices[0]
                    .config.pci()
                    .legacy);
    // Thirty-one slots beside the host bridge's, and virtio-mmio's own.
    std::vector<const char*> arguments = {"-device", "virtio-rng-device"};
    for (int i = 0; i < 31; ++i) {
        arguments.insert(arguments.end(), {"-device", "virtio-rng-pci"});
    }
    CHECK(parse_options(arguments));
    arguments.insert(arguments.end(), {"-device", "virtio-rng-pci"});
    CHECK(parse_options(arguments).error().message() == "-device: more than 31 devices on PCI");

    const auto rng = [&](const char* rest) { return bad({"-device", rest}); };
    CHECK(rng("virtio-rng-pci,addr=0") == "-device: PCI function 00.0 is the host bridge's");
    CHECK(rng("virtio-rng-pci,addr=20") ==
          "-device: device 'virtio-rng-pci': addr is SLOT[.FN], 00 to 1f and 0 to 7, not '20'");
    CHECK(rng("virtio-rng-pci,addr=2.1") == "-device: PCI slot 02 has function 1, but no function 0");
    CHECK(rng("virtio-rng-pci,addr=") == "-device: device 'virtio-rng-pci': 'addr' needs a value");
    CHECK(rng("virtio-rng-pci,bus=pci.0") ==
          "-device: device 'virtio-rng-pci': the board has no bus 'pci.0' (there is pcie.0)");
    CHECK(rng("virtio-rng-device,addr=1") == "-device: device 'virtio-rng-device' has no property 'addr'");
    CHECK(rng("virtio-rng-pci,disable-modern=on") ==
          "-device: device 'virtio-rng-pci': disable-modern=on is not supported");
    CHECK(rng("virtio-rng-pci,disable-legacy=no-idea") ==
          "-device: device 'virtio-rng-pci': disable-legacy is on, off or auto, not 'no-idea'");
    CHECK(rng("virtio-rng-pci,vectors=many") ==
          "-device: device 'virtio-rng-pci': vectors is a number, not 'many'");
    CHECK(bad({"-device", "virtio-rng-pci,addr=3", "-device", "virtio-rng-pci,addr=3.0"}) ==
          "-device: PCI function 03.0 is given to two devices");
    CHECK(bad({"-global", "virtio-rng-pci.addr=3"}) ==
          "-global: device 'virtio-rng-pci' has no property 'addr'");
}

TEST_CASE("options that ask for what is so anyway", "[options]") {
    good({"-nodefaults", "-no-user-config",
          "-display",    "none",
          "-vga",        "none",
          "-parallel",   "none",
          "-net",        "none",
          "-name",       "guest=a,debug-threads=on",
          "-uuid",       "01234567-89ab-cdef-0123-456789ABCDEF",
          "-rtc",        "base=utc,clock=host",
          "-boot",       "order=c,splash-time=0,menu=on",
          "-boot",       "c"});
    CHECK(bad({"-display", "gtk"}) ==
          "-display: 'gtk' is not supported: there is no display ('none' is accepted)");
    CHECK(bad({"-vga", "std"}) == "-vga: 'std' is not supported: there is no display ('none' is accepted)");
    CHECK(bad({"-parallel", "stdio"}) ==
          "-parallel: 'stdio' is not supported: the board has no parallel port ('none' is accepted)");
    CHECK(bad({"-uuid", "0123"}) == "-uuid: '0123' is no UUID");
    CHECK(bad({"-uuid", "01234567-89ab-cdef-0123-456789ABCDEG"}).find("is no UUID") != std::string::npos);
    CHECK(bad({"-rtc", "base=localtime"}) == "-rtc: base=localtime is not supported (only utc)");
    CHECK(bad({"-boot", "colour=c"}).starts_with("-boot: unknown parameter 'colour' (there are 'order', "));
    CHECK(bad({"-boot", "menu=2"}) == "-boot: menu=2 is not supported (only on|off)");
}

TEST_CASE("-nodefaults and -daemonize, and who has the terminal", "[options]") {
    using Kind = SerialChoice::Kind;
    const Options none = good({"-nodefaults"});
    CHECK(none.serial.kind == Kind::null);
    CHECK_FALSE(none.monitor_on_stdio);
    CHECK_FALSE(good({"-nodefaults", "-nographic"}).monitor_on_stdio);
    CHECK(good({"-nodefaults", "-nographic", "-serial", "stdio"}).serial.kind == Kind::stdio);
    CHECK(good({"-serial", "mon:stdio", "-nodefaults"}).serial.kind == Kind::mux_stdio);
    CHECK(good({"-nodefaults", "-monitor", "stdio"}).monitor_on_stdio);
    CHECK(good({"-daemonize", "-serial", "null", "-pidfile", "p"}).pid_file == "p");
    const std::string terminal =
        "-daemonize: the terminal cannot have the serial port, the monitor or QMP (-serial "
        "file:PATH, -serial null; -monitor none)";
    CHECK(bad({"-daemonize"}) == terminal);
    CHECK(bad({"-daemonize", "-serial", "mon:stdio"}) == terminal);
    CHECK(bad({"-daemonize", "-serial", "null", "-monitor", "stdio"}) == terminal);
    CHECK(bad({"-daemonize", "-serial", "null", "-nographic"}) == terminal);
}

TEST_CASE("-drive as scripts write it", "[options]") {
    const DriveChoice drive =
        good({"-drive",
              "file=a,if=virtio,format=raw,cache=none,aio=native,discard=on,media=disk,index=0,"
              "unit=1,detect-zeroes=unmap,werror=report"})
            .drives[0];
    CHECK_FALSE(drive.write_through);
    CHECK_FALSE(drive.snapshot);
    CHECK(good({"-drive", "file=a,cache=writethrough"}).drives[0].write_through);
    CHECK(good({"-drive", "file=a,cache=directsync"}).drives[0].write_through);
    CHECK(good({"-drive", "file=a,snapshot=on"}).drives[0].snapshot);
    CHECK(good({"-snapshot", "-drive", "file=a"}).drives[0].snapshot);
    CHECK(good({"-drive", "file.filename=a,file.driver=file"}).drives[0].file == "a");
    const Options hda = good({"-hda", "a,b"});
    CHECK(hda.drives[0].file == "a,b");
    CHECK(hda.devices.size() == 1);
    CHECK(bad({"-drive", "file=a,cache=fast"}) ==
          "-drive: unknown cache mode 'fast' (there is 'writeback', 'none', 'unsafe', 'writethrough', "
          "'directsync')");
    CHECK(bad({"-drive", "file=a,media=cdrom"}) == "-drive: media=cdrom is not supported (only disk)");
    CHECK(bad({"-drive", "file=a,index=x"}) == "-drive: index is a number, not 'x'");
    CHECK(bad({"-drive", "file=a,werror=stop"}) ==
          "-drive: werror=stop is not supported (only enospc|report)");
    CHECK(bad({"-drive", "file=a,aio"}) == "-drive: 'aio' needs a value");
}

TEST_CASE("-blockdev: nodes with nested keys, and nodes that refer to each other", "[options]") {
    const auto drive = [](std::initializer_list<const char*> arguments) {
        const Options options = good(arguments);
        REQUIRE(options.drives.size() == 1);
        CHECK(options.devices.size() == 1);
        CHECK_FALSE(options.drives[0].attach);
        CHECK(options.drives[0].format == backend::ImageFormat::raw);
        return options.drives[0];
    };
    CHECK(drive({"-blockdev", "driver=raw,file.driver=file,file.filename=a,,b.img,node-name=hd0", "-device",
                 "virtio-blk-device,drive=hd0"})
              .file == "a,b.img");
    CHECK(
        drive({"-device", "virtio-blk-device,drive=hd0", "-blockdev", "raw,node-name=hd0,file=f,read-only=on",
               "-blockdev", "driver=file,node-name=f,filename=a,aio=native,cache.direct=on"})
            .read_only);
    CHECK(drive({"-blockdev", "file,node-name=f,filename=a,read-only=on", "-device",
                 "virtio-blk-device,drive=f"})
              .read_only);
    CHECK_FALSE(drive({"-blockdev", "file,node-name=f,filename=a", "-device", "virtio-blk-device,drive=f"})
                    .read_only);
    CHECK(bad({"-blockdev", "{\"driver\":\"raw\"}"}).starts_with("-blockdev: JSON is not read here: "));
    CHECK(bad({"-blockdev", "driver=raw"}) == "-blockdev: a node must be named: node-name=NAME");
    CHECK(bad({"-blockdev", "driver=vmdk,node-name=a"}) ==
          "-blockdev: unknown driver 'vmdk' (there are 'raw', 'qcow2', 'file' and 'host_device')");
    CHECK(bad({"-blockdev", "driver=qcow2,node-name=a"}) ==
          "-blockdev: a qcow2 node needs file=NODE, or file.driver=file and file.filename=PATH");
    CHECK(bad({"-blockdev", "driver=raw,node-name=a"}) ==
          "-blockdev: a raw node needs file=NODE, or file.driver=file and file.filename=PATH");
    CHECK(bad({"-blockdev", "driver=raw,node-name=a,file=b"}) == "-blockdev: there is no node 'b'");
    CHECK(bad({"-blockdev", "driver=raw,node-name=a,file=b", "-blockdev", "driver=raw,node-name=b,file=a"})
              .find("is its own file") != std::string::npos);
    CHECK(bad({"-blockdev", "driver=file,node-name=a"}) ==
          "-blockdev: a node of driver file needs filename=PATH");
    CHECK(bad({"-blockdev", "driver=file,node-name=a,filename=x,colour=red"}) ==
          "-blockdev: driver file has no parameter 'colour'");
    CHECK(bad({"-blockdev", "file,node-name=a,filename=x", "-blockdev", "file,node-name=a,filename=x"}) ==
          "-blockdev: two nodes have the name 'a'");
    CHECK(bad({"-blockdev", "file,node-name=a,filename=x", "-drive", "file=x,id=a"}) ==
          "-blockdev: two drives have the id 'a'");
    CHECK(bad({"-blockdev", "file,node-name=a,filename=x,read-only=2"}) ==
          "-blockdev: read-only is 'on' or 'off', not '2'");
}

TEST_CASE("-blockdev: qcow2 over a file or a raw node, and a raw view of it", "[options]") {
    const auto drive = [](std::initializer_list<const char*> arguments) {
        const Options options = good(arguments);
        REQUIRE(options.drives.size() == 1);
        CHECK(options.drives[0].format == backend::ImageFormat::qcow2);
        return options.drives[0];
    };
    CHECK(drive({"-blockdev", "driver=qcow2,node-name=x,file.driver=file,file.filename=F"}).file == "F");
    CHECK(drive({"-blockdev", "driver=file,node-name=f,filename=F", "-blockdev",
                 "driver=qcow2,node-name=x,file=f"})
              .id == "x");
    CHECK(drive({"-blockdev", "qcow2,node-name=x,file=r,read-only=on", "-blockdev", "raw,node-name=r,file=f",
                 "-blockdev", "file,node-name=f,filename=F"})
              .read_only);
    CHECK(drive({"-blockdev", "raw,node-name=r,file=x", "-blockdev",
                 "qcow2,node-name=x,file.driver=file,file.filename=F,lazy-refcounts=on,l2-cache-size=1M"})
              .id == "r");
    CHECK(bad({"-blockdev", "qcow2,node-name=y,file=x", "-blockdev",
               "qcow2,node-name=x,file.driver=file,file.filename=F"}) ==
          "-blockdev: a qcow2 image within another one is not supported");
    CHECK(bad({"-blockdev", "raw,node-name=x,file.driver=file,file.filename=F,lazy-refcounts=on"}) ==
          "-blockdev: driver raw has no parameter 'lazy-refcounts'");
    CHECK(bad({"-blockdev", "qcow2,node-name=x,file.driver=file,file.filename=F,backing=y"}) ==
          "-blockdev: driver qcow2 has no parameter 'backing'");
}

TEST_CASE("-device loader", "[options]") {
    const Options options =
        good({"-device", "loader,file=os.bin,addr=0x80200000", "-device",
              "loader,addr=0x80000000,data=0x12345678,data-len=4,cpu-num=0", "-device",
              "loader,addr=0x80000000,data=0x1234,data-len=2,data-be=on", "-device",
              "loader,file=a.elf,force-raw=on,addr=16", "-device", "loader,addr=0x80001000,cpu-num=1"});
    REQUIRE(options.loads.size() == 5);
    CHECK(options.devices.empty());
    CHECK(options.loads[0].file == "os.bin");
    CHECK(options.loads[0].address == 0x80200000);
    CHECK_FALSE(options.loads[0].cpu);
    CHECK(options.loads[1].bytes == std::vector<uint8_t>{0x78, 0x56, 0x34, 0x12});
    CHECK(options.loads[1].cpu == 0);
    CHECK(options.loads[2].bytes == std::vector<uint8_t>{0x12, 0x34});
    CHECK(options.loads[3].force_raw);
    CHECK(options.loads[4].cpu == 1);
    const std::string data =
        "-device: device 'loader': data= needs addr= and data-len= from 1 to 8, and no file=";
    CHECK(bad({"-device", "loader,data=1,data-len=4"}) == data);
    CHECK(bad({"-device", "loader,data=1,addr=0"}) == data);
    CHECK(bad({"-device", "loader,data=1,addr=0,data-len=9"}) == data);
    CHECK(bad({"-device", "loader,data=1,addr=0,data-len=1,file=x"}) == data);
    CHECK(bad({"-device", "loader"}) ==
          "-device: device 'loader' needs file=, or addr= and data=, or addr= and cpu-num=");
    CHECK(bad({"-device", "loader,file=a,addr=x"}) == "-device: device 'loader': addr is a number, not 'x'");
    CHECK(bad({"-device", "loader,file=a,colour=x"}) == "-device: device 'loader' has no property 'colour'");
    CHECK(device_text("loader")->find("cpu-num=") != std::string::npos);
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
    CHECK(options.error().message() == "-device: more than 8 virtio devices");
}

TEST_CASE("what needs a kernel says so", "[options]") {
    CHECK(bad({"-append", "x"}) == "-append: needs -kernel");
    CHECK(bad({"-initrd", "x"}) == "-initrd: needs -kernel");
}

TEST_CASE("-help names every option in lines that fit a terminal", "[options]") {
    const std::string text = usage_text("1.2.3");
    CHECK(text.starts_with("weft-system-riscv64 (QEMU-compatible) version 1.2.3\n"));
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
