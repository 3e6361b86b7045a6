// Calls and returns of a guest, whose returns native code predicts (tcg/x86_64/return_stack.h): whatever happens between the two.
#include <catch2/catch.hpp>
#include <thread>

#include "tests/accel/toy_machine.h"

using namespace toy;

namespace {

constexpr uint64_t kMain = 0x1000;
constexpr uint64_t kVector = 0x3000;
constexpr uint64_t kStack = 0x200000;

// Registers: 1 a sum, 2 link, 3 depth, 9 rounds, 10 stack, 13 the device, 14 zero.
void push(Assembler& code, unsigned reg) {
    code.op(Opcode::st, reg, 10);
    code.addi(10, 8);
}
void pop(Assembler& code, unsigned reg) {
    code.addi(10, -8);
    code.op(Opcode::ld, reg, 10);
}

// At `pc`: calls itself until r3 is zero; each call adds one to r1 on the way down and one on the way back.
void load_recursion(Machine& machine, uint64_t pc) {
    Assembler code(pc);
    code.addi(1, 1);
    const auto more = code.bne_later(3, 14);
    code.ret(2);
    code.land(more);
    code.addi(3, -1);
    push(code, 2);
    code.call(2, pc);
    code.addi(1, 1);
    pop(code, 2);
    code.ret(2);
    machine.load(code);
}

// Calls `callee` r9 times with a depth of its own each time, tells r1, and stops.
void load_main(Machine& machine, uint64_t callee, int64_t rounds, int64_t depth) {
    Assembler code(kMain);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(10, kStack);
    code.li(9, rounds);
    code.li(8, static_cast<int64_t>(callee));
    code.op(Opcode::ei);
    const uint64_t again = code.pc();
    code.li(3, depth);
    code.op(Opcode::callr, 2, 8);
    code.addi(9, -1);
    code.bne(9, 14, again);
    code.op(Opcode::di);
    code.op(Opcode::st, 1, 13);
    code.op(Opcode::halt);
    machine.load(code);
}

}  // namespace

TEST_CASE("calls within each other return, however many they are", "[return]") {
    const int64_t depth = GENERATE(1, 100, 2047, 2048, 10'000);
    // In the caller's page, and in another.
    const uint64_t callee = GENERATE(uint64_t{0x1800}, uint64_t{0x5000});
    Machine machine(1);
    load_main(machine, callee, 20, depth);
    load_recursion(machine, callee);
    machine.add(kMain);
    machine.resume();
    CHECK(machine.wait_for(1)[0].value == static_cast<uint64_t>(20 * (2 * depth + 1)));
}

TEST_CASE("interrupts between calls and returns lose none", "[return]") {
    constexpr int64_t kRounds = 2000;
    constexpr int64_t kDepth = 50;
    Machine machine(2);
    load_main(machine, 0x5000, kRounds, kDepth);
    load_recursion(machine, 0x5000);
    // Calls on its own behalf, with registers of its own, and goes back.
    Assembler handler(kVector);
    handler.call(11, kVector + 0x100);
    handler.op(Opcode::iret);
    machine.load(handler);
    Assembler callee(kVector + 0x100);
    callee.addi(7, 1);
    callee.ret(11);
    machine.load(callee);
    machine.add(kMain, kVector);
    machine.resume();
    for (unsigned i = 0; i < 5000 && machine.events().empty(); ++i) {
        interrupt(machine.state(0));
        std::this_thread::yield();
    }
    CHECK(machine.wait_for(1)[0].value == static_cast<uint64_t>(kRounds * (2 * kDepth + 1)));
}

TEST_CASE("what a call returns to may be replaced before it does", "[return]") {
    constexpr uint64_t kRounds = 300;
    // `addi r1, N` behind the call: each call makes N one more.
    Machine machine(1);
    Assembler code(kMain);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(9, kRounds);
    code.li(7, 1 << 16);
    const uint64_t again = code.pc();
    code.call(2, 0x5000);
    const uint64_t target = code.pc();
    code.addi(1, 0);
    machine.load(code);
    Assembler rest(target + 6);
    rest.addi(9, -1);
    rest.bne(9, 14, again);
    rest.op(Opcode::st, 1, 13);
    rest.op(Opcode::halt);
    machine.load(rest);
    Assembler callee(0x5000);
    callee.li(8, static_cast<int64_t>(target));
    callee.op(Opcode::ld, 6, 8);
    callee.op(Opcode::add, 6, 7);
    callee.op(Opcode::st, 6, 8);
    callee.ret(2);
    machine.load(callee);
    machine.add(kMain);
    machine.resume();
    // Without a fence what is run may be the code from before the last store, and no other.
    const uint64_t sum = machine.wait_for(1)[0].value;
    CHECK(sum <= kRounds * (kRounds + 1) / 2);
    CHECK(sum >= kRounds * (kRounds - 1) / 2);
    machine.pause();
    CHECK(machine.stat("invalidations") >= kRounds / 4);
}
