// Programs about signals do and see what they do and see with the host's kernel alone.
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <string>
#include <thread>

#include "emulator/linux-user/signal/sighand.h"
#include "guest_program.h"

namespace weft::user::test {
namespace {

constexpr uint64_t kUsr1 = signal_bit(SIGUSR1);
constexpr uint64_t kUsr2 = signal_bit(SIGUSR2);
constexpr uint64_t kSegv = signal_bit(SIGSEGV);
constexpr uint64_t kBus = signal_bit(SIGBUS);
constexpr int kRealTime = 40;

int64_t s(uint64_t value) { return static_cast<int64_t>(value); }

// Logs the signal and both masks.
Body note() {
    return [](Sys& sys, const Event& event) {
        sys.log({event.signal, event.info.signal(), event.info.code(), s(event.saved_mask), s(sys.mask())});
    };
}

bool died_of(const Ending& ending, int signal) {
    return WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == signal;
}

}  // namespace

TEST_CASE("masks in handlers") {
    const uint64_t flags = GENERATE(uint64_t{0}, kSaNodefer, kSaResethand, kSaNodefer | kSaResethand);
    const Ending ending = same([&](Sys& sys) {
        sys.log(sys.handle(SIGUSR1, flags, kUsr2 | kNeverBlocked, note()));
        sys.set_mask(SIG_SETMASK, signal_bit(kRealTime) | kNeverBlocked);
        sys.log({sys.raise(SIGUSR1), s(sys.mask())});
        abi::Sigaction now{};
        sys.log({sys.action(SIGUSR1, nullptr, &now), now.handler != 0, s(now.flags), s(now.mask)});
        if ((flags & kSaResethand) != 0) {
            sys.raise(SIGUSR1);
            sys.log(-1);  // not reached
        }
    });
    CHECK(ending.log.size() == 12);
    CHECK(died_of(ending, SIGUSR1) == ((flags & kSaResethand) != 0));
}

TEST_CASE("handlers within handlers") {
    const Ending ending = same([](Sys& sys) {
        sys.handle(SIGUSR2, 0, 0, note());
        sys.handle(SIGUSR1, 0, kUsr2, [](Sys& within, const Event& event) {
            within.log({1, event.signal});
            within.raise(SIGUSR2);  // waits for the end
            within.raise(SIGUSR1);  // as well
            within.raise(kRealTime);
            within.log({2, s(within.mask())});
        });
        int depth = 0;
        sys.handle(kRealTime, kSaNodefer, 0, [&](Sys& within, const Event&) {
            within.log({3, depth});
            if (++depth < 5) {
                within.raise(kRealTime);
            }
            within.log({4, depth});
        });
        sys.set_mask(SIG_SETMASK, 0);
        int rounds = 0;
        sys.handle(SIGUSR1, 0, kUsr2, [&](Sys& within, const Event& event) {
            within.log({1, event.signal});
            within.raise(SIGUSR2);
            if (++rounds < 3) {
                within.raise(SIGUSR1);
            }
            within.raise(kRealTime);
            within.log({2, s(within.mask())});
        });
        sys.raise(SIGUSR1);
        sys.log(s(sys.mask()));
    });
    CHECK(ending.log.size() > 30);
    CHECK(ending.status == 0);
}

TEST_CASE("what is blocked waits, and comes in the kernel's order") {
    const Ending ending = same([](Sys& sys) {
        for (const int signal : {SIGUSR1, SIGUSR2, SIGSEGV, SIGBUS, kRealTime, kRealTime + 1, 33, 64}) {
            sys.handle(signal, 0, ~uint64_t{0}, [](Sys& within, const Event& event) {
                within.log({event.signal, event.info.code(), s(event.info.words[3]), s(event.saved_mask)});
            });
        }
        sys.set_mask(SIG_SETMASK, ~uint64_t{0});
        for (uint64_t i = 0; i < 10; ++i) {
            for (const int signal : {64, kRealTime + 1, kRealTime, SIGUSR2, SIGUSR1, 33}) {
                sys.log(sys.queue(signal, SI_QUEUE, i));
            }
        }
        at<uint64_t>(0) = 0;
        sys.log({sys.call("rt_sigpending", {kArena, 8}), s(at<uint64_t>(0))});
        sys.set_mask(SIG_UNBLOCK, kUsr2);
        sys.set_mask(SIG_SETMASK, 0);
        sys.log({sys.call("rt_sigpending", {kArena, 8}), s(at<uint64_t>(0))});
    });
    CHECK(ending.status == 0);
}

TEST_CASE("SIGSEGV and SIGBUS that are sent wait where they are blocked") {
    const int signal = GENERATE(SIGSEGV, SIGBUS);
    const Ending ending = same([&](Sys& sys) {
        sys.handle(signal, 0, 0, note());
        sys.set_mask(SIG_SETMASK, kSegv | kBus);
        sys.log({sys.raise(signal), sys.queue(signal, SI_QUEUE, 5)});
        sys.log({sys.call("rt_sigpending", {kArena, 8}), s(at<uint64_t>(0))});
        sys.log(sys.set_mask(SIG_UNBLOCK, kUsr1));
        sys.log(sys.set_mask(SIG_UNBLOCK, signal_bit(signal)));
        sys.log({sys.call("rt_sigpending", {kArena, 8}), s(at<uint64_t>(0))});
        // Taken by waiting for it; once.
        sys.set_mask(SIG_SETMASK, kSegv | kBus);
        sys.queue(signal, SI_QUEUE, 6);
        at<uint64_t>(0) = signal_bit(signal);
        at<uint64_t>(8) = 0;
        at<uint64_t>(16) = 0;
        sys.log(sys.call("rt_sigtimedwait", {kArena, kArena + 100, kArena + 8, 8}));
        sys.log({at<int>(100), at<int>(108), s(at<uint64_t>(124))});
        sys.log(sys.call("rt_sigtimedwait", {kArena, kArena + 100, kArena + 8, 8}));
        // Opened by a call's mask.
        sys.raise(signal);
        at<uint64_t>(0) = kUsr1;
        sys.log(sys.call("rt_sigsuspend", {kArena, 8}));
        sys.raise(signal);
        sys.log(sys.call("ppoll", {0, 0, 0, kArena, 8}));
        sys.log(s(sys.mask()));
        // Ignored ones are forgotten, the default one is the end.
        sys.raise(signal);
        sys.set_handler(signal, kHandlerIgnore);
        sys.log({sys.call("rt_sigpending", {kArena, 8}), s(at<uint64_t>(0))});
        sys.set_mask(SIG_SETMASK, 0);
        sys.log(sys.raise(signal));
        sys.set_handler(signal, kHandlerDefault);
        sys.raise(signal);
        sys.log(-1);  // not reached
    });
    CHECK(died_of(ending, signal));
    CHECK(ending.log.size() > 20);
}

// A crash handler's last act is often to send itself the signal again, with what it was told.
TEST_CASE("a program sends itself what looks like a fault") {
    const Ending ending = same([](Sys& sys) {
        sys.handle(SIGSEGV, kSaResethand, 0, [](Sys& within, const Event& event) {
            within.log({event.signal, event.info.code(), s(event.info.words[3])});
            within.queue(SIGSEGV, SEGV_MAPERR, 8);
        });
        sys.queue(SIGSEGV, SEGV_MAPERR, 7);
    });
    CHECK(ending.log == std::vector<int64_t>{SIGSEGV, SEGV_MAPERR, 7});
    CHECK(died_of(ending, SIGSEGV));
}

TEST_CASE("a fault of the program's own") {
    enum class Wish { handled, handled_on_alt_stack, blocked, ignored, by_default, sent_meanwhile };
    const Wish wish = GENERATE(Wish::handled, Wish::handled_on_alt_stack, Wish::blocked, Wish::ignored,
                               Wish::by_default, Wish::sent_meanwhile);
    const Ending ending = same([&](Sys& sys) {
        at<abi::Stack>(0) = {.sp = kAltStack, .flags = 0, .pad = 0, .size = kStackSize};
        sys.log(sys.call("sigaltstack", {kArena, 0}));
        sys.handle(
            SIGSEGV, wish == Wish::handled_on_alt_stack ? kSaOnstack : 0, kUsr1,
            [](Sys& within, const Event& event) {
                within.log({event.signal, event.info.code(), s(event.info.address()), event.on_alt_stack,
                            s(event.saved_mask), s(within.mask())});
                within.log(within.call("mmap", {kNothing, 4096, PROT_READ,
                                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, ~uint64_t{0}, 0}));
            });
        sys.handle(SIGUSR1, 0, 0, note());
        if (wish == Wish::blocked) {
            sys.set_mask(SIG_BLOCK, kSegv);
        } else if (wish == Wish::ignored || wish == Wish::by_default) {
            sys.set_handler(SIGSEGV, wish == Wish::ignored ? kHandlerIgnore : kHandlerDefault);
        }
        sys.load(kNothing + 5);
        sys.raise(SIGUSR1);
        sys.log(-2);
    });
    CHECK(died_of(ending, SIGSEGV) ==
          (wish == Wish::blocked || wish == Wish::ignored || wish == Wish::by_default));
}

TEST_CASE("rt_sigaction's arguments") {
    same([](Sys& sys) {
        for (const int signal : {-1, 0, 1, SIGKILL, SIGSTOP, SIGSEGV, 32, 33, 64, 65}) {
            abi::Sigaction old{};
            const abi::Sigaction wanted{.handler = 1, .flags = 0, .mask = ~uint64_t{0}};
            sys.log({signal, sys.action(signal, nullptr, &old), s(old.handler)});
            sys.log(sys.action(signal, &wanted, nullptr));
            old = {};
            sys.log({sys.action(signal, nullptr, &old), s(old.handler), s(old.mask)});
        }
        // Flags that nobody knows are not kept, so that programs can ask.
        for (unsigned bit = 0; bit < 64; ++bit) {
            if (bit == 26) {
                continue;  // SA_RESTORER, which the host has and riscv64 has not
            }
            const abi::Sigaction wanted{.handler = 1, .flags = uint64_t{1} << bit, .mask = 0};
            abi::Sigaction old{};
            sys.action(SIGUSR1, &wanted, nullptr);
            sys.action(SIGUSR1, nullptr, &old);
            sys.log({bit, s(old.flags)});
        }
    });
}

TEST_CASE("errors of the calls") {
    same([](Sys& sys) {
        const uint64_t bad = kNothing;
        at<uint64_t>(0) = kUsr1;
        sys.log({sys.call("rt_sigprocmask", {0, kArena, 0, 7}), sys.call("rt_sigprocmask", {0, bad, 0, 8}),
                 sys.call("rt_sigprocmask", {3, kArena, 0, 8}),
                 sys.call("rt_sigprocmask", {3, 0, kArena + 8, 8}),
                 sys.call("rt_sigprocmask", {0, kArena, bad, 8}), s(sys.mask()),
                 sys.call("rt_sigprocmask", {1, kArena, kArena + 8, 8}), s(at<uint64_t>(8))});
        sys.log({sys.call("rt_sigaction", {SIGUSR1, 0, 0, 7}), sys.call("rt_sigaction", {SIGUSR1, bad, 0, 8}),
                 sys.call("rt_sigaction", {SIGUSR1, 0, bad, 8}), sys.call("rt_sigaction", {0, 0, 0, 8})});
        at<uint64_t>(16) = ~uint64_t{0};
        sys.log({sys.call("rt_sigpending", {kArena + 16, 9}), sys.call("rt_sigpending", {bad, 8}),
                 sys.call("rt_sigpending", {kArena + 16, 3}), s(at<uint64_t>(16)),
                 sys.call("rt_sigpending", {bad, 0})});
        sys.log({sys.call("rt_sigsuspend", {kArena, 7}), sys.call("rt_sigsuspend", {bad, 8}),
                 sys.call("rt_sigsuspend", {0, 8})});
        at<uint64_t>(32) = 0;
        at<uint64_t>(40) = 1000000000;
        sys.log({sys.call("rt_sigtimedwait", {kArena, 0, kArena + 32, 8}),
                 sys.call("rt_sigtimedwait", {kArena, 0, kArena + 32, 7}),
                 sys.call("rt_sigtimedwait", {bad, 0, 0, 8}),
                 sys.call("rt_sigtimedwait", {kArena, 0, bad, 8})});
        sys.log({sys.call("ppoll", {0, 0, 0, kArena, 7}), sys.call("ppoll", {0, 0, 0, bad, 8})});
    });
}

TEST_CASE("alternate stacks") {
    const Ending ending = same([](Sys& sys) {
        struct Row {
            uint64_t sp;
            uint32_t flags;
            uint64_t size;
        };
        const auto set = [&](const Row& row) {
            at<abi::Stack>(0) = {
                .sp = row.sp, .flags = static_cast<int32_t>(row.flags), .pad = 0, .size = row.size};
            at<abi::Stack>(32) = {};
            sys.log({sys.call("sigaltstack", {kArena, kArena + 32}), s(at<abi::Stack>(32).sp),
                     at<abi::Stack>(32).flags, s(at<abi::Stack>(32).size)});
        };
        const std::vector<Row> rows = {{kAltStack, 0, kStackSize},
                                       {kAltStack, 1, kStackSize},
                                       {kAltStack, 2, kStackSize},
                                       {kAltStack, 3, kStackSize},
                                       {kAltStack, 4, kStackSize},
                                       {kAltStack, 0, 2047},
                                       {kAltStack, 0, 0},
                                       {kAltStack, 0, 1},
                                       {kAltStack, kSsAutodisarm, kStackSize},
                                       {kAltStack, kSsAutodisarm | 1, kStackSize},
                                       {kAltStack, kSsAutodisarm | 2, kStackSize},
                                       {kAltStack, 0, kStackSize}};
        for (const Row& row : rows) {
            set(row);
        }
        sys.log({sys.call("sigaltstack", {kNothing, 0}), sys.call("sigaltstack", {0, kNothing}),
                 sys.call("sigaltstack", {0, 0})});
        for (const uint32_t flags : {uint32_t{0}, kSsAutodisarm}) {
            for (const uint64_t action : {uint64_t{0}, kSaOnstack}) {
                set({kAltStack, flags, kStackSize});
                sys.handle(SIGUSR1, action, 0, [&](Sys& within, const Event& event) {
                    within.log(event.on_alt_stack);
                    // Not on a stack that was disarmed: for the one that the handler's end gives back, x86-64 kernels since
                    // 6.12 ask whether the handler's stack pointer is on a stack, riscv64 asks for that from before.
                    if (flags != 0 && action != 0) {
                        return;
                    }
                    for (const Row& row : rows) {
                        set(row);
                    }
                });
                // On top of the other's frame, wherever that is.
                sys.handle(SIGUSR2, action, 0, [&](Sys& within, const Event& event) {
                    within.log(event.on_alt_stack);
                    within.raise(SIGUSR1);
                });
                sys.raise(SIGUSR1);
                sys.log(sys.call("sigaltstack", {0, kArena + 32}));
                sys.log({at<abi::Stack>(32).flags, s(at<abi::Stack>(32).size)});
                set({kAltStack, flags, kStackSize});
                sys.raise(SIGUSR2);
            }
        }
    });
    CHECK(ending.status == 0);
}

TEST_CASE("a stack that cannot hold the frame") {
    const bool has_alt_stack = GENERATE(false, true);
    const Ending ending = same([&](Sys& sys) {
        // SIGUSR1's own stack is not there; SIGSEGV's is, or is not either.
        sys.handle(SIGSEGV, 0, 0, [](Sys& within, const Event& event) {
            within.log({event.signal, event.info.code(), s(event.info.address()), s(event.saved_mask)});
        });
        sys.handle(SIGUSR1, kSaOnstack, 0, note());
        if (!has_alt_stack) {
            sys.handle(SIGSEGV, kSaOnstack, 0, note());
        }
        at<abi::Stack>(0) = {.sp = kNothing, .flags = 0, .pad = 0, .size = kStackSize};
        sys.log(sys.call("sigaltstack", {kArena, 0}));
        sys.raise(SIGUSR1);
        sys.log(s(sys.mask()));
    });
    CHECK(died_of(ending, SIGSEGV) == !has_alt_stack);
}

TEST_CASE("masks of calls that wait") {
    const auto name =
        GENERATE(as<std::string>{}, "rt_sigsuspend", "ppoll", "pselect6", "epoll_pwait", "epoll_pwait2");
    const Ending ending = same([&](Sys& sys) {
        sys.handle(SIGUSR1, 0, signal_bit(kRealTime), note());
        sys.handle(SIGUSR2, kSaRestart, 0, note());
        sys.set_mask(SIG_SETMASK, kUsr1 | kUsr2 | signal_bit(50));
        const int64_t epoll = sys.call("epoll_create1", {0});
        const auto wait = [&](uint64_t mask) -> int64_t {
            at<uint64_t>(0) = mask;
            at<uint64_t>(8) = kArena;
            at<uint64_t>(16) = 8;
            if (name == "rt_sigsuspend") {
                return sys.call(name, {kArena, 8});
            }
            if (name == "ppoll") {
                return sys.call(name, {0, 0, 0, kArena, 8});
            }
            if (name == "pselect6") {
                return sys.call(name, {0, 0, 0, 0, 0, kArena + 8});
            }
            const uint64_t forever = name == "epoll_pwait" ? ~uint64_t{0} : 0;
            return sys.call(name, {static_cast<uint64_t>(epoll), kArena + 512, 1, forever, kArena, 8});
        };
        sys.raise(SIGUSR1);
        sys.log({wait(kUsr2 | kNeverBlocked), s(sys.mask())});
        sys.raise(SIGUSR2);
        sys.log({wait(kUsr1), s(sys.mask())});
        // Both at once: one frame on the other.
        sys.raise(SIGUSR1);
        sys.raise(SIGUSR2);
        sys.log({wait(0), s(sys.mask())});
        sys.raise(SIGUSR1);
        sys.raise(SIGUSR2);
        sys.log({wait(0), s(sys.mask())});
    });
    CHECK(ending.status == 0);
    CHECK(ending.log.size() == 4 * 2 + 6 * 5);
}

namespace {

struct Sleep {
    const char* name;
    Args args;
};

}  // namespace

// Which calls the kernel begins again after a handler, and which end with EINTR.
TEST_CASE("calls that a signal interrupts") {
    const uint64_t flags = GENERATE(uint64_t{0}, kSaRestart);
    const size_t which = GENERATE(range(0, 9));
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    const auto reader = static_cast<uint64_t>(ends[0]);
    constexpr uint64_t kWord = kArena + 1024;
    constexpr uint64_t kLong = kArena + 1040;  // a time
    constexpr uint64_t kPoll = kArena + 1056;
    const std::array<Sleep, 9> sleeps = {{
        {"read", {reader, kArena + 2048, 1}},
        {"nanosleep", {kLong, kArena + 2048}},
        {"clock_nanosleep", {CLOCK_MONOTONIC, 0, kLong, 0}},
        {"ppoll", {kPoll, 1, 0, 0, 8}},
        {"ppoll", {kPoll, 1, kLong, 0, 8}},
        {"futex", {kWord, FUTEX_WAIT, 0, 0, 0, 0}},
        {"futex", {kWord, FUTEX_WAIT, 0, kLong, 0, 0}},
        {"pselect6", {reader + 1, kArena + 1100, 0, 0, 0, 0}},
        {"rt_sigtimedwait", {kArena + 1200, 0, kLong, 8}},
    }};
    const Sleep& sleep = sleeps[which];
    std::array<Ending, 2> endings;
    for (const Side side : {Side::kernel, Side::weft}) {
        const GuestProgram program = [&](Sys& sys) {
            at<uint64_t>(1024) = 0;
            at<uint64_t>(1040) = 1000000;
            at<uint64_t>(1048) = 0;
            at<pollfd>(1056) = {ends[0], POLLIN, 0};
            at<uint64_t>(1104) = 0;
            at<uint64_t>(1100) = uint64_t{1} << reader;
            at<uint64_t>(1200) = kUsr2;
            sys.handle(SIGUSR1, flags, 0, [](Sys& within, const Event& event) { within.log(event.signal); });
            sys.log(sys.call(sleep.name, sleep.args));
        };
        Child child(side, program);
        child.wait_for_call(sleep.name);
        REQUIRE(kill(child.pid(), SIGUSR1) == 0);
        REQUIRE(child.next() == SIGUSR1);
        // What it waits for, which comes too late if the call has ended. The word is the child's as well.
        REQUIRE(write(ends[1], "x", 1) == 1);
        while (std::string_view(sleep.name) == "futex" && !child.has_more() &&
               syscall(SYS_futex, kWord, FUTEX_WAKE, 1, nullptr, nullptr, 0) == 0) {
            std::this_thread::yield();
        }
        endings[side == Side::weft ? 1 : 0] = child.end();
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        char rest[8];
        while (read(ends[0], rest, sizeof(rest)) > 0) {
        }
        fcntl(ends[0], F_SETFL, 0);
    }
    INFO(sleep.name << " " << which << ", flags " << flags);
    CHECK(endings[1] == endings[0]);
    close(ends[0]);
    close(ends[1]);
}

TEST_CASE("deaths") {
    const int signal =
        GENERATE(SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGSEGV, SIGPIPE,
                 SIGALRM, SIGTERM, SIGSYS, SIGXCPU, 32, 33, 34, 64, SIGCHLD, SIGURG, SIGWINCH, SIGCONT);
    const Ending ending = same([&](Sys& sys) {
        sys.set_mask(SIG_SETMASK, 0);
        sys.raise(signal);
        sys.log(1);
    });
    CHECK(died_of(ending, signal) == !is_ignored_by_default(signal));
}

}  // namespace weft::user::test
