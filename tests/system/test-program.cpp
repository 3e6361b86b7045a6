// The program as its users meet it: every message on standard error, every exit code, with the mock accelerator.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <regex>

#include "base/unique_fd.h"
#include "tests/support/subprocess.h"
#include "tests/support/wait.h"
#include "weft/abi.h"

using namespace weft;

namespace {

const std::string kPrefix = "weft-system-riscv64: ";
const std::string kSpeaks =
    " has ABI version 77; this program speaks version " + std::to_string(kAccelAbiVersion);

using Arguments = std::vector<std::string>;

test::Outcome run(const Arguments& arguments, const std::string& input = {}) {
    test::Command command;
    command.arguments = {PROGRAM};
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    command.input = input;
    command.environment = {{"WEFT_MODULE_DIR", MOCK_DIR}, {"WEFT_FIRMWARE_DIR", ""}};
    test::Outcome outcome = test::run(command);
    UNSCOPED_INFO("stdout: " << outcome.output << "stderr: " << outcome.errors);
    CHECK_FALSE(outcome.timed_out);
    return outcome;
}

// A machine without firmware and terminal, whose guest is the mock's pokes.
Arguments machine(const std::string& accel = "mock", const Arguments& more = {}) {
    Arguments arguments = {"-accel", accel, "-bios", "none", "-serial", "null", "-m", "16M"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

constexpr const char* kPowerOff = ",pokes=0x100000=0x5555";

// Exactly one line, exit code 1, nothing on standard output.
void fails(const Arguments& arguments, const std::string& message) {
    const test::Outcome outcome = run(arguments);
    CHECK(outcome.exit_code == 1);
    CHECK(outcome.errors == kPrefix + message + "\n");
    CHECK(outcome.output.empty());
}

std::string elf(uint16_t machine_id, uint8_t elf_class = 2) {
    std::string file(64, '\0');
    const unsigned char ident[] = {0x7f, 'E', 'L', 'F', elf_class, 1, 1};
    std::copy(std::begin(ident), std::end(ident), file.begin());
    file[16] = 2;  // ET_EXEC
    file[18] = static_cast<char>(machine_id & 0xff);
    file[19] = static_cast<char>(machine_id >> 8);
    file[20] = 1;
    file[52] = 64;  // e_ehsize
    file[54] = 56;  // e_phentsize
    return file;
}

}  // namespace

TEST_CASE("help and version go to standard output", "[program]") {
    const struct {
        Arguments arguments;
        const char* contains;
    } cases[] = {
        {{"-help"}, "\n  -kernel FILE\n"},
        {{"-version"}, "weft-system-riscv64 version "},
        {{"-accel", "help"}, "\n  mock  runs nothing and reports (for tests)\n"},
        {{"-accel", "help"}, "\n  other-abi  (cannot be used: "},
        {{"-accel", "mock,help"}, "\n  count=<a number from 1 to 4096> (default: 7)\n"},
        {{"-M", "help"}, "\nvirt                 RISC-V VirtIO board"},
        {{"-cpu", "help"}, "\n  rv64  "},
        {{"-device", "help"}, "\nname \"virtio-blk-device\", bus virtio-bus, desc "},
        {{"-device", "virtio-blk-device,help"}, "\n  serial=<up to 20 bytes> (default: none)\n"},
        {{"-d", "help"}, "in_asm"},
    };
    for (const auto& test : cases) {
        const test::Outcome outcome = run(test.arguments);
        CHECK(outcome.exit_code == 0);
        CHECK(outcome.errors.empty());
        CHECK(outcome.output.find(test.contains) != std::string::npos);
    }
}

TEST_CASE("a link of QEMU's name is the same program, and scripts find its version", "[program]") {
    const test::TempDir dir;
    const std::string link = dir.file("qemu-system-riscv64");
    REQUIRE(symlink(PROGRAM, link.c_str()) == 0);
    const auto run_link = [&](const Arguments& arguments) {
        test::Command command;
        command.arguments = {link};
        command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
        command.environment = {{"WEFT_MODULE_DIR", MOCK_DIR}, {"WEFT_FIRMWARE_DIR", ""}};
        return test::run(command);
    };
    // ClangBuiltLinux boot-utils.
    CHECK(std::regex_search(run_link({"--version"}).output, std::regex("version (\\d+\\.\\d+.\\d+)")));
    // kvm-unit-tests: the fourth word of the first line of -h, and the word QEMU.
    CHECK(std::regex_search(run_link({"-h"}).output, std::regex("^\\S+ \\S+ \\S+ \\d+\\.\\d+\\.\\d+\n")));
    CHECK(run_link({"--help"}).output.find("QEMU") != std::string::npos);
    // xv6's Makefile: without a gdb stub there is no such line.
    CHECK(run_link({"-help"}).output.find("\n-gdb") == std::string::npos);
    CHECK(run_link(machine(std::string("mock") + kPowerOff)).exit_code == 0);
    CHECK(run_link({"-frobnicate"}).errors ==
          "qemu-system-riscv64: unknown option '-frobnicate' (-help lists them)\n");
}

TEST_CASE("accelerators that cannot be used", "[program]") {
    const std::string dir = MOCK_DIR;
    const test::TempDir temp;
    temp.write("accel-garbage.so", "no shared object");

    const auto missing = run(machine("none-such"));
    CHECK(missing.exit_code == 1);
    CHECK(missing.errors.starts_with(kPrefix + "accelerator 'none-such': there is no accel-none-such.so in " +
                                     dir));
    CHECK(std::ranges::count(missing.errors, '\n') == 1);

    const auto garbage = run(machine("garbage", {"-module-dir", temp.path()}));
    CHECK(garbage.exit_code == 1);
    CHECK(garbage.errors.starts_with(kPrefix + "accelerator 'garbage': cannot open the module: "));
    CHECK(std::ranges::count(garbage.errors, '\n') == 1);

    fails(machine("no-symbol"),
          "accelerator 'no-symbol': " + dir +
              "/accel-no-symbol.so is no accelerator module (it has no symbol weft_accelerator)");
    fails(machine("other-abi"), "accelerator 'other-abi': " + dir + "/accel-other-abi.so" + kSpeaks);
    const auto layout = run(machine("other-layout"));
    CHECK(layout.exit_code == 1);
    CHECK(layout.errors.find("was built with other data layouts") != std::string::npos);
    const auto sanitizer = run(machine("other-sanitizer"));
    CHECK(sanitizer.exit_code == 1);
    CHECK(sanitizer.errors.find("was built with ") != std::string::npos);
    const auto help = run({"-accel", "none-such,help"});
    CHECK(help.exit_code == 1);
    CHECK(help.output.empty());
    CHECK(help.errors.starts_with(kPrefix + "accelerator 'none-such': there is no accel-none-such.so in " +
                                  dir));
}

TEST_CASE("accelerator properties", "[program]") {
    fails(machine("mock,count=abc"),
          "accelerator 'mock': property 'count': 'abc' is not a number from 1 to 4096");
    fails(machine("mock,count=-1"),
          "accelerator 'mock': property 'count': '-1' is not a number from 1 to 4096");
    fails(machine("mock,switch=maybe"), "accelerator 'mock': property 'switch': 'maybe' is not on or off");
    fails(machine("mock,mode=many"), "accelerator 'mock': property 'mode': 'many' is not slow or fast");
    fails(machine("mock,foo=1"),
          "accelerator 'mock' has no property 'foo' (properties: switch, count, mode, note, fail-create, "
          "fatal, pokes)");
    // Properties are not a reason to fall back.
    fails({"-accel", "mock,foo=1", "-accel", "mock"},
          "accelerator 'mock' has no property 'foo' (properties: switch, count, mode, note, fail-create, "
          "fatal, pokes)");
}

TEST_CASE("several accelerators are tried in order", "[program]") {
    const auto second = run(machine("other-abi", {"-accel", std::string("mock") + kPowerOff}));
    CHECK(second.exit_code == 0);
    CHECK(second.errors == kPrefix + "accelerator 'other-abi': " MOCK_DIR "/accel-other-abi.so" + kSpeaks +
                               "\n" + kPrefix + "falling back to mock\n");

    const auto uncreated =
        run(machine("mock,fail-create=no luck", {"-accel", std::string("mock") + kPowerOff}));
    CHECK(uncreated.exit_code == 0);
    CHECK(uncreated.errors == kPrefix + "accelerator 'mock': no luck\n" + kPrefix + "falling back to mock\n");

    fails(machine("mock,fail-create=no luck"), "accelerator 'mock': no luck");

    // What works first is taken.
    const auto first = run(machine(std::string("mock") + kPowerOff, {"-accel", "other-abi"}));
    CHECK(first.exit_code == 0);
    CHECK(first.errors.empty());
}

TEST_CASE("options that make no sense", "[program]") {
    fails({"-smp", "0"}, "-smp: the number of CPUs must be a number from 1 to 512, not '0'");
    fails({"-smp", "513"}, "-smp: the number of CPUs must be a number from 1 to 512, not '513'");
    fails({"-m", "1X"}, "-m: invalid size '1X' (a number with a suffix K, M, G or T; MiB without one)");
    fails({"-M", "spike"}, "-M: unknown machine 'spike' (there is 'virt', 'none')");
    fails({"-cpu", "z80"}, "-cpu: unknown CPU 'z80' ('help' lists them)");
    fails({"-device", "e1000"}, "-device: unknown device 'e1000' (-device help lists them)");
    fails({"-frobnicate"}, "unknown option '-frobnicate' (-help lists them)");
    fails({"-kernel"}, "-kernel: needs a value: FILE");
    fails(machine("mock", {"-d", "colours"}), "-d: unknown log item 'colours' ('help' lists them)");
    fails(machine("mock", {"-dfilter", "1"}),
          "-dfilter: bad address range '1': expected a..b, a+len or a-len");
}

TEST_CASE("files that cannot be used, and nothing opened for writing", "[program]") {
    const test::TempDir dir;
    const std::string log = dir.file("log");
    const std::string serial = dir.write("serial", "kept");
    const std::string absent = dir.file("absent");
    const std::string big = dir.file("big");
    const int fd = open(big.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0);
    REQUIRE(ftruncate(fd, off_t{17} << 20) == 0);
    close(fd);
    const std::string odd = dir.write("odd", std::string(700, '.'));
    const std::string other = dir.write("x86", elf(62));
    const std::string elf32 = dir.write("rv32", elf(243, 1));
    const std::string empty = dir.write("empty", "");

    const auto fails_cleanly = [&](const Arguments& more, const std::string& message) {
        Arguments arguments = {"-accel", "mock", "-m", "16M", "-serial", "file:" + serial, "-D", log};
        arguments.insert(arguments.end(), more.begin(), more.end());
        fails(arguments, message);
        CHECK_FALSE(test::exists(log));
        CHECK(test::read_file(serial) == "kept");
    };
    fails_cleanly({"-bios", absent}, "-bios: '" + absent + "': No such file or directory");
    fails_cleanly({"-bios", "none", "-kernel", absent},
                  "-kernel: '" + absent + "': No such file or directory");
    fails_cleanly({"-bios", "none", "-kernel", dir.path()}, "-kernel: '" + dir.path() + "': Is a directory");
    fails_cleanly({"-bios", "none", "-kernel", empty}, "-kernel: '" + empty + "': the file is empty");
    fails_cleanly({"-bios", "none", "-kernel", big},
                  "-kernel: '" + big + "': the file is larger than the machine's memory of 16M");
    fails_cleanly({"-bios", "none", "-kernel", odd, "-initrd", absent},
                  "-initrd: '" + absent + "': No such file or directory");
    fails_cleanly({"-bios", "none", "-dtb", absent}, "-dtb: '" + absent + "': No such file or directory");
    fails_cleanly({"-bios", "none", "-drive", "file=" + absent},
                  "-drive: disk image '" + absent + "': No such file or directory");
    fails_cleanly({"-bios", "none", "-drive", "file=" + odd},
                  "-drive: disk image '" + odd + "': its size, 700 bytes, is not a multiple of 512 above 0");
    fails_cleanly({"-bios", "none", "-D", "/nonexistent/log"},
                  "-D: cannot open '/nonexistent/log': No such file or directory");
    fails_cleanly({"-bios", "none", "-kernel", other},
                  "-kernel: '" + other + "': ELF file for machine 62, not for RISC-V (243)");
    fails_cleanly({"-bios", "none", "-kernel", elf32}, "-kernel: '" + elf32 + "': not a 64-bit ELF file");
    fails({"-accel", "mock", "-bios", "none", "-serial", "file:/nonexistent/x"},
          "-serial: cannot open '/nonexistent/x': No such file or directory");
    if (geteuid() != 0) {
        REQUIRE(chmod(odd.c_str(), 0) == 0);
        fails_cleanly({"-bios", "none", "-kernel", odd}, "-kernel: '" + odd + "': Permission denied");
    }
}

TEST_CASE("a disk image has one writer", "[program]") {
    const test::TempDir dir;
    const std::string image = dir.write("disk", std::string(4096, '\0'));
    const int fd = open(image.c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(fd >= 0);
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    REQUIRE(fcntl(fd, F_OFD_SETLK, &lock) == 0);
    const std::string serial = dir.file("serial");
    fails({"-accel", "mock", "-bios", "none", "-serial", "file:" + serial, "-drive", "file=" + image},
          "-drive: disk image '" + image + "': locked by another instance");
    CHECK_FALSE(test::exists(serial));
    lock.l_type = F_RDLCK;
    REQUIRE(fcntl(fd, F_OFD_SETLK, &lock) == 0);
    fails(machine("mock", {"-drive", "file=" + image}),
          "-drive: disk image '" + image + "': locked by another instance");
    const auto shared =
        run(machine(std::string("mock") + kPowerOff, {"-drive", "file=" + image + ",readonly=on"}));
    CHECK(shared.exit_code == 0);
    close(fd);
    CHECK(run(machine(std::string("mock") + kPowerOff,
                      {"-drive", "file=" + image + ",if=none,id=d", "-device", "virtio-blk-device,drive=d"}))
              .exit_code == 0);
}

TEST_CASE("-snapshot forgets what is written, and needs no right to write", "[program]") {
    const test::TempDir dir;
    const std::string image = dir.write("disk", std::string(4096, '.'));
    REQUIRE(chmod(image.c_str(), 0400) == 0);
    const std::string drive = "file=" + image + ",format=raw";
    CHECK(run(machine(std::string("mock") + kPowerOff, {"-snapshot", "-drive", drive})).exit_code == 0);
    CHECK(run(machine(std::string("mock") + kPowerOff, {"-drive", drive + ",snapshot=on"})).exit_code == 0);
    CHECK(test::read_file(image) == std::string(4096, '.'));
}

TEST_CASE("dumpdtb writes the device tree and runs nothing", "[program]") {
    const test::TempDir dir;
    const std::string file = dir.file("tree");
    const auto outcome = run(machine("mock", {"-M", "virt,dumpdtb=" + file, "-smp", "3"}));
    CHECK(outcome.exit_code == 0);
    CHECK(test::read_file(file).starts_with("\xd0\x0d\xfe\xed"));
    CHECK(test::read_file(file).find("cpu@2") != std::string::npos);
    fails(machine("mock", {"-M", "virt,dumpdtb=/nonexistent/x"}),
          "-machine dumpdtb: '/nonexistent/x': No such file or directory");
}

TEST_CASE("a file with the process's number is there while the machine runs", "[program]") {
    const test::TempDir dir;
    const std::string file = dir.file("pid");
    CHECK(run(machine(std::string("mock") + kPowerOff, {"-pidfile", file})).exit_code == 0);
    CHECK_FALSE(test::exists(file));
    fails(machine("mock", {"-pidfile", "/nonexistent/x"}),
          "-pidfile: cannot open '/nonexistent/x': No such file or directory");
    // In the background: the program returns at once, the machine goes on until it is told to end.
    const auto started = run(machine("mock", {"-daemonize", "-pidfile", file}));
    CHECK(started.exit_code == 0);
    CHECK(started.output.empty());
    REQUIRE(test::exists(file));
    const pid_t other = std::stoi(test::read_file(file));
    CHECK(kill(other, 0) == 0);
    fails(machine("mock", {"-pidfile", file}), "-pidfile: '" + file + "': another machine's");
    REQUIRE(kill(other, SIGTERM) == 0);
    test::wait_until([&] { return !test::exists(file); });
    const auto refused = run(machine("mock", {"-daemonize", "-kernel", "/nonexistent/x"}));
    CHECK(refused.exit_code == 1);
    CHECK(refused.errors == kPrefix + "-kernel: '/nonexistent/x': No such file or directory\n");
    // What goes wrong when the machine is made is still told.
    const auto not_made = run(machine("mock,fail-create=because", {"-daemonize", "-pidfile", file}));
    CHECK(not_made.exit_code == 1);
    CHECK(not_made.errors.find("because") != std::string::npos);
    CHECK_FALSE(test::exists(file));
}

TEST_CASE("the test finisher decides the exit code", "[program]") {
    const struct {
        const char* pokes;
        int exit_code;
    } cases[] = {
        {"0x100000=0x5555", 0}, {"0x100000=0x3333", 1}, {"0x100000=0x13333", 1}, {"0x100000=0x2a3333", 42}};
    for (const auto& test : cases) {
        INFO(test.pokes);
        const auto outcome = run(machine(std::string("mock,pokes=") + test.pokes));
        CHECK(outcome.exit_code == test.exit_code);
        CHECK(outcome.errors.empty());
    }
}

TEST_CASE("the serial port writes to standard output or a file", "[program]") {
    const std::string pokes = "mock,pokes=0x10000000=0x68:0x10000000=0x69:0x100000=0x5555";
    const Arguments common = {"-accel", pokes, "-bios", "none", "-m", "16M"};
    for (const Arguments& serial : {Arguments{"-nographic"}, Arguments{"-serial", "stdio"},
                                    Arguments{"-serial", "mon:stdio"}, Arguments{}}) {
        Arguments arguments = common;
        arguments.insert(arguments.end(), serial.begin(), serial.end());
        const auto outcome = run(arguments);
        CHECK(outcome.exit_code == 0);
        CHECK(outcome.output == "hi");
        CHECK(outcome.errors.empty());
    }
    const test::TempDir dir;
    const std::string file = dir.write("out", "old contents");
    const auto outcome = run(machine(pokes, {"-smp", "2"}));
    CHECK(outcome.output.empty());
    Arguments arguments = common;
    arguments.insert(arguments.end(), {"-serial", "file:" + file});
    CHECK(run(arguments).exit_code == 0);
    CHECK(test::read_file(file) == "hi");
}

TEST_CASE("lines that cannot be are told, a pseudo-terminal is named", "[program]") {
    fails({"-accel", "mock", "-bios", "none", "-m", "16M", "-serial", "unix:/nonexistent/x"},
          "-serial: '/nonexistent/x': No such file or directory");
    const Arguments pty = {"-accel", std::string("mock") + kPowerOff, "-bios", "none", "-m", "16M", "-serial",
                           "pty"};
    const auto outcome = run(pty);
    CHECK(outcome.exit_code == 0);
    CHECK(outcome.output.starts_with("char device redirected to /dev/pts/"));
    CHECK(outcome.output.ends_with(" (label serial0)\n"));
    const test::TempDir dir;
    const std::string file = dir.write("out", "kept ");
    Arguments append = {"-accel", "mock,pokes=0x10000000=0x68:0x100000=0x5555", "-bios", "none", "-m", "16M"};
    append.insert(append.end(), {"-chardev", "file,id=f,append=on,path=" + file, "-serial", "chardev:f"});
    CHECK(run(append).exit_code == 0);
    CHECK(test::read_file(file) == "kept h");
}

TEST_CASE("-no-reboot ends the machine where it would reset", "[program]") {
    const auto guest = run({"-accel", "mock,pokes=0x10000000=0x72:0x100000=0x7777", "-bios", "none", "-m",
                            "16M", "-no-reboot", "-nographic"});
    CHECK(guest.exit_code == 0);
    CHECK(guest.output == "r");
    const auto monitor =
        run({"-accel", "mock", "-bios", "none", "-m", "16M", "-no-reboot", "-monitor", "stdio"},
            "system_reset\n");
    CHECK(monitor.exit_code == 0);
}

TEST_CASE("the keyboard's commands and the monitor", "[program]") {
    const Arguments common = {
        "-accel", "mock,count=99,note=hello", "-bios", "none", "-m", "16M", "-nographic", "-smp", "2"};
    CHECK(run(common, "\x01x").exit_code == 0);
    const auto help = run(common, "\x01h\x01x");
    CHECK(help.output.find("Ctrl-A c") != std::string::npos);
    const auto monitor =
        run(common,
            "\x01"
            "cinfo cpus\ninfo jit\ninfo stats\ninfo registers -a\ninfo mtree -f\ninfo mtree\nstop\n"
            "info status\ncont\nquit\n");
    CHECK(monitor.exit_code == 0);
    for (const char* text : {"(weft) ", "CPU 1: hart 1, pc 0000000000001000", "count 99", "note 'hello'",
                             "{\"count\":99}", "CPU 1\n", "VM status: paused\n"}) {
        INFO(text);
        CHECK(monitor.output.find(text) != std::string::npos);
    }
    const auto alone = run({"-accel", "mock", "-bios", "none", "-m", "16M", "-monitor", "stdio", "-S"},
                           "info status\nquit\n");
    CHECK(alone.exit_code == 0);
    CHECK(alone.output.find("weft ") == 0);
    CHECK(alone.output.find("VM status: paused (prelaunch)\n") != std::string::npos);
    // The reset vector's code, which is ROM.
    const auto memory = run({"-accel", "mock", "-bios", "none", "-m", "16M", "-monitor", "stdio", "-S"},
                            "xp/i 0x1000\nx/i $pc\nxp 0x100000\nquit\n");
    CHECK(std::regex_search(memory.output, std::regex("xp/i 0x1000\n0x0*1000:.*auipc.*\n")));
    CHECK(std::regex_search(memory.output, std::regex("x/i \\$pc\n0x0*1000:.*auipc.*\n")));
    CHECK(memory.output.find("xp: there is no memory at 0x100000\n") != std::string::npos);
}

TEST_CASE("QMP: conversations, and what the machine does meanwhile", "[program]") {
    const std::string negotiate = "{\"execute\":\"qmp_capabilities\"}\n";
    const Arguments qmp = {"-accel", "mock", "-bios", "none", "-m", "16M", "-S", "-qmp", "stdio"};
    const auto outcome =
        run(qmp, negotiate +
                     "{\"execute\":\"query-status\"}{\"execute\":\"cont\"}{\"execute\":\"query-chardev\"}"
                     "{\"execute\":\"system_reset\"}{\"execute\":\"quit\"}");
    CHECK(outcome.exit_code == 0);
    size_t at = 0;
    for (const char* text :
         {"{\"QMP\": {\"capabilities\": [], \"version\": ", "{\"return\": {}}\r\n",
          "{\"return\": {\"running\": false, \"status\": \"prelaunch\"}}\r\n", "{\"event\": \"RESUME\", ",
          "{\"return\": {}}\r\n",
          "{\"return\": [{\"filename\": \"null\", \"frontend-open\": true, \"label\": \"serial0\"}, "
          "{\"filename\": \"stdio\", \"frontend-open\": true, \"label\": \"compat_monitor0\"}]}\r\n",
          "{\"return\": {}}\r\n", "{\"return\": {}}\r\n",
          "{\"data\": {\"guest\": false, \"reason\": \"host-qmp-quit\"}, \"event\": \"SHUTDOWN\", "}) {
        INFO(text);
        at = outcome.output.find(text, at);
        REQUIRE(at != std::string::npos);
    }
    // A guest that powers off as soon as it runs.
    Arguments off = qmp;
    off[1] += kPowerOff;
    const auto powered_off = run(off, negotiate + "{\"execute\":\"cont\"}");
    CHECK(powered_off.exit_code == 0);
    CHECK(powered_off.output.find("{\"data\": {\"guest\": true, \"reason\": \"guest-shutdown\"}, \"event\": "
                                  "\"SHUTDOWN\", ") != std::string::npos);
    // Under -no-reboot a reset is an end.
    Arguments once = qmp;
    once.push_back("-no-reboot");
    CHECK(run(once, negotiate + "{\"execute\":\"system_reset\"}")
              .output.find("{\"data\": {\"guest\": false, \"reason\": \"host-qmp-system-reset\"}, "
                           "\"event\": \"SHUTDOWN\", ") != std::string::npos);
    const auto pretty =
        run({"-machine", "none", "-qmp-pretty", "stdio"}, negotiate + "{\"execute\":\"quit\"}");
    CHECK(pretty.exit_code == 0);
    CHECK(pretty.output.find("\r\n{\n    \"return\": {}\n}\r\n") != std::string::npos);
}

TEST_CASE("-machine none answers, as libvirt asks it to", "[program]") {
    const test::TempDir dir;
    const std::string path = dir.file("qmp");
    const std::string pid_file = dir.file("pid");
    const auto started =
        run({"-S", "-no-user-config", "-nodefaults", "-nographic", "-machine", "none,accel=kvm:tcg", "-qmp",
             "unix:" + path + ",server=on,wait=off", "-pidfile", pid_file, "-daemonize"});
    REQUIRE(started.exit_code == 0);
    CHECK(started.errors.empty());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), address.sun_path);
    std::string said;
    // The second client is greeted anew.
    for (const char* last : {"query-cpus-fast", "quit"}) {
        const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        const std::string commands =
            "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"query-status\"}{\"execute\":\"" +
            std::string(last) + "\"}";
        REQUIRE(write(fd.get(), commands.data(), commands.size()) == static_cast<ssize_t>(commands.size()));
        shutdown(fd.get(), SHUT_WR);
        char buffer[4096];
        for (ssize_t count = 0; (count = read(fd.get(), buffer, sizeof buffer)) > 0;) {
            said.append(buffer, static_cast<size_t>(count));
        }
    }
    CHECK(said.find("\"status\": \"prelaunch\"") != std::string::npos);
    CHECK(said.find("{\"return\": []}\r\n{\"QMP\": ") != std::string::npos);
    CHECK(said.find("host-qmp-quit") != std::string::npos);
    test::wait_until([&] { return !test::exists(pid_file); });
    fails({"-machine", "none,aia=none"}, "-machine: none has no property 'aia'");
}

TEST_CASE("a signal ends a program that waits for a server to take it", "[program]") {
    const test::TempDir dir;
    const std::string path = dir.file("line");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), address.sun_path);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    const UniqueFd server(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(bind(server.get(), generic, sizeof address) == 0);
    REQUIRE(listen(server.get(), 0) == 0);
    // As many as may wait.
    std::vector<UniqueFd> waiting;
    do {
        waiting.emplace_back(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    } while (connect(waiting.back().get(), generic, sizeof address) == 0);
    std::vector<std::string> arguments = {PROGRAM};
    for (const std::string& argument : machine("mock", {"-monitor", "unix:" + path})) {
        arguments.push_back(argument);
    }
    test::Process child(arguments, {{"WEFT_MODULE_DIR", MOCK_DIR}}, STDIN_FILENO, STDOUT_FILENO,
                        STDERR_FILENO);
    child.kill(SIGTERM);
    test::Outcome outcome;
    child.wait(outcome);
    CHECK(outcome.signal == SIGTERM);
}

TEST_CASE("an accelerator's fatal error ends the machine with 1", "[program]") {
    fails(machine("mock,fatal=out of memory"), "out of memory");
}
