// What asks for the time or the processor is answered without a call of the host's kernel, where a native program is.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <iterator>

#include "tests/linux-user/syscall/native_comparison.h"

namespace weft::user {
namespace {

constexpr uint64_t kFirst = kArena + 512;
constexpr uint64_t kSecond = kArena + 544;

// From here on the kernel refuses the calls that the vDSO can answer.
bool refuse_them() {
    const auto refuse = [](unsigned number) {
        return sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
    };
    const sock_filter refusal = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTRECOVERABLE);
    sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        refuse(SYS_clock_gettime),
        refusal,
        refuse(SYS_gettimeofday),
        refusal,
        refuse(SYS_getcpu),
        refusal,
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{std::size(filter), filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// What a native program finds: not every host's clock can be read outside of its kernel.
bool native_finds_them() {
    timespec now{};
    timeval day{};
    unsigned cpu = 0;
    return ::clock_gettime(CLOCK_MONOTONIC, &now) == 0 && ::gettimeofday(&day, nullptr) == 0 &&
           ::getcpu(&cpu, nullptr) == 0;
}

template <class T>
T at(Guest& guest, uint64_t address) {
    T value;
    std::memcpy(&value, guest.at(address - kArena), sizeof(value));
    return value;
}

// The first that is wrong, from 1; 0: none.
int first_wrong(Guest& guest) {
    timespec before{};
    ::clock_gettime(CLOCK_MONOTONIC, &before);
    if (!(guest("clock_gettime", {CLOCK_MONOTONIC, kFirst}) == SyscallOutcome(0))) {
        return 1;
    }
    const auto now = at<timespec>(guest, kFirst);
    if (now.tv_sec < before.tv_sec || now.tv_sec > before.tv_sec + 3600 || now.tv_nsec >= 1'000'000'000) {
        return 2;
    }
    const time_t today = ::time(nullptr);
    if (!(guest("gettimeofday", {kFirst, 0}) == SyscallOutcome(0)) ||
        at<timeval>(guest, kFirst).tv_sec < today - 1) {
        return 3;
    }
    if (!(guest("getcpu", {kFirst, kSecond, 0}) == SyscallOutcome(0)) ||
        at<unsigned>(guest, kFirst) >= static_cast<unsigned>(sysconf(_SC_NPROCESSORS_CONF))) {
        return 4;
    }
    return guest("getcpu", {0, 0, 0}) == SyscallOutcome(0) ? 0 : 5;
}

}  // namespace

TEST_CASE("the time and the processor are told without the host's kernel") {
    constexpr int kSkipped = 77;
    Guest guest;
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        _exit(!refuse_them() || !native_finds_them() ? kSkipped : first_wrong(guest));
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    if (WEXITSTATUS(status) == kSkipped) {
        WARN("this host's clock cannot be read outside of its kernel, or no filter can be had");
        return;
    }
    CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace weft::user
