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

TEST_CASE("-icount is properties of each accelerator", "[options]") {
    const auto all = [](const loader::AccelChoice& accel) {
        std::string text;
        for (const KeyValue& property : accel.properties) {
            text += (text.empty() ? "" : ",") + property.key + "=" + property.value.value_or("(none)");
        }
        return text;
    };
    CHECK(all(good({"-icount", "shift=3"}).accelerators[0]) ==
          "thread=single,clock=insn,insn-shift=3,insn-sleep=on");
    CHECK(all(good({"-icount", "10,sleep=off"}).accelerators[0]) ==
          "thread=single,clock=insn,insn-shift=10,insn-sleep=off");
    const Options both = good({"-icount", "auto", "-accel", "tcg,thread=single", "-accel", "tcg"});
    REQUIRE(both.accelerators.size() == 2);
    CHECK(all(both.accelerators[0]) ==
          "thread=single,thread=single,clock=insn,insn-shift=auto,insn-sleep=on");
    CHECK(all(both.accelerators[1]) == "thread=single,clock=insn,insn-shift=auto,insn-sleep=on");
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
    // The board has one: others lead nowhere.
    CHECK(good({"-serial", "null", "-serial", "stdio"}).serial.kind == Kind::null);
    CHECK(bad({"-serial", "null", "-serial", "chardev:x"}) == "-serial: there is no chardev 'x'");
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
    CHECK(bad({"-chardev", "socket,id=c"}) == "-chardev: a socket needs path=PATH, host= and port=, or fd=N");
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
    REQUIRE(options.switches.size() == 1);
    CHECK(options.switches[0] == std::pair(&hw::BootConfig::aclint, false));
    CHECK(good({"-M", "virt,aclint=on"}).switches[0] == std::pair(&hw::BootConfig::aclint, true));
    CHECK(good({"-M", "virt,aclint"}).switches[0].second);
    CHECK(bad({"-M", "virt,aclint=maybe"}) == "-M: aclint is 'on' or 'off', not 'maybe'");
    CHECK(bad({"-M", "virt,acpi=on"}) == "-M: acpi=on is not supported (only off|auto)");
    CHECK(bad({"-M", "virt,dumpdtb="}) == "-M: 'dumpdtb' needs a value");
    CHECK(bad({"-M", "virt,pflash2=p"}) == "-M: machine 'virt' has no property 'pflash2'");
}

TEST_CASE("semihosting: on, off, its arguments and its line", "[options]") {
    CHECK(!good({}).semihosting);
    CHECK(good({"-semihosting"}).semihosting);
    CHECK(!good({"-semihosting", "-semihosting-config", "enable=off"}).semihosting);
    CHECK(!good({"-semihosting-config", "off"}).semihosting);
    const Options options = good({"-semihosting-config", "enable=on,target=native,userspace=on,arg=a,,b,arg=",
                                  "-semihosting-config", "arg=c,target=auto"});
    REQUIRE(options.semihosting);
    CHECK(options.semihosting->user_mode);
    CHECK(options.semihosting->arguments == std::vector<std::string>{"a,b", "", "c"});
    CHECK(!options.semihosting->line);
    CHECK(!options.semihosting->shared);
    // The serial port's line is shared, another one its own.
    const Options shared =
        good({"-chardev", "stdio,id=con,mux=on", "-serial", "chardev:con", "-mon",
              "chardev=con,mode=readline", "-semihosting-config", "enable=on,chardev=con"});
    CHECK(shared.semihosting->shared);
    CHECK(!shared.semihosting->line);
    const Options own = good({"-chardev", "file,id=f,path=x", "-semihosting-config", "chardev=f"});
    REQUIRE(own.semihosting->line);
    CHECK(own.semihosting->line->kind == SerialChoice::Kind::file);
    CHECK(good({"-chardev", "stdio,id=c", "-serial", "null", "-monitor", "none", "-semihosting-config",
                "chardev=c"})
              .semihosting->line->kind == SerialChoice::Kind::stdio);

    CHECK(bad({"-semihosting-config", "target=gdb"}) ==
          "-semihosting-config: target=gdb is not supported: the emulator does the calls itself (native, "
          "auto)");
    CHECK(bad({"-semihosting-config", "enable=maybe"}) ==
          "-semihosting-config: enable is 'on' or 'off', not 'maybe'");
    CHECK(bad({"-semihosting-config", "color=on"}) ==
          "-semihosting-config: unknown parameter 'color' (there are enable, target, chardev, userspace and "
          "arg)");
    CHECK(bad({"-semihosting-config", "chardev="}) == "-semihosting-config: 'chardev' needs a value");
    CHECK(bad({"-semihosting-config", "chardev=x"}) == "-semihosting-config: there is no chardev 'x'");
    CHECK(bad({"-chardev", "stdio,id=c", "-semihosting-config", "chardev=c"}) ==
          "-semihosting-config: stdio is another's (-serial null -monitor none)");
    CHECK(bad({"-chardev", "pty,id=c", "-qmp", "chardev:c", "-semihosting-config", "chardev=c"}) ==
          "-semihosting-config: chardev 'c' is used already");
    CHECK(bad({"-chardev", "pty,id=c,mux=on", "-semihosting-config", "chardev=c"}) ==
          "-semihosting-config: chardev 'c' can be shared with the serial port alone");
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
          "-boot",       "c",
          "-overcommit", "mem-lock=off",
          "-msg",        "timestamp=on"});
    CHECK(bad({"-display", "gtk"}) ==
          "-display: 'gtk' is not supported: there is no display ('none' is accepted)");
    CHECK(bad({"-vga", "std"}) == "-vga: 'std' is not supported: there is no display ('none' is accepted)");
    CHECK(bad({"-parallel", "stdio"}) ==
          "-parallel: 'stdio' is not supported: the board has no parallel port ('none' is accepted)");
    CHECK(bad({"-uuid", "0123"}) == "-uuid: '0123' is no UUID");
    CHECK(bad({"-uuid", "01234567-89ab-cdef-0123-456789ABCDEG"}).find("is no UUID") != std::string::npos);
    CHECK(bad({"-boot", "colour=c"}).starts_with("-boot: unknown parameter 'colour' (there are 'order', "));
    CHECK(bad({"-overcommit", "mem-lock=on"}) == "-overcommit: mem-lock=on is not supported (only off)");
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

TEST_CASE("-incoming and -loadvm", "[options]") {
    for (const char* uri :
         {"defer", "file:/a,b", "exec:gzip -dc x", "unix:/p", "tcp::44", "tcp:[::1]:44", "fd:7"}) {
        CHECK(good({"-incoming", uri}).incoming == uri);
    }
    CHECK(bad({"-incoming", "carrier:pigeon"}) ==
          "-incoming: 'carrier:pigeon' is none of file:PATH, exec:COMMAND, unix:PATH, tcp:HOST:PORT, fd:N");
    CHECK(bad({"-incoming", "file"}) == "-incoming: 'file' says what it is, and not which");
    CHECK(bad({"-incoming", "exec:"}) == "-incoming: 'exec:' says what it is, and not which");
    CHECK(bad({"-incoming", "tcp:host"}) == "-incoming: tcp:host has no port");
    CHECK(bad({"-incoming", "fd:x"}) == "-incoming: 'x' is no number of a descriptor");
    CHECK(good({"-loadvm", "a"}).load_snapshot == "a");
    CHECK(bad({"-loadvm", ""}) == "-loadvm: the value is empty");
    CHECK(bad({"-loadvm", "a", "-incoming", "defer"}) == "-loadvm and -incoming exclude each other");
}
