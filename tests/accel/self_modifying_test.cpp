// Code that one vCPU writes and another runs.
#include <catch2/catch.hpp>

#include "tests/accel/toy_machine.h"

using namespace toy;

namespace {

constexpr uint64_t kFlag = 0x8000;    // round that the writer has prepared
constexpr uint64_t kAck = 0x9000;     // round that the runner has done
constexpr uint64_t kCode = 0x100000;  // what is written and run

// `li r1, N` is in memory: 02, 01, N in four bytes.
constexpr int64_t kInsnStep = 0x10000;  // makes N one more

// How the runner learns that the code was changed.
enum class Sees {
    flag,   // the writer says so
    eager,  // the same, while it runs the code all the time
    bytes,  // it reads them, perhaps before the writer's accelerator has done with its store
};

// In each round the writer adds one to the number of the code at r8, announces the round in kFlag, waits for kAck, and
// goes on to the next page where `step` is one. It stores to the page beforehand, so that it may do so directly when the
// page becomes code.
Assembler writer_program(uint64_t pc, int64_t rounds, int64_t step, Sees sees) {
    Assembler code(pc);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(3, kFlag);
    code.li(4, kAck);
    code.li(8, kCode);
    code.li(9, step);
    code.li(10, rounds);
    code.li(7, kInsnStep);
    if (sees == Sees::bytes) {
        // Until the runner knows what is there now.
        const uint64_t ready = code.pc();
        code.op(Opcode::ld, 5, 4);
        const auto go = code.bne_later(5, 14);
        code.bne(7, 14, ready);
        code.land(go);
    }
    const uint64_t round = code.pc();
    if (step != 0) {
        code.li(11, 0x800);
        code.op(Opcode::add, 11, 8);
        code.op(Opcode::st, 2, 11);
        // A little time for others to make code of it.
        code.li(12, 100);
        const uint64_t delay = code.pc();
        code.addi(12, -1);
        code.bne(12, 14, delay);
    }
    code.op(Opcode::ld, 6, 8);
    code.op(Opcode::add, 6, 7);
    code.op(Opcode::st, 6, 8);
    code.addi(2, 1);
    code.op(Opcode::st, 2, 3);
    const uint64_t wait = code.pc();
    code.op(Opcode::ld, 5, 4);
    code.bne(5, 2, wait);
    code.op(Opcode::add, 8, 9);
    code.bne(2, 10, round);
    code.op(Opcode::st, 2, 13);
    code.op(Opcode::halt);
    return code;
}

// Waits for each round, runs the code, which gives r1, and compares. On a difference it tells what it got, negated, and
// stops.
Assembler runner_program(uint64_t pc, int64_t rounds, int64_t step, Sees sees) {
    Assembler code(pc);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(3, kFlag);
    code.li(4, kAck);
    code.li(8, kCode);
    code.li(9, step);
    code.li(10, rounds);
    code.li(7, kInsnStep);
    if (sees == Sees::bytes) {
        // What is there now, and the code run once: there is a translation of it.
        code.op(Opcode::ld, 11, 8);
        const auto back = code.li_later(12);
        code.op(Opcode::jr, 8);
        code.land(back);
        code.li(5, -1);
        code.op(Opcode::st, 5, 4);
    }
    const uint64_t round = code.pc();
    code.addi(2, 1);
    code.op(Opcode::add, 11, 7);
    const uint64_t wait = code.pc();
    if (sees == Sees::eager) {
        const auto back = code.li_later(12);
        code.op(Opcode::jr, 8);
        code.land(back);
    }
    if (sees == Sees::bytes) {
        code.op(Opcode::ld, 5, 8);
        code.bne(5, 11, wait);
    } else {
        code.op(Opcode::ld, 5, 3);
        code.bne(5, 2, wait);
    }
    code.op(Opcode::fence_i);
    const auto back = code.li_later(12);
    code.op(Opcode::jr, 8);
    code.land(back);
    const auto bad = code.bne_later(1, 2);
    code.op(Opcode::add, 8, 9);
    code.op(Opcode::st, 2, 4);
    code.bne(2, 10, round);
    code.op(Opcode::halt);
    code.land(bad);
    code.li(6, -1000000);
    code.op(Opcode::add, 6, 1);
    code.op(Opcode::st, 6, 13);
    code.op(Opcode::halt);
    return code;
}

void run(Machine& machine, int64_t rounds, int64_t step, Sees sees) {
    for (int64_t i = 0; i <= (step == 0 ? 0 : rounds); ++i) {
        Assembler code(kCode + static_cast<uint64_t>(i * step));
        code.li(1, i);
        code.op(Opcode::jr, 12);
        machine.load(code);
    }
    machine.load(writer_program(0x1000, rounds, step, sees));
    machine.load(runner_program(0x2000, rounds, step, sees));
    machine.add(0x1000);
    machine.add(0x2000);
    machine.resume();
    const std::vector<Event> events = machine.wait_for(1);
    REQUIRE(events[0].value == static_cast<uint64_t>(rounds));
}

}  // namespace

TEST_CASE("a vCPU sees after its fence what another has written", "[smc]") {
    Machine machine(2);
    run(machine, 150, 0, Sees::flag);
    machine.pause();
    REQUIRE(machine.stat("invalidations") >= 120);
}

TEST_CASE("the same while the code is run all the time", "[smc]") {
    Machine machine(2);
    run(machine, 300, 0, Sees::eager);
}

TEST_CASE("the same in pages that become code anew", "[smc]") {
    Machine machine(2);
    run(machine, 200, 4096, Sees::flag);
}

TEST_CASE("the same in pages that become code anew, run all the time", "[smc]") {
    Machine machine(2);
    run(machine, 200, 4096, Sees::eager);
}

TEST_CASE("the same on one thread", "[smc]") {
    Machine machine(2, {{"thread", "single"}});
    run(machine, 5, 4096, Sees::eager);
}

TEST_CASE("a vCPU sees after its fence what it has read before", "[smc]") {
    Machine machine(2);
    run(machine, 3000, 0, Sees::bytes);
    machine.pause();
    REQUIRE(machine.stat("invalidations") > 1500);
}

TEST_CASE("an instruction stores to a page before that holds code, and after", "[smc]") {
    Machine machine(1);
    Assembler routine(kCode);
    routine.li(1, 0);
    routine.op(Opcode::jr, 12);
    machine.load(routine);
    Assembler code(0x1000);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(8, kCode);
    code.li(10, 4);
    code.li(7, kInsnStep);
    code.li(9, 3);  // the first time: the page is met before, again and again
    const uint64_t round = code.pc();
    code.op(Opcode::ld, 6, 8);
    code.op(Opcode::add, 6, 7);
    code.op(Opcode::st, 6, 8);
    code.addi(9, -1);
    code.bne(9, 14, round);
    code.li(9, 1);
    code.op(Opcode::fence_i);
    const auto back = code.li_later(12);
    code.op(Opcode::jr, 8);
    code.land(back);
    code.op(Opcode::st, 1, 13);
    code.addi(2, 1);
    code.bne(2, 10, round);
    code.op(Opcode::halt);
    machine.load(code);
    machine.add(0x1000);
    machine.resume();
    const std::vector<Event> events = machine.wait_for(4);
    for (uint64_t i = 0; i < 4; ++i) {
        CHECK(events[i].value == 3 + i);
    }
}
