// When vCPU threads let others run, where there are too few host processors.
#include <sched.h>

#include <array>
#include <catch2/catch.hpp>
#include <string>

#include "accel/tcg/run/runnable_threads.h"
#include "accel/tcg/run/wait_policy.h"
#include "tests/accel/toy_machine.h"

namespace weft::accel {
namespace {

// A clock that the test moves.
struct Time {
    uint64_t ns = 1;
    unsigned asked = 0;
    uint64_t operator()() {
        ++asked;
        return ns;
    }
};

// Pauses `count` times, `apart_ns` after each other; how many of them yielded.
unsigned pauses(WaitPolicy& policy, Time& time, unsigned count, uint64_t apart_ns, bool crowded = true) {
    unsigned yields = 0;
    for (unsigned i = 0; i < count; ++i) {
        yields += policy.paused(crowded, [&time] { return time(); }) ? 1u : 0u;
        time.ns += apart_ns;
    }
    return yields;
}

}  // namespace

TEST_CASE("a vCPU that pauses again and again yields, and rests once", "[giving_way]") {
    WaitPolicy policy;
    Time time;
    CHECK(pauses(policy, time, WaitPolicy::kPauses - 1, 100) == 0);
    CHECK_FALSE(policy.rest_due());
    CHECK(pauses(policy, time, 1, 100) == 1);
    CHECK(pauses(policy, time, 10 * WaitPolicy::kPauses, 100) == 10);
    CHECK(policy.rest_due());
    CHECK(policy.rests(true));
    CHECK_FALSE(policy.rest_due());
    CHECK_FALSE(policy.rests(true));
}

TEST_CASE("pauses far apart are no wait", "[giving_way]") {
    WaitPolicy policy;
    Time time;
    CHECK(pauses(policy, time, 100 * WaitPolicy::kPauses,
                 WaitPolicy::kWindowNs / (WaitPolicy::kPauses - 1) + 1) == 0);
    CHECK_FALSE(policy.rest_due());
    CHECK_FALSE(policy.rests(true));
    CHECK(pauses(policy, time, 100 * WaitPolicy::kPauses,
                 WaitPolicy::kWindowNs / (WaitPolicy::kPauses - 1)) == 100);
}

TEST_CASE("the clock is asked for twice a row of pauses, and never with processors enough", "[giving_way]") {
    WaitPolicy policy;
    Time time;
    CHECK(pauses(policy, time, 1000 * WaitPolicy::kPauses, 1, false) == 0);
    CHECK(time.asked == 0);
    CHECK_FALSE(policy.rest_due());
    CHECK(pauses(policy, time, 5 * WaitPolicy::kPauses, 1) == 5);
    CHECK(time.asked == 10);
}

TEST_CASE("what was counted while there were too few processors is forgotten", "[giving_way]") {
    WaitPolicy policy;
    Time time;
    pauses(policy, time, WaitPolicy::kPauses - 1, 1);
    pauses(policy, time, 1, 1, false);
    CHECK(pauses(policy, time, WaitPolicy::kPauses - 1, 1) == 0);
    CHECK(pauses(policy, time, 1, 1) == 1);
    SECTION("a rest that is due is not taken when there are enough") {
        CHECK_FALSE(policy.rests(false));
        CHECK_FALSE(policy.rests(true));
    }
    SECTION("a halt ends the wait") {
        policy.halted();
        CHECK_FALSE(policy.rest_due());
        CHECK_FALSE(policy.rests(true));
        CHECK(pauses(policy, time, WaitPolicy::kPauses - 1, 1) == 0);
        policy.halted();
        CHECK(pauses(policy, time, WaitPolicy::kPauses - 1, 1) == 0);
    }
}

TEST_CASE("there are too few processors from one thread more on", "[giving_way]") {
    RunnableThreads threads(2);
    threads.add();
    threads.add();
    CHECK_FALSE(threads.crowded());
    threads.add();
    CHECK(threads.crowded());
    threads.remove();
    CHECK_FALSE(threads.crowded());
    RunnableThreads any(RunnableThreads::kAnyNumber);
    for (int i = 0; i < 1000; ++i) {
        any.add();
    }
    CHECK_FALSE(any.crowded());
}

}  // namespace weft::accel

namespace {

using namespace toy;

// The machine's threads share one host processor as long as this exists.
class OneProcessor {
  public:
    OneProcessor() {
        REQUIRE(sched_getaffinity(0, sizeof before_, &before_) == 0);
        int first = 0;
        while (!CPU_ISSET(first, &before_)) {
            ++first;
        }
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(first, &one);
        REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
    }
    ~OneProcessor() { sched_setaffinity(0, sizeof before_, &before_); }
    OneProcessor(const OneProcessor&) = delete;
    OneProcessor& operator=(const OneProcessor&) = delete;

  private:
    cpu_set_t before_{};
};

constexpr uint64_t kTurn = 0x8000;

// Each of `count` vCPUs waits, pausing, until the word at kTurn is its number, and makes it the next one's; `rounds`
// times. Then it tells.
Assembler turns_program(uint64_t pc, int64_t count, int64_t rounds) {
    Assembler code(pc);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(3, static_cast<int64_t>(kTurn));
    code.op(Opcode::id, 1);
    code.li(2, rounds);
    const uint64_t round = code.pc();
    const uint64_t wait = code.pc();
    code.op(Opcode::yield);
    code.op(Opcode::ld, 4, 3);
    code.bne(4, 1, wait);
    code.addi(1, count);
    code.li(5, 1);
    code.op(Opcode::amoadd, 5, 3);
    code.addi(2, -1);
    code.bne(2, 14, round);
    code.op(Opcode::st, 1, 13);
    const uint64_t end = code.pc();
    code.op(Opcode::halt);
    code.jmp(end);
    return code;
}

constexpr std::array kCounters = {"pause_yields", "rests", "kick_sleeps"};

}  // namespace

TEST_CASE("vCPUs that wait for each other in turn all go on", "[giving_way]") {
    const OneProcessor one;
    constexpr int kVcpus = 4;
    constexpr int kRounds = 50;
    const auto run = [](Machine& machine) {
        machine.load(turns_program(0x1000, kVcpus, kRounds));
        for (int i = 0; i < kVcpus; ++i) {
            machine.add(0x1000);
        }
        machine.resume();
        machine.await_events(kVcpus);
        machine.pause();
        CHECK(machine.peek(kTurn) == kVcpus * kRounds);
    };
    SECTION("giving way") {
        Machine machine(kVcpus);
        run(machine);
    }
    // As the host takes turns, or the thread that they share.
    for (const Machine::Properties& properties :
         {Machine::Properties{{"give-way", "off"}}, Machine::Properties{{"thread", "single"}}}) {
        DYNAMIC_SECTION(properties.begin()->first << "=" << properties.begin()->second) {
            Machine machine(kVcpus, properties);
            run(machine);
            for (const char* counter : kCounters) {
                CHECK(machine.stat(counter) == 0);
            }
        }
    }
}

TEST_CASE("a vCPU that rests is paused, woken and given work as any", "[giving_way]") {
    const OneProcessor one;
    Machine machine(3);
    // Nobody's turn ever comes: all of them wait for ever.
    machine.load(turns_program(0x1000, 3, 1));
    machine.poke(kTurn, std::vector<uint8_t>{100});
    for (int i = 0; i < 3; ++i) {
        machine.add(0x1000);
    }
    for (int i = 0; i < 20; ++i) {
        machine.resume();
        machine.pause();
    }
    machine.poke(kTurn, std::vector<uint8_t>{0});
    machine.resume();
    machine.await_events(3);
    machine.pause();
    CHECK(machine.peek(kTurn) == 3);
}
