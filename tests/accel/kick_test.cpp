// What others ask of a vCPU's thread: it always comes, it allocates nothing, and the vCPU's tables are its own.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <new>
#include <semaphore>
#include <string_view>
#include <thread>
#include <vector>

#include "accel/tcg/vcpu/vcpu.h"
#include "accel/tcg/vcpu/work_items.h"
#include "tests/accel/toy_machine.h"
#include "tests/support/random.h"
#include "tests/support/wait.h"

using namespace toy;
using weft::VcpuWork;
using weft::test::Random;
using weft::test::test_seed;

// This program's allocations are counted while `counting` is set; not with sanitizers, which have allocators of their own.
namespace {

std::atomic<bool> counting{false};
std::atomic<uint64_t> allocations{0};

#ifdef WEFT_COUNT_ALLOCATIONS

void* counted(size_t size, size_t alignment) {
    if (counting.load(std::memory_order_relaxed)) {
        allocations.fetch_add(1, std::memory_order_relaxed);
    }
    void* memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (memory == nullptr) {
        std::abort();
    }
    return memory;
}

#endif

}  // namespace

#ifdef WEFT_COUNT_ALLOCATIONS

void* operator new(size_t size) { return counted(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new(size_t size, std::align_val_t alignment) {
    return counted(size, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

#endif

namespace {

bool full() {
    const char* text = std::getenv("WEFT_TEST_FULL");
    return text != nullptr && std::string_view(text) == "1";
}

constexpr uint64_t kFlag = 0x8000;  // of vCPU n at kFlag + 0x1000 * n

// Halts; at each interrupt waits, without a halt, until its flag is set, clears it, and tells.
void load_waiting_program(Machine& machine, uint32_t cpu) {
    const auto shift = static_cast<int64_t>(cpu) * 0x1000;
    Assembler code(0x100000 + cpu * 0x1000);
    code.li(13, static_cast<int64_t>(kDevice + cpu * 8));
    code.li(7, static_cast<int64_t>(kFlag) + shift);
    code.op(Opcode::ei);
    const uint64_t loop = code.pc();
    code.op(Opcode::halt);
    code.jmp(loop);
    machine.load(code);
    Assembler handler(0x140000 + cpu * 0x1000);
    const uint64_t wait = handler.pc();
    handler.op(Opcode::ld, 5, 7);
    const auto set = handler.bne_later(5, 14);
    handler.jmp(wait);
    handler.land(set);
    handler.op(Opcode::st, 14, 7);
    handler.addi(1, 1);
    handler.op(Opcode::st, 1, 13);
    handler.op(Opcode::iret);
    machine.load(handler);
}

void add_waiting(Machine& machine, uint32_t cpus) {
    for (uint32_t i = 0; i < cpus; ++i) {
        load_waiting_program(machine, i);
        machine.add(0x100000 + i * 0x1000, 0x140000 + i * 0x1000);
    }
}

void spin(uint64_t times) {
    for (uint64_t i = 0; i < times; ++i) {
        weft::cpu_relax();
    }
}

}  // namespace

// The guest goes on only if the work is done, and nothing else brings the vCPU back.
TEST_CASE("work that meets the interrupt which wakes a vCPU is done", "[kick]") {
    INFO("WEFT_TEST_SEED=" << test_seed());
    struct Flag {
        Machine* machine;
        uint32_t cpu;
    };
    for (const char* mode : {"multi", "single"}) {
        INFO(mode);
        constexpr uint32_t kCpus = 2;
        Machine machine(kCpus, {{"thread", mode}});
        add_waiting(machine, kCpus);
        machine.resume();
        Random random(test_seed());
        std::atomic<int> round_begun{0};
        const int rounds = full() ? 50000 : 3000;
        Flag flags[kCpus] = {{&machine, 0}, {&machine, 1}};
        // One thread interrupts, the other queues the work that sets the flag.
        std::thread interrupter([&, seed = random.next()] {
            Random mine(seed);
            for (int round = 1; round <= rounds; ++round) {
                weft::test::wait_until([&] { return round_begun.load() >= round; });
                spin(mine.below(300));
                interrupt(machine.state(static_cast<uint32_t>(round % kCpus)));
            }
        });
        for (int round = 1; round <= rounds; ++round) {
            const auto cpu = static_cast<uint32_t>(round % kCpus);
            round_begun = round;
            spin(random.below(300));
            machine.ops().vcpu_run(
                machine.instance(), machine.vcpu(cpu), VcpuWork::async,
                [](void* opaque, void*) {
                    const auto& flag = *static_cast<Flag*>(opaque);
                    flag.machine->poke(kFlag + flag.cpu * 0x1000, {1, 0, 0, 0, 0, 0, 0, 0});
                },
                &flags[cpu]);
            machine.await_events(static_cast<size_t>(round));
        }
        interrupter.join();
    }
}

TEST_CASE("a pause that meets the interrupt which wakes a vCPU is heard", "[kick]") {
    INFO("WEFT_TEST_SEED=" << test_seed());
    Random random(test_seed());
    Machine machine(1);
    add_waiting(machine, 1);
    machine.resume();
    const int rounds = full() ? 100000 : 10000;
    for (int round = 1; round <= rounds; ++round) {
        interrupt(machine.state(0));
        spin(random.below(1000));  // the thread wakes up meanwhile
        machine.pause();           // returns when the vCPU, which waits for its flag, has come back
        machine.poke(kFlag, {1, 0, 0, 0, 0, 0, 0, 0});
        machine.resume();
        machine.await_events(static_cast<size_t>(round));
    }
}

TEST_CASE("nothing that many threads ask of halting vCPUs is lost", "[kick]") {
    INFO("WEFT_TEST_SEED=" << test_seed());
    constexpr uint32_t kCpus = 3;
    constexpr unsigned kThreads = 6;
    const int each = full() ? 20000 : 1500;
    for (const char* mode : {"multi", "single"}) {
        INFO(mode);
        Machine machine(kCpus, {{"thread", mode}});
        add_waiting(machine, kCpus);
        for (uint32_t i = 0; i < kCpus; ++i) {
            // Here the handler need not wait.
            Assembler handler(0x140000 + i * 0x1000);
            handler.op(Opcode::iret);
            machine.load(handler);
        }
        machine.resume();
        std::atomic<int> done{0};
        std::atomic<int> asked{0};
        std::atomic<int> late{0};
        std::vector<std::thread> threads;
        for (unsigned t = 0; t < kThreads; ++t) {
            threads.emplace_back([&, t] {
                Random random(test_seed() + t);
                for (int i = 0; i < each; ++i) {
                    const auto cpu = static_cast<uint32_t>(random.below(kCpus));
                    const auto add = [](void* opaque, void*) {
                        static_cast<std::atomic<int>*>(opaque)->fetch_add(1);
                    };
                    switch (random.below(8)) {
                        case 0: {
                            std::atomic<int> mine{0};
                            machine.ops().vcpu_run(machine.instance(), machine.vcpu(cpu), VcpuWork::sync, add,
                                                   &mine);
                            late += mine.load() == 1 ? 0 : 1;
                            break;
                        }
                        case 1:
                            ++asked;
                            machine.ops().vcpu_run(machine.instance(), machine.vcpu(cpu), VcpuWork::exclusive,
                                                   add, &done);
                            break;
                        case 2:
                        case 3:
                        case 4:
                            ++asked;
                            machine.ops().vcpu_run(machine.instance(), machine.vcpu(cpu), VcpuWork::async,
                                                   add, &done);
                            break;
                        default:
                            interrupt(machine.state(cpu));
                            break;
                    }
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        weft::test::wait_until([&] { return done.load() == asked.load(); });
        // Every interrupt was taken in the end.
        for (uint32_t i = 0; i < kCpus; ++i) {
            weft::test::wait_until([&] { return state_of(machine.state(i)).pending.load() == 0; });
        }
        REQUIRE(late == 0);
    }
}

TEST_CASE("work items come in order, and allocate nothing once as many have waited before", "[work]") {
    weft::accel::WorkItems items;
    Random random(test_seed());
    std::vector<int> numbers(4096);
    size_t pushed = 0;
    size_t popped = 0;
    const auto pass = [&](size_t most) {
        weft::accel::WorkItem item{};
        for (int i = 0; i < 20000; ++i) {
            if (pushed - popped < most && random.below(2) == 0) {
                items.push_copy({VcpuWork::async, nullptr, &numbers[pushed++ % numbers.size()]});
            } else if (items.pop(&item)) {
                if (item.opaque != &numbers[popped++ % numbers.size()]) {
                    return false;
                }
            } else if (pushed != popped) {
                return false;
            }
        }
        return true;
    };
    REQUIRE(pass(100));
    allocations = 0;
    counting = true;
    const bool right = pass(50);
    counting = false;
    REQUIRE(right);
    REQUIRE(allocations == 0);
    REQUIRE(pass(3000));  // grows while it has gone round
}

TEST_CASE("work that is queued to a running vCPU allocates nothing", "[work]") {
    Machine machine(1);
    Assembler code(0x1000);
    code.addi(1, 1);
    code.jmp(0x1000);
    machine.load(code);
    machine.add(0x1000);
    machine.resume();
    std::atomic<int> done{0};
    const auto run = [&](int count, VcpuWork kind) {
        for (int i = 0; i < count; ++i) {
            const int before = done.load();
            machine.ops().vcpu_run(
                machine.instance(), machine.vcpu(0), kind,
                [](void* opaque, void*) { static_cast<std::atomic<int>*>(opaque)->fetch_add(1); }, &done);
            weft::test::wait_until([&] { return done.load() != before; });
        }
    };
    for (const VcpuWork kind : {VcpuWork::async, VcpuWork::sync, VcpuWork::exclusive}) {
        run(20, kind);
        allocations = 0;
        counting = true;
        run(100, kind);
        counting = false;
        REQUIRE(allocations == 0);
    }
}

// A shootdown is work for the thread that owns the tables, done when that thread comes to it: nobody else looks into them.
TEST_CASE("what others forget leaves a vCPU's tables alone until its own thread comes to it", "[tlb]") {
    Machine machine(2);
    Assembler reader(0x1000);
    reader.li(13, static_cast<int64_t>(kDevice));
    for (unsigned page = 0; page < 32; ++page) {
        reader.li(3, static_cast<int64_t>(0x200000 + page * 0x1000));
        reader.op(Opcode::ld, 4, 3);
        reader.op(Opcode::st, 4, 3);
    }
    reader.op(Opcode::st, 14, 13);
    const uint64_t end = reader.pc();
    reader.op(Opcode::halt);
    reader.jmp(end);
    machine.load(reader);
    Assembler flusher(0x2000);
    flusher.li(13, static_cast<int64_t>(kDevice));
    flusher.li(2, 50);
    const uint64_t loop = flusher.pc();
    flusher.op(Opcode::flush);
    flusher.addi(2, -1);
    flusher.bne(2, 14, loop);
    flusher.op(Opcode::st, 14, 13);
    flusher.op(Opcode::halt);
    machine.load(flusher);
    machine.add(0x1000);
    machine.add(0x2000);
    struct Hold {
        std::binary_semaphore held{0};
        std::binary_semaphore go{0};
    } hold;
    // Keeps the reader's thread in a work item from its event on.
    machine.ops().vcpu_run(
        machine.instance(), machine.vcpu(1), VcpuWork::async, [](void*, void*) {}, nullptr);
    machine.resume();
    machine.await_events(2);
    machine.ops().vcpu_run(
        machine.instance(), machine.vcpu(0), VcpuWork::async,
        [](void* opaque, void*) {
            static_cast<Hold*>(opaque)->held.release();
            static_cast<Hold*>(opaque)->go.acquire();
        },
        &hold);
    hold.held.acquire();
    weft::Vcpu& vcpu = *machine.vcpu(0);
    const auto tables = [&vcpu] {
        const weft::tcg::TlbTable& table = vcpu.exec().tlb[0];
        const size_t size = table.mask + sizeof(weft::tcg::TlbEntry);
        std::vector<uint8_t> bytes(size + vcpu.jump_cache.size() * sizeof(weft::tcg::JumpCacheEntry));
        std::memcpy(bytes.data(), table.entries, size);
        std::memcpy(bytes.data() + size, vcpu.jump_cache.entries(), bytes.size() - size);
        return bytes;
    };
    const std::vector<uint8_t> before = tables();
    const uint64_t flushes = vcpu.counters.tlb_flushes.get();
    // Everything that makes a vCPU forget, while its thread is busy: invalidated code, new topology, others' flushes.
    std::atomic<int> acknowledged{0};
    machine.announce_write(0x1000, 0x100);
    machine.ops().topology_changed(
        machine.instance(), [](void* opaque) { static_cast<std::atomic<int>*>(opaque)->fetch_add(1); },
        &acknowledged);
    machine.ops().vcpu_run(
        machine.instance(), machine.vcpu(1), VcpuWork::sync,
        [](void*, void* state) {
            const weft::TlbFlush all{true, true, 0, 0};
            weft::state_header(state).services->tlb_flush(weft::state_header(state).vcpu, &all);
        },
        nullptr);
    REQUIRE(tables() == before);
    REQUIRE(vcpu.counters.tlb_flushes.get() == flushes);
    REQUIRE(acknowledged == 0);
    hold.go.release();
    weft::test::wait_until([&] { return acknowledged.load() != 0; });
    machine.pause();
    REQUIRE(vcpu.counters.tlb_flushes.get() > flushes);
    REQUIRE(tables() != before);
}
