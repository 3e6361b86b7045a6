// The exclusive gate and the timer thread by themselves.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "accel/tcg/run/exclusive.h"
#include "accel/tcg/time/alarm.h"
#include "tests/support/random.h"
#include "tests/support/wait.h"

using namespace weft::accel;
using weft::EpochDomain;
using weft::test::Random;
using weft::test::test_seed;

TEST_CASE("nobody runs beside an exclusive section", "[gate]") {
    INFO("WEFT_TEST_SEED=" << test_seed());
    constexpr unsigned kThreads = 8;
    constexpr int kRounds = 3000;
    EpochDomain epochs;
    ExclusiveGate gate;
    std::atomic<int> running{0};
    std::atomic<int> broken{0};
    int plain = 0;
    std::atomic<int> sections{0};
    std::atomic<int> asked{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            Random random(test_seed() + t);
            EpochDomain::Reader reader(epochs);
            reader.go_online();
            std::atomic<bool> leave{false};
            struct Context {
                std::atomic<bool>& leave;
                std::atomic<int>& asked;
            } context{leave, asked};
            ExclusiveGate::Member member(
                gate,
                [](void* opaque) {
                    static_cast<Context*>(opaque)->leave.store(true);
                    static_cast<Context*>(opaque)->asked.fetch_add(1);
                },
                &context);
            for (int round = 0; round < kRounds; ++round) {
                reader.quiescent();
                if (random.below(16) == 0) {
                    gate.begin(&reader);
                    if (running.load() != 0) {
                        broken = 1;
                    }
                    ++plain;
                    sections.fetch_add(1);
                    gate.end();
                    continue;
                }
                leave.store(false);
                member.enter(reader);
                running.fetch_add(1);
                // Until asked, as a vCPU does, or a little while.
                const bool stay = random.below(64) == 0;
                for (int i = 0; i < 1000 && stay && !leave.load() && !gate.requested(); ++i) {
                    std::this_thread::yield();
                }
                running.fetch_sub(1);
                member.leave();
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    REQUIRE(broken == 0);
    REQUIRE(plain == sections.load());
    REQUIRE(plain > 0);
}

TEST_CASE("alarms ring once, in any order, and not when they were taken back", "[timer]") {
    const Clock clock;
    TimerThread timer(clock);
    struct Bell {
        std::atomic<int> rings{0};
        Alarm alarm;
        explicit Bell(TimerThread& thread)
            : alarm(thread, [](void* self) { static_cast<Bell*>(self)->rings.fetch_add(1); }, this) {}
    };
    Bell late(timer);
    Bell soon(timer);
    Bell never(timer);
    Bell own(timer);
    late.alarm.set(clock.now_ns() + 20'000'000);
    REQUIRE(timer.start());
    never.alarm.set(clock.now_ns() + 3'600'000'000'000);
    soon.alarm.set(clock.now_ns() + 1'000'000);
    own.alarm.set_own(true);
    own.alarm.set(clock.now_ns());
    weft::test::wait_until([&] { return late.rings.load() != 0 && soon.rings.load() != 0; });
    REQUIRE(own.rings == 0);
    REQUIRE(own.alarm.take_if_due(clock.now_ns()));
    REQUIRE_FALSE(own.alarm.take_if_due(clock.now_ns()));
    never.alarm.set(kNever);
    soon.alarm.set(clock.now_ns());
    weft::test::wait_until([&] { return soon.rings.load() >= 2; });
    REQUIRE(late.rings == 1);
    REQUIRE(soon.rings == 2);
    REQUIRE(never.rings == 0);
    own.alarm.set(0);
    own.alarm.set_own(false);
    weft::test::wait_until([&] { return own.rings.load() != 0; });
}
