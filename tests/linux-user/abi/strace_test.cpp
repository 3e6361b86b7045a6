// Lines of -strace. Numbers of calls and flags are written out: they are the interface, and the table is what is tested.
#include "emulator/linux-user/syscall/strace.h"

#include <catch2/catch.hpp>
#include <string>

#include "emulator/linux-user/syscall/flag_names.h"
#include "tests/linux-user/abi/fake_guest.h"

namespace weft::user {
namespace {

using Args = std::array<uint64_t, 6>;
constexpr uint64_t kAtFdcwd = 0xffffffff'ffffff9c;

// Two pages at 0x10000, nothing before or after.
struct Fixture {
    FakeGuest guest{0x10000, 0x2000};
    std::string line(uint64_t number, const Args& args) { return strace_call(42, number, args, guest); }
};

TEST_CASE("paths, flags and modes") {
    Fixture f;
    f.guest.put_string(0x10000, "/etc/ld.so.cache");
    CHECK(f.line(56, {kAtFdcwd, 0x10000, 0x80000, 0, 0, 0}) ==
          "42 openat(AT_FDCWD,\"/etc/ld.so.cache\",O_RDONLY|O_CLOEXEC,00)");
    CHECK(f.line(56, {3, 0x10000, 0x8241, 0644, 0, 0}) ==
          "42 openat(3,\"/etc/ld.so.cache\",O_WRONLY|O_CREAT|O_TRUNC|O_LARGEFILE,0644)");
    CHECK(f.line(48, {0xffffff9c, 0x10000, 0, 0, 0, 0}) ==
          "42 faccessat(AT_FDCWD,\"/etc/ld.so.cache\",F_OK)");
    CHECK(f.line(222, {0, 8192, 3, 0x22, ~uint64_t{0}, 0}) ==
          "42 mmap(NULL,8192,PROT_READ|PROT_WRITE,MAP_PRIVATE|MAP_ANONYMOUS,-1,0)");
    CHECK(f.line(226, {0x4000, 4096, 0, 0, 0, 0}) == "42 mprotect(0x0000000000004000,4096,PROT_NONE)");
    CHECK(f.line(172, {1, 2, 3, 4, 5, 6}) == "42 getpid()");
    CHECK(f.line(62, {3, ~uint64_t{0}, 2, 0, 0, 0}) == "42 lseek(3,-1,SEEK_END)");
}

TEST_CASE("flags by name, the rest in hexadecimal") {
    CHECK(flag_text(FlagSet::open, 0x1000) == "O_RDONLY|O_DSYNC");
    CHECK(flag_text(FlagSet::open, 0x101002) == "O_RDWR|O_SYNC");
    CHECK(flag_text(FlagSet::open, 0x410001) == "O_WRONLY|O_TMPFILE");
    CHECK(flag_text(FlagSet::open, 0x8000000) == "O_RDONLY|0x8000000");
    CHECK(flag_text(FlagSet::clone, 0x3d0f00) ==
          "CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM|CLONE_SETTLS|CLONE_PARENT_"
          "SETTID|"
          "CLONE_CHILD_CLEARTID");
    CHECK(flag_text(FlagSet::clone, 0x4111) == "CLONE_VM|CLONE_VFORK|SIGCHLD");
    CHECK(flag_text(FlagSet::unshare, 0x80) == "CLONE_NEWTIME");
    CHECK(flag_text(FlagSet::futex, 0x80) == "FUTEX_WAIT|FUTEX_PRIVATE_FLAG");
    CHECK(flag_text(FlagSet::futex, 0x189) == "FUTEX_WAIT_BITSET|FUTEX_PRIVATE_FLAG|FUTEX_CLOCK_REALTIME");
    CHECK(flag_text(FlagSet::madvise, 4) == "MADV_DONTNEED");
    CHECK(flag_text(FlagSet::madvise, 5) == "0x5");
    CHECK(flag_text(FlagSet::at, 0) == "0");
    CHECK(flag_text(FlagSet::socket_type, 0x80801) == "SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC");
    CHECK(flag_text(FlagSet::mmap, 0x100003) == "MAP_SHARED_VALIDATE|MAP_FIXED_NOREPLACE");
}

TEST_CASE("signals by name") {
    CHECK(signal_text(11) == "SIGSEGV");
    CHECK(signal_text(17) == "SIGCHLD");
    CHECK(signal_text(31) == "SIGSYS");
    CHECK(signal_text(32) == "SIGRT_0");
    CHECK(signal_text(64) == "SIGRT_32");
    CHECK(signal_text(0) == "0");
    CHECK(signal_text(65) == "65");
    Fixture f;
    f.guest.put<uint64_t>(0x10000, 0x80000402);
    CHECK(f.line(129, {1, 9, 0, 0, 0, 0}) == "42 kill(1,SIGKILL)");
    CHECK(f.line(135, {0, 0x10000, 0, 8, 0, 0}) ==
          "42 rt_sigprocmask(SIG_BLOCK,[SIGINT,SIGSEGV,SIGRT_0],NULL,8)");
}

TEST_CASE("long text is cut, bytes are escaped") {
    Fixture f;
    f.guest.put_string(0x10000, std::string("a\"b\\c\n\x01\x32\xc3\xa9"));
    CHECK(f.line(49, {0x10000, 0, 0, 0, 0, 0}) == "42 chdir(\"a\\\"b\\\\c\\n\\0012\\303\\251\")");
    f.guest.put_string(0x10000, std::string(kStraceText, 'x'));
    CHECK(f.line(49, {0x10000, 0, 0, 0, 0, 0}) == "42 chdir(\"" + std::string(kStraceText, 'x') + "\")");
    f.guest.put_string(0x10000, std::string(kStraceText + 1, 'x'));
    CHECK(f.line(49, {0x10000, 0, 0, 0, 0, 0}) == "42 chdir(\"" + std::string(kStraceText, 'x') + "\"...)");
    f.guest.put_string(0x10000, std::string(40, 'y'));
    CHECK(f.line(64, {1, 0x10000, 32, 0, 0, 0}) == "42 write(1,\"" + std::string(32, 'y') + "\",32)");
    CHECK(f.line(64, {1, 0x10000, 33, 0, 0, 0}) == "42 write(1,\"" + std::string(32, 'y') + "\"...,33)");
    CHECK(f.line(64, {1, 0x10000, 0, 0, 0, 0}) == "42 write(1,\"\",0)");
    CHECK(f.line(63, {1, 0x10000, 33, 0, 0, 0}) == "42 read(1,0x0000000000010000,33)");
}

TEST_CASE("memory that is not there") {
    Fixture f;
    CHECK(f.line(49, {0x9000, 0, 0, 0, 0, 0}) == "42 chdir(0x0000000000009000)");
    CHECK(f.line(49, {0, 0, 0, 0, 0, 0}) == "42 chdir(NULL)");
    // A string that runs over a page's end, and one over the end of all memory.
    f.guest.put_string(0x10ffe, "abcd");
    CHECK(f.line(49, {0x10ffe, 0, 0, 0, 0, 0}) == "42 chdir(\"abcd\")");
    f.guest.write(0x11ffd, "xyz", 3);
    CHECK(f.line(49, {0x11ffd, 0, 0, 0, 0, 0}) == "42 chdir(\"xyz\"...)");
    CHECK(f.line(64, {1, 0x11ffd, 4, 0, 0, 0}) == "42 write(1,0x0000000000011ffd,4)");
    CHECK(f.line(101, {0x11ff8, 0, 0, 0, 0, 0}) == "42 nanosleep(0x0000000000011ff8,NULL)");
    CHECK(f.line(49, {~uint64_t{0}, 0, 0, 0, 0, 0}) == "42 chdir(0xffffffffffffffff)");
}

TEST_CASE("structs that the kernel reads") {
    Fixture f;
    f.guest.put(0x10000, std::array<int64_t, 4>{0, 5, 1, 500});
    CHECK(f.line(101, {0x10000, 0x10100, 0, 0, 0, 0}) ==
          "42 nanosleep({tv_sec = 0,tv_nsec = 5},0x0000000000010100)");
    CHECK(f.line(88, {5, 0, 0x10000, 0x100, 0, 0}) ==
          "42 utimensat(5,NULL,[{tv_sec = 0,tv_nsec = 5},{tv_sec = 1,tv_nsec = 500}],AT_SYMLINK_NOFOLLOW)");
    CHECK(f.line(103, {0, 0x10000, 0, 0, 0, 0}) ==
          "42 setitimer(ITIMER_REAL,{it_interval = {tv_sec = 0,tv_usec = 5},it_value = {tv_sec = 1,tv_usec = "
          "500}},NULL)");
    f.guest.put(0x10000, std::array<uint64_t, 2>{8192, ~uint64_t{0}});
    CHECK(f.line(261, {0, 3, 0x10000, 0, 0, 0}) ==
          "42 prlimit64(0,RLIMIT_STACK,{rlim_cur = 8192,rlim_max = RLIM_INFINITY},NULL)");
    f.guest.put(0x10000, std::array<uint8_t, 16>{2, 0, 0, 80, 127, 0, 0, 1});
    CHECK(f.line(203, {3, 0x10000, 16, 0, 0, 0}) ==
          "42 connect(3,{sa_family=AF_INET,sin_port=htons(80),sin_addr=inet_addr(\"127.0.0.1\")},16)");
    f.guest.put(0x10000, std::array<uint8_t, 28>{10, 0, 1, 187});
    f.guest.put<uint8_t>(0x10017, 1);
    CHECK(f.line(203, {3, 0x10000, 28, 0, 0, 0}) ==
          "42 connect(3,{sa_family=AF_INET6,sin6_port=htons(443),sin6_addr=\"::1\"},28)");
    f.guest.put(0x10000, uint16_t{1});
    f.guest.put_string(0x10002, "/run/x");
    CHECK(f.line(200, {3, 0x10000, 110, 0, 0, 0}) ==
          "42 bind(3,{sa_family=AF_UNIX,sun_path=\"/run/x\"},110)");
    f.guest.put_string(0x10002, std::string("\0ab", 3));
    CHECK(f.line(200, {3, 0x10000, 5, 0, 0, 0}) == "42 bind(3,{sa_family=AF_UNIX,sun_path=\"\\000ab\"},5)");
    CHECK(f.line(200, {3, 0x10000, 1, 0, 0, 0}) == "42 bind(3,0x0000000000010000,1)");
}

TEST_CASE("lists of strings") {
    Fixture f;
    f.guest.put_string(0x10100, "ls");
    f.guest.put_string(0x10110, "-l");
    f.guest.put(0x10000, std::array<uint64_t, 3>{0x10100, 0x10110, 0});
    CHECK(f.line(221, {0x10100, 0x10000, 0x10010, 0, 0, 0}) ==
          "42 execve(\"ls\",{\"ls\",\"-l\",NULL},{NULL})");
    for (uint64_t i = 0; i <= kStraceStrings; ++i) {
        f.guest.put<uint64_t>(0x10200 + i * 8, 0x10100);
    }
    const std::string line = f.line(221, {0x10100, 0x10200, 0, 0, 0, 0});
    CHECK(line.ends_with("\"ls\",...},NULL)"));
    // The list itself ends where memory does.
    f.guest.put<uint64_t>(0x11ff8, 0x10100);
    CHECK(f.line(221, {0x10100, 0x11ff8, 0, 0, 0, 0}) == "42 execve(\"ls\",{\"ls\",...},NULL)");
}

TEST_CASE("calls without a row") {
    Fixture f;
    CHECK(f.line(999, {1, 2, 3, 4, 5, 0xffff}) == "42 syscall_999(0x1,0x2,0x3,0x4,0x5,0xffff)");
}

TEST_CASE("results") {
    CHECK(strace_result(56, 3) == " = 3\n");
    CHECK(strace_result(56, -2) == " = -1 errno=2 (ENOENT: No such file or directory)\n");
    CHECK(strace_result(56, -4095) == " = -1 errno=4095\n");
    CHECK(strace_result(62, -4096) == " = -4096\n");
    CHECK(strace_result(222, 0x7f0000001000) == " = 0x00007f0000001000\n");
    CHECK(strace_result(222, -12) == " = -1 errno=12 (ENOMEM: Cannot allocate memory)\n");
    CHECK(strace_result(999, -38) == " = -1 errno=38 (ENOSYS: Function not implemented)\n");
}

}  // namespace
}  // namespace weft::user
