// The same calls by dispatch() and to the host's own kernel: the same results and bytes, for good arguments and for each bad one.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "emulator/linux-user/riscv/abi.h"
#include "emulator/linux-user/syscall/dispatch.h"

#include "tests/linux-user/syscall/native_comparison.h"

namespace weft::user {
namespace {

const Word kText = Word::at(0);      // "/proc/self/.."
const Word kMissing = Word::at(64);  // a name that is not there
const Word kLock = Word::at(128);    // a struct flock: F_RDLCK, SEEK_SET, 0, 0
const Word kHow = Word::at(192);     // a struct open_how of zeros
const Word kEmpty = Word::at(256);
const Word kOut = Word::at(512);
const Word kNow = [] {
    Word word = Word::at(256);
    word.may_be_null = false;
    return word;
}();

void fill(uint8_t* arena) {
    for (const uint64_t page : {uint64_t{0}, kReadOnly}) {
        std::memset(arena + page, 0, kGuestPage);
        std::strcpy(reinterpret_cast<char*>(arena + page), "/proc/self/..");
        std::strcpy(reinterpret_cast<char*>(arena + page + 64), "/none");
        std::memset(arena + page + 512, 0x5a, 512);
    }
}

const std::vector<Case>& cases() {
    static const std::vector<Case> kCases = {
        {"openat", {AT_FDCWD, kText, O_RDONLY, 0}, true},
        {"openat", {AT_FDCWD, kText, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0}, true},
        {"openat", {AT_FDCWD, kText, O_WRONLY, 0}, true},
        {"openat", {AT_FDCWD, kMissing, O_RDONLY, 0}, true},
        {"openat", {-1, kEmpty, O_RDONLY, 0}, true},
        {"openat", {AT_FDCWD, kText, 0x7fffffff, 0}, true},
        {"openat2", {AT_FDCWD, kText, kHow, 24}, true},
        {"openat2", {AT_FDCWD, kText, kHow, 23}, true},
        {"openat2", {AT_FDCWD, kText, kHow, 5000}, true},
        {"newfstatat", {AT_FDCWD, kText, kOut, 0}, false, true},
        {"newfstatat", {AT_FDCWD, kMissing, kOut, 0}, false, true},
        {"newfstatat", {0, kEmpty, kOut, AT_EMPTY_PATH}, false, true},
        {"newfstatat", {-1, kText, kOut, 0x7fffffff}, false, true},
        {"fstat", {0, kOut}, false, true},
        {"fstat", {-1, kOut}, false, true},
        {"readlinkat", {AT_FDCWD, kText, kOut, 64}},
        {"readlinkat", {AT_FDCWD, kText, kOut, 0}},
        {"readlinkat", {AT_FDCWD, kMissing, kOut, -1}},
        {"faccessat", {AT_FDCWD, kText, R_OK}},
        {"faccessat", {AT_FDCWD, kMissing, F_OK}},
        {"statx", {AT_FDCWD, kText, 0, 0, kOut}, false, true},
        {"statfs", {kText, kOut}, false, true},
        {"close", {-1}},
        {"close_range", {9000, 8999, 0}},
        {"close_range", {9000, 9001, 0x7fff}},
        {"dup3", {0, 0, 0}},
        {"dup3", {-1, 900, 0}},
        {"dup3", {0, 900, 1}},
        {"fcntl", {0, F_GETFD, 0}},
        {"fcntl", {-1, F_GETFD, 0}},
        {"fcntl", {0, 9999, 0}},
        {"fcntl", {0, F_DUPFD, 100}, true},
        {"fcntl", {-1, F_GETLK, kLock}},
        {"fcntl", {0, F_GETOWN_EX, kOut}},
        {"epoll_ctl", {-1, 1, 0, kOut}},
        {"epoll_ctl", {-1, 2, 0, kOut}},
        {"ioctl", {-1, 0x5401 /* TCGETS */, kOut}},
        {"ioctl", {900, 0x5421 /* FIONBIO */, kOut}},
        {"ioctl", {900, 0x541b /* FIONREAD */, kOut}},
        {"ioctl", {900, 0x5401 /* TCGETS */, kOut}},
        {"ioctl", {900, 0x5451 /* FIOCLEX */, 0}},
        {"ioctl", {900, 0x80086601 /* FS_IOC_GETFLAGS */, kOut}},
        {"ioctl", {900, 0x7777, 7}},
        {"ppoll", {kEmpty, 1, kNow, kEmpty, 8}},
        {"ppoll", {kEmpty, 1, kNow, kEmpty, 7}},
        {"pselect6", {0, kEmpty, kEmpty, kEmpty, kNow, kEmpty}},
        {"pselect6", {-1, kEmpty, kEmpty, kEmpty, kNow, kEmpty}},
        {"epoll_pwait", {-1, kOut, 1, 0, kEmpty, 8}},
        {"epoll_pwait", {901, kOut, 1, 0, kEmpty, 8}},
        {"epoll_pwait", {901, kOut, 0, 0, kEmpty, 8}},
        {"epoll_pwait", {901, kOut, 1, 0, kEmpty, 9}},
        {"epoll_pwait2", {901, kOut, 1, kNow, kEmpty, 8}},
        {"getcwd", {kOut, 512}},
        {"getcwd", {kOut, 1}},
        {"getrlimit", {RLIMIT_NOFILE, kOut}},
        {"getrlimit", {RLIMIT_AS, kOut}},
        {"getrlimit", {99, kOut}},
        {"setrlimit", {99, kOut}},
        {"prlimit64", {0, RLIMIT_DATA, 0, kOut}},
        {"prlimit64", {0, RLIMIT_CORE, 0, kOut}},
        {"prlimit64", {0, 99, 0, kOut}},
        {"futex", {kOut, 0 /* FUTEX_WAIT */, 1, 0, 0, 0}},
        {"futex", {kOut, 1 /* FUTEX_WAKE */, 1, 0, 0, 0}},
        {"futex", {kOut, 99, 1, 0, 0, 0}},
        {"clock_gettime", {99, kOut}},
        {"read", {-1, kOut, 4}},
        {"pipe2", {kOut, 0x7fffffff}},
        {"mlockall", {0}},
        {"pkey_free", {5}},
    };
    return kCases;
}

void compare_all(uint64_t base) {
    Guest guest(base);
    Native native;
    Comparison comparison{guest, native, fill};
    // Descriptors that the table names: a pipe with three bytes, an epoll without events.
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    REQUIRE(write(ends[1], "abc", 3) == 3);
    REQUIRE(dup2(ends[0], 900) == 900);
    const UniqueFd read_end(ends[0]), write_end(ends[1]), pipe_again(900);
    const UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
    REQUIRE(dup2(epoll.get(), 901) == 901);
    const UniqueFd epoll_again(901);
    comparison.check_all(cases());
}

}  // namespace

TEST_CASE("calls answer as the host's kernel does") { compare_all(0); }
TEST_CASE("calls answer as the host's kernel does, with a guest base") { compare_all(uint64_t{1} << 45); }

TEST_CASE("events have the guest's layout") {
    Guest guest;
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd read_end(ends[0]), write_end(ends[1]);
    const UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
    const auto number = [](const UniqueFd& fd) { return static_cast<uint64_t>(fd.get()); };
    const abi::EpollEvent wanted{.events = EPOLLIN | EPOLLOUT, .pad = 0, .data = 0x123456789abcdef0};
    std::memcpy(guest.at(0), &wanted, sizeof(wanted));
    for (const UniqueFd* fd : {&read_end, &write_end}) {
        REQUIRE(guest("epoll_ctl", {number(epoll), EPOLL_CTL_ADD, number(*fd), kArena}) == SyscallOutcome(0));
    }
    REQUIRE(write(write_end.get(), "x", 1) == 1);
    REQUIRE(guest("epoll_pwait", {number(epoll), kArena + 512, 9, 0, 0, 8}) == SyscallOutcome(2));
    for (const uint64_t at : {512, 528}) {
        abi::EpollEvent got;
        std::memcpy(&got, guest.at(at), sizeof(got));
        CHECK(got.data == wanted.data);
        CHECK((got.events == EPOLLIN || got.events == EPOLLOUT));
    }
    CHECK(guest.at(544)[0] == 0);
    CHECK(guest("epoll_pwait", {number(epoll), kArena + 512, 1 << 27, 0, 0, 8}) == SyscallOutcome(-EINVAL));
}

TEST_CASE("weft's own descriptors are not the guest's") {
    struct Own : OwnDescriptors {
        std::vector<int> list() override { return {fd}; }
        bool make_way(int at) override {
            moved = true;
            fd = dup(at);
            return true;
        }
        int fd = dup2(0, 950);
        bool moved = false;
    } own;
    ProcessOptions options;
    options.own = &own;
    Guest guest(0, options);
    REQUIRE(dup2(0, 949) == 949);
    REQUIRE(dup2(0, 951) == 951);
    CHECK(guest("close", {950}) == SyscallOutcome(-EBADF));
    CHECK(guest("fcntl", {950, F_GETFD}) == SyscallOutcome(-EBADF));
    CHECK(guest("close_range", {940, ~uint64_t{0}, 0}) == SyscallOutcome(0));
    CHECK(fcntl(949, F_GETFD) == -1);
    CHECK(fcntl(950, F_GETFD) != -1);
    CHECK(fcntl(951, F_GETFD) == -1);
    CHECK(guest("dup3", {0, 950, 0}) == SyscallOutcome(950));
    CHECK(own.moved);
    close(950);
    close(own.fd);
}

TEST_CASE("stat has the guest's layout") {
    Guest guest;
    guest.text(0, "/proc/self/..");
    struct stat host{};
    REQUIRE(stat("/proc/self/..", &host) == 0);
    const uint64_t folder = static_cast<uint64_t>(AT_FDCWD);
    REQUIRE(guest("newfstatat", {folder, kArena, kArena + 512, 0, 0, 0}) == SyscallOutcome(0));
    const abi::Stat expected = abi::to_guest(host);
    CHECK(std::memcmp(guest.at(512), &expected, offsetof(abi::Stat, atime)) == 0);
    CHECK(guest.at(512)[sizeof(abi::Stat)] == 0);
}

TEST_CASE("what is not there is refused") {
    Guest guest;
    CHECK(guest("io_setup", {}) == SyscallOutcome(-ENOSYS));
    CHECK(guest("seccomp", {}) == SyscallOutcome(-ENOSYS));
    CHECK(dispatch(*guest.thread, 1000, {}) == SyscallOutcome(-ENOSYS));
    CHECK(dispatch(*guest.thread, ~uint64_t{0}, {}) == SyscallOutcome(-ENOSYS));
}

TEST_CASE("ends are results") {
    Guest guest;
    CHECK(guest("exit", {0x103}) == SyscallOutcome(SyscallOutcome::Kind::thread_ends, 3));
    CHECK(guest("exit_group", {~uint64_t{0}}) == SyscallOutcome(SyscallOutcome::Kind::process_ends, 255));
}

TEST_CASE("a call that has begun is done whole, whatever signals wait") {
    Guest guest;
    const int before = personality(0xffffffff);
    guest.asked = 1;
    CHECK(guest("personality", {ADDR_NO_RANDOMIZE}).kind == SyscallOutcome::Kind::value);
    CHECK((personality(0xffffffff) & ADDR_NO_RANDOMIZE) != 0);
    CHECK(guest("personality", {0}) == SyscallOutcome(ADDR_NO_RANDOMIZE));
    CHECK((personality(0xffffffff) & ADDR_NO_RANDOMIZE) == 0);
    personality(static_cast<unsigned long>(before));
}

TEST_CASE("a thread that was asked to leave makes no call") {
    Guest guest;
    guest.asked = 1;
    CHECK(guest("getpid", {}).kind == SyscallOutcome::Kind::restart);
    CHECK(guest("fstat", {0, kArena}).kind == SyscallOutcome::Kind::restart);
}

TEST_CASE("names are looked up below the prefix first") {
    char folder[] = "/tmp/weft-prefix-XXXXXX";
    REQUIRE(mkdtemp(folder) != nullptr);
    const std::string file = std::string(folder) + "/only-there";
    UniqueFd(open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    ProcessOptions options;
    options.prefix = folder;
    Guest guest(0, options);
    const uint64_t here = static_cast<uint64_t>(AT_FDCWD);
    guest.text(0, "/only-there");
    for (const char* call : {"faccessat", "faccessat2"}) {
        CHECK(guest(call, {here, kArena, F_OK, 0, 0, 0}) == SyscallOutcome(0));
    }
    CHECK(guest("newfstatat", {here, kArena, kArena + 512, 0, 0, 0}) == SyscallOutcome(0));
    const SyscallOutcome opened = guest("openat", {here, kArena, O_RDONLY, 0, 0, 0});
    CHECK(opened.value >= 0);
    close(static_cast<int>(opened.value));
    guest.text(0, "/proc/self/..");
    CHECK(guest("faccessat", {here, kArena, F_OK, 0, 0, 0}) == SyscallOutcome(0));
    unlink(file.c_str());
    rmdir(folder);
}

TEST_CASE("/proc/self shows the guest, whatever way leads there") {
    Guest guest;
    std::memcpy(guest.at(1024), "sh\0-c", 6);
    Program program;
    program.path = "/bin/guest";
    program.arguments = {kArena + 1024, kArena + 1030};
    guest.process->loaded(program);
    const auto contents = [&](int folder, std::string_view name) {
        guest.text(0, name);
        const SyscallOutcome opened =
            guest("openat", {static_cast<uint64_t>(folder), kArena, O_RDONLY, 0, 0, 0});
        REQUIRE(opened.value >= 0);
        const UniqueFd file(static_cast<int>(opened.value));
        CHECK(write(file.get(), "x", 1) == -1);
        std::string text(65536, '\0');
        text.resize(
            static_cast<size_t>(std::max<ssize_t>(0, pread(file.get(), text.data(), text.size(), 0))));
        return text;
    };
    const UniqueFd self(open("/proc/self", O_PATH | O_CLOEXEC));
    const std::string by_pid = "/proc/" + std::to_string(getpid());
    CHECK(contents(AT_FDCWD, "/proc/self/cmdline") == std::string("sh\0-c", 6));
    CHECK(contents(AT_FDCWD, by_pid + "/../self/./cmdline") == std::string("sh\0-c", 6));
    CHECK(contents(AT_FDCWD, "/proc/thread-self/cmdline") == std::string("sh\0-c", 6));
    CHECK(contents(self.get(), "cmdline") == std::string("sh\0-c", 6));
    CHECK(contents(AT_FDCWD, "/proc/self/maps") ==
          "10000000-10001000 rw-p 00000000 00:00 0 \n10002000-10003000 rw-p 00000000 00:00 0 \n");
    const std::string cpus = contents(AT_FDCWD, "/proc/cpuinfo");
    CHECK(cpus.starts_with("processor\t: 0\nhart\t\t: 0\nisa\t\t: rv64imafdc"));
    // Of a space of 2^45 bytes, although the model's harts have Sv57.
    CHECK(cpus.find("\nmmu\t\t: sv48\n") != std::string::npos);

    guest.text(0, "/proc/self/exe");
    CHECK(guest("readlinkat", {static_cast<uint64_t>(AT_FDCWD), kArena, kArena + 512, 5, 0, 0}) ==
          SyscallOutcome(5));
    CHECK(std::memcmp(guest.at(512), "/bin/", 6) == 0);
}

TEST_CASE("-strace writes each call and its result") {
    char name[] = "/tmp/weft-strace-XXXXXX";
    const UniqueFd file(mkstemp(name));
    auto log = Log::open({}, {}, name);
    REQUIRE(log.has_value());
    ProcessOptions options;
    options.strace = log->get();
    Guest guest(0, options);
    guest("close", {~uint64_t{0}});
    guest("exit", {3});
    std::string text(4096, 0);
    text.resize(static_cast<size_t>(std::max<ssize_t>(0, pread(file.get(), text.data(), text.size(), 0))));
    unlink(name);
    const std::string tid = std::to_string(gettid());
    CHECK(text == tid + " close(-1) = -1 errno=9 (EBADF: Bad file descriptor)\n" + tid + " exit(3)\n");
}

TEST_CASE("uname says riscv64") {
    ProcessOptions options;
    options.release = "6.6.0";
    Guest guest(0, options);
    REQUIRE(guest("uname", {kArena}) == SyscallOutcome(0));
    utsname names;
    std::memcpy(&names, guest.at(0), sizeof(names));
    CHECK(std::string(names.machine) == "riscv64");
    CHECK(std::string(names.release) == "6.6.0");
    CHECK(guest("uname", {kArena + kGuestPage - 8}) == SyscallOutcome(-EFAULT));
}

}  // namespace weft::user
