// More vCPUs than threads: each thread has several in turn, and takes one of another thread when it has nothing to run.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "accel/tcg/run/run_queue.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "tests/accel/toy_machine.h"
#include "tests/support/random.h"
#include "tests/support/wait.h"

using namespace toy;
using weft::VcpuWork;
using weft::test::Random;
using weft::test::test_seed;
using weft::test::wait_until;

namespace {

constexpr uint64_t kTurn = 0x8000;
constexpr uint64_t kCounts = 0x9000;  // of vCPU n at kCounts + 8 * n

Machine::Properties threads(unsigned count) { return {{"max-threads", std::to_string(count)}}; }

// Each of `count` vCPUs waits until the word at kTurn is its number, pausing or not, and makes it the next one's; `rounds`
// times. Then it tells.
Assembler turns_program(uint64_t pc, int64_t count, int64_t rounds, bool pauses) {
    Assembler code(pc);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(3, static_cast<int64_t>(kTurn));
    code.op(Opcode::id, 1);
    code.li(2, rounds);
    const uint64_t round = code.pc();
    if (pauses) {
        code.op(Opcode::yield);
    }
    code.op(Opcode::ld, 4, 3);
    code.bne(4, 1, round);
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

// Adds to its count for ever.
Assembler counting_program(uint64_t pc) {
    Assembler code(pc);
    code.op(Opcode::id, 1);
    code.op(Opcode::add, 1, 1);
    code.op(Opcode::add, 1, 1);
    code.op(Opcode::add, 1, 1);
    code.li(3, static_cast<int64_t>(kCounts));
    code.op(Opcode::add, 3, 1);
    code.li(4, 0);
    const uint64_t loop = code.pc();
    code.addi(4, 1);
    code.op(Opcode::st, 4, 3);
    code.jmp(loop);
    return code;
}

// Halts; at each interrupt computes for about as long as a turn, and tells at kDevice + 8 * number of the vCPU.
void load_interrupt_program(Machine& machine, uint64_t pc, uint64_t vector, int64_t work) {
    Assembler code(pc);
    code.op(Opcode::id, 1);
    code.op(Opcode::add, 1, 1);
    code.op(Opcode::add, 1, 1);
    code.op(Opcode::add, 1, 1);
    code.li(13, static_cast<int64_t>(kDevice));
    code.op(Opcode::add, 13, 1);
    code.op(Opcode::ei);
    const uint64_t loop = code.pc();
    code.op(Opcode::halt);
    code.jmp(loop);
    machine.load(code);
    Assembler handler(vector);
    handler.li(3, work);
    const uint64_t compute = handler.pc();
    handler.addi(3, -1);
    handler.bne(3, 14, compute);
    handler.addi(2, 1);
    handler.op(Opcode::st, 2, 13);
    handler.op(Opcode::iret);
    machine.load(handler);
}

// A thread that is never asked anything.
struct NoThread final : weft::accel::VcpuThread {
    bool keeps_vcpus() const override { return false; }
    bool is_current() const override { return false; }
    void wake(weft::Vcpu&) override {}
    void deadline_set(uint64_t) override {}
    void post(weft::Vcpu&, weft::accel::WorkItem&) override {}
    void post_copy(weft::Vcpu&, const weft::accel::WorkItem&) override {}
    weft::tcg::Onward go_on(weft::Vcpu&, weft::tcg::ExitKind kind) override { return {{}, kind}; }
};

}  // namespace

TEST_CASE("a vCPU that waits may be taken whichever runs", "[shared_vcpus]") {
    Machine machine(2, threads(1));
    machine.load(counting_program(0x1000));
    machine.add(0x1000);
    machine.add(0x1000);
    NoThread owner;
    weft::accel::SharedVcpus shared;
    weft::accel::RunQueue queue(owner, 2, &shared);
    queue.add(*machine.vcpu(0));
    queue.add(*machine.vcpu(1));
    weft::Vcpu* const first = queue.next_runnable();
    REQUIRE(first != nullptr);
    weft::Vcpu* const other = machine.vcpu(1 - first->index);
    SECTION("in turn") {
        CHECK(queue.turn_begins(*first));
        CHECK(queue.pass_turn(*first) == other);
        CHECK(queue.pass_turn(*other) == first);
        CHECK(shared.any_offer());
        CHECK(queue.give() == other);
    }
    SECTION("out of turn") {
        queue.turn_begins(*first);
        queue.turn_ends();
        other->header().exit_request.store(1);
        REQUIRE(queue.next_kicked() == other);
        CHECK(queue.turn_begins(*other));
        CHECK(queue.give() == first);
    }
    // There is no more.
    CHECK(queue.give() == nullptr);
    CHECK_FALSE(shared.any_offer());
    queue.turn_ends();
    CHECK_FALSE(shared.any_offer());
}

TEST_CASE("vCPUs that wait for each other in turn all go on", "[shared_vcpus]") {
    for (const bool pauses : {true, false}) {
        for (const unsigned count : {1u, 2u, 3u}) {
            INFO(count << " threads, " << (pauses ? "pausing" : "spinning"));
            constexpr int kVcpus = 7;
            // Who only spins has its whole turn.
            const int rounds = pauses ? 200 : 3;
            Machine machine(kVcpus, threads(count));
            machine.load(turns_program(0x1000, kVcpus, rounds, pauses));
            for (int i = 0; i < kVcpus; ++i) {
                machine.add(0x1000);
            }
            machine.resume();
            machine.await_events(kVcpus);
            machine.pause();
            CHECK(machine.peek(kTurn) == static_cast<uint64_t>(kVcpus * rounds));
        }
    }
}

TEST_CASE("a thread with nothing to run takes a vCPU of another one", "[shared_vcpus]") {
    // The first and the third come to one thread, the others, which halt at once, to another.
    Machine machine(4, threads(2));
    machine.load(counting_program(0x1000));
    Assembler halts(0x2000);
    const uint64_t loop = halts.pc();
    halts.op(Opcode::halt);
    halts.jmp(loop);
    machine.load(halts);
    for (const uint64_t pc : {0x1000u, 0x2000u, 0x1000u, 0x2000u}) {
        machine.add(pc);
    }
    machine.resume();
    wait_until([&machine] { return machine.stat("moves") != 0; });
    machine.pause();
}

TEST_CASE("vCPUs of one thread share it fairly", "[shared_vcpus]") {
    Machine machine(3, threads(1));
    machine.load(counting_program(0x1000));
    for (int i = 0; i < 3; ++i) {
        machine.add(0x1000);
    }
    machine.resume();
    uint64_t before[3] = {};
    for (int round = 0; round < 3; ++round) {
        for (unsigned i = 0; i < 3; ++i) {
            INFO(i);
            wait_until([&] { return machine.peek(kCounts + 8 * i) > before[i]; });
            before[i] = machine.peek(kCounts + 8 * i);
        }
    }
    machine.pause();
}

// While some vCPUs compute and others halt now and then, so that all of them change threads.
TEST_CASE("no interrupt and no work item is lost by vCPUs that change threads", "[shared_vcpus]") {
    INFO("WEFT_TEST_SEED=" << test_seed());
    constexpr uint32_t kVcpus = 7;
    constexpr uint32_t kHalting = 5;  // fewer compute than there are threads
    constexpr uint64_t kRounds = 60;
    Machine machine(kVcpus, threads(3));
    load_interrupt_program(machine, 0x1000, 0x2000, 100'000);
    machine.load(counting_program(0x3000));
    for (uint32_t i = 0; i < kVcpus; ++i) {
        machine.add(i < kHalting ? 0x1000 : 0x3000, 0x2000);
    }
    machine.resume();
    Random random(test_seed());
    std::atomic<uint64_t> done{0};
    uint64_t posted = 0;
    for (uint64_t round = 1; round <= kRounds; ++round) {
        // One each at a time: interrupts that are pending together are one.
        for (uint32_t i = 0; i < kHalting; ++i) {
            interrupt(machine.state(i));
        }
        for (int i = 0; i < 4; ++i) {
            ++posted;
            machine.ops().vcpu_run(
                machine.instance(), machine.vcpu(static_cast<uint32_t>(random.below(kVcpus))),
                random.below(2) == 0 ? VcpuWork::async : VcpuWork::exclusive,
                [](void* count, void*) { static_cast<std::atomic<uint64_t>*>(count)->fetch_add(1); }, &done);
        }
        machine.ops().vcpu_run(
            machine.instance(), machine.vcpu(static_cast<uint32_t>(random.below(kVcpus))), VcpuWork::sync,
            [](void*, void*) {}, nullptr);
        machine.await_events(round * kHalting);
    }
    wait_until([&] { return done.load() == posted; });
    CHECK(machine.stat("moves") != 0);
    machine.pause();
}

TEST_CASE("vCPUs come, go, pause and go on while threads share them", "[shared_vcpus]") {
    INFO("WEFT_TEST_SEED=" << test_seed());
    constexpr uint32_t kVcpus = 5;
    Machine machine(kVcpus + 40, threads(2));
    machine.load(counting_program(0x1000));
    std::vector<uint32_t> there;
    for (uint32_t i = 0; i < kVcpus; ++i) {
        there.push_back(machine.add(0x1000));
    }
    machine.resume();
    Random random(test_seed());
    for (int round = 0; round < 40; ++round) {
        const size_t place = random.below(there.size());
        const uint64_t before = machine.peek(kCounts + 8 * there[place]);
        wait_until([&] { return machine.peek(kCounts + 8 * there[place]) > before; });
        if (random.below(2) == 0) {
            machine.pause();
        }
        machine.remove(there[place]);
        there[place] = machine.add(0x1000);
        machine.resume();
    }
    for (const uint32_t index : there) {
        wait_until([&] { return machine.peek(kCounts + 8 * index) > 10; });
    }
}
