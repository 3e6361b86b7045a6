// Process mode with a guest of a few instructions whose code is written, replaced, shared, unmapped or translated anew under the threads
// that run it. The oracles are what the programs say, and what the pages' owner did.
#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "base/host_info.h"
#include "tests/accel/process_programs.h"
#include "tests/support/random.h"

using namespace toy;
using weft::Access;
using weft::MemoryFault;
using weft::VcpuStop;
using weft::test::Random;
using weft::test::test_seed;

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

TEST_CASE("when a page is gone, nobody runs its code any more") {
    ToyProcess process(Properties{{"translate-after", "0"}});
    // Counts in memory, so that others see it.
    Assembler code = at(page_address(4));
    code.addi(1, 1);
    code.op(Opcode::st, 1, 2);
    const bool by_other_page = GENERATE(false, true);
    code.jmp(page_address(by_other_page ? 5 : 4));
    Assembler back = at(page_address(5));
    back.jmp(page_address(4));
    ToyProcess::load(back, page_address(5));
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
