// Process mode with a guest of a few instructions: threads that run vCPUs themselves, in memory that is the host's own and may go
// or change at any time. The oracles are what the programs say, and what the pages' owner did.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "base/host_info.h"
#include "tests/accel/toy_process.h"
#include "tests/support/random.h"

using namespace toy;
using weft::Access;
using weft::MemoryFault;
using weft::VcpuStop;
using weft::test::Random;
using weft::test::test_seed;

namespace {

constexpr uint64_t kCode = page_address(0);
constexpr uint64_t kData = page_address(20);

// li is sign-extended from 32 bits: larger numbers are put into registers before.
Assembler at(uint64_t pc) { return Assembler(pc); }

void expect_fault(ToyProcess::Thread& thread, MemoryFault kind, Access access, uint64_t vaddr, uint64_t pc) {
    CHECK(thread.state().exception_cause == memory_fault_cause(kind, access));
    CHECK(thread.state().exception_tval == vaddr);
    CHECK(thread.pc() == pc);
}

std::vector<uint8_t> returns(int64_t number) {
    Assembler code = at(0);
    code.li(1, number);
    code.op(Opcode::ecall);
    return code.bytes();
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

TEST_CASE("a store to code that was translated is announced, and the new code runs") {
    ToyProcess process(Properties{{"translate-after", "0"}});
    // The first instruction's number is counted up by the code itself, which lies in the same page.
    Assembler code = at(kCode);
    const uint64_t number = code.pc() + 2;
    code.li(1, 5);
    code.op(Opcode::ecall);
    code.op(Opcode::ld, 3, 2);
    code.addi(3, 1);
    code.op(Opcode::st, 3, 2);
    code.op(Opcode::fence_i);
    code.jmp(kCode);
    ToyProcess::load(code, kCode);
    ToyProcess::Thread thread(process, kCode);
    thread.reg(2) = number;
    for (uint64_t round = 0; round < 20; ++round) {
        REQUIRE(thread.run() == VcpuStop::exception);
        REQUIRE(thread.state().exception_cause == kEcall);
        REQUIRE(thread.reg(1) == 5 + round);
        thread.set_pc(thread.pc() + 2);
    }
    CHECK(process.announced.load() >= 19);
    CHECK(process.protects.load() >= 20);
}

TEST_CASE("a page that is written to by another view is compared at a fence") {
    ToyProcess process(Properties{{"translate-after", "0"}});
    const bool by_fence = GENERATE(true, false);
    uint8_t* const view = process.share(2);
    Assembler code = at(page_address(2));
    const uint64_t number = code.pc() + 2;
    code.li(1, 5);
    code.op(Opcode::ecall);
    code.op(Opcode::fence_i);
    code.jmp(page_address(2));
    std::ranges::copy(code.bytes(), view);
    ToyProcess::Thread thread(process, page_address(2));
    for (uint8_t round = 0; round < 10; ++round) {
        REQUIRE(thread.run() == VcpuStop::exception);
        REQUIRE(thread.reg(1) == uint64_t{5} + round);
        view[number - page_address(2)] += 1;
        if (by_fence) {
            thread.set_pc(thread.pc() + 2);
        } else {
            process.ops().code_sync(process.instance(), page_address(2), page_address(3), round % 2 != 0);
            thread.set_pc(page_address(2));
        }
    }
    CHECK(process.protects.load() == 0);
}

TEST_CASE("where stores cannot be found out, code is compared at a fence") {
    ToyProcess process(Properties{{"translate-after", "0"}});
    process.refuse_protection.store(true);
    process.replace(3, returns(1));
    ToyProcess::Thread thread(process, page_address(3));
    REQUIRE(thread.run() == VcpuStop::exception);
    CHECK(thread.reg(1) == 1);
    ToyProcess::load(at(0), page_address(3));
    const std::vector<uint8_t> other = returns(2);
    std::ranges::copy(other, reinterpret_cast<uint8_t*>(page_address(3)));
    process.ops().code_sync(process.instance(), page_address(3), page_address(4), false);
    thread.set_pc(page_address(3));
    REQUIRE(thread.run() == VcpuStop::exception);
    CHECK(thread.reg(1) == 2);
    // Another mapping may be protected again.
    process.refuse_protection.store(false);
    process.replace(3, returns(3));
    thread.set_pc(page_address(3));
    REQUIRE(thread.run() == VcpuStop::exception);
    CHECK(thread.reg(1) == 3);
    CHECK(process.protects.load() == 1);
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

TEST_CASE("when a page is gone, nobody runs its code any more") {
    ToyProcess process(Properties{{"translate-after", "0"}});
    // Counts in memory, so that others see it.
    Assembler code = at(page_address(4));
    code.addi(1, 1);
    code.op(Opcode::st, 1, 2);
    code.jmp(page_address(4));
    constexpr unsigned kThreads = 3;
    std::array<std::unique_ptr<ToyProcess::Thread>, kThreads> threads;
    for (int round = 0; round < 50; ++round) {
        process.replace(4, code.bytes());
        std::vector<std::thread> runners;
        for (unsigned i = 0; i < kThreads; ++i) {
            threads[i] = std::make_unique<ToyProcess::Thread>(process, page_address(4));
            threads[i]->reg(2) = kData + 64 * i;
            runners.emplace_back([&thread = *threads[i]] { thread.run(); });
        }
        const auto counter = [](unsigned i) {
            return std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(kData + 64 * i));
        };
        for (unsigned i = 0; i < kThreads; ++i) {
            while (counter(i).load() < 10) {
                std::this_thread::yield();
            }
        }
        process.unmap(4);
        std::array<uint64_t, kThreads> last{};
        for (unsigned i = 0; i < kThreads; ++i) {
            last[i] = counter(i).load();
        }
        for (std::thread& runner : runners) {
            runner.join();
        }
        for (unsigned i = 0; i < kThreads; ++i) {
            REQUIRE(counter(i).load() == last[i]);
            REQUIRE(threads[i]->state().exception_cause ==
                    memory_fault_cause(MemoryFault::unmapped, Access::fetch));
            counter(i).store(0);
        }
    }
}

TEST_CASE("threads that replace, share and store to code see whole old or whole new functions") {
    const uint64_t seed = test_seed();
    INFO("seed " << seed);
    ToyProcess process(Properties{{"translate-after", GENERATE("0", "2")}});
    constexpr unsigned kFunctions =
        4;  // pages 8 to 11; each returns its page's number times 1000 plus a version
    constexpr unsigned kFirst = 8;
    std::array<std::atomic<int64_t>, kFunctions> oldest{};
    std::array<std::atomic<int64_t>, kFunctions> newest{};
    const auto value = [](unsigned i, int64_t version) { return (kFirst + i) * 1000 + version; };
    for (unsigned i = 0; i < kFunctions; ++i) {
        process.replace(kFirst + i, returns(static_cast<int64_t>(value(i, 0))));
    }
    std::atomic<bool> over{false};
    std::atomic<unsigned> wrong{0};
    std::atomic<uint64_t> calls{0};
    std::vector<std::thread> runners;
    for (unsigned number = 0; number < 4; ++number) {
        runners.emplace_back([&, number] {
            Random random(seed + number);
            ToyProcess::Thread thread(process, 0);
            while (!over.load()) {
                const unsigned i = static_cast<unsigned>(random.below(kFunctions));
                const int64_t from = oldest[i].load();
                thread.set_pc(page_address(kFirst + i));
                thread.run();
                const auto got = static_cast<int64_t>(thread.reg(1));
                const int64_t to = newest[i].load();
                const bool right = thread.state().exception_cause == kEcall &&
                                   got >= static_cast<int64_t>(value(i, from)) &&
                                   got <= static_cast<int64_t>(value(i, to));
                wrong.fetch_add(right ? 0 : 1);
                calls.fetch_add(1);
            }
        });
    }
    for (int64_t version = 1; version <= 60; ++version) {
        for (unsigned i = 0; i < kFunctions; ++i) {
            newest[i].store(version);
            process.replace(kFirst + i, returns(static_cast<int64_t>(value(i, version))));
            oldest[i].store(version);
        }
        const uint64_t before = calls.load();
        while (calls.load() < before + 8) {
            std::this_thread::yield();
        }
    }
    over.store(true);
    for (std::thread& runner : runners) {
        runner.join();
    }
    CHECK(wrong.load() == 0);
}

TEST_CASE("threads that store into code they share lose no store") {
    ToyProcess process(Properties{{"translate-after", "0"}});
    // Each thread adds to its own word in the page of the code: the page is protected and given back all the time.
    Assembler code = at(kCode);
    code.op(Opcode::ld, 3, 2);
    code.addi(3, 1);
    code.op(Opcode::st, 3, 2);
    code.op(Opcode::amoadd, 5, 4);
    code.addi(1, -1);
    code.bne(1, 0, kCode);
    code.op(Opcode::ecall);
    ToyProcess::load(code, kCode);
    constexpr unsigned kThreads = 8;
    constexpr uint64_t kRounds = 1000;
    constexpr uint64_t kWords = kCode + 2048;
    std::vector<std::thread> runners;
    std::atomic<unsigned> ends{0};
    for (unsigned i = 0; i < kThreads; ++i) {
        runners.emplace_back([&, i] {
            ToyProcess::Thread thread(process, kCode);
            thread.reg(1) = kRounds;
            thread.reg(2) = kWords + 8 * i;
            thread.reg(4) = kWords + 8 * kThreads;
            while (thread.reg(1) != 0) {
                thread.reg(5) = 1;
                if (thread.run() == VcpuStop::exception && thread.state().exception_cause == kEcall) {
                    ends.fetch_add(1);
                }
            }
        });
    }
    for (std::thread& runner : runners) {
        runner.join();
    }
    CHECK(ends.load() == kThreads);
    const auto* const words = reinterpret_cast<const uint64_t*>(kWords);
    for (unsigned i = 0; i < kThreads; ++i) {
        CHECK(words[i] == kRounds);
    }
}

TEST_CASE("who was asked to leave at a store to its own page may go on elsewhere") {
    ToyProcess process(Properties{{"translate-after", "0"}});
    // At the store to its own page each thread is asked; it goes on with an indirect jump to a loop that it knows already, and from
    // which it does not come back. If it did the jump as it was to do the store, it would keep a translator, of which there are no
    // more than these threads, and the last one here would wait for ever.
    const unsigned threads = std::clamp(2 * weft::host_usable_cpus(), 1u, 64u);
    const uint64_t loop = page_address(4);
    Assembler code = at(kCode);
    code.op(Opcode::st, 3, 2);
    ToyProcess::load(code, kCode);
    Assembler jump = at(page_address(3));
    jump.op(Opcode::jr, 1);
    ToyProcess::load(jump, page_address(3));
    Assembler endless = at(loop);
    endless.addi(5, 1);
    endless.op(Opcode::st, 5, 6);
    endless.jmp(loop);
    ToyProcess::load(endless, loop);
    const auto counter = std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(kData));
    {
        ToyProcess::Thread first(process, loop);
        first.reg(6) = kData;
        std::thread runner([&first] { first.run(); });
        while (counter.load() == 0) {
            std::this_thread::yield();
        }
        first.ask();
        runner.join();
    }
    thread_local ToyProcess::Thread* current = nullptr;
    process.on_announced = [] { current->ask(); };
    std::vector<std::unique_ptr<ToyProcess::Thread>> guests;
    std::vector<std::thread> runners;
    for (unsigned i = 0; i < threads; ++i) {
        guests.push_back(std::make_unique<ToyProcess::Thread>(process, loop));
    }
    std::atomic<unsigned> jumping{0};
    for (const auto& each : guests) {
        runners.emplace_back([&jumping, &guest = *each] {
            current = &guest;
            guest.set_pc(kCode);
            guest.reg(2) = kCode + 2048;
            guest.reg(1) = page_address(4);
            guest.reg(6) = kData;
            guest.run();
            guest.set_pc(page_address(3));
            jumping.fetch_add(1);
            guest.run();
        });
    }
    while (jumping.load() < threads) {
        std::this_thread::yield();
    }
    process.replace(9, returns(42));
    ToyProcess::Thread last(process, page_address(9));
    CHECK(last.run() == VcpuStop::exception);
    CHECK(last.reg(1) == 42);
    for (const auto& each : guests) {
        each->ask();
    }
    for (std::thread& runner : runners) {
        runner.join();
    }
}

TEST_CASE("a small code cache is emptied under the threads") {
    ToyProcess process(
        Properties{{"translate-after", "0"}, {"tb-size", "1"}, {"evict", GENERATE("region", "flush")}});
    // 40 pages of many small TBs each, all of which count.
    constexpr unsigned kPages = 40;
    constexpr unsigned kFirst = 20;
    uint64_t steps = 0;
    for (unsigned page = 0; page < kPages; ++page) {
        const uint64_t start = page_address(kFirst + page);
        Assembler code = at(start);
        while (code.pc() + 2 * 6 + 6 < start + kToyPage) {
            code.addi(1, 1);
            code.jmp(code.pc() + 6);
            ++steps;
        }
        if (page + 1 < kPages) {
            code.jmp(page_address(kFirst + page + 1));
        } else {
            code.op(Opcode::ecall);
        }
        ToyProcess::load(code, start);
    }
    std::vector<std::thread> runners;
    std::atomic<unsigned> right{0};
    for (unsigned i = 0; i < 4; ++i) {
        runners.emplace_back([&] {
            ToyProcess::Thread thread(process, 0);
            for (int round = 0; round < 3; ++round) {
                thread.reg(1) = 0;
                thread.set_pc(page_address(kFirst));
                if (thread.run() == VcpuStop::exception && thread.state().exception_cause == kEcall &&
                    thread.reg(1) == steps) {
                    right.fetch_add(1);
                }
            }
        });
    }
    for (std::thread& runner : runners) {
        runner.join();
    }
    CHECK(right.load() == 12);
}

TEST_CASE("an exception is that of the code that is there now, whatever was there before") {
    ToyProcess process(Properties{{"translate-after", "0"}, {"tb-size", "1"}});
    // Calls at different places of their TBs' page: their code has one size.
    constexpr unsigned kCalls = 64;
    constexpr uint64_t kDistance = 16;
    Assembler code = at(kCode);
    for (unsigned call = 0; call < kCalls; ++call) {
        code.addi(1, 1);
        code.op(Opcode::ecall);
        while (code.pc() < kCode + (call + 1) * kDistance) {
            code.op(Opcode::ecall);
        }
    }
    ToyProcess::load(code, kCode);
    ToyProcess::Thread thread(process, 0);
    weft::accel::TranslationCache& cache = weft::state_header(thread.state_pointer()).vcpu->cache;
    for (unsigned round = 0; round < kCalls; ++round) {
        // The first code after the cache was emptied: it comes to lie where that of the round before was.
        thread.set_pc(kCode + round * kDistance);
        REQUIRE(thread.run() == VcpuStop::exception);
        CHECK(thread.pc() == kCode + round * kDistance + 6);
        // Nobody runs: this thread may do what is done in exclusive sections.
        weft::EpochDomain::Reader self(cache.epochs());
        self.go_online();
        cache.flush(cache.flush_count());
    }
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

TEST_CASE("properties that are a machine's are refused") {
    const auto error_with = [](const Properties& properties) { return ToyProcess(properties).error(); };
    CHECK(error_with({{"thread", "single"}}) == "thread=single: a process's threads run by themselves");
    CHECK(error_with({{"thread", "single"}, {"clock", "insn"}}) ==
          "thread=single: a process's threads run by themselves");
}
