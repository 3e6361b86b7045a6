// The interruptible call, with signals at each of its instructions and while it sleeps.
#include "emulator/linux-user/syscall/safe_call.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <fstream>
#include <string>
#include <thread>

namespace weft::user {
namespace {

// What handlers work on: they have no argument of ours.
std::atomic<uint32_t> asked{0};
volatile bool stepping = false;
volatile bool finished = false;
volatile int step = 0;
volatile int target = 0;
volatile bool hit_window = false;

uint64_t pc_of(void* context) {
    return static_cast<uint64_t>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
}

void ask(void* context) {
    asked.store(1);
    static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] =
        static_cast<greg_t>(rewound_from_safe_call(pc_of(context)));
}

// After each instruction; asks at that of the number `target`.
void trap(int, siginfo_t*, void* context) {
    constexpr greg_t kTrapFlag = 0x100;
    greg_t& flags = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL];
    if (finished) {
        flags &= ~kTrapFlag;
        return;
    }
    if (!stepping) {
        stepping = true;
        flags |= kTrapFlag;
        return;
    }
    if (step == target) {
        hit_window = in_safe_call_window(pc_of(context));
        ask(context);
    }
    step = step + 1;
}

void leave(int, siginfo_t*, void* context) { ask(context); }

void handle(int signal, void (*handler)(int, siginfo_t*, void*), int flags) {
    struct sigaction action{};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    REQUIRE(sigaction(signal, &action, nullptr) == 0);
}

struct Pipe {
    Pipe() { REQUIRE(pipe2(ends, O_CLOEXEC) == 0); }
    ~Pipe() {
        close(ends[0]);
        close(ends[1]);
    }
    bool has_byte() const {
        pollfd entry{ends[0], POLLIN, 0};
        return poll(&entry, 1, 0) == 1;
    }
    int ends[2];
};

std::array<uint64_t, 6> io(int fd, const void* buffer) {
    return {static_cast<uint64_t>(fd), reinterpret_cast<uint64_t>(buffer), 1, 0, 0, 0};
}

// Waits until a thread sleeps in the host's call `number`.
void wait_for_call(pid_t tid, long number) {
    const std::string path = "/proc/self/task/" + std::to_string(tid) + "/syscall";
    for (std::string text; !text.starts_with(std::to_string(number) + " ");) {
        std::ifstream file(path);
        std::getline(file, text);
        std::this_thread::yield();
    }
}

}  // namespace

TEST_CASE("a call that was asked to leave is not made") {
    Pipe pipe;
    asked = 1;
    CHECK(safe_call(asked, SYS_write, io(pipe.ends[1], "x")) == kRestart);
    CHECK_FALSE(pipe.has_byte());
    asked = 0;
    CHECK(safe_call(asked, SYS_write, io(pipe.ends[1], "x")) == 1);
    CHECK(pipe.has_byte());
    CHECK(safe_call(asked, SYS_write, io(-1, "x")) == -EBADF);
}

TEST_CASE("a signal at any instruction finds the call not begun or done") {
    handle(SIGTRAP, trap, 0);
    bool reached_end = false;
    int in_window = 0, restarted = 0, done = 0;
    for (int at = 0; !reached_end; ++at) {
        Pipe pipe;
        asked = 0;
        stepping = false;
        finished = false;
        hit_window = false;
        step = 0;
        target = at;
        const std::array<uint64_t, 6> args = io(pipe.ends[1], "x");
        raise(SIGTRAP);
        const int64_t result = safe_call(asked, SYS_write, args);
        finished = true;
        asm volatile("nop\n nop");
        reached_end = step <= at;
        in_window += hit_window ? 1 : 0;
        restarted += result == kRestart ? 1 : 0;
        done += result == 1 ? 1 : 0;
        const bool byte = pipe.has_byte();
        if (result == 1 ? !byte : result != kRestart || byte) {
            FAIL("step " << at << ": result " << result << (byte ? ", written" : ", not written"));
        }
        if (hit_window && result != kRestart) {
            FAIL("step " << at << ": in the window, and went on");
        }
    }
    // The look, the jump and the call's instruction; before it and behind it there is more.
    CHECK(in_window == 3);
    CHECK(restarted > in_window);
    CHECK(done > 1);
}

TEST_CASE("a signal ends a call that sleeps") {
    for (const int flags : {0, SA_RESTART}) {
        handle(SIGUSR1, leave, flags);
        Pipe pipe;
        std::atomic<pid_t> tid{0};
        int64_t result = 0;
        char byte;
        asked = 0;
        std::thread sleeper([&] {
            tid = gettid();
            result = safe_call(asked, SYS_read, io(pipe.ends[0], &byte));
        });
        while (tid == 0) {
            std::this_thread::yield();
        }
        wait_for_call(tid, SYS_read);
        REQUIRE(syscall(SYS_tgkill, getpid(), tid.load(), SIGUSR1) == 0);
        sleeper.join();
        CHECK(result == (flags == 0 ? -EINTR : kRestart));
    }
}

// Each read sleeps unless the signal was seen: a lost one hangs the test.
TEST_CASE("no signal is lost, whenever it comes") {
    handle(SIGUSR1, leave, SA_RESTART);
    std::atomic<pid_t> tid{0};
    std::atomic<int> round{0};
    constexpr int kRounds = 20000;
    Pipe pipe;
    int left = 0;
    std::thread caller([&] {
        tid = gettid();
        for (int i = 1; i <= kRounds; ++i) {
            char byte;
            asked = 0;
            round = i;  // from here on the other thread may send
            left += safe_call(asked, SYS_read, io(pipe.ends[0], &byte)) == kRestart ? 1 : 0;
        }
    });
    for (int i = 1; i <= kRounds; ++i) {
        while (round < i) {
            std::this_thread::yield();
        }
        syscall(SYS_tgkill, getpid(), tid.load(), SIGUSR1);
    }
    caller.join();
    CHECK(left == kRounds);
}

}  // namespace weft::user
