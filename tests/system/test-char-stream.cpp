// Serial lines over sockets and pseudo-terminals, from the other side.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "emulator/backend/char/char_stream.h"
#include "emulator/machine/main_loop.h"
#include "tests/support/subprocess.h"

using namespace weft;

namespace {

std::span<const uint8_t> bytes(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Ends the loop's run when so much came.
class Device final : public backend::CharBackend::Receiver {
  public:
    Device(machine::MainLoop& loop, size_t expected) : loop_(loop), expected_(expected) {}
    unsigned can_receive() override { return 16; }
    void receive(std::span<const uint8_t> data) override {
        text.append(reinterpret_cast<const char*>(data.data()), data.size());
        if (text.size() >= expected_) {
            loop_.quit();
        }
    }
    void opened() override { ++comings; }
    void closed() override { ++goings; }
    std::string text;
    int comings = 0, goings = 0;

  private:
    machine::MainLoop& loop_;
    const size_t expected_;
};

class Steps final : public backend::CharBackend::Receiver {
  public:
    Steps(machine::MainLoop& loop, std::vector<std::function<void()>> steps)
        : loop_(loop), steps_(std::move(steps)) {}
    unsigned can_receive() override { return 1; }
    void receive(std::span<const uint8_t>) override {
        steps_[done_++]();
        if (done_ == steps_.size()) {
            loop_.quit();
        }
    }

  private:
    machine::MainLoop& loop_;
    const std::vector<std::function<void()>> steps_;
    size_t done_ = 0;
};

UniqueFd client_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return fd;
}

UniqueFd client_of(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return fd;
}

// A port that is free, most likely still when it is asked for.
uint16_t free_port() {
    const UniqueFd probe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    socklen_t size = sizeof address;
    REQUIRE(getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    return ntohs(address.sin_port);
}

std::string read_exactly(int fd, size_t size) {
    std::string text(size, '\0');
    size_t done = 0;
    while (done < size) {
        pollfd state{fd, POLLIN, 0};
        if (poll(&state, 1, 20000) != 1) {
            break;
        }
        const ssize_t count = read(fd, text.data() + done, size - done);
        if (count <= 0) {
            break;
        }
        done += static_cast<size_t>(count);
    }
    text.resize(done);
    return text;
}

void say(int fd, const std::string& text) {
    REQUIRE(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

std::unique_ptr<machine::MainLoop> make_loop() {
    auto loop = machine::MainLoop::create();
    REQUIRE(loop);
    return std::move(*loop);
}

}  // namespace

TEST_CASE("a unix server: one client after the other, the file is the user's alone", "[char-stream]") {
    const test::TempDir dir;
    const std::string path = dir.file("line");
    const auto loop = make_loop();
    {
        auto stream = backend::CharStream::open_socket(*loop, {.path = path, .server = true});
        REQUIRE(stream);
        struct stat info{};
        REQUIRE(stat(path.c_str(), &info) == 0);
        CHECK((info.st_mode & 0777) == 0600);
        (*stream)->write(bytes("to nobody"));
        // The second waits until the first has gone.
        UniqueFd first = client_of(path);
        const UniqueFd second = client_of(path);
        say(second.get(), std::string(40, 'y'));
        say(first.get(), std::string(40, 'x'));
        first.reset();
        Device device(*loop, 80);
        (*stream)->set_receiver(&device);
        loop->run();
        CHECK(device.text == std::string(40, 'x') + std::string(40, 'y'));
        CHECK(device.comings == 2);
        CHECK(device.goings == 1);
        (*stream)->write(bytes("hello"));
        CHECK(read_exactly(second.get(), 5) == "hello");
        (*stream)->set_receiver(nullptr);
        // A server that takes the place of one that left its file.
        CHECK(backend::CharStream::open_socket(*loop, {.path = path, .server = true}));
    }
    CHECK_FALSE(test::exists(path));
    const auto refused = backend::CharStream::open_socket(*loop, {.path = path});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message() == "'" + path + "': No such file or directory");
    // What lies there and is no socket stays.
    dir.write("line", "mine");
    CHECK_FALSE(backend::CharStream::open_socket(*loop, {.path = path, .server = true}));
    CHECK(test::read_file(path) == "mine");
}

TEST_CASE("descriptors that a client sends along", "[char-stream]") {
    const test::TempDir dir;
    const std::string path = dir.file("line");
    const auto loop = make_loop();
    auto stream = backend::CharStream::open_socket(*loop, {.path = path, .server = true});
    REQUIRE(stream);
    const UniqueFd client = client_of(path);
    const auto number = [](int fd) {
        struct stat info{};
        REQUIRE(fstat(fd, &info) == 0);
        return info.st_ino;
    };
    std::array<UniqueFd, 3> files;
    for (size_t i = 0; i < files.size(); ++i) {
        files[i].reset(open(dir.write("file" + std::to_string(i), "").c_str(), O_RDWR | O_CLOEXEC));
    }
    const auto send = [&](std::initializer_list<int> fds) {
        char byte = 'x';
        iovec part{&byte, 1};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(3 * sizeof(int))> control{};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
        std::memcpy(CMSG_DATA(header), std::data(fds), fds.size() * sizeof(int));
        REQUIRE(sendmsg(client.get(), &message, 0) == 1);
    };
    const auto take = [&] { return (*stream)->take_descriptor(); };
    const auto check_next = [&](size_t file) {
        const UniqueFd taken = take();
        REQUIRE(taken);
        CHECK(number(taken.get()) == number(files[file].get()));
        CHECK((fcntl(taken.get(), F_GETFD) & FD_CLOEXEC) != 0);
    };
    CHECK_FALSE(take());
    // What is done each time something has come.
    Steps device(*loop, {[&] {
                             // In their order, each once; bytes without one change nothing.
                             check_next(0);
                             say(client.get(), "y");
                         },
                         [&] {
                             check_next(1);
                             CHECK_FALSE(take());
                             send({files[0].get()});
                         },
                         // Those that nobody took make way for others.
                         [&] { send({files[2].get()}); },
                         [&] {
                             check_next(2);
                             CHECK_FALSE(take());
                         }});
    (*stream)->set_receiver(&device);
    send({files[0].get(), files[1].get()});
    loop->run();
    (*stream)->set_receiver(nullptr);
}

TEST_CASE("a client that went while nothing could be read makes way where output fails", "[char-stream]") {
    class Full final : public backend::CharBackend::Receiver {
        unsigned can_receive() override { return 0; }
        void receive(std::span<const uint8_t>) override {}
    };
    std::signal(SIGPIPE, SIG_IGN);  // as the program does
    const test::TempDir dir;
    const std::string path = dir.file("line");
    const auto loop = make_loop();
    auto stream = backend::CharStream::open_socket(*loop, {.path = path, .server = true});
    REQUIRE(stream);
    Full full;
    (*stream)->set_receiver(&full);
    std::thread thread([&] { loop->run(); });
    // Until the client is the line's, output goes nowhere.
    const auto hears = [&](int fd) {
        for (int i = 0; i < 2000; ++i) {
            (*stream)->write(bytes("!"));
            pollfd state{fd, POLLIN, 0};
            if (poll(&state, 1, 10) == 1) {
                return true;
            }
        }
        return false;
    };
    UniqueFd first = client_of(path);
    CHECK(hears(first.get()));
    say(first.get(), "what the guest does not read");
    const UniqueFd second = client_of(path);
    first.reset();
    CHECK(hears(second.get()));
    WorkQueue::Work quit([](void* self) { static_cast<machine::MainLoop*>(self)->quit(); }, loop.get());
    loop->post(quit);
    thread.join();
    (*stream)->set_receiver(nullptr);
}

TEST_CASE("a client that goes makes way at once, and what it sent is not lost", "[char-stream]") {
    // Has no room until it is told to.
    class Busy final : public backend::CharBackend::Receiver {
      public:
        explicit Busy(machine::MainLoop& loop) : loop_(loop) {}
        unsigned can_receive() override { return ready ? 3 : 0; }
        void receive(std::span<const uint8_t> data) override {
            text.append(reinterpret_cast<const char*>(data.data()), data.size());
        }
        void opened() override {
            if (++comings == 2) {
                loop_.quit();
            }
        }
        bool ready = false;
        std::string text;
        int comings = 0;

      private:
        machine::MainLoop& loop_;
    };
    const test::TempDir dir;
    const auto first_loop = make_loop();
    const auto second_loop = make_loop();
    for (const bool tcp : {false, true}) {
        machine::MainLoop& loop = tcp ? *second_loop : *first_loop;
        const std::string path = dir.file("line");
        uint16_t port = 0;
        backend::SocketChoice choice{.path = path, .server = true};
        if (tcp) {
            port = free_port();
            choice = {.host = "127.0.0.1", .port = std::to_string(port), .server = true};
        }
        auto stream = backend::CharStream::open_socket(loop, choice);
        REQUIRE(stream);
        Busy busy(loop);
        (*stream)->set_receiver(&busy);
        const auto client = [&] { return tcp ? client_of(port) : client_of(path); };
        UniqueFd first = client();
        say(first.get(), "first");
        const UniqueFd second = client();
        first.reset();
        // Nothing is written to the line: the end of the connection alone lets the second one in.
        loop.run();
        CHECK(busy.comings == 2);
        // The rest comes first, as soon as there is room.
        busy.ready = true;
        (*stream)->set_receiver(&busy);
        CHECK(busy.text == "first");
        (*stream)->set_receiver(nullptr);
    }
}

TEST_CASE("a client, and output that the other side is slow to take", "[char-stream]") {
    const test::TempDir dir;
    const std::string path = dir.file("line");
    const auto loop = make_loop();
    auto server = backend::CharStream::open_socket(*loop, {.path = path, .server = true});
    auto client = backend::CharStream::open_socket(*loop, {.path = path});
    REQUIRE(server);
    REQUIRE(client);
    // More than a socket's buffer holds.
    std::string much(700'000, '\0');
    for (size_t i = 0; i < much.size(); ++i) {
        much[i] = static_cast<char>('a' + i % 26);
    }
    Device device(*loop, much.size());
    (*server)->set_receiver(&device);
    (*client)->write(bytes(much));
    loop->run();
    CHECK(device.text == much);
}

TEST_CASE("a message is sent whole, of any size, to one who reads", "[char-stream]") {
    // Answers the first byte, and ends the loop at the second.
    struct Answering final : backend::CharBackend::Receiver {
        unsigned can_receive() override { return 1; }
        void receive(std::span<const uint8_t>) override { ++count == 1 ? answer() : loop->quit(); }
        machine::MainLoop* loop = nullptr;
        std::function<void()> answer;
        int count = 0;
    };
    const test::TempDir dir;
    const auto loop = make_loop();
    auto stream = backend::CharStream::open_socket(*loop, {.path = dir.file("line"), .server = true});
    REQUIRE(stream);
    const UniqueFd client = client_of(dir.file("line"));
    // More than is kept of messages that come after others.
    const std::string large(3 << 20, 'a');
    std::string read;
    std::thread reader;
    Answering receiver;
    receiver.loop = loop.get();
    receiver.answer = [&] {
        CHECK((*stream)->write_whole(bytes(large)));
        CHECK_FALSE((*stream)->write_whole(bytes("lost")));
        CHECK_FALSE((*stream)->write_whole(bytes("lost")));
        reader = std::thread([&] {
            read = read_exactly(client.get(), large.size());
            static_cast<void>(::write(client.get(), "y", 1) == 1);
        });
    };
    (*stream)->set_receiver(&receiver);
    say(client.get(), "x");
    loop->run();
    reader.join();
    CHECK((read == large));
    CHECK((*stream)->write_whole(bytes("kept")));
    CHECK(read_exactly(client.get(), 4) == "kept");
    (*stream)->set_receiver(nullptr);
}

TEST_CASE("waiting for the first client", "[char-stream]") {
    const test::TempDir dir;
    const std::string path = dir.file("line");
    const auto loop = make_loop();
    UniqueFd client;
    std::thread other([&] {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        while (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            std::this_thread::yield();
        }
        client = std::move(fd);
    });
    auto stream = backend::CharStream::open_socket(*loop, {.path = path, .server = true, .wait = true});
    other.join();
    REQUIRE(stream);
    // The client is there already: nothing of this is lost.
    (*stream)->write(bytes("first words"));
    CHECK(read_exactly(client.get(), 11) == "first words");
}

TEST_CASE("telnet's commands are read over, its escape byte is doubled", "[char-stream]") {
    const test::TempDir dir;
    const std::string path = dir.file("line");
    const auto loop = make_loop();
    auto stream = backend::CharStream::open_socket(*loop, {.path = path, .server = true, .telnet = true});
    REQUIRE(stream);
    const UniqueFd client = client_of(path);
    Device device(*loop, 4);
    (*stream)->set_receiver(&device);
    say(client.get(), std::string("a\xff\xfd\x01"  // DO ECHO
                                  "b\xff\xff"      // a byte 255
                                  "\xff\xfa\x18\0junk\xff\xf0"
                                  "c",
                                  18));
    loop->run();
    CHECK(device.text ==
          "ab\xff"
          "c");
    CHECK(read_exactly(client.get(), 12) ==
          std::string("\xff\xfb\x01\xff\xfb\x03\xff\xfb\x00\xff\xfd\x00", 12));
    (*stream)->write(bytes("x\xff"));
    CHECK(read_exactly(client.get(), 3) == "x\xff\xff");
}

TEST_CASE("telnet's requests are answered, and a return is one byte", "[char-stream]") {
    backend::TelnetInput input;
    std::vector<uint8_t> answers;
    // A piece at a time, and cut between any two bytes.
    const auto characters = [&](const std::string& text) {
        answers.clear();
        std::string plain;
        for (const char c : text) {
            for (const uint8_t byte : input.characters(bytes({&c, 1}), answers)) {
                plain += static_cast<char>(byte);
            }
        }
        return plain;
    };
    const auto answered = [&] { return std::string(answers.begin(), answers.end()); };
    // WILL NAWS, WILL TERMINAL-TYPE, DO STATUS: refused. WILL SUPPRESS-GO-AHEAD: as it is.
    CHECK(characters("a\xff\xfb\x1f\xff\xfb\x18\xff\xfd\x05\xff\xfb\x03z") == "az");
    CHECK(answered() == "\xff\xfe\x1f\xff\xfe\x18\xff\xfc\x05\xff\xfd\x03");
    // Answers to the greeting, and refusals.
    CHECK(characters("\xff\xfd\x01\xff\xfd\x03\xff\xfe\x05\xff\xfc\x22") == "");
    CHECK(answered() == "");
    CHECK(characters(std::string("x\r\0y\r\nz\0", 8)) == std::string("x\ry\r\nz\0", 7));
    // WILL BINARY: any byte is one.
    CHECK(characters(std::string("\xff\xfb\0", 3)) == "");
    CHECK(characters(std::string("\r\0", 2)) == std::string("\r\0", 2));
    input.start();
    CHECK(characters(std::string("\r\0", 2)) == "\r");
}

TEST_CASE("where descriptors have run out, clients are sent away and the loop does not spin",
          "[char-stream]") {
    const test::TempDir dir;
    const std::string path = dir.file("line");
    const auto loop = make_loop();
    auto stream = backend::CharStream::open_socket(*loop, {.path = path, .server = true});
    REQUIRE(stream);
    const UniqueFd client = client_of(path);
    rlimit limit{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const rlimit few{64, limit.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
    std::vector<UniqueFd> used;
    for (;;) {
        UniqueFd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
        if (!fd) {
            break;
        }
        used.push_back(std::move(fd));
    }
    const auto watch = loop->watch(client.get(), backend::EventLoop::Ready::readable, [&] { loop->quit(); });
    loop->run();
    char byte = 0;
    CHECK(read(client.get(), &byte, 1) == 0);
    used.clear();
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_FALSE((*stream)->connected());
}

TEST_CASE("TCP on this host alone, and addresses that are none", "[char-stream]") {
    const auto loop = make_loop();
    const std::string port = std::to_string(free_port());
    auto server =
        backend::CharStream::open_socket(*loop, {.host = "127.0.0.1", .port = port, .server = true});
    REQUIRE(server);
    auto client = backend::CharStream::open_socket(*loop, {.host = "127.0.0.1", .port = port});
    REQUIRE(client);
    Device device(*loop, 5);
    (*server)->set_receiver(&device);
    (*client)->write(bytes("hello"));
    loop->run();
    CHECK(device.text == "hello");
    const auto taken =
        backend::CharStream::open_socket(*loop, {.host = "127.0.0.1", .port = port, .server = true});
    REQUIRE_FALSE(taken);
    CHECK(taken.error().message() == "'127.0.0.1:" + port + "': Address already in use");
    CHECK_FALSE(backend::CharStream::open_socket(*loop, {.host = "127.0.0.1", .port = "no-port"}));
}

TEST_CASE("a pseudo-terminal that others open and leave", "[char-stream]") {
    const auto loop = make_loop();
    auto stream = backend::CharStream::open_pty(*loop);
    REQUIRE(stream);
    UniqueFd other;
    for (const char* text : {"a\r\n", "b"}) {
        other.reset(open((*stream)->pty_path().c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
        REQUIRE(other);
        say(other.get(), text);
    }
    Device device(*loop, 4);
    (*stream)->set_receiver(&device);
    loop->run();
    CHECK(device.text == "a\r\nb");
    (*stream)->write(bytes("x\n"));
    CHECK(read_exactly(other.get(), 2) == "x\n");
}
