// Many vCPUs at once: they translate, link, run and overwrite shared code, forget translations, are interrupted, and have
// the cache emptied under them, while other threads write by DMA, queue work, ask for exclusive sections and change the
// topology. After each round everything that knows of translations must agree (walker.h), and nobody may have run code
// that was older than what he had seen before his fence.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <semaphore>
#include <string_view>
#include <thread>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "tests/accel/toy_machine.h"
#include "tests/accel/walker.h"
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

constexpr uint64_t kHandler = 0x3000;
constexpr uint64_t kCounts = 0x8000;  // how often each routine was changed, at least: 8 bytes each
constexpr uint64_t kResults =
    0x40000;  // per vCPU: pairs of (what was read before the fence, number the routine gave)
constexpr uint64_t kResultsEach = 0x400;
constexpr uint64_t kRoutines = 0x100000;  // pages of code that is run and changed
constexpr uint64_t kPrograms = 0x200000;  // what each vCPU runs by itself
constexpr uint64_t kProgramEach = 0x4000;

constexpr unsigned kPages = 12;
constexpr unsigned kPerPage =
    5;  // routines that begin in a page, the last of which reaches into the next page
constexpr unsigned kRoutineCount = kPages * kPerPage;
constexpr unsigned kDmaThreads = 2;

bool full() {
    const char* text = std::getenv("WEFT_TEST_FULL");
    return text != nullptr && std::string_view(text) == "1";
}

// A routine: `li r1, N`, a jump to its end, where there is `li r10, M`, a loop of r9 rounds, and the way back to r12. What
// changes it makes N larger, and counts that afterwards, or M, which makes jumps to the end lead nowhere.
struct Routine {
    unsigned number;

    unsigned page() const { return number / kPerPage; }
    unsigned place() const { return number % kPerPage; }
    bool straddles() const { return place() == kPerPage - 1; }
    bool by_dma() const { return place() == kPerPage - 2; }
    uint64_t address() const {
        const uint64_t start = kRoutines + page() * 0x1000;
        return straddles() ? start + 0xffc : start + 0x100 + place() * 0x80;
    }
    uint64_t end() const { return (address() + 14 + 31) & ~uint64_t{15}; }
    uint64_t count() const { return kCounts + number * 8; }
};

void load_routines(Machine& machine) {
    for (unsigned i = 0; i < kRoutineCount; ++i) {
        Assembler code(Routine{i}.address());
        code.li(1, 0);
        code.op(Opcode::add, 15, 14);
        const auto to_end = code.jmp_later();
        code.fill_to(Routine{i}.end());
        code.land(to_end);
        code.li(10, 0);
        code.op(Opcode::add, 15, 14);
        const uint64_t loop = code.pc();
        code.addi(9, -1);
        code.bne(9, 14, loop);
        code.op(Opcode::jr, 12);
        machine.load(code);
        machine.poke(Routine{i}.count(), std::vector<uint8_t>(8));
    }
    Assembler handler(kHandler);
    handler.op(Opcode::flush);
    handler.op(Opcode::fence_i);
    handler.op(Opcode::iret);
    machine.load(handler);
}

// One vCPU's program: `actions` random ones, `rounds` times.
class Program {
  public:
    Program(uint32_t cpu, Random& random, int64_t rounds, unsigned actions)
        : random_(random), code_(kPrograms + cpu * kProgramEach), result_(kResults + cpu * kResultsEach) {
        code_.li(13, static_cast<int64_t>(kDevice));
        code_.li(2, rounds);
        code_.op(Opcode::ei);
        const uint64_t loop = code_.pc();
        for (unsigned i = 0; i < actions; ++i) {
            action(cpu);
        }
        code_.addi(2, -1);
        code_.bne(2, 14, loop);
        code_.op(Opcode::st, 2, 13);
        const uint64_t end = code_.pc();
        code_.op(Opcode::halt);
        code_.jmp(end);
        WEFT_ASSERT(code_.bytes().size() < kProgramEach && reads_bytes_.size() * 16 <= kResultsEach);
    }

    const Assembler& code() const { return code_; }
    // Of the checks: whether the routine's bytes were read, else its count.
    const std::vector<bool>& checks() const { return reads_bytes_; }

  private:
    void action(uint32_t cpu) {
        const Routine routine{static_cast<unsigned>(random_.below(kRoutineCount))};
        switch (random_.below(16)) {
            case 0:
            case 1:
            case 2:
            case 3:
            case 4:
                call(routine);
                break;
            case 5:
            case 6:
            case 7:
                check(routine);
                break;
            case 8:
            case 9:
            case 10:
                change(routine);
                break;
            case 11:
                // Data in a page with code.
                code_.li(8,
                         static_cast<int64_t>(kRoutines + routine.page() * 0x1000 + 0x800 + (cpu % 64) * 8));
                code_.op(Opcode::st, 8, 8);
                break;
            case 12:
                code_.op(Opcode::flush);
                break;
            case 13:
                code_.op(Opcode::fence_i);
                break;
            case 14:
                code_.li(5, 5'000);
                code_.op(Opcode::timer, 5);
                code_.op(Opcode::halt);
                break;
            case 15:
                code_.op(Opcode::yield);
                break;
        }
    }

    void call(Routine routine) {
        code_.li(9, 1 + static_cast<int64_t>(random_.below(4)));
        code_.li(8, static_cast<int64_t>(routine.address()));
        const auto back = code_.li_later(12);
        code_.op(Opcode::jr, 8);
        code_.land(back);
    }

    void check(Routine routine) {
        if ((reads_bytes_.size() + 1) * 16 > kResultsEach) {
            return;
        }
        // The bytes may be there before whoever stores them has announced them. (Not at once, where pages meet.)
        const bool bytes = !routine.straddles() && random_.below(2) == 0;
        code_.li(7, static_cast<int64_t>(bytes ? routine.address() : routine.count()));
        code_.op(Opcode::ld, 6, 7);
        code_.op(Opcode::fence_i);
        call(routine);
        code_.li(7, static_cast<int64_t>(result_ + reads_bytes_.size() * 16));
        code_.op(Opcode::st, 6, 7);
        code_.addi(7, 8);
        code_.op(Opcode::st, 1, 7);
        reads_bytes_.push_back(bytes);
    }

    // Adds to the number where it lies in memory: 6 bytes from the instruction's start, four of them the number.
    void change(Routine routine) {
        if (routine.by_dma()) {
            return;
        }
        if (random_.below(2) == 0) {
            code_.li(3, static_cast<int64_t>(routine.end()));
            code_.li(4, 0x10000);
            code_.op(Opcode::amoadd, 4, 3);
            return;
        }
        uint64_t word = routine.address();
        int64_t addend = 0x10000;  // of 8 bytes in memory
        int64_t more = 1;          // of the number
        if (routine.straddles()) {
            // The number's lower half ends its page, the upper one begins the next. The lower half is not changed here: it
            // would carry into nothing.
            word = (routine.address() | 0xfff) + 1;
            addend = 1;
            more = 0x10000;
        }
        code_.li(3, static_cast<int64_t>(word));
        code_.li(4, addend);
        code_.op(Opcode::amoadd, 4, 3);
        code_.li(3, static_cast<int64_t>(routine.count()));
        code_.li(4, more);
        code_.op(Opcode::amoadd, 4, 3);
        if (routine.straddles()) {
            // The same bytes again, seen from the first page: changes nothing, and is a store to code there.
            code_.li(3, static_cast<int64_t>(routine.address() & ~uint64_t{7}));
            code_.li(4, 0);
            code_.op(Opcode::amoadd, 4, 3);
        }
    }

    Random& random_;
    Assembler code_;
    const uint64_t result_;
    std::vector<bool> reads_bytes_;
};

// What other threads than the vCPUs' do to a machine.
class Disturber {
  public:
    // `flushes`: of what it does, one in so many things empties the cache.
    Disturber(Machine& machine, uint32_t cpus, unsigned thread, uint64_t flushes, uint64_t seed)
        : machine_(machine), cpus_(cpus), thread_(thread), flushes_(flushes), random_(seed) {}

    void run(int operations) {
        for (int i = 0; i < operations; ++i) {
            const auto cpu = static_cast<uint32_t>(random_.below(cpus_));
            if (random_.below(flushes_) == 0) {
                flush(cpu);
                continue;
            }
            switch (random_.below(11)) {
                case 0:
                case 1:
                case 2:
                    interrupt(machine_.state(cpu));
                    break;
                case 3:
                case 4:
                case 5:
                case 6:
                    write_by_dma();
                    break;
                case 7:
                    work(cpu, VcpuWork::async);
                    break;
                case 8:
                    work(cpu, VcpuWork::sync);
                    break;
                case 9:
                    work(cpu, VcpuWork::exclusive);
                    break;
                case 10:
                    machine_.ops().topology_changed(
                        machine_.instance(),
                        [](void* opaque) { static_cast<std::atomic<int>*>(opaque)->fetch_add(1); },
                        &acknowledged_);
                    ++changes_;
                    break;
            }
        }
        weft::test::wait_until([&] { return acknowledged_.load() == changes_ && done_.load() == asked_; });
    }

  private:
    void work(uint32_t cpu, VcpuWork kind) {
        ++asked_;
        machine_.ops().vcpu_run(
            machine_.instance(), machine_.vcpu(cpu), kind,
            [](void* opaque, void*) { static_cast<std::atomic<int>*>(opaque)->fetch_add(1); }, &done_);
    }

    // As a vCPU does that finds the cache full.
    void flush(uint32_t cpu) {
        ++asked_;
        machine_.ops().vcpu_run(
            machine_.instance(), machine_.vcpu(cpu), VcpuWork::exclusive,
            [](void* opaque, void* state) {
                weft::accel::TranslationCache& cache = weft::state_header(state).vcpu->cache;
                cache.flush(cache.flush_count());
                static_cast<std::atomic<int>*>(opaque)->fetch_add(1);
            },
            &done_);
    }

    void write_by_dma() {
        Routine routine{0};
        do {
            routine.number = static_cast<unsigned>(random_.below(kRoutineCount));
        } while (!routine.by_dma() || routine.page() % kDmaThreads != thread_);
        const uint64_t number = machine_.peek(routine.count()) + 1;
        Assembler code(routine.address());
        code.li(1, static_cast<int64_t>(number));
        machine_.write_by_dma(code);
        std::vector<uint8_t> bytes(8);
        for (unsigned i = 0; i < 8; ++i) {
            bytes[i] = static_cast<uint8_t>(number >> 8 * i);
        }
        machine_.poke(routine.count(), bytes);
    }

    Machine& machine_;
    const uint32_t cpus_;
    const unsigned thread_;
    const uint64_t flushes_;
    Random random_;
    std::atomic<int> acknowledged_{0};
    int changes_ = 0;
    std::atomic<int> done_{0};
    int asked_ = 0;
};

// The walk, in an exclusive section, once nothing is under way.
std::vector<std::string> walk_all(Machine& machine, uint32_t cpus) {
    struct Scene {
        std::vector<weft::Vcpu*> vcpus;
        std::vector<std::string> problems;
        std::binary_semaphore done{0};
    } scene;
    for (uint32_t i = 0; i < cpus; ++i) {
        scene.vcpus.push_back(machine.vcpu(i));
    }
    // What vCPUs have asked of each other lies in their queues before these.
    for (weft::Vcpu* vcpu : scene.vcpus) {
        machine.ops().vcpu_run(machine.instance(), vcpu, VcpuWork::sync, [](void*, void*) {}, nullptr);
    }
    machine.ops().vcpu_run(
        machine.instance(), scene.vcpus.front(), VcpuWork::exclusive,
        [](void* opaque, void*) {
            auto& here = *static_cast<Scene*>(opaque);
            here.problems = walk(here.vcpus);
            here.done.release();
        },
        &scene);
    scene.done.acquire();
    return scene.problems;
}

struct Plan {
    const char* thread;
    const char* evict;
    const char* mib;
    uint32_t cpus;
    int rounds;
    int64_t laps;      // of each program, a round
    unsigned actions;  // in a program
    int disturbances;  // a thread and round
};

void run(const Plan& plan) {
    INFO("WEFT_TEST_SEED=" << test_seed() << " thread=" << plan.thread << " evict=" << plan.evict
                           << " tb-size=" << plan.mib);
    Random random(test_seed());
    Machine machine(plan.cpus, {{"thread", plan.thread}, {"evict", plan.evict}, {"tb-size", plan.mib}});
    REQUIRE(machine.error().empty());
    load_routines(machine);
    for (uint32_t i = 0; i < plan.cpus; ++i) {
        machine.add(kPrograms + i * kProgramEach, kHandler);
    }
    size_t events = 0;
    for (int round = 0; round < plan.rounds; ++round) {
        INFO("round " << round);
        std::vector<std::vector<bool>> checks;
        for (uint32_t i = 0; i < plan.cpus; ++i) {
            const Program program(i, random, plan.laps, plan.actions);
            machine.write_by_dma(program.code());
            machine.poke(kResults + i * kResultsEach, std::vector<uint8_t>(kResultsEach));
            checks.push_back(program.checks());
        }
        machine.reset();
        machine.resume();
        std::vector<std::thread> threads;
        for (unsigned t = 0; t < kDmaThreads; ++t) {
            threads.emplace_back([&machine, &plan, t, seed = random.next()] {
                const uint64_t flushes = plan.evict == std::string_view("region") ? 200 : 12;
                Disturber(machine, plan.cpus, t, flushes, seed).run(plan.disturbances);
            });
        }
        for (int i = 0; i < 3; ++i) {
            machine.pause();
            machine.resume();
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        events += plan.cpus;
        machine.await_events(events);
        REQUIRE(walk_all(machine, plan.cpus) == std::vector<std::string>{});
        machine.pause();
        size_t stale = 0;
        for (uint32_t i = 0; i < plan.cpus; ++i) {
            for (unsigned check = 0; check < checks[i].size(); ++check) {
                const uint64_t pair = kResults + i * kResultsEach + check * 16;
                const uint64_t read = machine.peek(pair);
                // In `li r1, N` the number is the four bytes behind the first two.
                const uint64_t number = checks[i][check] ? read >> 16 & UINT32_MAX : read;
                stale += machine.peek(pair + 8) < number ? 1 : 0;
            }
        }
        REQUIRE(stale == 0);
    }
    // It did what it is for.
    if (std::getenv("WEFT_TEST_WORKERS") != nullptr) {
        CHECK(machine.stat("translations_beside") > 100);
    }
    CHECK(machine.stat("invalidations") > 100);
    CHECK(machine.stat("links") > 100);
    CHECK(machine.stat("unlinks") > 10);
    CHECK(machine.stat("flushes") > 0);
    if (plan.evict == std::string_view("region")) {
        CHECK(machine.stat("evictions") > 0);
    }
    CHECK(machine.stat("interrupts") > 100);
}

bool offers(std::string_view property, std::string_view choice) {
    for (uint32_t i = 0; i < weft::weft_accelerator.property_count; ++i) {
        const weft::PropertyDesc& desc = weft::weft_accelerator.properties[i];
        if (desc.name == property) {
            return fmt::format("|{}|", desc.choices).find(fmt::format("|{}|", choice)) != std::string::npos;
        }
    }
    return false;
}

}  // namespace

TEST_CASE("64 vCPUs in one small cache, which is emptied", "[stress]") {
    run({"multi", "flush", "1", 64, full() ? 8 : 3, full() ? 150 : 80, 60, full() ? 1500 : 800});
}

TEST_CASE("vCPUs that take turns on one thread", "[stress]") {
    run({"single", "flush", "1", 6, full() ? 4 : 2, full() ? 80 : 40, 60, full() ? 800 : 400});
}

TEST_CASE("64 vCPUs in a cache from which regions are evicted", "[stress]") {
    if (!offers("evict", "region")) {
        WARN("there is no evict=region");
        return;
    }
    run({"multi", "region", "4", 64, full() ? 8 : 3, full() ? 150 : 80, 100, full() ? 1500 : 800});
}
