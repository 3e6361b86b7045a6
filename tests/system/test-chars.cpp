// Serial lines: standard input and output, the shared terminal, files.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "emulator/backend/char/char_file.h"
#include "emulator/backend/char/char_mux.h"
#include "emulator/backend/char/char_stdio.h"
#include "emulator/machine/main_loop.h"
#include "tests/support/subprocess.h"

using namespace weft;

namespace {

std::span<const uint8_t> bytes(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::unique_ptr<machine::MainLoop> make_loop() {
    auto loop = machine::MainLoop::create();
    REQUIRE(loop);
    return std::move(*loop);
}

// A device that takes `room` characters until somebody makes room again; at `expected` characters the loop ends.
class Device final : public backend::CharBackend::Receiver {
  public:
    Device(machine::MainLoop& loop, size_t expected, unsigned room = 1u << 20)
        : loop_(loop), expected_(expected), room_(room) {}

    unsigned can_receive() override {
        MutexLock lock(mutex_);
        return room_;
    }
    void receive(std::span<const uint8_t> data) override {
        MutexLock lock(mutex_);
        overrun_ = overrun_ || data.size() > room_;
        room_ -= static_cast<unsigned>(std::min<size_t>(data.size(), room_));
        text_.append(reinterpret_cast<const char*>(data.data()), data.size());
        if (text_.size() >= expected_) {
            loop_.quit();
        }
    }
    // From any thread, as a guest that empties a FIFO.
    bool make_room(unsigned room) {
        MutexLock lock(mutex_);
        if (room_ != 0) {
            return false;
        }
        room_ = room;
        return true;
    }
    std::string text() {
        MutexLock lock(mutex_);
        return text_;
    }
    bool overrun() {
        MutexLock lock(mutex_);
        return overrun_;
    }

  private:
    machine::MainLoop& loop_;
    const size_t expected_;
    Mutex mutex_;
    unsigned room_;
    std::string text_;
    bool overrun_ = false;
};

// A terminal that tests type on.
class FakeTerminal final : public backend::CharBackend {
  public:
    void write(std::span<const uint8_t> data) override {
        output.append(reinterpret_cast<const char*>(data.data()), data.size());
    }
    void set_receiver(Receiver* to) override { receiver = to; }
    void accept_input() override { ++accepted; }
    void type(std::string_view text) { receiver->receive(bytes(text)); }

    Receiver* receiver = nullptr;
    std::string output;
    int accepted = 0;
};

std::string read_all(int fd) {
    std::string text;
    char buffer[65536];
    for (ssize_t count = 0; (count = read(fd, buffer, sizeof buffer)) > 0;) {
        text.append(buffer, static_cast<size_t>(count));
    }
    return text;
}

std::string pattern(size_t size) {
    std::string text(size, ' ');
    for (size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>('!' + i % 89);
    }
    return text;
}

}  // namespace

TEST_CASE("standard input reaches a receiver no faster than it has room", "[char-stdio]") {
    const auto loop = make_loop();
    int in[2];
    REQUIRE(pipe(in) == 0);
    const std::string sent = pattern(20000);
    std::thread typist([&] {
        for (size_t at = 0; at < sent.size();) {
            const ssize_t count = write(in[1], sent.data() + at, std::min<size_t>(sent.size() - at, 700));
            at += static_cast<size_t>(std::max<ssize_t>(count, 0));
        }
    });
    const int nowhere = open("/dev/null", O_WRONLY);
    backend::CharStdio line(*loop, in[0], nowhere);
    Device device(*loop, sent.size(), 16);
    line.set_receiver(&device);
    std::atomic<bool> leaving{false};
    std::thread guest([&] {
        while (!leaving) {
            if (device.make_room(16)) {
                line.accept_input();
            }
            std::this_thread::yield();
        }
    });
    loop->run();
    leaving = true;
    guest.join();
    typist.join();
    CHECK(device.text() == sent);
    CHECK_FALSE(device.overrun());
    for (const int fd : {in[0], in[1], nowhere}) {
        close(fd);
    }
}

TEST_CASE("the end of standard input is no event", "[char-stdio]") {
    const auto loop = make_loop();
    const int empty = open("/dev/null", O_RDWR);
    backend::CharStdio line(*loop, empty, empty);
    Device device(*loop, 1);
    line.set_receiver(&device);
    loop->set_timer(
        machine::monotonic_ns() + 5'000'000,
        [](void* opaque) { static_cast<machine::MainLoop*>(opaque)->quit(); }, loop.get());
    loop->run();
    CHECK(device.text().empty());
    close(empty);
}

TEST_CASE("output to a full pipe or socket is kept, in order, without blocking the writer", "[char-stdio]") {
    const bool socket = GENERATE(false, true);
    const auto loop = make_loop();
    int out[2];
    if (socket) {
        REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, out) == 0);
        std::swap(out[0], out[1]);
    } else {
        REQUIRE(pipe(out) == 0);
    }
    const int in = open("/dev/null", O_RDONLY);
    const std::string sent = pattern(3'000'000);
    std::string received;
    std::thread reader;
    {
        backend::CharStdio line(*loop, in, out[1]);
        // Nobody reads: would block a plain write for ever.
        for (size_t at = 0; at < sent.size(); at += 1000) {
            line.write(bytes(std::string_view(sent).substr(at, 1000)));
        }
        // The descriptor that others share was left alone.
        CHECK((fcntl(out[1], F_GETFL) & O_NONBLOCK) == 0);
        struct Stop {
            machine::MainLoop* loop;
        } stop{loop.get()};
        reader = std::thread([&] {
            char buffer[4096];
            while (received.size() < sent.size() / 2) {
                const ssize_t count = read(out[0], buffer, sizeof buffer);
                received.append(buffer, static_cast<size_t>(std::max<ssize_t>(count, 0)));
            }
            loop->post([](void* opaque) { static_cast<Stop*>(opaque)->loop->quit(); }, &stop);
            received += read_all(out[0]);
        });
        loop->run();
        line.drain();
    }
    close(out[1]);
    reader.join();
    CHECK(received == sent);
    close(out[0]);
    close(in);
}

TEST_CASE("output whose reader has gone is dropped", "[char-stdio]") {
    const auto loop = make_loop();
    int out[2];
    REQUIRE(pipe(out) == 0);
    close(out[0]);
    sigset_t set;
    sigset_t previous;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, &previous);
    {
        backend::CharStdio line(*loop, out[1], out[1]);
        line.write(bytes("gone"));
        line.drain();
    }
    const timespec no_wait{};
    sigtimedwait(&set, nullptr, &no_wait);
    pthread_sigmask(SIG_SETMASK, &previous, nullptr);
    close(out[1]);
    SUCCEED("neither blocked nor killed");
}

TEST_CASE("a file takes what is written and nothing of before", "[char-file]") {
    const test::TempDir dir;
    const std::string path = dir.write("log", "something old and long");
    {
        auto line = backend::CharFile::open(path);
        REQUIRE(line);
        (*line)->write(bytes("one "));
        (*line)->write(bytes("two"));
        CHECK(test::read_file(path) == "one two");
    }
    const auto bad = backend::CharFile::open("/nonexistent/log");
    REQUIRE_FALSE(bad);
    CHECK(bad.error().message() == "-serial: cannot open '/nonexistent/log': No such file or directory");
}

TEST_CASE("Ctrl-A commands: help, switch, itself, quit", "[char-mux]") {
    const auto loop = make_loop();
    FakeTerminal terminal;
    bool quit = false;
    backend::CharMux mux(*loop, terminal, [&] { quit = true; });
    Device serial(*loop, SIZE_MAX);
    Device monitor(*loop, SIZE_MAX);
    mux.serial().set_receiver(&serial);
    mux.monitor().set_receiver(&monitor);
    int focused = 0;
    mux.on_monitor_focus([&] { ++focused; });

    terminal.type(
        "ab\x01\x01"
        "c");
    CHECK(serial.text() ==
          "ab\x01"
          "c");
    terminal.type("d\x01");
    terminal.type("ce");
    CHECK(serial.text() ==
          "ab\x01"
          "cd");
    CHECK(monitor.text() == "e");
    CHECK(focused == 1);
    terminal.type(
        "\x01"
        "cf");
    CHECK(serial.text() ==
          "ab\x01"
          "cdf");
    CHECK(focused == 1);

    terminal.type("\x01h");
    CHECK(terminal.output.find("Ctrl-A x") != std::string::npos);
    terminal.output.clear();
    terminal.type("\x01?\x01z");
    CHECK(terminal.output.find("Ctrl-A x") != std::string::npos);
    CHECK_FALSE(quit);
    terminal.type("\x01x");
    CHECK(quit);

    terminal.output.clear();
    mux.serial().write(bytes("s"));
    mux.monitor().write(bytes("m"));
    CHECK(terminal.output == "sm");
}

TEST_CASE("commands work while the guest takes no input, and nothing typed is lost", "[char-mux]") {
    const auto loop = make_loop();
    FakeTerminal terminal;
    bool quit = false;
    backend::CharMux mux(*loop, terminal, [&] { quit = true; });
    Device serial(*loop, 8 + 3000, 8);
    mux.serial().set_receiver(&serial);
    const std::string sent = pattern(8 + 3000);
    terminal.type(sent);
    CHECK(serial.text() == sent.substr(0, 8));
    terminal.type("\x01x");
    CHECK(quit);
    CHECK(terminal.receiver->can_receive() == 4096 - 3000);
    terminal.type(pattern(4096 - 3000));
    CHECK(terminal.receiver->can_receive() == 0);
    CHECK(terminal.accepted == 0);
    std::thread guest([&] {
        serial.make_room(4096);
        mux.serial().accept_input();
    });
    loop->run();
    guest.join();
    CHECK(serial.text() == sent + pattern(4096 - 3000));
    CHECK(terminal.accepted == 1);
    CHECK_FALSE(serial.overrun());
}
