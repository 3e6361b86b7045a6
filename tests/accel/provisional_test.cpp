// Stores that are made unseen while, or after, their page is translated: the moments are chosen, not left to chance.
#include <atomic>
#include <catch2/catch.hpp>
#include <semaphore>
#include <thread>

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
            machine.load(subject(7));
            machine.ops().ram_written(machine.instance(), kSubject, 8);
        }
    });
    machine.add(0x2000, 0x3000);
    machine.resume();
    interrupt(machine.state(0));
    REQUIRE(machine.wait_for(1).back().value == 1);
    machine.pause();
    // Forget the subject, and rewrite it under its next translation.
    machine.ops().ram_written(machine.instance(), kSubject, 8);
    armed = true;
    machine.resume();
    interrupt(machine.state(0));
    REQUIRE(machine.wait_for(2).back().value == 7);
    REQUIRE(machine.stat("translations_stale") == 1);
}
