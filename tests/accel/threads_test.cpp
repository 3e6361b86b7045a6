// Several vCPUs: on threads of their own, or in turn on one.
#include <dirent.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/accel/toy_machine.h"
#include "tests/support/wait.h"

using namespace toy;

namespace {

constexpr uint64_t kCounter = 0x8000;

// Adds 1 to kCounter `count` times, then tells the vCPU's number plus one.
Assembler counting_program(uint64_t pc, int64_t count) {
    Assembler code(pc);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(2, count);
    code.li(3, static_cast<int64_t>(kCounter));
    const uint64_t loop = code.pc();
    code.li(4, 1);
    code.op(Opcode::amoadd, 4, 3);
    code.addi(2, -1);
    code.bne(2, 14, loop);
    code.op(Opcode::id, 1);
    code.addi(1, 1);
    code.op(Opcode::st, 1, 13);
    const uint64_t end = code.pc();
    code.op(Opcode::halt);
    code.jmp(end);
    return code;
}

// Waits for interrupts and tells of each; the main program goes on waiting.
void load_interrupt_program(Machine& machine, uint64_t pc, uint64_t vector) {
    Assembler code(pc);
    code.li(13, static_cast<int64_t>(kDevice));
    code.op(Opcode::ei);
    const uint64_t loop = code.pc();
    code.op(Opcode::halt);
    code.jmp(loop);
    machine.load(code);
    Assembler handler(vector);
    handler.addi(1, 1);
    handler.op(Opcode::st, 1, 13);
    handler.op(Opcode::iret);
    machine.load(handler);
}

// Tells after every `count` rounds, for ever; at kDevice + 8 * number of the vCPU.
Assembler spinning_program(uint64_t pc, int64_t count) {
    Assembler code(pc);
    code.op(Opcode::id, 1);
    code.op(Opcode::add, 1, 1);
    code.op(Opcode::add, 1, 1);
    code.op(Opcode::add, 1, 1);
    code.li(13, static_cast<int64_t>(kDevice));
    code.op(Opcode::add, 13, 1);
    const uint64_t outer = code.pc();
    code.li(2, count);
    const uint64_t loop = code.pc();
    code.addi(2, -1);
    code.bne(2, 14, loop);
    code.op(Opcode::st, 2, 13);
    code.jmp(outer);
    return code;
}

std::multiset<std::string> thread_names() {
    std::multiset<std::string> names;
    DIR* folder = opendir("/proc/self/task");
    while (const dirent* entry = readdir(folder)) {
        std::ifstream file(std::string("/proc/self/task/") + entry->d_name + "/comm");
        std::string name;
        if (std::getline(file, name)) {
            names.insert(name);
        }
    }
    closedir(folder);
    return names;
}

}  // namespace

TEST_CASE("atomic additions of four vCPUs add up", "[threads]") {
    for (const char* mode : {"multi", "single"}) {
        Machine machine(4, {{"thread", mode}});
        machine.load(counting_program(0x1000, 2000));
        for (int i = 0; i < 4; ++i) {
            machine.add(0x1000);
        }
        machine.resume();
        machine.await_events(4);
        machine.pause();
        REQUIRE(machine.peek(kCounter) == 8000);
    }
}

TEST_CASE("two machines run in one process at the same time", "[threads]") {
    Machine first(2);
    Machine second(2, {{"thread", "single"}});
    for (Machine* machine : {&first, &second}) {
        machine->load(counting_program(0x1000, 1000));
        machine->add(0x1000);
        machine->add(0x1000);
    }
    first.resume();
    second.resume();
    first.await_events(2);
    second.await_events(2);
    first.pause();
    second.pause();
    REQUIRE(first.peek(kCounter) == 2000);
    REQUIRE(second.peek(kCounter) == 2000);
}

TEST_CASE("threads have names, and as many as promised", "[threads]") {
    {
        Machine machine(3);
        machine.load(spinning_program(0x1000, 1000));
        for (int i = 0; i < 3; ++i) {
            machine.add(0x1000);
        }
        machine.resume();
        machine.await_events(10);
        // A thread that has not run yet has its creator's name: the last one may still have to begin.
        const auto all_named = [](const std::multiset<std::string>& names) {
            return std::ranges::all_of(std::array{"CPU 0/TCG", "CPU 1/TCG", "CPU 2/TCG", "timer/TCG"},
                                       [&names](const char* name) { return names.count(name) == 1; });
        };
        weft::test::wait_until([&] { return all_named(thread_names()); });
    }
    Machine machine(3, {{"thread", "single"}});
    machine.load(spinning_program(0x1000, 1000));
    for (int i = 0; i < 3; ++i) {
        machine.add(0x1000);
    }
    machine.resume();
    machine.await_events(10);
    const std::multiset<std::string> names = thread_names();
    REQUIRE(names.count("ALL CPUs/TCG") == 1);
    REQUIRE(names.count("CPU 0/TCG") == 0);
}

TEST_CASE("vCPUs that take turns all come to theirs", "[threads]") {
    Machine machine(3, {{"thread", "single"}});
    machine.load(spinning_program(0x1000, 20000));
    for (int i = 0; i < 3; ++i) {
        machine.add(0x1000);
    }
    machine.resume();
    // Ends only if everybody gets on.
    for (size_t count = 1;; ++count) {
        std::map<uint64_t, int> rounds;
        for (const Event& event : machine.wait_for(count)) {
            ++rounds[event.offset];
        }
        if (rounds[0] >= 3 && rounds[8] >= 3 && rounds[16] >= 3) {
            break;
        }
    }
}

TEST_CASE("vCPUs that take turns get shares of one size", "[threads]") {
    for (const char* clock : {"host", "insn"}) {
        Machine machine(3, {{"thread", "single"}, {"clock", clock}});
        machine.load(spinning_program(0x1000, 20000));
        for (int i = 0; i < 3; ++i) {
            machine.add(0x1000);
        }
        machine.resume();
        // Turns as far as they show: one after which another vCPU tells something.
        size_t turns = 0;
        std::map<uint64_t, size_t> rounds;
        size_t total = 0;
        while (turns < 120) {
            total += 20;
            const std::vector<Event> events = machine.wait_for(total);
            rounds.clear();
            turns = 0;
            for (size_t i = 0; i < total; ++i) {
                ++rounds[events[i].offset];
                turns += i != 0 && events[i].offset != events[i - 1].offset ? 1 : 0;
            }
        }
        INFO(clock << ": " << rounds[0] << ", " << rounds[8] << ", " << rounds[16]);
        for (const uint64_t offset : {0, 8, 16}) {
            if (std::string(clock) == "insn") {
                // Five rounds make a turn.
                CHECK(3 * rounds[offset] + 20 >= total);
                CHECK(3 * rounds[offset] <= total + 20);
            } else {
                // A turn is as long as the host lets it be.
                CHECK(6 * rounds[offset] >= total);
            }
        }
    }
}

TEST_CASE("a halted vCPU that is kicked interrupts one that spins on the same thread", "[threads]") {
    Machine machine(2, {{"thread", "single"}});
    machine.load(spinning_program(0x1000, 1000));
    load_interrupt_program(machine, 0x2000, 0x3000);
    machine.add(0x1000);
    const uint32_t cpu = machine.add(0x2000, 0x3000);
    machine.resume();
    uint64_t seen = 0;
    while (seen < 20) {
        interrupt(machine.state(cpu));
        const size_t count = machine.events().size();
        for (const Event& event : machine.wait_for(count + 1)) {
            seen = std::max(seen, event.value);
        }
    }
}

TEST_CASE("no interrupt is lost, however it meets the halt", "[threads]") {
    for (const char* mode : {"multi", "single"}) {
        Machine machine(2, {{"thread", mode}});
        load_interrupt_program(machine, 0x2000, 0x3000);
        const uint32_t cpus[] = {machine.add(0x2000, 0x3000), machine.add(0x2000, 0x3000)};
        machine.resume();
        for (size_t i = 1; i <= 1500; ++i) {
            interrupt(machine.state(cpus[0]));
            interrupt(machine.state(cpus[1]));
            machine.await_events(2 * i);
        }
    }
}

TEST_CASE("threads that wait for timers are woken when these are due", "[threads]") {
    // Linux may let a thread sleep longer by its timer slack, 50 microseconds unless it asks for less.
    Machine machine(2);
    machine.load(spinning_program(0x1000, 1000));
    machine.add(0x1000);
    machine.add(0x1000);
    machine.resume();
    const auto exact = [] {
        size_t count = 0;
        for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
            std::string name;
            std::getline(std::ifstream(task.path() / "comm"), name);
            uint64_t slack = 0;
            std::ifstream("/proc/" + task.path().filename().string() + "/timerslack_ns") >> slack;
            count += name.ends_with("/TCG") && slack == 1 ? 1 : 0;
        }
        return count;
    };
    // A thread asks after it has begun to run.
    weft::test::wait_until([&] { return exact() == 3; });
}

TEST_CASE("timers wake a halted vCPU and interrupt a running one", "[threads]") {
    for (const char* mode : {"multi", "single"}) {
        for (const bool halts : {true, false}) {
            Machine machine(2, {{"thread", mode}});
            Assembler code(0x1000);
            code.li(13, static_cast<int64_t>(kDevice));
            code.li(5, 200'000);
            code.op(Opcode::timer, 5);
            code.op(Opcode::ei);
            const uint64_t loop = code.pc();
            if (halts) {
                code.op(Opcode::halt);
            }
            code.jmp(loop);
            machine.load(code);
            Assembler handler(0x3000);
            handler.addi(1, 1);
            handler.op(Opcode::st, 1, 13);
            handler.op(Opcode::timer, 5);
            handler.op(Opcode::iret);
            machine.load(handler);
            machine.add(0x1000, 0x3000);
            machine.add(0x1000, 0x3000);
            machine.resume();
            machine.await_events(50);
        }
    }
}

TEST_CASE("yielding goes on", "[threads]") {
    for (const char* mode : {"multi", "single"}) {
        Machine machine(2, {{"thread", mode}});
        // Both wait for the other's number to change, and give way meanwhile.
        Assembler code(0x1000);
        code.li(13, static_cast<int64_t>(kDevice));
        code.li(3, static_cast<int64_t>(kCounter));
        code.li(2, 100);
        const uint64_t loop = code.pc();
        code.li(4, 1);
        code.op(Opcode::amoadd, 4, 3);
        code.op(Opcode::yield);
        code.addi(2, -1);
        code.bne(2, 14, loop);
        code.op(Opcode::st, 2, 13);
        code.op(Opcode::halt);
        machine.load(code);
        machine.add(0x1000);
        machine.add(0x1000);
        machine.resume();
        machine.await_events(2);
        REQUIRE(machine.peek(kCounter) == 200);
    }
}
