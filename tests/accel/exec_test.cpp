// One vCPU: what it computes, and what becomes of its code.
#include <catch2/catch.hpp>

#include "base/log.h"
#include "tests/accel/toy_machine.h"

using namespace toy;
using weft::LogItem;

namespace {

// Loads the address of the device into r13.
void device_address(Assembler& code) { code.li(13, static_cast<int64_t>(kDevice)); }

// r1 = sum of 1..count in r2, told as an event.
Assembler sum_program(uint64_t pc, int64_t count) {
    Assembler code(pc);
    device_address(code);
    code.li(1, 0);
    code.li(2, count);
    const uint64_t loop = code.pc();
    code.op(Opcode::add, 1, 2);
    code.addi(2, -1);
    code.bne(2, 14, loop);
    code.op(Opcode::st, 1, 13);
    code.op(Opcode::halt);
    code.jmp(code.pc());
    return code;
}

}  // namespace

TEST_CASE("a loop runs, links to itself, and leaves the loop alone") {
    Machine machine(1);
    REQUIRE(machine.error().empty());
    machine.load(sum_program(0x1000, 1000));
    machine.add(0x1000);
    machine.resume();
    REQUIRE(machine.wait_for(1) == std::vector<Event>{{0, 500500}});
    machine.pause();
    REQUIRE(machine.stat("links") >= 1);
    REQUIRE(machine.stat("loop_entries") < 20);
    REQUIRE(machine.stat("guest_insns") < 20);
}

TEST_CASE("one instruction a TB gives the same result, without links") {
    Machine machine(1, {{"one-insn-per-tb", "on"}});
    machine.load(sum_program(0x1000, 100));
    machine.add(0x1000);
    machine.resume();
    REQUIRE(machine.wait_for(1) == std::vector<Event>{{0, 5050}});
    machine.pause();
    REQUIRE(machine.stat("links") == 0);
    REQUIRE(machine.stat("guest_insns") == machine.stat("translations"));
}

TEST_CASE("instructions that cross a page end run, also from the jump cache") {
    Machine machine(1);
    Assembler code(0x1ff0);
    device_address(code);  // up to 0x1ff6
    code.li(2, 50);        // 0x1ffc
    const uint64_t loop = code.pc();
    code.op(Opcode::add, 1, 2);  // 0x1ffe
    code.addi(2, -1);            // crosses
    code.bne(2, 14, loop);
    code.op(Opcode::st, 1, 13);
    code.op(Opcode::halt);
    machine.load(code);
    machine.add(0x1ff0);
    machine.resume();
    REQUIRE(machine.wait_for(1) == std::vector<Event>{{0, 1275}});
}

TEST_CASE("exceptions arrive at the right pc, with the registers as they were") {
    Machine machine(1);
    Assembler handler(0x3000);
    handler.op(Opcode::st, 1, 13);
    handler.op(Opcode::st, 2, 13);
    handler.op(Opcode::halt);
    machine.load(handler);
    Assembler code(0x1000);
    device_address(code);
    code.li(1, 11);
    code.li(2, 0x70000000);  // nothing there
    code.addi(1, 1);
    const uint64_t faulting = code.pc();
    code.op(Opcode::ld, 3, 2);
    code.addi(1, 100);
    code.op(Opcode::halt);
    machine.load(code);
    const uint32_t cpu = machine.add(0x1000, 0x3000);
    machine.resume();
    REQUIRE(machine.wait_for(2) == std::vector<Event>{{0, 12}, {0, 0x70000000}});
    machine.pause();
    const State& state = state_of(machine.state(cpu));
    REQUIRE(state.epc == faulting);
    REQUIRE(state.cause == kLoadFault);
    REQUIRE(state.tval == 0x70000000);
}

TEST_CASE("fetching where nothing is delivers a fetch fault") {
    Machine machine(1);
    Assembler handler(0x3000);
    device_address(handler);
    handler.op(Opcode::st, 1, 13);
    handler.op(Opcode::halt);
    machine.load(handler);
    Assembler code(0x1000);
    code.li(1, 0x70000000);
    code.op(Opcode::jr, 1);
    machine.load(code);
    const uint32_t cpu = machine.add(0x1000, 0x3000);
    machine.resume();
    machine.await_events(1);
    machine.pause();
    REQUIRE(state_of(machine.state(cpu)).epc == 0x70000000);
    REQUIRE(state_of(machine.state(cpu)).cause == kFetchFault);
}

TEST_CASE("code in a device is translated anew each time and leaves nothing behind") {
    Machine machine(1);
    Assembler code(kDeviceCode);
    device_address(code);
    code.li(2, 30);
    const uint64_t loop = code.pc();
    code.op(Opcode::add, 1, 2);
    code.addi(2, -1);
    code.bne(2, 14, loop);
    code.op(Opcode::st, 1, 13);
    const uint64_t faulting = code.pc();
    code.op(Opcode::ecall);
    machine.set_device_code(code);
    Assembler handler(0x3000);
    handler.op(Opcode::st, 1, 13);
    handler.op(Opcode::halt);
    machine.load(handler);
    const uint32_t cpu = machine.add(kDeviceCode, 0x3000);
    machine.resume();
    REQUIRE(machine.wait_for(2) == std::vector<Event>{{0, 465}, {0, 465}});
    machine.pause();
    REQUIRE(state_of(machine.state(cpu)).epc == faulting);
    REQUIRE(machine.stat("translations") > 90);
    REQUIRE(machine.stat("blocks") <= 3);
    REQUIRE(machine.stat("links") == 0);
}

TEST_CASE("code that rewrites itself runs the new bytes after its fence") {
    Machine machine(1);
    // The patched instruction is `addi r1, N`: N counts up in each round.
    Assembler code(0x1000);
    device_address(code);
    code.li(4, 0x2000);
    code.li(5, 20);
    const uint64_t round = code.pc();
    code.op(Opcode::ld, 6, 4);
    code.li(7, 0x10000);  // adds one to the number, which begins two bytes in
    code.op(Opcode::add, 6, 7);
    code.op(Opcode::st, 6, 4);
    code.op(Opcode::fence_i);
    code.li(8, 0x2000 + 200);
    code.op(Opcode::jr, 8);
    Assembler patched(0x2000);
    patched.addi(1, 0);
    patched.addi(5, -1);
    patched.bne(5, 14, 0x2000 + 100);
    patched.op(Opcode::st, 1, 13);
    patched.op(Opcode::halt);
    patched.fill_to(0x2000 + 100);
    patched.jmp(round);
    patched.fill_to(0x2000 + 200);
    patched.jmp(0x2000);  // a link to what is rewritten
    machine.load(code);
    machine.load(patched);
    machine.add(0x1000);
    machine.resume();
    REQUIRE(machine.wait_for(1) == std::vector<Event>{{0, 210}});
    machine.pause();
    REQUIRE(machine.stat("invalidations") >= 19);
    REQUIRE(machine.stat("unlinks") >= 19);
}

TEST_CASE("a store to one TB of a page leaves the page's others") {
    Machine machine(1);
    Assembler code(0x1000);
    device_address(code);
    code.li(4, 0x1800);  // data in the page of the code
    code.li(5, 200);
    const uint64_t loop = code.pc();
    code.op(Opcode::st, 5, 4);
    code.addi(5, -1);
    code.bne(5, 14, loop);
    code.op(Opcode::st, 5, 13);
    code.op(Opcode::halt);
    machine.load(code);
    machine.add(0x1000);
    machine.resume();
    machine.await_events(1);
    machine.pause();
    REQUIRE(machine.stat("code_writes") >= 199);
    REQUIRE(machine.stat("invalidations") == 0);
    REQUIRE(machine.stat("translations") < 10);
}

TEST_CASE("bytes that others write to are translated anew") {
    Machine machine(1);
    Assembler code(0x1000);
    device_address(code);
    const uint64_t loop = code.pc();
    code.li(1, 1);
    code.op(Opcode::st, 1, 13);
    code.op(Opcode::halt);
    code.jmp(loop);
    machine.load(code);
    const uint32_t cpu = machine.add(0x1000);
    machine.resume();
    machine.await_events(1);
    machine.pause();
    Assembler other(loop);
    other.li(1, 2);
    machine.write_by_dma(other);
    machine.resume();
    interrupt(machine.state(cpu));
    const std::vector<Event> events = machine.wait_for(2);
    REQUIRE(events[0].value == 1);
    REQUIRE(events[1].value == 2);
}

TEST_CASE("what is logged") {
    Machine machine(1);
    machine.set_log(static_cast<uint32_t>(LogItem::in_asm) | static_cast<uint32_t>(LogItem::op) |
                    static_cast<uint32_t>(LogItem::op_opt) | static_cast<uint32_t>(LogItem::out_asm) |
                    static_cast<uint32_t>(LogItem::exec) | static_cast<uint32_t>(LogItem::int_));
    Assembler handler(0x3000);
    handler.op(Opcode::st, 1, 13);
    handler.op(Opcode::halt);
    machine.load(handler);
    Assembler code(0x1000);
    device_address(code);
    code.li(2, 5);
    const uint64_t loop = code.pc();
    code.addi(2, -1);
    code.bne(2, 14, loop);
    code.op(Opcode::ecall);
    machine.load(code);
    machine.add(0x1000, 0x3000);
    machine.resume();
    machine.await_events(1);
    machine.pause();
    const std::string log = machine.log();
    for (const char* part : {"IN:\n0x1000: li", "OP: pc 0x1000", "OP after optimization: pc 0x1000",
                             "OUT: [size=", "cpu 0: exec 0x1000 ", "cpu 0: exception at 0x1018, to 0x3000"}) {
        INFO(part);
        REQUIRE(log.find(part) != std::string::npos);
    }
    // Every round of the loop comes by.
    size_t rounds = 0;
    const std::string entry = "cpu 0: exec 0x100c ";
    for (size_t at = log.find(entry); at != std::string::npos; at = log.find(entry, at + 1)) {
        ++rounds;
    }
    REQUIRE(rounds >= 4);
}

TEST_CASE("reports") {
    Machine machine(1);
    REQUIRE(machine.report("jit").find("threads                multi") != std::string::npos);
    REQUIRE(machine.report("stats").find("\"thread\": \"multi\"") != std::string::npos);
    REQUIRE(machine.report("nothing").empty());
}
