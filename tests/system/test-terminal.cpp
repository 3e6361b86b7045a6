// The program on a terminal: raw while it runs, as it was afterwards, however it ends.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "tests/support/subprocess.h"

using namespace weft;

namespace {

// A pseudo-terminal: the program gets `slave`, the test types and reads at `master`.
struct Pty {
    int master = -1;
    int slave = -1;

    Pty() {
        master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        REQUIRE(master >= 0);
        REQUIRE(grantpt(master) == 0);
        REQUIRE(unlockpt(master) == 0);
        slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
        REQUIRE(slave >= 0);
    }
    ~Pty() {
        close(master);
        close(slave);
    }
    Pty(const Pty&) = delete;
    Pty& operator=(const Pty&) = delete;

    termios mode() const {
        termios mode{};
        REQUIRE(tcgetattr(slave, &mode) == 0);
        return mode;
    }
    void type(const std::string& text) const {
        REQUIRE(write(master, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    // Reads until `text` was seen; fails after a minute without.
    std::string read_until(const std::string& text) const {
        std::string seen;
        while (seen.find(text) == std::string::npos) {
            pollfd state{master, POLLIN, 0};
            INFO("seen so far: " << seen);
            REQUIRE(poll(&state, 1, 60'000) == 1);
            char buffer[1024];
            const ssize_t count = read(master, buffer, sizeof buffer);
            REQUIRE(count > 0);
            seen.append(buffer, static_cast<size_t>(count));
        }
        return seen;
    }
};

bool same(const termios& a, const termios& b) {
    return a.c_iflag == b.c_iflag && a.c_oflag == b.c_oflag && a.c_cflag == b.c_cflag &&
           a.c_lflag == b.c_lflag;
}

std::vector<std::string> program(const std::string& accel, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {PROGRAM, "-accel", accel, "-bios", "none", "-m", "16M"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

const std::vector<std::pair<std::string, std::string>> kEnvironment = {{"WEFT_MODULE_DIR", MOCK_DIR}};

}  // namespace

TEST_CASE("raw with the keyboard's commands, restored by quitting", "[terminal]") {
    const Pty pty;
    const termios before = pty.mode();
    REQUIRE((before.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG));
    test::Process child(program("mock", {"-nographic"}), kEnvironment, pty.slave, pty.slave, STDERR_FILENO);
    pty.type(
        "\x01"
        "c");
    pty.read_until("(weft) ");
    CHECK((pty.mode().c_lflag & (ICANON | ECHO | ISIG)) == 0);
    CHECK((pty.mode().c_oflag & OPOST) != 0);
    // Ctrl-C is a character like others here.
    pty.type("\x03info status\r");
    CHECK(pty.read_until("running\r\n").find("info status\r\n") != std::string::npos);
    pty.type("\x01x");
    test::Outcome outcome;
    child.wait(outcome);
    CHECK(outcome.exit_code == 0);
    CHECK(same(pty.mode(), before));
}

TEST_CASE("restored after signals, power-off and errors", "[terminal]") {
    const Pty pty;
    const termios before = pty.mode();
    test::Outcome outcome;
    SECTION("SIGTERM, SIGINT, SIGHUP end it in order") {
        const int signal = GENERATE(SIGTERM, SIGINT, SIGHUP);
        test::Process child(program("mock", {"-monitor", "stdio"}), kEnvironment, pty.slave, pty.slave,
                            STDERR_FILENO);
        pty.read_until("(weft) ");
        CHECK((pty.mode().c_lflag & (ICANON | ECHO)) == 0);
        CHECK((pty.mode().c_lflag & ISIG) != 0);
        child.kill(signal);
        child.wait(outcome);
        CHECK(outcome.exit_code == 0);
    }
    SECTION("the guest's power-off") {
        test::Process child(program("mock,pokes=0x10000000=0x68:0x100000=0x73333", {"-nographic"}),
                            kEnvironment, pty.slave, pty.slave, STDERR_FILENO);
        pty.read_until("h");
        child.wait(outcome);
        CHECK(outcome.exit_code == 7);
    }
    SECTION("a fatal error") {
        int errors[2];
        REQUIRE(pipe(errors) == 0);
        test::Process child(program("mock,fatal=broken", {"-nographic"}), kEnvironment, pty.slave, pty.slave,
                            errors[1]);
        child.wait(outcome);
        close(errors[0]);
        close(errors[1]);
        CHECK(outcome.exit_code == 1);
    }
    SECTION("an accelerator that cannot be made") {
        int errors[2];
        REQUIRE(pipe(errors) == 0);
        test::Process child(program("mock,fail-create=no", {"-nographic"}), kEnvironment, pty.slave,
                            pty.slave, errors[1]);
        child.wait(outcome);
        close(errors[0]);
        close(errors[1]);
        CHECK(outcome.exit_code == 1);
    }
    CHECK(same(pty.mode(), before));
}

TEST_CASE("a guest that resets runs anew", "[terminal]") {
    const Pty pty;
    test::Process child(program("mock,pokes=0x10000000=0x51:0x100000=0x7777", {"-nographic"}), kEnvironment,
                        pty.slave, pty.slave, STDERR_FILENO);
    pty.read_until("QQQ");
    pty.type("\x01x");
    test::Outcome outcome;
    child.wait(outcome);
    CHECK(outcome.exit_code == 0);
}

TEST_CASE("the mode comes back after the program was stopped and continued", "[terminal]") {
    const Pty pty;
    const termios before = pty.mode();
    test::Process child(program("mock", {"-nographic"}), kEnvironment, pty.slave, pty.slave, STDERR_FILENO);
    pty.type(
        "\x01"
        "c");
    pty.read_until("(weft) ");
    // As a shell does when a job stops.
    REQUIRE(tcsetattr(pty.slave, TCSANOW, &before) == 0);
    child.kill(SIGSTOP);
    child.kill(SIGCONT);
    // The signal was sent before the first command, so its turn came before the second one's at the latest.
    for (int i = 0; i < 2; ++i) {
        pty.type("info status\r");
        pty.read_until("running\r\n");
    }
    CHECK((pty.mode().c_lflag & (ICANON | ECHO | ISIG)) == 0);
    pty.type("quit\r");
    test::Outcome outcome;
    child.wait(outcome);
    CHECK(outcome.exit_code == 0);
    CHECK(same(pty.mode(), before));
}
