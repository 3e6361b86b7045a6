// Layouts of riscv64 Linux against the cross compiler's kernel headers, and the conversions.
#include "emulator/linux-user/riscv/abi.h"

#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "emulator/linux-user/syscall/arguments.h"

namespace weft::user::abi {
namespace {

struct Probe {
    const char* text;
    uint64_t value;
};

constexpr Probe kProbes[] = {
#define WEFT_SIZE(guest, kernel) {"sizeof(" #guest ")", sizeof(guest)},
#define WEFT_FIELD(guest, member, kernel, kernel_member) \
    {"offsetof(" #guest ", " #member ")", offsetof(guest, member)},
#define WEFT_VALUE(guest, kernel) {#guest, guest},
#include "tests/linux-user/abi/abi_probes.h"
#undef WEFT_SIZE
#undef WEFT_FIELD
#undef WEFT_VALUE
};

TEST_CASE("abi.h states what the riscv64 kernel headers do") {
    std::ifstream file(WEFT_ABI_PROBES, std::ios::binary);
    REQUIRE(file);
    const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
    REQUIRE(bytes.size() == std::size(kProbes) * sizeof(uint64_t));
    for (size_t i = 0; i < std::size(kProbes); ++i) {
        uint64_t kernel;
        std::memcpy(&kernel, &bytes[i * sizeof(kernel)], sizeof(kernel));
        INFO(kProbes[i].text);
        CHECK(kProbes[i].value == kernel);
    }
}

TEST_CASE("the host's layouts are as stated") {
    struct ::semid_ds host;
    CHECK(sizeof(HostSemidDs) == sizeof(host));
    CHECK(offsetof(HostSemidDs, otime) == offsetof(struct ::semid_ds, sem_otime));
    CHECK(offsetof(HostSemidDs, ctime) == offsetof(struct ::semid_ds, sem_ctime));
    CHECK(offsetof(HostSemidDs, nsems) == offsetof(struct ::semid_ds, sem_nsems));
    CHECK(sizeof(struct ::epoll_event) == 12);
    CHECK(sizeof(struct ::stat) == 144);
}

TEST_CASE("a host's stat becomes a guest's") {
    struct ::stat host;
    std::memset(&host, 0xff, sizeof(host));
    host.st_dev = 0x1122334455667788;
    host.st_ino = 2;
    host.st_mode = S_IFREG | 0644;
    host.st_nlink = 3;
    host.st_uid = 4;
    host.st_gid = 5;
    host.st_rdev = 0x99aabbccddeeff00;
    host.st_size = 7;
    host.st_blksize = 4096;
    host.st_blocks = 8;
    host.st_atim = {9, 10};
    host.st_mtim = {-11, 12};
    host.st_ctim = {13, 14};
    const Stat guest = to_guest(host);
    const Stat expected = {.dev = 0x1122334455667788,
                           .ino = 2,
                           .mode = S_IFREG | 0644,
                           .nlink = 3,
                           .uid = 4,
                           .gid = 5,
                           .rdev = 0x99aabbccddeeff00,
                           .pad1 = 0,
                           .size = 7,
                           .blksize = 4096,
                           .pad2 = 0,
                           .blocks = 8,
                           .atime = 9,
                           .atime_nsec = 10,
                           .mtime = -11,
                           .mtime_nsec = 12,
                           .ctime = 13,
                           .ctime_nsec = 14,
                           .unused4 = 0,
                           .unused5 = 0};
    CHECK(std::memcmp(&guest, &expected, sizeof(guest)) == 0);  // padding too: nothing of weft's gets out
    host.st_nlink = uint64_t{1} << 32;
    CHECK(to_guest(host).nlink == 0xffffffff);
}

TEST_CASE("epoll events go both ways") {
    const EpollEvent guest = {.events = EPOLLIN | EPOLLET, .pad = 0x5a5a5a5a, .data = 0x1122334455667788};
    const struct ::epoll_event host = to_host(guest);
    CHECK(host.events == (EPOLLIN | EPOLLET));
    CHECK(uint64_t{host.data.u64} == guest.data);
    EpollEvent back = {.events = 0, .pad = 77, .data = 0};
    to_guest(host, back);
    CHECK(back.events == guest.events);
    CHECK(back.data == guest.data);
    CHECK(back.pad == 77);
}

TEST_CASE("semid_ds goes both ways") {
    SemidDs guest{};
    guest.perm = {.key = 1,
                  .uid = 2,
                  .gid = 3,
                  .cuid = 4,
                  .cgid = 5,
                  .mode = 0600,
                  .seq = 6,
                  .pad2 = 0,
                  .unused1 = 0,
                  .unused2 = 0};
    guest.otime = -1;
    guest.ctime = uint64_t{1} << 40;
    guest.nsems = 9;
    const SemidDs back = to_guest(to_host(guest));
    CHECK(std::memcmp(&back, &guest, sizeof(back)) == 0);
    CHECK(to_host(guest).nsems == 9);
}

TEST_CASE("loop_info goes both ways") {
    LoopInfo guest;
    for (size_t i = 0; i < sizeof(guest); ++i) {
        reinterpret_cast<uint8_t*>(&guest)[i] = static_cast<uint8_t>(i * 7 + 1);
    }
    // The two holes: before the 8-byte words, and at the end.
    constexpr size_t kHole = offsetof(LoopInfo, encrypt_key) + sizeof(guest.encrypt_key);
    std::memset(reinterpret_cast<uint8_t*>(&guest) + kHole, 0, offsetof(LoopInfo, init) - kHole);
    constexpr size_t kEnd = offsetof(LoopInfo, reserved) + sizeof(guest.reserved);
    std::memset(reinterpret_cast<uint8_t*>(&guest) + kEnd, 0, sizeof(guest) - kEnd);
    const HostLoopInfo host = to_host(guest);
    CHECK(host.device == guest.device);
    CHECK(host.rdevice == guest.rdevice);
    CHECK(host.init[1] == guest.init[1]);
    const LoopInfo back = to_guest(host);
    CHECK(std::memcmp(&back, &guest, sizeof(guest)) == 0);
}

}  // namespace
}  // namespace weft::user::abi
