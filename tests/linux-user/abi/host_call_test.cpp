// The pointers of passed calls: checked, converted, and written back.
#include "emulator/linux-user/syscall/host_call.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <string_view>

#include "tests/linux-user/abi/fake_guest.h"

namespace weft::user {
namespace {

constexpr uint64_t kLimit = uint64_t{1} << 46;
using Args = std::array<uint64_t, 6>;

const Syscall& named(std::string_view name) {
    for (const Syscall& call : syscalls()) {
        if (call.name == name) {
            return call;
        }
    }
    FAIL("no call " << name);
    std::abort();
}

long host_call(const Syscall& call, const Args& args) {
    return ::syscall(call.host_number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

TEST_CASE("numbers outside of the table have no row") {
    CHECK(find_syscall(63)->name == "read");
    CHECK(find_syscall(258)->name == "riscv_hwprobe");
    for (const uint64_t number :
         {uint64_t{38}, uint64_t{244}, uint64_t{295}, uint64_t{423}, uint64_t{1000}, ~uint64_t{0}}) {
        CHECK(find_syscall(number) == nullptr);
    }
}

// To look at what is not there costs a signal of the host's.
TEST_CASE("no length is read of a buffer that there is not") {
    struct Guest final : FakeGuest {
        using FakeGuest::FakeGuest;
        bool read(uint64_t address, void* to, size_t size) override {
            ++reads;
            return FakeGuest::read(address, to, size);
        }
        unsigned reads = 0;
    };
    Guest guest(0x10000, 64);
    guest.put(0x10020, uint32_t{16});
    const Args plain = {3, 0x10000, 8, 0, 0, 0};
    const Args lengths = {3, 0x10000, 8, 0, 0, 0x10020};
    CHECK(HostCall(named("recvfrom"), plain, {0, kLimit}, guest).args() == plain);
    CHECK(HostCall(named("recvfrom"), lengths, {0, kLimit}, guest).args() == lengths);
    CHECK(HostCall(named("accept"), {3, 0, 0, 0, 0, 0}, {0, kLimit}, guest).args() == Args{3});
    CHECK(HostCall(named("accept4"), {3, 0, 0, 0, 0, 0}, {0, kLimit}, guest).args() == Args{3});
    CHECK(guest.reads == 0);
    HostCall(named("recvfrom"), {3, 0x10000, 8, 0, 0x10008, 0x10020}, {0, kLimit}, guest);
    CHECK(guest.reads == 1);
}

TEST_CASE("what does not point is left alone") {
    FakeGuest guest(0x10000, 16);
    const Args args = {3, 0xffffffff'fffffffe, 2, 0, 0, 0};
    CHECK(HostCall(named("lseek"), args, {0x1000, kLimit}, guest).args() == args);
}

TEST_CASE("buffers end at the limit") {
    FakeGuest guest(0x10000, 16);
    const GuestRange range = {0, kLimit};
    const auto buffer = [&](uint64_t address, uint64_t size) {
        return HostCall(named("read"), {0, address, size, 0, 0, 0}, range, guest).args()[1];
    };
    CHECK(buffer(kLimit - 16, 16) == kLimit - 16);
    CHECK(buffer(kLimit - 16, 17) == kBadAddress);
    CHECK(buffer(kLimit, 1) == kBadAddress);
    CHECK(buffer(0x7fff'0000'0000, 1) == kBadAddress);
    CHECK(buffer(0xffff'ffff'ffff'fff0, 0x20) == kBadAddress);  // wraps
    // No more is transferred at once; the kernel judges the size itself.
    CHECK(buffer(0x1000, ~uint64_t{0}) == 0x1000);
    CHECK(buffer(kLimit - 0x7fff'f000, ~uint64_t{0}) == kLimit - 0x7fff'f000);
    CHECK(buffer(kLimit - 0x7fff'efff, ~uint64_t{0}) == (kBadAddress | 1));
    // Its alignment is kept.
    CHECK(buffer(kLimit + 5, 1) == (kBadAddress | 5));
    CHECK(buffer(0, 100) == 0);
    CHECK(HostCall(named("getgroups"), {~uint64_t{0}, 0x1000, 0, 0, 0, 0}, {0, 0x2000}, guest).args()[1] ==
          kBadAddress);
    CHECK(HostCall(named("fstat"), {0, kLimit - 127, 0, 0, 0, 0}, range, guest).args()[1] ==
          (kBadAddress | 1));
    CHECK(HostCall(named("chdir"), {kLimit, 0, 0, 0, 0, 0}, range, guest).args()[0] == kBadAddress);
}

TEST_CASE("null is null with every base") {
    FakeGuest guest(0x10000, 16);
    CHECK(HostCall(named("nanosleep"), {0x10000, 0, 0, 0, 0, 0}, {0x70000000, kLimit}, guest).args() ==
          Args{0x70010000, 0, 0, 0, 0, 0});
}

TEST_CASE("bad pointers are refused by the kernel, in the kernel's order") {
    FakeGuest guest(0x10000, 16);
    const GuestRange range = {0, kLimit};
    const Syscall& read_call = named("read");
    const HostCall closed(read_call, {~uint64_t{0}, kLimit, 8, 0, 0, 0}, range, guest);
    CHECK(host_call(read_call, closed.args()) == -1);
    CHECK(errno == EBADF);
    const Syscall& pipe_call = named("pipe2");
    const HostCall bad(pipe_call, {kLimit, 0, 0, 0, 0, 0}, range, guest);
    CHECK(host_call(pipe_call, bad.args()) == -1);
    CHECK(errno == EFAULT);
}

TEST_CASE("good vectors go to the kernel as they are, bad ones as copies") {
    FakeGuest guest(0x10000, 0x1000);
    guest.put<uint64_t>(0x10000, 0x20000);
    guest.put<uint64_t>(0x10008, 0x30);
    guest.put<uint64_t>(0x10010, kLimit - 8);
    guest.put<uint64_t>(0x10018, 8);
    const Args args = {1, 0x10000, 2, 0, 0, 0};
    CHECK(HostCall(named("writev"), args, {0, kLimit}, guest).args() == args);
    guest.put<uint64_t>(0x10018, 9);
    const HostCall call(named("writev"), args, {0, kLimit}, guest);
    REQUIRE(call.args()[1] != args[1]);
    const iovec* copy = reinterpret_cast<const iovec*>(call.args()[1]);
    CHECK(reinterpret_cast<uint64_t>(copy[0].iov_base) == 0x20000);
    CHECK(copy[0].iov_len == 0x30);
    CHECK(reinterpret_cast<uint64_t>(copy[1].iov_base) == kBadAddress);
    // What cannot be read is for the kernel to refuse; so is a number of vectors that it does not take.
    CHECK(HostCall(named("writev"), {1, 0x9000, 2, 0, 0, 0}, {0, kLimit}, guest).args()[1] == 0x9000);
    CHECK(HostCall(named("writev"), {1, 0x10000, ~uint64_t{0}, 0, 0, 0}, {0, kLimit}, guest).args()[1] ==
          0x10000);
}

TEST_CASE("messages go through a guest base") {
    FakeGuest guest(0x10000, 0x1000);
    const GuestRange range = {guest.base(), 0x11000};
    int sockets[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets) == 0);

    guest.put_string(0x10100, "hello, ");
    guest.put_string(0x10200, "world");
    guest.put(0x10040, std::array<uint64_t, 4>{0x10100, 7, 0x10200, 5});
    guest.put(0x10000, std::array<uint64_t, 7>{0, 0, 0x10040, 2, 0, 0, 0});
    const Syscall& send = named("sendmsg");
    HostCall sent(send, {static_cast<uint64_t>(sockets[0]), 0x10000, 0, 0, 0, 0}, range, guest);
    CHECK(host_call(send, sent.args()) == 12);

    // A name, a buffer, and control data; lengths come back and pointers stay the guest's.
    guest.put(0x10040, std::array<uint64_t, 2>{0x10300, 4});
    guest.put(0x10000, std::array<uint64_t, 7>{0x10400, 64, 0x10040, 1, 0x10500, 64, 0xffffffff});
    const Syscall& receive = named("recvmsg");
    HostCall received(receive, {static_cast<uint64_t>(sockets[1]), 0x10000, MSG_DONTWAIT, 0, 0, 0}, range,
                      guest);
    CHECK(host_call(receive, received.args()) == 4);
    CHECK(guest.get<uint32_t>(0x10008) == 64);
    REQUIRE(received.finish());
    CHECK(guest.get<uint32_t>(0x10300) == 0x6c6c6568);
    CHECK(guest.get<uint64_t>(0x10000) == 0x10400);
    CHECK(guest.get<uint32_t>(0x10008) == 0);  // the peer has no name
    CHECK(guest.get<uint64_t>(0x10010) == 0x10040);
    CHECK(guest.get<uint64_t>(0x10020) == 0x10500);
    CHECK(guest.get<uint64_t>(0x10028) == 0);
    CHECK(guest.get<uint32_t>(0x10030) == MSG_TRUNC);
    close(sockets[0]);
    close(sockets[1]);
}

TEST_CASE("several messages report each one's length") {
    FakeGuest guest(0x10000, 0x1000);
    const GuestRange range = {guest.base(), 0x11000};
    int sockets[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets) == 0);
    REQUIRE(write(sockets[0], "abc", 3) == 3);
    REQUIRE(write(sockets[0], "z", 1) == 1);
    for (uint64_t i = 0; i < 2; ++i) {
        guest.put(0x10000 + i * 64, std::array<uint64_t, 8>{0, 0, 0x10200 + i * 16, 1, 0, 0, 0, 0});
        guest.put(0x10200 + i * 16, std::array<uint64_t, 2>{0x10300 + i * 16, 8});
    }
    const Syscall& receive = named("recvmmsg");
    HostCall call(receive, {static_cast<uint64_t>(sockets[1]), 0x10000, 2, MSG_DONTWAIT, 0, 0}, range, guest);
    CHECK(host_call(receive, call.args()) == 2);
    REQUIRE(call.finish());
    CHECK(guest.get<uint32_t>(0x10000 + 56) == 3);
    CHECK(guest.get<uint32_t>(0x10040 + 56) == 1);
    CHECK(guest.get<uint8_t>(0x10310) == 'z');
    close(sockets[0]);
    close(sockets[1]);
}

TEST_CASE("a name's room is what its length says") {
    FakeGuest guest(0x10000, 0x1000);
    guest.put<uint32_t>(0x10000, 16);
    const auto name = [&](uint64_t address) {
        return HostCall(named("getsockname"), {0, address, 0x10000, 0, 0, 0}, {0, kLimit}, guest).args()[1];
    };
    CHECK(name(kLimit - 16) == kLimit - 16);
    CHECK(name(kLimit - 15) == (kBadAddress | 1));
}

}  // namespace
}  // namespace weft::user
