// Pause, resume, reset, unplugging, work items and destruction, at any moment.
#include <dirent.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>

#include "tests/accel/toy_machine.h"
#include "tests/support/process_end.h"
#include "tests/support/random.h"
#include "tests/support/wait.h"

namespace weft {
extern "C" const AccelDescriptor weft_accelerator;
}

using namespace toy;
using weft::VcpuWork;
using weft::test::Random;
using weft::test::test_seed;

namespace {

// Spins, halts, takes interrupts: a bit of everything, for ever. Counts at 0x8000 + 8 * vCPU.
void load_busy_program(Machine& machine) {
    Assembler code(0x1000);
    code.li(13, static_cast<int64_t>(kDevice));
    code.op(Opcode::id, 3);
    code.op(Opcode::add, 3, 3);
    code.op(Opcode::add, 3, 3);
    code.op(Opcode::add, 3, 3);
    code.addi(3, 0x8000);
    code.op(Opcode::ei);
    const uint64_t outer = code.pc();
    code.li(2, 300);
    const uint64_t loop = code.pc();
    code.op(Opcode::ld, 4, 3);
    code.addi(4, 1);
    code.op(Opcode::st, 4, 3);
    code.addi(2, -1);
    code.bne(2, 14, loop);
    code.op(Opcode::fence_i);
    code.op(Opcode::flush);
    code.li(5, 20'000);
    code.op(Opcode::timer, 5);
    code.op(Opcode::halt);
    code.jmp(outer);
    machine.load(code);
    Assembler handler(0x3000);
    handler.addi(1, 1);
    handler.op(Opcode::iret);
    machine.load(handler);
}

size_t lines_of(const char* path) {
    std::ifstream file(path);
    return static_cast<size_t>(
        std::count(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>(), '\n'));
}

size_t entries_of(const char* path) {
    DIR* folder = opendir(path);
    size_t count = 0;
    while (readdir(folder) != nullptr) {
        ++count;
    }
    closedir(folder);
    return count;
}

}  // namespace

TEST_CASE("anything at any moment", "[control]") {
    INFO("WEFT_TEST_SEED=" << test_seed());
    Random random(test_seed());
    for (const char* mode : {"multi", "single"}) {
        for (int round = 0; round < 20; ++round) {
            // Outlives the machine, which may do what is still queued while it goes.
            std::atomic<int> work{0};
            Machine machine(4, {{"thread", mode}, {"tb-size", "1"}});
            load_busy_program(machine);
            for (int i = 0; i < 3; ++i) {
                machine.add(0x1000, 0x3000);
            }
            bool running = false;
            bool plugged = true;
            for (int step = 0; step < 40; ++step) {
                const auto cpu = static_cast<uint32_t>(random.below(plugged ? 3 : 2));
                switch (random.below(9)) {
                    case 0:
                    case 1:
                        machine.resume();
                        running = true;
                        break;
                    case 2:
                        machine.pause();
                        running = false;
                        break;
                    case 3:
                        if (!running) {
                            machine.reset();
                        }
                        break;
                    case 4:
                        interrupt(machine.state(cpu));
                        break;
                    case 5: {
                        const int before = work.load();
                        machine.ops().vcpu_run(
                            machine.instance(), machine.vcpu(cpu), VcpuWork::sync,
                            [](void* opaque, void*) { static_cast<std::atomic<int>*>(opaque)->fetch_add(1); },
                            &work);
                        REQUIRE(work.load() > before);
                        break;
                    }
                    case 6:
                        machine.ops().vcpu_run(
                            machine.instance(), machine.vcpu(cpu), VcpuWork::exclusive,
                            [](void* opaque, void*) { static_cast<std::atomic<int>*>(opaque)->fetch_add(1); },
                            &work);
                        break;
                    case 7:
                        machine.announce_write(0x1000 + random.below(0x100), 8);
                        break;
                    case 8:
                        if (plugged && random.below(4) == 0) {
                            machine.remove(2);
                            plugged = false;
                        }
                        break;
                }
            }
        }
    }
}

TEST_CASE("a vCPU can be added while others run", "[control]") {
    for (const char* mode : {"multi", "single"}) {
        Machine machine(2, {{"thread", mode}});
        load_busy_program(machine);
        machine.add(0x1000, 0x3000);
        machine.resume();
        machine.add(0x1000, 0x3000);
        machine.resume();
        weft::test::wait_until([&] { return machine.peek(0x8000) != 0 && machine.peek(0x8008) != 0; });
    }
}

TEST_CASE("an index is used once, and within range", "[control]") {
    Machine machine(1);
    machine.add(0x1000);
    Cpu cpu;
    weft::Vcpu* vcpu = nullptr;
    void* state = nullptr;
    std::string error;
    const weft::ErrorSink sink{
        [](void* opaque, const char* message) { *static_cast<std::string*>(opaque) = message; }, &error};
    for (const uint32_t index : {0u, 1u}) {
        const weft::VcpuConfig config{index, &cpu, &machine};
        error.clear();
        REQUIRE_FALSE(machine.ops().vcpu_create(machine.instance(), &config, &vcpu, &state, &sink));
        REQUIRE_FALSE(error.empty());
    }
}

TEST_CASE("paused vCPUs stand still", "[control]") {
    Machine machine(2);
    load_busy_program(machine);
    machine.add(0x1000, 0x3000);
    machine.add(0x1000, 0x3000);
    machine.resume();
    weft::test::wait_until([&] { return machine.peek(0x8000) != 0 && machine.peek(0x8008) != 0; });
    machine.pause();
    const uint64_t before = machine.peek(0x8000);
    for (int i = 0; i < 100; ++i) {
        interrupt(machine.state(0));
        machine.ops().vcpu_run(
            machine.instance(), machine.vcpu(0), VcpuWork::sync, [](void*, void*) {}, nullptr);
    }
    REQUIRE(machine.peek(0x8000) == before);
    machine.reset();
    REQUIRE(state_of(machine.state(0)).gpr[13] == 0);
}

TEST_CASE("exclusive work is alone", "[control]") {
    struct Shared {
        int plain = 0;  // no atomic: ThreadSanitizer watches
        std::atomic<int> inside{0};
        std::atomic<int> broken{0};
        std::atomic<int> left{0};
    };
    Machine machine(4);
    load_busy_program(machine);
    for (int i = 0; i < 4; ++i) {
        machine.add(0x1000, 0x3000);
    }
    machine.resume();
    Shared shared;
    constexpr int kEach = 100;
    shared.left = 3 * kEach;
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 3; ++t) {
        threads.emplace_back([&machine, &shared, t] {
            for (int i = 0; i < kEach; ++i) {
                machine.ops().vcpu_run(
                    machine.instance(), machine.vcpu((t + static_cast<unsigned>(i)) % 4), VcpuWork::exclusive,
                    [](void* opaque, void*) {
                        auto& all = *static_cast<Shared*>(opaque);
                        if (all.inside.fetch_add(1) != 0) {
                            all.broken = 1;
                        }
                        ++all.plain;
                        all.inside.fetch_sub(1);
                        all.left.fetch_sub(1);
                    },
                    &shared);
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    weft::test::wait_until([&] { return shared.left.load() == 0; });
    REQUIRE(shared.broken == 0);
    REQUIRE(shared.plain == 3 * kEach);
}

TEST_CASE("a change of topology is acknowledged once by all", "[control]") {
    for (const bool running : {false, true}) {
        Machine machine(3);
        load_busy_program(machine);
        for (int i = 0; i < 3; ++i) {
            machine.add(0x1000, 0x3000);
        }
        if (running) {
            machine.resume();
        }
        std::atomic<int> done{0};
        for (int i = 0; i < 100; ++i) {
            machine.ops().topology_changed(
                machine.instance(),
                [](void* opaque) { static_cast<std::atomic<int>*>(opaque)->fetch_add(1); }, &done);
        }
        weft::test::wait_until([&] { return done.load() >= 100; });
        machine.pause();
        REQUIRE(done.load() == 100);
    }
}

TEST_CASE("a thousand machines leave nothing behind", "[control]") {
    const auto round = [](bool split) {
        Machine machine(2, {{"tb-size", "2"}, {"split-wx", split ? "on" : "off"}});
        REQUIRE(machine.error().empty());
        load_busy_program(machine);
        machine.add(0x1000, 0x3000);
        machine.add(0x1000, 0x3000);
        machine.resume();
        weft::test::wait_until([&] { return machine.peek(0x8000) != 0; });
    };
    for (int i = 0; i < 50; ++i) {
        round(i % 2 == 0);
    }
    const size_t descriptors = entries_of("/proc/self/fd");
    const size_t threads = entries_of("/proc/self/task");
    const size_t mappings = lines_of("/proc/self/maps");
    for (int i = 0; i < 1000; ++i) {
        round(i % 2 == 0);
    }
    REQUIRE(entries_of("/proc/self/fd") == descriptors);
    REQUIRE(entries_of("/proc/self/task") == threads);
    // The allocator may keep a mapping or two of its own, and a sanitizer some for what it knows of memory; a leak would be
    // five hundred.
#ifdef WEFT_COUNT_ALLOCATIONS
    constexpr size_t kOthers = 8;
#else
    constexpr size_t kOthers = 100;
#endif
    REQUIRE(lines_of("/proc/self/maps") <= mappings + kOthers);
}

// So that none can meet a lock that its own thread holds.
TEST_CASE("a running machine has no handler for any signal", "[control]") {
    const auto caught = [] {
        std::ifstream status("/proc/self/status");
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("SigCgt:")) {
                return line;
            }
        }
        return std::string();
    };
    const std::string before = caught();
    REQUIRE_FALSE(before.empty());
    for (const char* thread : {"multi", "single"}) {
        Machine machine(2, {{"thread", thread}});
        load_busy_program(machine);
        machine.add(0x1000, 0x3000);
        machine.add(0x1000, 0x3000);
        machine.resume();
        weft::test::wait_until([&] { return machine.peek(0x8000) != 0 && machine.peek(0x8008) != 0; });
        CHECK(caught() == before);
    }
}

// Where A waits so inside the gate, and exclusive work is before it in B's queue, B waits for A to leave the gate.
TEST_CASE("a vCPU's thread may not wait for another's work", "[control]") {
    const char* mode = GENERATE("multi", "single");
    INFO(mode);
    const auto waits = [mode](bool on_vcpu_thread) {
        return weft::test::signal_of([&] {
            Machine machine(2, {{"thread", mode}});
            load_busy_program(machine);
            machine.add(0x1000, 0x3000);
            machine.add(0x1000, 0x3000);
            machine.resume();
            std::atomic<bool> done{false};
            struct Work {
                Machine& machine;
                std::atomic<bool>& done;
                bool wait;
            } work{machine, done, on_vcpu_thread};
            machine.ops().vcpu_run(
                machine.instance(), machine.vcpu(0), VcpuWork::async,
                [](void* opaque, void*) {
                    auto& [of, finished, wait] = *static_cast<Work*>(opaque);
                    of.ops().vcpu_run(
                        of.instance(), of.vcpu(1), wait ? VcpuWork::sync : VcpuWork::async,
                        [](void* flag, void*) { *static_cast<std::atomic<bool>*>(flag) = true; }, &finished);
                },
                &work);
            weft::test::wait_until([&] { return done.load(); });
            machine.ops().vcpu_run(
                machine.instance(), machine.vcpu(1), VcpuWork::sync, [](void*, void*) {}, nullptr);
        });
    };
    CHECK(waits(false) == 0);
    CHECK(waits(true) == SIGABRT);
}
