// Stores that are made unseen while, or after, their page is translated, and writes that are not announced yet: the moments
// are chosen, not left to chance.
#include <atomic>
#include <catch2/catch.hpp>
#include <semaphore>
#include <thread>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/mmu/ram_store.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "tests/accel/toy_machine.h"

using namespace toy;
using weft::VcpuWork;

namespace {

constexpr uint64_t kSubject = 0x5000;  // `li r1, N; jr r12`: what is written and run

Assembler subject(int64_t number) {
    Assembler code(kSubject);
    code.li(1, number);
    code.op(Opcode::jr, 12);
    return code;
}

// Stores to the subject's page, so that it may do so directly from then on; tells; waits for interrupts.
Assembler writer_program() {
    Assembler code(0x1000);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(8, kSubject + 0x800);
    code.op(Opcode::st, 8, 8);
    code.op(Opcode::st, 14, 13);
    const uint64_t end = code.pc();
    code.op(Opcode::halt);
    code.jmp(end);
    return code;
}

// At each interrupt: runs the subject and tells its number at kDevice + 8; with `fenced`, after a fence.
Assembler runner_handler(bool fenced) {
    Assembler code(0x3000);
    if (fenced) {
        code.op(Opcode::fence_i);
    }
    code.li(8, kSubject);
    const auto back = code.li_later(12);
    code.op(Opcode::jr, 8);
    code.land(back);
    code.li(13, static_cast<int64_t>(kDevice + 8));
    code.op(Opcode::st, 1, 13);
    code.op(Opcode::iret);
    return code;
}

Assembler runner_program() {
    Assembler code(0x2000);
    code.op(Opcode::ei);
    const uint64_t loop = code.pc();
    code.op(Opcode::halt);
    code.jmp(loop);
    return code;
}

// A writer that may store directly to the subject's page and is held before it does any work, and a runner.
class Scene {
  public:
    explicit Scene(bool fenced) : machine(2) {
        machine.load(subject(1));
        machine.load(writer_program());
        machine.load(runner_program());
        machine.load(runner_handler(fenced));
        machine.add(0x1000);
        machine.add(0x2000, 0x3000);
    }
    ~Scene() { let_go(); }

    void start() {
        machine.resume();
        told_ = machine.wait_for(1).size();
        machine.ops().vcpu_run(
            machine.instance(), machine.vcpu(0), VcpuWork::async,
            [](void* opaque, void*) {
                auto* scene = static_cast<Scene*>(opaque);
                scene->holding_.release();
                scene->release_.acquire();
            },
            this);
        holding_.acquire();
        held_ = true;
    }
    void let_go() {
        if (held_) {
            held_ = false;
            release_.release();
            // Whatever was queued behind it is done as well.
            machine.ops().vcpu_run(
                machine.instance(), machine.vcpu(0), VcpuWork::sync, [](void*, void*) {}, nullptr);
        }
    }
    // What the writer would do through its TLB: nobody is told.
    void store_unseen(int64_t number) { machine.load(subject(number)); }
    uint64_t run() {
        interrupt(machine.state(1));
        return machine.wait_for(++told_).back().value;
    }

    Machine machine;

  private:
    std::binary_semaphore holding_{0};
    std::binary_semaphore release_{0};
    bool held_ = false;
    size_t told_ = 0;
};

}  // namespace

TEST_CASE("a fence finds what was overwritten unseen", "[provisional]") {
    Scene scene(true);
    scene.start();
    REQUIRE(scene.run() == 1);
    scene.store_unseen(2);
    REQUIRE(scene.run() == 2);
    scene.store_unseen(3);
    REQUIRE(scene.run() == 3);
    scene.let_go();
    REQUIRE(scene.run() == 3);
}

TEST_CASE("the last writer's protection finds what was overwritten unseen", "[provisional]") {
    Scene scene(false);
    scene.start();
    REQUIRE(scene.run() == 1);
    scene.store_unseen(2);
    scene.let_go();
    REQUIRE(scene.run() == 2);
    // The page is protected now: TBs of it are ordinary, and compared no more.
    const uint64_t before = scene.machine.stat("invalidations");
    REQUIRE(scene.run() == 2);
    REQUIRE(scene.machine.stat("invalidations") == before);
}

TEST_CASE("a translation finds what was overwritten unseen while it was made", "[provisional]") {
    Scene scene(false);
    Scene* const stage = &scene;
    scene.machine.set_on_translation([stage](uint64_t pc) {
        if (pc == kSubject) {
            stage->store_unseen(7);
        }
    });
    scene.start();
    REQUIRE(scene.run() == 7);
    REQUIRE(scene.machine.stat("translations_stale") >= 1);
}

TEST_CASE("a translation finds announced writes that were made while it was made", "[provisional]") {
    // Nobody may store directly: nothing is provisional.
    Machine machine(1);
    machine.load(subject(1));
    machine.load(runner_program());
    machine.load(runner_handler(false));
    std::atomic<bool> armed{false};
    machine.set_on_translation([&machine, &armed](uint64_t pc) {
        if (pc == kSubject && armed.exchange(false)) {
            machine.write_by_dma(subject(7));
        }
    });
    machine.add(0x2000, 0x3000);
    machine.resume();
    interrupt(machine.state(0));
    REQUIRE(machine.wait_for(1).back().value == 1);
    machine.pause();
    // Forget the subject, and rewrite it under its next translation.
    machine.announce_write(kSubject, 8);
    armed = true;
    machine.resume();
    interrupt(machine.state(0));
    REQUIRE(machine.wait_for(2).back().value == 7);
    REQUIRE(machine.stat("translations_stale") == 1);
}

namespace {

// The runner of a Scene. `under_way` begins a write, calls what it is given, which makes the subject's number 2 and has it
// run after a fence, and announces the write.
template <class UnderWay>
void overwrite_and_fence(uint32_t vcpus, UnderWay under_way) {
    Machine machine(vcpus);
    machine.load(subject(1));
    machine.load(runner_program());
    machine.load(runner_handler(true));
    machine.add(0x2000, 0x3000);
    Assembler idle(0x1000);
    idle.op(Opcode::halt);
    idle.jmp(0x1000);
    machine.load(idle);
    for (uint32_t i = 1; i < vcpus; ++i) {
        machine.add(0x1000);
    }
    machine.resume();
    interrupt(machine.state(0));
    REQUIRE(machine.wait_for(1).back().value == 1);
    uint64_t number = 0;
    under_way(machine, [&] {
        machine.load(subject(2));
        interrupt(machine.state(0));
        number = machine.wait_for(2).back().value;
    });
    REQUIRE(number == 2);
    interrupt(machine.state(0));
    REQUIRE(machine.wait_for(3).back().value == 2);
}

}  // namespace

TEST_CASE("a fence finds what a device has written and not announced yet", "[provisional]") {
    overwrite_and_fence(1, [](Machine& machine, auto overwrite) {
        // Before the page, and up to behind the subject.
        weft::RamWrite write{kSubject - 0x800, 0x1000, nullptr, nullptr};
        machine.ops().ram_write_begins(machine.instance(), &write);
        weft::RamWrite other{kSubject + 0x800, 8, nullptr, nullptr};
        machine.ops().ram_write_begins(machine.instance(), &other);
        overwrite();
        machine.ops().ram_written(machine.instance(), &write);
        machine.ops().ram_written(machine.instance(), &other);
    });
}

TEST_CASE("a fence finds what a vCPU has stored and not announced yet", "[provisional]") {
    struct Stage {
        std::binary_semaphore begun{0};
        std::binary_semaphore stored{0};
        std::binary_semaphore done{0};
    } stage;
    overwrite_and_fence(2, [&stage](Machine& machine, auto overwrite) {
        // As SoftMmu stores, the store itself but for its last step being made here.
        machine.ops().vcpu_run(
            machine.instance(), machine.vcpu(1), VcpuWork::async,
            [](void* opaque, void* state) {
                auto* here = static_cast<Stage*>(opaque);
                weft::Vcpu& vcpu = *weft::state_header(state).vcpu;
                weft::tcg::TlbEntry entry{0, weft::tcg::kTlbNotDirty, 0, kSubject & ~(weft::kPageSize - 1)};
                weft::accel::RamStore store(vcpu.cache.pages(), vcpu, entry, kSubject, 8);
                here->begun.release();
                here->stored.acquire();
                store.made();
                here->done.release();
            },
            &stage);
        stage.begun.acquire();
        overwrite();
        stage.stored.release();
        stage.done.acquire();
    });
}

TEST_CASE("a fence tells a translation that is being made of a write that is not announced yet",
          "[provisional]") {
    constexpr uint64_t kGo = 0x8000;
    Machine machine(2);
    machine.load(subject(1));
    machine.load(runner_program());
    machine.load(runner_handler(false));
    machine.add(0x2000, 0x3000);
    // The other one fences, tells, and runs the subject when it may.
    Assembler other(0x4000);
    other.op(Opcode::fence_i);
    other.li(13, static_cast<int64_t>(kDevice + 16));
    other.op(Opcode::st, 14, 13);
    other.li(7, kGo);
    const uint64_t wait = other.pc();
    other.op(Opcode::ld, 6, 7);
    const auto go = other.bne_later(6, 14);
    other.jmp(wait);
    other.land(go);
    other.li(8, kSubject);
    const auto back = other.li_later(12);
    other.op(Opcode::jr, 8);
    other.land(back);
    other.li(13, static_cast<int64_t>(kDevice + 24));
    other.op(Opcode::st, 1, 13);
    other.op(Opcode::iret);
    machine.load(other);
    machine.add(0x2000, 0x4000);
    std::binary_semaphore read{0};
    std::binary_semaphore release{0};
    std::atomic<bool> first{true};
    machine.set_on_translation([&](uint64_t pc) {
        if (pc == kSubject && first.exchange(false)) {
            read.release();
            release.acquire();
        }
    });
    machine.resume();
    weft::RamWrite write{kSubject, 8, nullptr, nullptr};
    machine.ops().ram_write_begins(machine.instance(), &write);
    interrupt(machine.state(0));
    read.acquire();
    machine.load(subject(2));
    interrupt(machine.state(1));
    machine.await_events(1);  // it has fenced
    release.release();
    machine.await_events(2);  // the translation was made and run
    machine.poke(kGo, {1});
    const Event last = machine.wait_for(3).back();
    machine.ops().ram_written(machine.instance(), &write);
    REQUIRE(last == Event{24, 2});
}
