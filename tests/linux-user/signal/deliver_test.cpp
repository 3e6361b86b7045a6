// Frames, exceptions and queues on weft's side alone, with real signals.
#include "emulator/linux-user/signal/deliver.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <thread>

#include "base/raw_syscall.h"
#include "emulator/linux-user/signal/host_signals.h"
#include "emulator/linux-user/signal/sighand.h"
#include "emulator/linux-user/syscall/dispatch.h"
#include "guest_program.h"

namespace weft::user::test {
namespace {

constexpr unsigned kSp = 2;
constexpr uint64_t kHandler = 0x30000000;
constexpr uint64_t kOther = 0x30001000;
constexpr uint64_t kSigreturn = 139;

abi::Sigaction handler(uint64_t address, uint64_t flags = 0, uint64_t mask = 0) {
    return {.handler = address, .flags = flags, .mask = mask};
}

// In a child process, as dispositions are the process's. What fails there ends it with another status.
#define EXPECT(condition)      \
    do {                       \
        if (!(condition)) {    \
            sys.log(__LINE__); \
            _exit(1);          \
        }                      \
    } while (false)

void in_weft(const std::function<void(WeftSys&)>& script) {
    const Ending ending = Child(Side::weft, [&](Sys& sys) { script(dynamic_cast<WeftSys&>(sys)); }).end();
    INFO("failed at line " << (ending.log.empty() ? 0 : ending.log.back()));
    CHECK(ending.status == 0);
}

FrameRegisters numbered() {
    FrameRegisters registers;
    registers.pc = 0x12345678;
    for (unsigned i = 1; i < 32; ++i) {
        registers.x[i] = 0x1111'1111'1111'1111 * (i % 15) + i;
        registers.f[i] = 0x0123'4567'89ab'cdef * i;
    }
    registers.x[kSp] = kStack + kStackSize - 64;
    registers.f[0] = 7;
    registers.fcsr = 0x95;
    return registers;
}

bool equal(const FrameRegisters& a, const FrameRegisters& b) {
    return a.pc == b.pc && a.x == b.x && a.f == b.f && a.fcsr == b.fcsr;
}

SyscallOutcome::Kind sigreturn(WeftSys& sys) { return dispatch(*sys.thread, kSigreturn, {}).kind; }

}  // namespace

TEST_CASE("a handler's end gives all registers back, as it left them") {
    in_weft([](WeftSys& sys) {
        const auto action = handler(kHandler, 0, signal_bit(50));
        EXPECT(sighand_of(*sys.thread).set(SIGUSR1, &action, nullptr) == 0);
        sys.registers = numbered();
        raise_exception(*sys.thread, SIGUSR1, 3, 0x77);
        EXPECT(signal_waits(*sys.thread));
        take_signal(*sys.thread);
        EXPECT(!signal_waits(*sys.thread));
        EXPECT(sys.registers.pc == kHandler && sys.registers.x[10] == SIGUSR1);
        EXPECT(sys.registers.x[kSp] % 16 == 0);
        EXPECT((host_mask() & (signal_bit(50) | signal_bit(SIGUSR1))) ==
               (signal_bit(50) | signal_bit(SIGUSR1)));
        auto* frame = reinterpret_cast<abi::RtSigframe*>(sys.registers.x[kSp]);
        const FrameRegisters in_handler = sys.registers;

        EXPECT(sigreturn(sys) == SyscallOutcome::Kind::registers_set);
        EXPECT(equal(sys.registers, numbered()));
        EXPECT(host_mask() == 0 && sys.thread->signal_mask == 0);

        // What it changed in the frame counts.
        sys.registers = in_handler;
        frame->uc.mcontext.regs.pc = 0x4000;
        frame->uc.mcontext.regs.x[9] = 99;
        frame->uc.mcontext.fp.f[31] = 31;
        frame->uc.sigmask = signal_bit(SIGUSR2) | signal_bit(SIGSEGV) | kNeverBlocked;
        EXPECT(sigreturn(sys) == SyscallOutcome::Kind::registers_set);
        FrameRegisters expected = numbered();
        expected.pc = 0x4000;
        expected.x[10] = 99;
        expected.f[31] = 31;
        EXPECT(equal(sys.registers, expected));
        EXPECT(sys.thread->signal_mask == (signal_bit(SIGUSR2) | signal_bit(SIGSEGV)));
        EXPECT(host_mask() == signal_bit(SIGUSR2));
    });
}

TEST_CASE("a frame that is none is a fault behind the call") {
    in_weft([](WeftSys& sys) {
        const auto action = handler(kHandler);
        EXPECT(sighand_of(*sys.thread).set(SIGSEGV, &action, nullptr) == 0);
        sys.registers = numbered();
        auto* frame = reinterpret_cast<abi::RtSigframe*>(sys.registers.x[kSp] - 4096);
        sys.registers.x[kSp] -= 4096;
        std::memset(frame, 0, sizeof(*frame));
        frame->uc.mcontext.fp.reserved[1] = 1;
        EXPECT(sigreturn(sys) == SyscallOutcome::Kind::registers_set);
        take_signal(*sys.thread);
        EXPECT(sys.registers.pc == kHandler && sys.registers.x[10] == SIGSEGV);
        frame = reinterpret_cast<abi::RtSigframe*>(sys.registers.x[kSp]);
        EXPECT(frame->uc.mcontext.regs.pc == numbered().pc + 4);
        int code;
        std::memcpy(&code, frame->info + 8, sizeof(code));
        EXPECT(code == SI_KERNEL);
        EXPECT(host_mask() == 0);  // SIGSEGV is weft's
    });
}

TEST_CASE("a signal that came is dealt with before an exception, whose instruction is done again") {
    in_weft([](WeftSys& sys) {
        const auto action = handler(kHandler, 0, ~uint64_t{0});
        const auto fault = handler(kOther);
        EXPECT(sighand_of(*sys.thread).set(SIGUSR1, &action, nullptr) == 0);
        EXPECT(sighand_of(*sys.thread).set(SIGSEGV, &fault, nullptr) == 0);
        sys.registers = numbered();
        raise_exception(*sys.thread, SIGSEGV, SEGV_ACCERR, 0x5000);
        raw_syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
        EXPECT(sys.asked == 1);
        take_signal(*sys.thread);
        EXPECT(sys.registers.pc == kHandler);
        EXPECT(!signal_waits(*sys.thread));
        EXPECT(sigreturn(sys) == SyscallOutcome::Kind::registers_set);
        EXPECT(equal(sys.registers, numbered()));
        raise_exception(*sys.thread, SIGSEGV, SEGV_ACCERR, 0x5000);
        take_signal(*sys.thread);
        EXPECT(sys.registers.pc == kOther);
    });
}

TEST_CASE("what finds a signal taken changes nothing") {
    in_weft([](WeftSys& sys) {
        const auto action = handler(kHandler);
        EXPECT(sighand_of(*sys.thread).set(SIGUSR1, &action, nullptr) == 0);
        sys.registers = numbered();
        raw_syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
        EXPECT(set_signal_mask(*sys.thread, signal_bit(SIGUSR1)) == kRestart);
        EXPECT(sys.thread->signal_mask == 0);
        EXPECT(close_signals(*sys.thread) == kRestart);
        EXPECT(dispatch(*sys.thread, 93, {}).kind == SyscallOutcome::Kind::restart);   // exit
        EXPECT(dispatch(*sys.thread, 172, {}).kind == SyscallOutcome::Kind::restart);  // getpid
        EXPECT((host_mask() | signal_bit(SIGSEGV) | signal_bit(SIGBUS) | kNeverBlocked) == ~uint64_t{0});
        sys.asked = 0;
        EXPECT(close_signals(*sys.thread) == kRestart);
        take_signal(*sys.thread);
        EXPECT(sys.registers.pc == kHandler);
        EXPECT(host_mask() == signal_bit(SIGUSR1));
        EXPECT(dispatch(*sys.thread, 93, {}).kind == SyscallOutcome::Kind::thread_ends);
    });
}

TEST_CASE("a signal whose handler is gone does what it does by default") {
    Ending ending = Child(Side::weft, [](Sys& base) {
                        auto& sys = dynamic_cast<WeftSys&>(base);
                        const auto action = handler(kHandler);
                        for (const int signal : {SIGUSR1, SIGCHLD, SIGTERM}) {
                            EXPECT(sighand_of(*sys.thread).set(signal, &action, nullptr) == 0);
                            raw_syscall(SYS_tgkill, getpid(), gettid(), signal);
                            const auto gone = handler(signal == SIGUSR1 ? kHandlerIgnore : kHandlerDefault);
                            EXPECT(sighand_of(*sys.thread).set(signal, &gone, nullptr) == 0);
                            sys.registers = numbered();
                            take_signal(*sys.thread);
                            EXPECT(equal(sys.registers, numbered()));
                            EXPECT(host_mask() == 0);
                        }
                    }).end();
    CHECK(ending.log.empty());
    CHECK(ending.status == SIGTERM);
}

// Each thread gets its own signals, all of them, with their values in the order in which they were queued.
TEST_CASE("queued signals are kept") {
    constexpr int kThreads = 8;
    constexpr uint64_t kEach = 10000;
    constexpr std::array<int, 2> kSignals = {35, 64};
    in_weft([&](WeftSys& sys) {
        std::array<std::atomic<pid_t>, kThreads> tids{};
        std::array<std::atomic<uint64_t>, kThreads> wrong{};
        std::vector<std::thread> receivers;
        for (const int signal : kSignals) {
            const auto action = handler(kHandler);
            EXPECT(sighand_of(*sys.thread).set(signal, &action, nullptr) == 0);
        }
        for (size_t i = 0; i < kThreads; ++i) {
            receivers.emplace_back([&, i] {
                // Stacks of 4 KiB each: frames of two signals at most.
                WeftSys own(sys.thread->process, kStack + 4096 * (i + 1));
                own.start_thread();
                tids[i] = gettid();
                std::array<uint64_t, kSignals.size()> next{};
                const FrameRegisters before = own.registers;
                while (next[0] < kEach || next[1] < kEach) {
                    if (own.asked.exchange(0) == 0) {
                        std::this_thread::yield();
                        continue;
                    }
                    take_signal(*own.thread);
                    // A handler that notes, and then returns; another may come on top of it before it does.
                    while (own.registers.pc != before.pc) {
                        if (own.registers.pc == kHandler) {
                            const auto* frame =
                                reinterpret_cast<const abi::RtSigframe*>(own.registers.x[kSp]);
                            Siginfo info;
                            std::memcpy(info.words.data(), frame->info, sizeof(frame->info));
                            const size_t which = info.signal() == kSignals[0] ? 0 : 1;
                            wrong[i] += own.registers.x[10] != static_cast<uint64_t>(kSignals[which]) ? 1 : 0;
                            wrong[i] += info.words[3] != next[which]++ ? 1 : 0;
                            own.registers.pc = kHandler + 8;
                        }
                        if (sigreturn(own) == SyscallOutcome::Kind::restart) {
                            own.asked = 0;
                            take_signal(*own.thread);
                        }
                    }
                }
                wrong[i] += equal(own.registers, before) ? 0 : 1;
                set_current_thread(nullptr);
            });
        }
        std::vector<std::thread> senders;
        for (size_t i = 0; i < kThreads; ++i) {
            senders.emplace_back([&, i] {
                while (tids[i] == 0) {
                    std::this_thread::yield();
                }
                for (uint64_t value = 0; value < kEach; ++value) {
                    for (const int signal : kSignals) {
                        Siginfo info = Siginfo::fault(signal, SI_QUEUE, 0);
                        info.words[3] = value;
                        // EAGAIN: as many wait as RLIMIT_SIGPENDING allows.
                        while (raw_syscall(SYS_rt_tgsigqueueinfo, getpid(), tids[i].load(), signal,
                                           info.words.data()) < 0) {
                            std::this_thread::yield();
                        }
                    }
                }
            });
        }
        for (std::thread& thread : senders) {
            thread.join();
        }
        for (std::thread& thread : receivers) {
            thread.join();
        }
        for (const auto& count : wrong) {
            EXPECT(count == 0);
        }
    });
}

}  // namespace weft::user::test
