// Operations of semihosting, by "Semihosting for AArch32 and AArch64" 2.0, chapters 4 and 5.
#include "emulator/semihosting/host.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/semihosting/fake_guest.h"

namespace weft::semihosting {
namespace {

constexpr uint64_t kFailed = ~uint64_t{0};
constexpr uint64_t kBlock = test::FakeGuest::kBase;
constexpr uint64_t kName = kBlock + 0x100;
constexpr uint64_t kOther = kBlock + 0x800;
constexpr uint64_t kData = kBlock + 0x1000;

enum : uint64_t {
    kOpen = 1,
    kClose,
    kWriteC,
    kWrite0,
    kWrite,
    kRead,
    kReadC,
    kIsError,
    kIsTty,
    kSeek,
    kFlen = 0xc,
    kTmpnam,
    kRemove,
    kRename,
    kClock,
    kTime,
    kSystem,
    kErrno,
    kCmdline = 0x15,
    kHeapInfo,
    kExit = 0x18,
    kExitExtended = 0x20,
    kElapsed = 0x30,
    kTickFreq
};

struct Bench {
    Bench() {
        char pattern[] = "/tmp/weft-semihosting-XXXXXX";
        REQUIRE(mkdtemp(pattern) != nullptr);
        folder = pattern;
    }
    ~Bench() { std::filesystem::remove_all(folder); }

    std::optional<uint64_t> ask(uint64_t number, uint64_t parameter) {
        return host.call(guest, error, number, parameter);
    }
    uint64_t call(uint64_t number, std::initializer_list<uint64_t> fields) {
        guest.put_words(kBlock, fields);
        const auto answer = ask(number, kBlock);
        REQUIRE(answer);
        return *answer;
    }
    uint64_t open(const std::string& name, uint64_t mode) {
        guest.put(kName, name + '\0');
        return call(kOpen, {kName, mode, name.size()});
    }
    std::string path(const char* name) const { return folder + "/" + name; }
    std::string content(const char* name) const {
        std::ifstream file(path(name), std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(file), {});
    }

    std::string folder;
    test::FakeGuest guest;
    test::FakeLine line;
    Console console{line, true};
    Host host{{.command_line = "program one two", .user_mode = false}, console};
    int error = 0;
};

TEST_CASE_METHOD(Bench, "files are written, read, sought and closed") {
    const uint64_t handle = open(path("a"), 6);
    CHECK(handle == 1);
    guest.put(kData, "hello world");
    CHECK(call(kWrite, {handle, kData, 11}) == 0);
    CHECK(call(kFlen, {handle}) == 11);
    CHECK(call(kSeek, {handle, 6}) == 0);
    guest.put(kData, std::string(20, '.'));
    CHECK(call(kRead, {handle, kData, 20}) == 15);
    CHECK(guest.text(kData, 7) == "world..");
    CHECK(call(kRead, {handle, kData, 20}) == 20);
    CHECK(call(kIsTty, {handle}) == 0);
    CHECK(error == ENOTTY);
    CHECK(call(kClose, {handle}) == 0);
    CHECK(call(kClose, {handle}) == kFailed);
    CHECK(error == EBADF);
    CHECK(content("a") == "hello world");
}

TEST_CASE_METHOD(Bench, "modes are fopen's") {
    struct Row {
        uint64_t mode;
        bool makes, empties, reads, writes, appends;
    };
    constexpr Row kRows[] = {{0, false, false, true, false, false}, {2, false, false, true, true, false},
                             {4, true, true, false, true, false},   {6, true, true, true, true, false},
                             {8, true, false, false, true, true},   {10, true, false, true, true, true}};
    for (const Row& row : kRows) {
        for (const uint64_t mode : {row.mode, row.mode + 1}) {
            CAPTURE(mode);
            std::filesystem::remove(path("new"));
            const uint64_t made = open(path("new"), mode);
            CHECK((made != kFailed) == row.makes);
            CHECK(std::filesystem::exists(path("new")) == row.makes);
            call(kClose, {made});
            std::ofstream(path("old")) << "12345";
            const uint64_t old = open(path("old"), mode);
            REQUIRE(old != kFailed);
            CHECK(content("old") == (row.empties ? "" : "12345"));
            CHECK((call(kRead, {old, kData, 1}) == (row.empties || !row.reads ? 1u : 0u)));
            call(kSeek, {old, 0});
            guest.put(kData, "x");
            CHECK(call(kWrite, {old, kData, 1}) == (row.writes ? 0u : 1u));
            CHECK(content("old") == (row.appends   ? "12345x"
                                     : row.empties ? "x"
                                     : row.writes  ? "x2345"
                                                   : "12345"));
            call(kClose, {old});
        }
    }
    CHECK(open(path("old"), 12) == kFailed);
    CHECK(error == EINVAL);
    CHECK(open(path("old"), kFailed) == kFailed);
}

TEST_CASE_METHOD(Bench, "handles are the lowest that are free, and not without end") {
    std::ofstream(path("f")) << "x";
    for (uint64_t expected = 1; expected <= FileTable::kMaxFiles; ++expected) {
        REQUIRE(open(path("f"), 0) == expected);
    }
    CHECK(open(path("f"), 0) == kFailed);
    CHECK(error == EMFILE);
    CHECK(call(kClose, {7}) == 0);
    CHECK(open(path("f"), 0) == 7);
    host.reset();
    CHECK(call(kClose, {7}) == kFailed);
    CHECK(open(path("f"), 0) == 1);
}

TEST_CASE_METHOD(Bench, "handles that stand for nothing") {
    for (const uint64_t handle : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32, kFailed}) {
        error = 0;
        CHECK(call(kRead, {handle, kData, 5}) == 5);
        CHECK(call(kWrite, {handle, kData, 5}) == 5);
        for (const uint64_t number : {kClose, kIsTty, kFlen, kSeek}) {
            CHECK(call(number, {handle, 0}) == kFailed);
        }
        CHECK(error == EBADF);
    }
}

TEST_CASE_METHOD(Bench, "names: their length is given, and they end there") {
    std::ofstream(path("f")) << "x";
    const std::string name = path("f");
    guest.put(kName, name + "xyz" + '\0');
    CHECK(call(kOpen, {kName, 0, name.size()}) == kFailed);
    CHECK(error == EINVAL);
    CHECK(call(kOpen, {kName, 0, 5000}) == kFailed);
    CHECK(error == ENAMETOOLONG);
    CHECK(call(kOpen, {kName, 0, kFailed}) == kFailed);
    CHECK(error == ENAMETOOLONG);
    CHECK(call(kOpen, {0x1000, 0, 4}) == kFailed);
    CHECK(error == EFAULT);
    CHECK(call(kOpen, {kBlock + guest.memory.size() - 4, 0, 4}) == kFailed);
    CHECK(error == EFAULT);
    CHECK(open("", 0) == kFailed);
    CHECK(error == ENOENT);
}

TEST_CASE_METHOD(Bench, "rename and remove") {
    std::ofstream(path("a")) << "x";
    const std::string from = path("a");
    const std::string to = path("b");
    guest.put(kName, from + '\0');
    guest.put(kOther, to + '\0');
    CHECK(call(kRename, {kName, from.size(), kOther, to.size()}) == 0);
    CHECK(content("b") == "x");
    CHECK(call(kRename, {kName, from.size(), kOther, to.size()}) == kFailed);
    CHECK(error == ENOENT);
    CHECK(call(kRename, {kName, from.size(), 0x10, to.size()}) == kFailed);
    CHECK(error == EFAULT);
    CHECK(call(kRemove, {kOther, to.size()}) == 0);
    CHECK(!std::filesystem::exists(to));
    CHECK(call(kRemove, {kOther, to.size()}) == kFailed);
}

TEST_CASE_METHOD(Bench, "memory that ends: as much as there is, and the rest is still to be read") {
    std::ofstream(path("f")) << "0123456789";
    const uint64_t handle = open(path("f"), 2);
    const uint64_t end = kBlock + guest.memory.size();
    CHECK(call(kRead, {handle, end - 4, 8}) == 4);
    CHECK(error == EFAULT);
    CHECK(guest.text(end - 4, 4) == "0123");
    CHECK(call(kRead, {handle, kData, 6}) == 0);
    CHECK(guest.text(kData, 6) == "456789");
    CHECK(call(kSeek, {handle, 0}) == 0);
    CHECK(call(kRead, {handle, 0x10, 8}) == 8);
    CHECK(call(kRead, {handle, kFailed - 3, 8}) == 8);
    guest.frozen_from = kData + 2;
    CHECK(call(kRead, {handle, kData, kFailed}) == kFailed - 2);
    CHECK(guest.text(kData, 3) == "016");
    guest.frozen_from = kFailed;
    CHECK(call(kWrite, {handle, end - 2, kFailed}) == kFailed - 2);
    CHECK(call(kWrite, {handle, 0x10, 8}) == 8);
    CHECK(error == EFAULT);
}

TEST_CASE_METHOD(Bench, "no parameters, and no operations") {
    for (const uint64_t number :
         {kOpen, kClose, kWriteC, kWrite0, kWrite, kRead, kIsError, kIsTty, kSeek, kFlen, kTmpnam, kRemove,
          kRename, kCmdline, kHeapInfo, kExit, kExitExtended, kElapsed}) {
        for (const uint64_t parameter :
             {uint64_t{0}, kBlock - 1, kBlock + guest.memory.size() - 1, kFailed, kFailed - 7}) {
            CAPTURE(number, parameter);
            error = 0;
            guest.memory.back() = 'x';
            if ((number != kWriteC) || parameter != kBlock + guest.memory.size() - 1) {
                CHECK(ask(number, parameter) == kFailed);
                CHECK(error == EFAULT);
            }
        }
    }
    CHECK(guest.ends.empty());
    for (const uint64_t number :
         {uint64_t{0}, uint64_t{0xb}, uint64_t{0x14}, uint64_t{0x17}, uint64_t{0x32}, kFailed}) {
        CHECK(ask(number, kBlock) == kFailed);
        CHECK(error == ENOSYS);
    }
    CHECK(guest.errors.back() == "semihosting: there is no operation 0xffffffffffffffff");
}

TEST_CASE_METHOD(Bench, "a pipe that has nothing yet is asked again, and keeps nobody") {
    REQUIRE(mkfifo(path("pipe").c_str(), 0600) == 0);
    // For reading it opens without another end; for writing that is an error.
    CHECK(open(path("pipe"), 4) == kFailed);
    CHECK(error == ENXIO);
    const uint64_t reader = open(path("pipe"), 0);
    REQUIRE(reader != kFailed);
    const uint64_t writer = open(path("pipe"), 4);
    REQUIRE(writer != kFailed);
    guest.put_words(kBlock, {reader, kData, 10});
    CHECK(ask(kRead, kBlock) == std::nullopt);
    guest.put(kOther, "abc");
    CHECK(call(kWrite, {writer, kOther, 3}) == 0);
    CHECK(call(kRead, {reader, kData, 10}) == 7);
    CHECK(guest.text(kData, 3) == "abc");
    CHECK(call(kSeek, {reader, 0}) == kFailed);
    CHECK(error == ESPIPE);
    // Full: what there was room for is written, then it is asked again.
    const uint64_t left = call(kWrite, {writer, kData, 0x30000});
    CHECK(left > 0);
    CHECK(left < 0x30000);
    guest.put_words(kBlock, {writer, kData, 0x30000});
    CHECK(ask(kWrite, kBlock) == std::nullopt);
}

TEST_CASE_METHOD(Bench, "standard streams stay open") {
    const uint64_t out = open(":tt", 4);
    CHECK(open(":tt", 0) == out + 1);
    CHECK(open(":tt", 11) == out + 2);
    for (uint64_t handle = out; handle < out + 3; ++handle) {
        CHECK(call(kClose, {handle}) == 0);
    }
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
        CHECK(fcntl(fd, F_GETFD) >= 0);
    }
}

TEST_CASE_METHOD(Bench, "what there is is told by a file") {
    const uint64_t handle = open(":semihosting-features", 1);
    REQUIRE(handle != kFailed);
    CHECK(call(kFlen, {handle}) == 5);
    CHECK(call(kRead, {handle, kData, 4}) == 0);
    CHECK(guest.text(kData, 4) == "SHFB");
    CHECK(call(kRead, {handle, kData, 9}) == 8);
    CHECK(guest.text(kData, 1) == "\x03");
    CHECK(call(kRead, {handle, kData, 9}) == 9);
    CHECK(call(kSeek, {handle, 5}) == 0);
    CHECK(call(kSeek, {handle, 6}) == kFailed);
    CHECK(call(kSeek, {handle, kFailed}) == kFailed);
    CHECK(call(kSeek, {handle, 0}) == 0);
    CHECK(call(kRead, {handle, 0x10, 5}) == 5);
    CHECK(call(kRead, {handle, kData, 5}) == 0);
    CHECK(call(kWrite, {handle, kData, 1}) == 1);
    CHECK(call(kIsTty, {handle}) == 0);
    CHECK(open(":semihosting-features", 2) == kFailed);
}

TEST_CASE_METHOD(Bench, "the console") {
    guest.put(kData, "character");
    CHECK(ask(kWriteC, kData) == 0);
    CHECK(line.written == "c");
    // Longer than a piece, and up to memory's end.
    const std::string text(1000, 'y');
    guest.put(kData, text + '\0');
    CHECK(ask(kWrite0, kData) == 0);
    CHECK(line.written == "c" + text);
    line.written.clear();
    guest.put(kBlock + guest.memory.size() - 3, "abc");
    CHECK(ask(kWrite0, kBlock + guest.memory.size() - 3) == kFailed);
    CHECK(error == EFAULT);
    CHECK(line.written == "abc");

    CHECK(ask(kReadC, 0) == std::nullopt);
    line.type("\xffz");
    CHECK(ask(kReadC, 0) == 0xff);
    CHECK(ask(kReadC, 0) == 'z');
    CHECK(line.accepted == 2);
    CHECK(ask(kReadC, 0) == std::nullopt);
    CHECK(line.receiver->can_receive() == 4096);
    line.type(std::string(4096, 'q'));
    CHECK(line.receiver->can_receive() == 0);
}

TEST_CASE("a console without input leaves its line's to others") {
    test::FakeLine line;
    {
        Console console(line, false);
        CHECK(line.receiver == nullptr);
        CHECK(console.read() == std::nullopt);
    }
    CHECK(line.accepted == 0);
}

TEST_CASE_METHOD(Bench, "ends") {
    struct Row {
        uint64_t reason, code;
        int status;
    };
    for (const uint64_t number : {kExit, kExitExtended}) {
        for (const Row& row : {Row{0x20026, 0, 0}, Row{0x20026, 42, 42}, Row{0x20026, 300, 44},
                               Row{0x20026, kFailed, 255}, Row{0x20024, 0, 1}, Row{0, 0, 1}}) {
            guest.ends.clear();
            guest.put_words(kBlock, {row.reason, row.code});
            // The CPU stays where it is.
            CHECK(ask(number, kBlock) == std::nullopt);
            CHECK(guest.ends == std::vector<int>{row.status});
        }
    }
}

TEST_CASE_METHOD(Bench, "time, memory, command line and names") {
    CHECK(ask(kClock, 0) == 123);
    CHECK(ask(kTime, 0) == 1'700'000'000);
    CHECK(ask(kTickFreq, 0) == 1'000'000'000);
    guest.put_words(kBlock, {7, 7});
    CHECK(ask(kElapsed, kBlock) == 0);
    CHECK(guest.word(kBlock) == 1'234'567'890);
    CHECK(guest.word(kBlock + 8) == 7);

    CHECK(call(kHeapInfo, {kData}) == 0);
    CHECK(guest.word(kData) == 0x80010000);
    CHECK(guest.word(kData + 8) == 0x80020000);
    CHECK(guest.word(kData + 16) == 0x80020000);
    CHECK(guest.word(kData + 24) == 0x80010000);

    CHECK(call(kCmdline, {kData, 16}) == 0);
    CHECK(guest.text(kData, 16) == std::string("program one two") + '\0');
    CHECK(guest.word(kBlock + 8) == 15);
    CHECK(call(kCmdline, {kData, 15}) == kFailed);
    CHECK(error == E2BIG);

    CHECK(call(kTmpnam, {kData, 255, 100}) == 0);
    const std::string name(guest.text(kData, 100).c_str());
    CHECK(name.starts_with("/tmp/"));
    CHECK(call(kTmpnam, {kData, 254, 100}) == 0);
    CHECK(guest.text(kData, 100).c_str() != name);
    CHECK(call(kTmpnam, {kData, 0, name.size()}) == kFailed);
    CHECK(call(kTmpnam, {kData, 256, 100}) == kFailed);

    CHECK(call(kIsError, {kFailed}) == 1);
    CHECK(call(kIsError, {uint64_t{1} << 63}) == 1);
    CHECK(call(kIsError, {0}) == 0);
    CHECK(call(kIsError, {uint64_t{1} << 31}) == 0);
    error = 5;
    CHECK(ask(kErrno, 0) == 5);
    guest.put(kName, "exit 3");
    CHECK(call(kSystem, {kName, 6}) == kFailed);
}

}  // namespace
}  // namespace weft::semihosting
