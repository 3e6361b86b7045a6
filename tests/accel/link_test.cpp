// Links between TBs, and their end: with a guest that runs them, and step by step.
#include <array>
#include <atomic>
#include <barrier>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <set>
#include <string_view>
#include <thread>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "tests/accel/link_stage.h"
#include "tests/accel/toy_machine.h"
#include "tests/accel/walker.h"
#include "tests/support/random.h"
#include "tests/support/wait.h"

using namespace toy;
using weft::VcpuWork;
using weft::tcg::OutgoingJump;
using weft::tcg::TranslationBlock;
using weft::test::Random;
using weft::test::test_seed;

namespace {

bool full() {
    const char* text = std::getenv("WEFT_TEST_FULL");
    return text != nullptr && std::string_view(text) == "1";
}

void nothing_everywhere(Machine& machine, uint32_t cpus) {
    for (uint32_t i = 0; i < cpus; ++i) {
        machine.ops().vcpu_run(
            machine.instance(), machine.vcpu(i), VcpuWork::sync, [](void*, void*) {}, nullptr);
    }
}

void overwrite(Machine& machine, const Assembler& code) { machine.write_by_dma(code); }

// With the machine paused.
std::vector<std::string> walk_paused(Machine& machine, uint32_t cpus) {
    nothing_everywhere(machine, cpus);
    std::vector<weft::Vcpu*> vcpus;
    for (uint32_t i = 0; i < cpus; ++i) {
        vcpus.push_back(machine.vcpu(i));
    }
    weft::EpochDomain::Reader reader(vcpus.front()->cache.epochs());
    reader.go_online();
    return walk(vcpus);
}

void wait_for_links(Machine& machine, uint64_t count) {
    weft::test::wait_until([&] { return machine.stat("links") >= count; });
}

}  // namespace

// Nobody kicks the vCPU: only the end of the link brings it back.
TEST_CASE("a vCPU leaves a TB that jumps to itself when it is invalidated", "[link]") {
    Machine machine(1);
    Assembler start(0x1000);
    start.li(13, static_cast<int64_t>(kDevice));
    start.jmp(0x1100);
    machine.load(start);
    Assembler loop(0x1100);
    loop.addi(1, 1);
    loop.jmp(0x1100);
    machine.load(loop);
    machine.add(0x1000);
    machine.resume();
    wait_for_links(machine, 1);
    Assembler other(0x1100);
    other.op(Opcode::st, 14, 13);
    other.op(Opcode::halt);
    overwrite(machine, other);
    machine.await_events(1);
    machine.pause();
    REQUIRE(walk_paused(machine, 1) == std::vector<std::string>{});
}

TEST_CASE("a vCPU leaves two TBs that jump to each other when both are invalidated at the same time",
          "[link]") {
    INFO("WEFT_TEST_SEED=" << test_seed());
    constexpr uint64_t kFirst = 0x1100;
    constexpr uint64_t kSecond = 0x1200;
    Random random(test_seed());
    Machine machine(1);
    Assembler start(0x1000);
    start.li(13, static_cast<int64_t>(kDevice));
    start.jmp(kFirst);
    machine.load(start);
    const auto cycle = [](uint64_t from, uint64_t to) {
        Assembler code(from);
        code.addi(1, 1);
        code.jmp(to);
        return code;
    };
    const auto telling = [](uint64_t from, uint64_t to) {
        Assembler code(from);
        code.op(Opcode::st, 14, 13);
        code.op(Opcode::halt);
        code.jmp(to);
        return code;
    };
    machine.load(cycle(kFirst, kSecond));
    machine.load(cycle(kSecond, kFirst));
    machine.add(0x1000, 0);
    machine.resume();
    const int rounds = full() ? 3000 : 100;
    uint64_t links = 0;
    for (int round = 1; round <= rounds; ++round) {
        wait_for_links(machine, links + 2);
        std::barrier together(2);
        const auto end = [&](uint64_t from, uint64_t to, uint64_t delay) {
            together.arrive_and_wait();
            for (uint64_t i = 0; i < delay; ++i) {
                weft::cpu_relax();
            }
            overwrite(machine, telling(from, to));
        };
        std::thread other(end, kSecond, kFirst, random.below(200));
        end(kFirst, kSecond, random.below(200));
        other.join();
        machine.await_events(static_cast<size_t>(round));
        machine.pause();
        REQUIRE(walk_paused(machine, 1) == std::vector<std::string>{});
        links = machine.stat("links");
        overwrite(machine, cycle(kFirst, kSecond));
        overwrite(machine, cycle(kSecond, kFirst));
        machine.reset();
        machine.resume();
    }
}

// The host code of what is dead is destroyed once every vCPU has been at its loop: whoever runs into it does not go on.
TEST_CASE("nobody runs into an invalid TB after every vCPU was at its loop", "[link]") {
    INFO("WEFT_TEST_SEED=" << test_seed());
    constexpr uint32_t kCpus = 3;
    constexpr unsigned kBlocks = 16;
    constexpr uint64_t kCode = 0x10000;
    Random random(test_seed());
    Machine machine(kCpus, {{"tb-size", "64"}});
    // A ring of TBs in one page, which are linked, and a second one that goes through the jump cache.
    const auto direct = [](unsigned i) { return kCode + i * 0x40; };
    const auto indirect = [](unsigned i) { return kCode + 0x1000 + i * 0x40; };
    const auto block = [&](bool is_direct, unsigned i) {
        Assembler code(is_direct ? direct(i) : indirect(i));
        code.addi(1, 1);
        if (is_direct) {
            code.jmp(i + 1 == kBlocks ? indirect(0) : direct(i + 1));
        } else {
            code.li(8, static_cast<int64_t>(i + 1 == kBlocks ? direct(0) : indirect(i + 1)));
            code.op(Opcode::jr, 8);
        }
        return code;
    };
    for (unsigned i = 0; i < kBlocks; ++i) {
        machine.load(block(true, i));
        machine.load(block(false, i));
    }
    for (uint32_t i = 0; i < kCpus; ++i) {
        machine.add(direct(0));
    }
    machine.resume();
    weft::accel::TranslationCache& cache = machine.vcpu(0)->cache;
    std::set<TranslationBlock*> destroyed;
    const int rounds = full() ? 2000 : 40;
    for (int round = 0; round < rounds; ++round) {
        for (int i = 0; i < 8; ++i) {
            overwrite(machine, block(random.below(2) == 0, static_cast<unsigned>(random.below(kBlocks))));
        }
        nothing_everywhere(machine, kCpus);
        cache.regions().trees().visit([&](TranslationBlock& tb) {
            if ((tb.state.load() & weft::tcg::kTbWithdrawn) != 0 && destroyed.insert(&tb).second) {
                // A breakpoint of the host; no key of the interpreter's.
                std::memset(cache.buffer().to_rw(tb.code).as<uint8_t>(), 0xcc, tb.code_size);
            }
        });
    }
    machine.pause();
    REQUIRE(destroyed.size() > static_cast<size_t>(rounds));
    REQUIRE(machine.stat("flushes") == 0);
    REQUIRE(machine.stat("links") > kBlocks);
}

// ---- step by step ----

TEST_CASE("a link that is being made when its destination dies is undone", "[link]") {
    Stage stage;
    TranslationBlock& source = stage.make(0x100, 0x200);
    TranslationBlock& destination = stage.make(0x200, 0x300);
    stage.before_patch([&] {
        // The jump is claimed and listed, and not patched yet. The invalidator gets as far as the list.
        stage.start([&] { stage.invalidate(destination); });
        weft::test::wait_until([&] { return destination.invalid(); });
    });
    REQUIRE(stage.link(source, destination));
    stage.join();
    REQUIRE_FALSE(stage.linked(source));
    REQUIRE(source.jumps[0].destination.load() == 0);
    REQUIRE(destination.incoming == nullptr);
    // It may be linked anew.
    TranslationBlock& successor = stage.make(0x200, 0x300);
    REQUIRE(stage.link(source, successor));
    REQUIRE(stage.leads_to(source, successor));
}

TEST_CASE("a link that is being made when its source dies is undone", "[link]") {
    Stage stage;
    TranslationBlock& source = stage.make(0x100, 0x200);
    TranslationBlock& destination = stage.make(0x200, 0x300);
    stage.before_patch([&] {
        stage.start([&] { stage.invalidate(source); });
        weft::test::wait_until(
            [&] { return (source.jumps[0].destination.load() & OutgoingJump::kClosed) != 0; });
    });
    REQUIRE(stage.link(source, destination));
    stage.join();
    REQUIRE_FALSE(stage.linked(source));
    REQUIRE(source.jumps[0].destination.load() == OutgoingJump::kClosed);
    REQUIRE(destination.incoming == nullptr);
    REQUIRE_FALSE(stage.link(source, destination));
}

TEST_CASE("a TB that is linked to itself while it dies ends unlinked", "[link]") {
    Stage stage;
    TranslationBlock& loop = stage.make(0x100, 0x100);
    stage.before_patch([&] {
        stage.start([&] { stage.invalidate(loop); });
        weft::test::wait_until(
            [&] { return (loop.jumps[0].destination.load() & OutgoingJump::kClosed) != 0; });
    });
    REQUIRE(stage.link(loop, loop));
    stage.join();
    REQUIRE_FALSE(stage.linked(loop));
    REQUIRE(loop.incoming == nullptr);
}

TEST_CASE("nobody links to a TB while its links are being undone", "[link]") {
    Stage stage;
    TranslationBlock& first = stage.make(0x100, 0x200);
    TranslationBlock& second = stage.make(0x180, 0x200);
    TranslationBlock& destination = stage.make(0x200, 0x300);
    REQUIRE(stage.link(first, destination));
    std::atomic<bool> linked{true};
    stage.before_patch([&] {
        // The destination's invalidator is about to undo the first link.
        stage.start([&] { linked = stage.link(second, destination); });
    });
    stage.invalidate(destination);
    stage.join();
    REQUIRE_FALSE(linked.load());
    REQUIRE_FALSE(stage.linked(first));
    REQUIRE_FALSE(stage.linked(second));
    REQUIRE(destination.incoming == nullptr);
}

TEST_CASE("who invalidates a TB that another invalidates returns when it cannot be found any more",
          "[link]") {
    Stage stage;
    TranslationBlock& source = stage.make(0x100, 0x200);
    TranslationBlock& destination = stage.make(0x200, 0x300);
    REQUIRE(stage.link(source, destination));
    std::atomic<bool> undone{false};
    std::atomic<bool> early{false};
    stage.before_patch([&] {
        stage.start([&] {
            stage.invalidate(destination);
            early = !undone.load();
        });
        // Long enough for one that does not wait to come back, in most runs.
        for (int i = 0; i < 100; ++i) {
            std::this_thread::yield();
        }
        undone = true;
    });
    stage.invalidate(destination);
    stage.join();
    REQUIRE_FALSE(early.load());
    REQUIRE((destination.state.load() & weft::tcg::kTbWithdrawn) != 0);
}

TEST_CASE("links and invalidations at random, of TBs that form cycles", "[link]") {
    INFO("WEFT_TEST_SEED=" << test_seed());
    Random random(test_seed());
    constexpr unsigned kThreads = 4;
    const int rounds = full() ? 20000 : 1000;
    for (int round = 0; round < rounds; ++round) {
        Stage stage;
        // A jumps to B and B to A, C to itself; B has a successor.
        const std::array<TranslationBlock*, 4> all = {&stage.make(0x100, 0x200), &stage.make(0x200, 0x100),
                                                      &stage.make(0x300, 0x300), &stage.make(0x200, 0x100)};
        const auto may = [](const TranslationBlock& from, const TranslationBlock& to) {
            return weft::accel::BlockTable::may_link(from, 0, to);
        };
        std::barrier together(kThreads);
        for (unsigned t = 0; t < kThreads; ++t) {
            stage.start([&, seed = random.next()] {
                Random mine(seed);
                together.arrive_and_wait();
                for (int i = 0; i < 6; ++i) {
                    TranslationBlock& tb = *all[mine.below(all.size())];
                    TranslationBlock& to = *all[mine.below(all.size())];
                    if (mine.below(4) == 0) {
                        stage.invalidate(tb);
                    } else if (may(tb, to)) {
                        stage.link(tb, to);
                    }
                }
            });
        }
        stage.join();
        for (TranslationBlock* tb : all) {
            const OutgoingJump& jump = tb->jumps[0];
            auto* to = reinterpret_cast<TranslationBlock*>(jump.destination.load() & ~OutgoingJump::kClosed);
            REQUIRE(((jump.destination.load() & OutgoingJump::kClosed) != 0) == tb->invalid());
            REQUIRE(stage.linked(*tb) == (to != nullptr));
            if (to != nullptr) {
                REQUIRE_FALSE(tb->invalid());
                REQUIRE_FALSE(to->invalid());
                REQUIRE(stage.leads_to(*tb, *to));
            }
            for (const OutgoingJump* in = tb->incoming; in != nullptr; in = in->next) {
                REQUIRE(in->destination.load() == reinterpret_cast<uintptr_t>(tb));
            }
        }
    }
}
