// Who runs and who is stopped, in orders that programs meet by chance.
#include "emulator/linux-user/debug/stop_control.h"

#include <catch2/catch.hpp>
#include <memory>
#include <thread>

#include "emulator/linux-user/process.h"

namespace weft::user {
namespace {

using control::gdb::Stop;
using control::gdb::ThreadAction;

std::unique_ptr<Process> make_process() {
    MemoryConfig memory;
    memory.limit = uint64_t{1} << 45;
    auto made = Process::create({}, memory, HostMemory::real());
    REQUIRE(made.has_value());
    return std::move(*made);
}

// A thread of the guest's, but for its instructions.
struct Guest : private Registers {
    Guest(Process& process, int32_t tid, uint64_t pc) : thread(process, tid, asked) {
        registers.pc = pc;
        thread.signals.registers = this;
    }
    FrameRegisters get() override { return registers; }
    void set(const FrameRegisters& given) override { registers = given; }

    FrameRegisters registers;
    std::atomic<uint32_t> asked{0};
    Thread thread;
};

// Two threads, of which the first alone is there until second() is called; both have been let go.
class Threads {
  public:
    void start() {
        one.emplace(stops, first.thread);
        CHECK(stops.take_stop() == Stop{.thread = 11});
        go({11});
    }
    void go(std::initializer_list<uint64_t> threads) {
        (void)stops.threads();
        std::vector<ThreadAction> actions;
        for (const uint64_t thread : threads) {
            actions.push_back({.thread = thread, .kind = ThreadAction::Kind::go});
        }
        stops.resume(actions);
    }
    void start_both() {
        start();
        (void)one->wait();
        two.emplace(stops, second.thread);
        (void)two->wait();
    }

    std::unique_ptr<Process> process = make_process();
    unsigned woken = 0;
    StopControl stops{[this] { ++woken; }};
    Guest first{*process, 11, 0x1000};
    Guest second{*process, 12, 0x2000};
    std::optional<StopControl::Member> one;
    std::optional<StopControl::Member> two;
};

TEST_CASE("the start is told when the first thread is there") {
    Threads threads;
    CHECK_FALSE(threads.stops.take_stop());
    threads.start();
    CHECK(threads.woken == 1);
    CHECK_FALSE(threads.stops.take_stop());
    CHECK_FALSE(threads.one->wait().step);
}

TEST_CASE("an interrupt that the last thread's end overtakes: the end is told") {
    Threads threads;
    threads.start();
    (void)threads.one->wait();
    threads.stops.interrupt();
    CHECK(threads.first.asked == 1);
    CHECK_FALSE(threads.stops.take_stop());  // it runs
    threads.one.reset();
    std::thread ends([&] { threads.stops.end({.kind = Stop::Kind::exited, .status = 3}, nullptr); });
    std::optional<Stop> stop;
    while (!(stop = threads.stops.take_stop())) {
        std::this_thread::yield();
    }
    CHECK(*stop == Stop{.kind = Stop::Kind::exited, .status = 3});
    threads.stops.end_told();
    ends.join();
}

TEST_CASE("the process's end waits for a stop of those that are left") {
    Threads threads;
    threads.start_both();
    threads.stops.interrupt();
    threads.one->process_ends();
    threads.one.reset();
    std::thread ends([&] { threads.stops.end({.kind = Stop::Kind::exited, .status = 3}, nullptr); });
    CHECK_FALSE(threads.stops.take_stop());
    CHECK_FALSE(threads.two->call_begins());
    std::thread waits([&] { (void)threads.two->wait(); });
    std::optional<Stop> stop;
    while (!(stop = threads.stops.take_stop())) {
        std::this_thread::yield();
    }
    // The interrupt was the first one's, which is no more.
    CHECK(*stop == Stop{.thread = 12, .signal = control::gdb::kSigint});
    threads.go({12});
    while (!(stop = threads.stops.take_stop())) {
        std::this_thread::yield();
    }
    CHECK(stop->kind == Stop::Kind::exited);
    threads.stops.end_told();
    ends.join();
    threads.stops.detach([] {});
    waits.join();
}

TEST_CASE("nobody goes on while the end is told") {
    Threads threads;
    threads.start_both();
    threads.one->process_ends();
    threads.one.reset();
    std::thread ends([&] { threads.stops.end({.kind = Stop::Kind::exited, .status = 3}, nullptr); });
    while (!threads.stops.take_stop()) {
        std::this_thread::yield();
    }
    CHECK_FALSE(threads.two->event({.thread = 12}));
    CHECK_FALSE(threads.two->call_begins());
    threads.stops.end_told();
    ends.join();
}

TEST_CASE("the last of those that were resumed ends: the client is told, but not where the process ends") {
    const bool process_ends = GENERATE(false, true);
    Threads threads;
    threads.start_both();
    REQUIRE(threads.one->event({.thread = 11}));
    CHECK_FALSE(threads.two->call_begins());
    std::thread waits([&] { (void)threads.two->wait(); });
    CHECK_FALSE(threads.stops.take_stop());
    std::thread goes([&] { (void)threads.one->wait(); });
    std::optional<Stop> stop;
    while (!(stop = threads.stops.take_stop())) {
        std::this_thread::yield();
    }
    threads.go({11});
    goes.join();
    if (process_ends) {
        threads.one->process_ends();
    }
    threads.one.reset();
    stop = threads.stops.take_stop();
    CHECK(stop.has_value() == !process_ends);
    if (stop) {
        CHECK(stop->kind == Stop::Kind::no_resumed);
    }
    threads.stops.detach([] {});
    waits.join();
}

TEST_CASE("a thread that begins while everybody is stopped") {
    Threads threads;
    threads.start();
    (void)threads.one->wait();
    REQUIRE(threads.one->call_begins());
    threads.stops.interrupt();
    CHECK(threads.stops.take_stop() == Stop{.thread = 11, .signal = control::gdb::kSigint});
    threads.two.emplace(threads.stops, threads.second.thread);
    // It has its registers at once, to be read and to be written to.
    CHECK(threads.stops.threads() == std::vector<uint64_t>{11, 12});
    auto registers = threads.stops.registers(12);
    REQUIRE(registers);
    CHECK(registers->pc == 0x2000);
    registers->pc = 0x3000;
    CHECK(threads.stops.set_registers(12, *registers));
    threads.go({11, 12});
    (void)threads.two->wait();
    CHECK(threads.second.registers.pc == 0x3000);
}

TEST_CASE("a thread that the client has not been told of runs when it resumes others") {
    Threads threads;
    threads.start();
    (void)threads.one->wait();
    REQUIRE(threads.one->call_begins());
    threads.stops.interrupt();
    REQUIRE(threads.stops.take_stop());
    (void)threads.stops.threads();
    threads.two.emplace(threads.stops, threads.second.thread);
    const ThreadAction actions[] = {{.thread = 11, .kind = ThreadAction::Kind::go}};
    threads.stops.resume(actions);
    CHECK(threads.two->call_begins());
}

TEST_CASE("whether a call is a step is what the last resume said") {
    Threads threads;
    threads.start();
    CHECK_FALSE(threads.one->wait().step);
    REQUIRE(threads.one->call_begins());
    threads.stops.interrupt();
    REQUIRE(threads.stops.take_stop());
    const ThreadAction step[] = {{.thread = 11, .kind = ThreadAction::Kind::step}};
    threads.stops.resume(step);
    const auto go = threads.one->call_ends();
    CHECK(go.step);
    CHECK_FALSE(go.registers_set);
}

TEST_CASE("a forked child has nothing of what the client does to its parent's thread") {
    Threads threads;
    threads.start_both();
    REQUIRE(threads.one->call_begins());
    REQUIRE(threads.two->call_begins());
    threads.stops.interrupt();
    REQUIRE(threads.stops.take_stop());
    FrameRegisters registers = *threads.stops.registers(11);
    registers.pc = 0x3000;
    // The thread's number is none of the host's: nobody gets a signal.
    threads.first.thread.tid = -1;
    REQUIRE(threads.stops.set_registers(11, registers));
    threads.stops.fork_prepare();
    threads.stops.fork_child(threads.first.thread);
    CHECK_FALSE(threads.one->call_ends().registers_set);
    CHECK(threads.first.registers.pc == 0x1000);
    CHECK_FALSE(threads.one->attached());
    CHECK_FALSE(threads.one->event({.thread = 11}));
    CHECK(threads.one->call_begins());
}

}  // namespace
}  // namespace weft::user
