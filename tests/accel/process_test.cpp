// Process mode with a guest of a few instructions: threads that run vCPUs themselves, in memory that is the host's own. The oracles are
// what the programs say, and what the pages' owner did. Code that changes: process_code_test.cpp.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "tests/accel/process_programs.h"

using namespace toy;
using weft::Access;
using weft::MemoryFault;
using weft::VcpuStop;

namespace {

void expect_fault(ToyProcess::Thread& thread, MemoryFault kind, Access access, uint64_t vaddr, uint64_t pc) {
    CHECK(thread.state().exception_cause == memory_fault_cause(kind, access));
    CHECK(thread.state().exception_tval == vaddr);
    CHECK(thread.pc() == pc);
}

}  // namespace

TEST_CASE("a thread runs until an exception, which stays recorded, and goes on") {
    ToyProcess process;
    Assembler code = at(kCode);
    code.li(1, 7);
    code.addi(1, 5);
    const uint64_t call = code.pc();
    code.op(Opcode::ecall);
    code.addi(1, 100);
    const uint64_t illegal = code.pc();
    code.op(Opcode::illegal);
    ToyProcess::load(code, kCode);
    ToyProcess::Thread thread(process, kCode);
    CHECK(thread.run() == VcpuStop::exception);
    CHECK(thread.state().exception_cause == kEcall);
    CHECK(thread.pc() == call);
    CHECK(thread.reg(1) == 12);
    thread.set_pc(call + 2);
    CHECK(thread.run() == VcpuStop::exception);
    CHECK(thread.state().exception_cause == kIllegal);
    CHECK(thread.pc() == illegal);
    CHECK(thread.reg(1) == 112);
}

TEST_CASE("a step is one instruction, also where translations lead on") {
    // Protected pages, and pages whose translations are compared with memory; a store to the page that it is in.
    const bool shared = GENERATE(false, true);
    ToyProcess process;
    if (shared) {
        process.share(0);
    }
    Assembler code = at(kCode);
    const uint64_t start = code.pc();
    code.addi(1, 1);
    code.addi(4, 1);
    const uint64_t store = code.pc();
    code.op(Opcode::st, 1, 3);
    const uint64_t jump = code.pc();
    code.op(Opcode::jr, 2);
    const uint64_t behind = code.pc();
    code.op(Opcode::bne, 1, 5, static_cast<int64_t>(start - behind));
    const uint64_t call = code.pc();
    code.op(Opcode::ecall);
    const uint64_t word = kCode + 2048;
    const std::vector<uint64_t> order = {start, start + (store - start) / 2, store, jump, behind};
    ToyProcess::load(code, kCode);
    ToyProcess::Thread thread(process, kCode);
    thread.reg(2) = behind;
    thread.reg(3) = word;
    thread.reg(5) = 300;
    // All of it is translated, linked, and in the jump cache.
    CHECK(thread.run() == VcpuStop::exception);
    CHECK(thread.reg(1) == 300);
    thread.set_pc(start);
    thread.reg(1) = 0;
    thread.reg(5) = 3;
    for (unsigned round = 1; round <= 3; ++round) {
        for (const uint64_t pc : order) {
            REQUIRE(thread.pc() == pc);
            REQUIRE(thread.step() == VcpuStop::asked);
        }
        CHECK(thread.reg(1) == round);
    }
    CHECK(thread.pc() == call);
    CHECK(thread.step() == VcpuStop::exception);
    CHECK(thread.state().exception_cause == kEcall);
    CHECK(thread.pc() == call);
    // What was asked before is not lost, and steps leave no request behind.
    thread.set_pc(start);
    thread.reg(1) = 299;
    thread.reg(5) = 300;
    CHECK(thread.run() == VcpuStop::exception);
    CHECK(thread.pc() == call);
}

TEST_CASE("what is executed is the overlay, and what is read is memory") {
    const bool shared = GENERATE(false, true);
    ToyProcess process;
    if (shared) {
        process.share(0);
    }
    Assembler code = at(kCode);
    code.op(Opcode::ld, 4, 3);
    const uint64_t place = code.pc();
    code.addi(1, 1);
    code.op(Opcode::bne, 1, 5, static_cast<int64_t>(kCode - code.pc()));
    code.op(Opcode::fence_i);
    code.op(Opcode::ecall);
    ToyProcess::load(code, kCode);
    std::atomic<bool> on = false;
    process.overlay = [&](uint64_t start, uint8_t* bytes, uint32_t size) {
        if (on && place >= start && place < start + size) {
            bytes[place - start] = static_cast<uint8_t>(Opcode::illegal);
        }
    };
    ToyProcess::Thread thread(process, kCode);
    thread.reg(3) = place;
    thread.reg(5) = 300;
    CHECK(thread.run() == VcpuStop::exception);
    CHECK(thread.state().exception_cause == kEcall);
    const uint64_t bytes = thread.reg(4);
    for (unsigned round = 0; round < 2; ++round) {
        on = true;
        process.overlay_changed(0);
        // Met at once, and in each way.
        for (const bool steps : {false, true}) {
            thread.set_pc(place);
            CHECK((steps ? thread.step() : thread.run()) == VcpuStop::exception);
            CHECK(thread.state().exception_cause == kIllegal);
            CHECK(thread.pc() == place);
        }
        on = false;
        process.overlay_changed(0);
        thread.set_pc(kCode);
        thread.reg(1) = 0;
        CHECK(thread.run() == VcpuStop::exception);
        CHECK(thread.state().exception_cause == kEcall);
        CHECK(thread.reg(1) == 300);
        CHECK(thread.reg(4) == bytes);
    }
}

TEST_CASE("accesses to memory that is not there are precise") {
    const uint64_t base = GENERATE(uint64_t{0}, kProcessStart - 0x10000);
    ToyProcess process(Properties{}, base);
    const uint64_t code_start = process.guest(kCode);
    const uint64_t hole = process.guest(page_address(30));
    process.unmap(30);
    Assembler code = at(code_start);
    code.addi(3, 1);
    const uint64_t load = code.pc();
    code.op(Opcode::ld, 3, 2);
    code.addi(3, 10);
    const uint64_t store = code.pc();
    code.op(Opcode::st, 3, 2);
    code.addi(3, 100);
    const uint64_t amo = code.pc();
    code.op(Opcode::amoadd, 3, 2);
    code.op(Opcode::ecall);
    ToyProcess::load(code, kCode);
    ToyProcess::Thread thread(process, code_start);
    thread.reg(2) = hole + 16;
    CHECK(thread.run() == VcpuStop::exception);
    expect_fault(thread, MemoryFault::unmapped, Access::load, hole + 16, load);
    CHECK(thread.reg(3) == 1);
    thread.set_pc(load + 2);
    CHECK(thread.run() == VcpuStop::exception);
    expect_fault(thread, MemoryFault::unmapped, Access::store, hole + 16, store);
    CHECK(thread.reg(3) == 11);
    thread.set_pc(store + 2);
    CHECK(thread.run() == VcpuStop::exception);
    expect_fault(thread, MemoryFault::unmapped, Access::store, hole + 16, amo);
    CHECK(thread.reg(3) == 111);
    // Now it is there: the same instructions, from the first.
    process.map(30);
    thread.set_pc(load);
    CHECK(thread.run() == VcpuStop::exception);
    CHECK(thread.state().exception_cause == kEcall);
    CHECK(*reinterpret_cast<uint64_t*>(page_address(30) + 16) == 120);
    // And code that is not there; the limit; an address that no processor has.
    process.unmap(31);
    thread.set_pc(process.guest(page_address(31)) + 2);
    CHECK(thread.run() == VcpuStop::exception);
    expect_fault(thread, MemoryFault::unmapped, Access::fetch, process.guest(page_address(31)) + 2,
                 process.guest(page_address(31)) + 2);
    for (const uint64_t wild :
         {process.guest(page_address(kProcessPages)), uint64_t{0x7fff'ffff'f000}, uint64_t{1} << 63}) {
        thread.set_pc(load);
        thread.reg(2) = wild;
        CHECK(thread.run() == VcpuStop::exception);
        if (wild == process.guest(page_address(kProcessPages)) || wild >> 47 != 0) {
            expect_fault(thread, MemoryFault::unmapped, Access::load, wild, load);
        }
        thread.set_pc(wild);
        CHECK(thread.run() == VcpuStop::exception);
        expect_fault(thread, MemoryFault::unmapped, Access::fetch, wild, wild);
    }
}

TEST_CASE("an instruction that reaches into a page without code is that page's fault") {
    ToyProcess process;
    const uint64_t next = page_address(1);
    Assembler code = at(kCode);
    code.fill_to(next - 2);
    code.li(1, 5);  // its number lies in the next page
    code.op(Opcode::ecall);
    ToyProcess::load(code, kCode);
    ToyProcess::Thread thread(process, next - 2);
    CHECK(thread.run() == VcpuStop::exception);
    CHECK(thread.reg(1) == 5);
    process.unmap(1);
    thread.set_pc(next - 2);
    CHECK(thread.run() == VcpuStop::exception);
    expect_fault(thread, MemoryFault::unmapped, Access::fetch, next, next - 2);
}

TEST_CASE("a thread that never leaves by itself is asked to") {
    ToyProcess process(Properties{{"translate-after", "0"}});
    Assembler code = at(kCode);
    code.addi(1, 1);
    code.jmp(kCode);
    ToyProcess::load(code, kCode);
    ToyProcess::Thread thread(process, kCode);
    VcpuStop stop{};
    std::thread runner([&] { stop = thread.run(); });
    thread.ask();
    runner.join();
    CHECK(stop == VcpuStop::asked);
    CHECK((thread.pc() == kCode || thread.pc() == kCode + 6));
}

TEST_CASE("threads come and go") {
    ToyProcess process;
    ToyProcess::load(
        [] {
            Assembler code = at(kCode);
            code.li(1, 42);
            code.op(Opcode::ecall);
            return code;
        }(),
        kCode);
    std::vector<std::thread> runners;
    std::atomic<unsigned> right{0};
    for (unsigned i = 0; i < 4; ++i) {
        runners.emplace_back([&] {
            for (int round = 0; round < 200; ++round) {
                ToyProcess::Thread thread(process, kCode);
                right.fetch_add(thread.run() == VcpuStop::exception && thread.reg(1) == 42 ? 1 : 0);
            }
        });
    }
    for (std::thread& runner : runners) {
        runner.join();
    }
    CHECK(right.load() == 800);
}

TEST_CASE("more threads than there may be are refused, and places are used again") {
    ToyProcess process(Properties{}, 0, 2);
    ToyProcess::Thread first(process, kCode);
    {
        const ToyProcess::Thread second(process, kCode);
        CHECK(process.error().empty());
        const ToyProcess::Thread third(process, kCode);
        CHECK(process.error() == "there are 2 threads, as many as there may be");
    }
    ToyProcess::load(
        [] {
            Assembler code = at(kCode);
            code.op(Opcode::ecall);
            return code;
        }(),
        kCode);
    ToyProcess::Thread again(process, kCode);
    CHECK(again.run() == VcpuStop::exception);
}

TEST_CASE("a process forks under its threads, and the child runs on") {
    const bool split = GENERATE(false, true);
    ToyProcess process(Properties{{"translate-after", "0"}, {"split-wx", split ? "on" : "off"}});
    // Threads that translate, protect and end code all the time, and one that forks.
    constexpr unsigned kFirst = 8;
    for (unsigned i = 0; i < 4; ++i) {
        process.replace(kFirst + i, returns(i));
    }
    ToyProcess::load(
        [] {
            Assembler code = at(kCode);
            code.addi(1, 1);
            code.op(Opcode::ecall);
            return code;
        }(),
        kCode);
    std::atomic<bool> over{false};
    std::atomic<uint64_t> calls{0};
    std::vector<std::thread> runners;
    for (unsigned i = 0; i < 4; ++i) {
        runners.emplace_back([&, i] {
            while (!over.load()) {
                ToyProcess::Thread thread(process, page_address(kFirst + i));
                thread.run();
                process.replace(kFirst + i, returns(i));
                calls.fetch_add(1);
            }
        });
    }
    ToyProcess::Thread thread(process, kCode);
    thread.run();
    for (uint64_t round = 0; round < 40; ++round) {
        thread.set_pc(kCode);
        const pid_t child = process.fork(thread);
        if (child == 0) {
            // Known code, code that was never run, and a store to code.
            thread.run();
            const bool right = thread.reg(1) == 2 + round;
            process.map(40);
            process.replace(40, returns(77));
            thread.set_pc(page_address(40));
            thread.run();
            _exit(right && thread.reg(1) == 77 ? 42 : 1);
        }
        thread.run();
        int status = 0;
        REQUIRE(waitpid(child, &status, 0) == child);
        REQUIRE(WIFEXITED(status));
        REQUIRE(WEXITSTATUS(status) == 42);
        REQUIRE(thread.reg(1) == 2 + round);
    }
    over.store(true);
    for (std::thread& runner : runners) {
        runner.join();
    }
    CHECK(calls.load() > 4);
}

namespace {

// Counts r1 down to r2, a jump a round; then the system call at kCode.
std::vector<uint8_t> counts_down(uint64_t pc) {
    Assembler code = at(pc);
    code.addi(1, -1);
    code.bne(1, 2, pc);
    code.jmp(kCode);
    return code.bytes();
}

}  // namespace

TEST_CASE("a process that was forked makes no translations at first, but for what runs on and on") {
    const bool young = GENERATE(true, false);
    Properties properties{{"translate-after", "1"}};
    if (!young) {
        properties["disable"] = "young-processes";
    }
    ToyProcess process(properties, 0, 4, interpreting_process_arch());
    Assembler call = at(kCode);
    call.op(Opcode::ecall);
    ToyProcess::load(call, kCode);
    constexpr unsigned kPage = 8;
    process.replace(kPage, counts_down(page_address(kPage)));
    ToyProcess::Thread thread(process, kCode);
    CHECK(thread.run() == VcpuStop::exception);  // what is called in the end has a translation
    const pid_t child = process.fork(thread);
    if (child == 0) {
        const auto translations_of = [&](uint64_t rounds) {
            const uint64_t before = process.stat("translations");
            thread.reg(1) = rounds;
            thread.reg(2) = 0;
            thread.set_pc(page_address(kPage));
            const bool right =
                thread.run() == VcpuStop::exception && thread.reg(1) == 0 && thread.pc() == kCode;
            return right ? process.stat("translations") - before : ~uint64_t{0};
        };
        const uint64_t few = translations_of(1000);
        const uint64_t many = translations_of(100000);
        _exit((young ? few == 0 && many != 0 : few != 0) && many != ~uint64_t{0} ? 42 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 42);
}

TEST_CASE("an instruction over a page's end runs without a translation, or to its fault") {
    ToyProcess process(Properties{{"translate-after", "100"}}, 0, 4, interpreting_process_arch());
    // Two, four bytes of it on the first page; other instructions of the next page follow.
    const uint64_t on_first = GENERATE(uint64_t{2}, uint64_t{4});
    constexpr unsigned kPage = 8;
    const uint64_t end = page_address(kPage + 1);
    Assembler code = at(end - on_first - 6);
    code.li(1, 5);
    code.li(3, 0x12345);
    code.op(Opcode::add, 3, 1);
    code.jmp(kCode);
    ToyProcess::load(code, end - on_first - 6);
    Assembler call = at(kCode);
    call.op(Opcode::ecall);
    ToyProcess::load(call, kCode);
    ToyProcess::Thread thread(process, kCode);
    CHECK(thread.run() == VcpuStop::exception);
    const uint64_t before = process.stat("translations");
    for (unsigned i = 0; i < 10; ++i) {
        thread.reg(3) = 0;
        thread.set_pc(end - on_first - 6);
        REQUIRE(thread.run() == VcpuStop::exception);
        REQUIRE(thread.state().exception_cause == kEcall);
        REQUIRE(thread.reg(3) == 0x12345 + 5);
    }
    CHECK(process.stat("translations") == before);
    process.unmap(kPage + 1);
    thread.set_pc(end - on_first - 6);
    thread.reg(3) = 0;
    CHECK(thread.run() == VcpuStop::exception);
    expect_fault(thread, MemoryFault::unmapped, Access::fetch, end, end - on_first);
    CHECK(thread.reg(3) == 0);
}

TEST_CASE("properties that are a machine's are refused") {
    const auto error_with = [](const Properties& properties) { return ToyProcess(properties).error(); };
    CHECK(error_with({{"thread", "single"}}) == "thread=single: a process's threads run by themselves");
    CHECK(error_with({{"thread", "single"}, {"clock", "insn"}}) ==
          "thread=single: a process's threads run by themselves");
}
