// clock=insn: runs are equal, however the guest's code is cut and compiled.
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "accel/tcg/time/insn_rate.h"
#include "tests/accel/toy_machine.h"

using namespace toy;

namespace {

constexpr uint64_t kHandler = 0x3000;
constexpr uint64_t kLog = 0x100000;  // of vCPU n: at kLog + n * kLogSize
constexpr uint64_t kLogSize = 0x40000;
constexpr int64_t kRounds = 400;  // of each vCPU

// A file that is gone with the object.
class TemporaryFile {
  public:
    TemporaryFile() {
        char name[] = "/tmp/weft-insn-clock-XXXXXX";
        close(mkstemp(name));
        name_ = name;
    }
    ~TemporaryFile() { std::remove(name_.c_str()); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    const std::string& name() const { return name_; }
    std::string text() const {
        std::ifstream file(name_);
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }

  private:
    std::string name_;
};

// What two runs have to agree on.
struct Run {
    std::vector<Event> events;
    std::string insns, time, hash;
    uint64_t log_entries = 0;  // of all vCPUs
    uint64_t flushes = 0;
    bool operator==(const Run& other) const {
        return events == other.events && insns == other.insns && time == other.time && hash == other.hash;
    }
};

std::string field(const std::string& json, const std::string& name) {
    const size_t at = json.find("\"" + name + "\": ");
    if (at == std::string::npos) {
        return "none";
    }
    const size_t start = at + name.size() + 4;
    return json.substr(start, json.find_first_of(",\n", start) - start);
}

// Rounds of straight code, branches, calls through registers, exceptions, instructions that leave the unit, and code at a
// page's end; with a timer that interrupts it all the time, and interrupts among vCPUs. The handler notes when it ran.
void load_program(Machine& machine) {
    Assembler code(0x1000);
    code.op(Opcode::id, 1);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(12, static_cast<int64_t>(kLogSize));
    code.li(10, 0);
    // r12 = kLog + id * kLogSize, r10 = id
    code.li(11, static_cast<int64_t>(kLog));
    const uint64_t place = code.pc();
    const auto placed = code.bne_later(1, 10);
    const auto skip = code.jmp_later();
    code.land(placed);
    code.op(Opcode::add, 11, 12);
    code.addi(10, 1);
    code.jmp(place);
    code.land(skip);
    code.li(9, 0);
    code.op(Opcode::add, 9, 11);
    code.addi(9, 8);  // where the next entry goes; the count is before them
    code.li(5, 997);
    code.op(Opcode::timer, 5);
    code.op(Opcode::ei);
    code.li(2, kRounds);
    const uint64_t round = code.pc();
    // Straight code, longer than a unit may be.
    for (int i = 0; i < 700; ++i) {
        code.addi(3, i);
    }
    code.op(Opcode::time, 4);
    code.op(Opcode::add, 3, 4);
    code.op(Opcode::retired, 4);
    code.op(Opcode::add, 3, 4);
    code.op(Opcode::ecall);
    // A short loop.
    code.li(6, 37);
    const uint64_t loop = code.pc();
    code.addi(6, -1);
    code.bne(6, 14, loop);
    code.op(Opcode::fence_i);
    const auto target = code.li_later(7);
    code.op(Opcode::jr, 7);
    code.op(Opcode::illegal);
    code.land(target);
    // Interrupts the next vCPU, in the middle of a unit.
    code.li(8, static_cast<int64_t>(kIpi));
    code.op(Opcode::add, 8, 1);
    code.op(Opcode::add, 8, 1);
    code.op(Opcode::add, 8, 1);
    code.op(Opcode::add, 8, 1);
    code.op(Opcode::add, 8, 1);
    code.op(Opcode::add, 8, 1);
    code.op(Opcode::add, 8, 1);
    code.op(Opcode::add, 8, 1);
    code.op(Opcode::st, 2, 8);
    for (int i = 0; i < 50; ++i) {
        code.addi(3, -i);
    }
    code.op(Opcode::yield);
    code.addi(2, -1);
    code.bne(2, 14, round);
    code.op(Opcode::st, 3, 13);
    const uint64_t end = code.pc();
    code.op(Opcode::halt);
    code.jmp(end);
    machine.load(code);

    // r15 is the handler's own. An exception is passed over; everything is noted.
    Assembler handler(kHandler);
    handler.op(Opcode::time, 15);
    handler.op(Opcode::st, 15, 9);
    handler.addi(9, 8);
    handler.op(Opcode::st, 2, 9);
    handler.addi(9, 8);
    handler.op(Opcode::st, 3, 9);
    handler.addi(9, 8);
    handler.op(Opcode::ld, 15, 11);
    handler.addi(15, 1);
    handler.op(Opcode::st, 15, 11);
    handler.op(Opcode::timer, 5);
    handler.op(Opcode::skip);
    handler.op(Opcode::iret);
    machine.load(handler);
}

Run run(unsigned cpus, Machine::Properties properties, size_t events) {
    const TemporaryFile stats;
    properties["thread"] = "single";
    properties["clock"] = "insn";
    properties["stats"] = stats.name();
    Run result;
    {
        Machine machine(cpus, properties);
        REQUIRE(machine.error().empty());
        load_program(machine);
        for (unsigned i = 0; i < cpus; ++i) {
            machine.add(0x1000, kHandler);
        }
        machine.set_hold_at(events);
        machine.resume();
        result.events = machine.wait_for(events);
        machine.pause();
        for (unsigned i = 0; i < cpus; ++i) {
            result.log_entries += machine.peek(kLog + i * kLogSize);
        }
        result.flushes = machine.stat("flushes");
    }
    const std::string json = stats.text();
    result.insns = field(json, "insns");
    result.time = field(json, "time_ns");
    result.hash = field(json, "state_hash");
    return result;
}

}  // namespace

TEST_CASE("clock=insn needs thread=single", "[insn]") {
    const Machine machine(1, {{"clock", "insn"}});
    REQUIRE(machine.error() == "clock=insn needs thread=single");
}

TEST_CASE("two runs are equal, whatever cuts and compiles the code", "[insn]") {
    const std::vector<Machine::Properties> ways = {
        {{"backend", "interp"}},
        {{"backend", "interp"}, {"one-insn-per-tb", "on"}},
        {{"backend", "interp"}, {"tb-size", "1"}},
#if WEFT_HAVE_X86_64_BACKEND
        {{"backend", "native"}},
        {{"backend", "native"}, {"one-insn-per-tb", "on"}},
        {{"backend", "native"}, {"tb-size", "1"}},
        {{"backend", "native"}, {"disable", "pin-registers:own-probes:direct-side-exits:fold-constants"}},
        {{"backend", "native"}, {"split-wx", "on"}},
#endif
    };
    for (const unsigned cpus : {1u, 2u, 3u}) {
        const Run first = run(cpus, ways[0], cpus);
        INFO(cpus << " vCPUs: " << first.insns << " instructions, " << first.log_entries << " traps");
        REQUIRE(first.hash != "none");
        REQUIRE(std::stoull(first.insns) > 300'000 * cpus);
        // Exceptions, timers and interrupts by others all came.
        REQUIRE(first.log_entries > 3 * static_cast<uint64_t>(kRounds) / 2 * cpus);
        for (const Machine::Properties& way : ways) {
            std::string text;
            for (const auto& [name, value] : way) {
                text += name + "=" + value + " ";
            }
            INFO(text);
            const Run again = run(cpus, way, cpus);
            CHECK(again.insns == first.insns);
            CHECK(again.time == first.time);
            CHECK(again.hash == first.hash);
            CHECK(again.events == first.events);
        }
    }
}

// A timer is set `delay` nanoseconds from now on; then the program counts up. What it stores: the time at which the timer was
// asked for, that at which its interrupt came, and the count.
void load_timer_program(Machine& machine, int64_t delay) {
    Assembler code(0x1000);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(5, delay);
    code.op(Opcode::ei);
    code.op(Opcode::time, 4);
    code.op(Opcode::timer, 5);  // one instruction later
    const uint64_t loop = code.pc();
    for (int i = 0; i < 100; ++i) {
        code.addi(3, 1);
    }
    code.jmp(loop);
    machine.load(code);
    Assembler handler(kHandler);
    handler.op(Opcode::time, 6);
    handler.op(Opcode::st, 4, 13);
    handler.op(Opcode::st, 6, 13);
    handler.op(Opcode::st, 3, 13);
    handler.op(Opcode::halt);
    machine.load(handler);
}

TEST_CASE("a timer's interrupt arrives at the instruction at which its time comes", "[insn]") {
    for (const char* backend : {"interp",
#if WEFT_HAVE_X86_64_BACKEND
                                "native"
#endif
         }) {
        for (const unsigned shift : {0u, 1u, 6u, 10u}) {
            for (const int64_t instructions : {512, 513, 1000, 4999, 250'000}) {
                // Between two instructions: at the later one.
                for (const int64_t less : {int64_t{0}, (int64_t{1} << shift) / 2}) {
                    const int64_t delay = (instructions << shift) - less;
                    Machine machine(1, {{"backend", backend},
                                        {"thread", "single"},
                                        {"clock", "insn"},
                                        {"insn-shift", std::to_string(shift)}});
                    load_timer_program(machine, delay);
                    machine.add(0x1000, kHandler);
                    machine.resume();
                    const std::vector<Event> events = machine.wait_for(3);
                    INFO(backend << ", shift " << shift << ", delay " << delay);
                    const auto passed = static_cast<uint64_t>(instructions) + 1;
                    CHECK(events[1].value == events[0].value + (passed << shift));
                    // The timer's own instruction, then rounds of 100 additions and a jump.
                    const uint64_t spun = static_cast<uint64_t>(instructions) - 1;
                    CHECK(events[2].value == spun - spun / 101);
                }
            }
        }
    }
}

TEST_CASE("what raises an exception takes time and is not retired", "[insn]") {
    Machine machine(1, {{"thread", "single"}, {"clock", "insn"}});
    Assembler code(0x1000);
    code.li(13, static_cast<int64_t>(kDevice));
    code.op(Opcode::retired, 1);
    code.op(Opcode::time, 2);
    for (int i = 0; i < 10; ++i) {
        code.addi(3, 1);
    }
    code.op(Opcode::ecall);
    code.op(Opcode::time, 5);
    code.op(Opcode::retired, 4);
    for (const unsigned reg : {1u, 2u, 4u, 5u}) {
        code.op(Opcode::st, reg, 13);
    }
    code.op(Opcode::halt);
    machine.load(code);
    Assembler handler(kHandler);
    handler.op(Opcode::skip);
    handler.op(Opcode::iret);
    machine.load(handler);
    machine.add(0x1000, kHandler);
    machine.resume();
    const std::vector<Event> events = machine.wait_for(4);
    CHECK(events[0].value == 1);
    CHECK(events[1].value == 2);
    CHECK(events[3].value == 2 + 1 + 10 + 1 + 2);  // time, additions, ecall, the handler
    CHECK(events[2].value == 1 + 2 + 10 + 2 + 1);  // retired and time, additions, the handler, time
}

TEST_CASE("the instruction that a slow access belongs to is known by its place, not by that of its code",
          "[insn]") {
    // Loads that a unit makes out of line, of a device and of a page that no TLB entry is there for, each behind others; their
    // code lies behind the unit's. The last one has no memory at first.
    Machine machine(1, {{"thread", "single"}, {"clock", "insn"}});
    Assembler code(0x1000);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(12, 0x8000);
    code.li(11, 0);
    code.op(Opcode::time, 2);
    code.op(Opcode::ld, 1, 12);
    code.op(Opcode::ld, 1, 13);
    code.op(Opcode::ld, 1, 12);
    code.op(Opcode::ld, 1, 13);
    code.li(11, 0x30000000);
    code.op(Opcode::ld, 1, 11);
    code.op(Opcode::time, 5);
    for (const unsigned reg : {2u, 5u}) {
        code.op(Opcode::st, reg, 13);
    }
    code.op(Opcode::halt);
    machine.load(code);
    Assembler handler(kHandler);
    handler.li(11, 0x8000);
    handler.op(Opcode::iret);
    machine.load(handler);
    machine.add(0x1000, kHandler);
    machine.resume();
    const std::vector<Event> events = machine.wait_for(2);
    // time, four loads, an address, the load that faults, the handler, the load again
    CHECK(events[1].value - events[0].value == 1 + 4 + 1 + 1 + 2 + 1);
}

TEST_CASE("while all are halted, time jumps to the next deadline", "[insn]") {
    Machine machine(2, {{"thread", "single"}, {"clock", "insn"}});
    Assembler code(0x1000);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(5, 2'000'000'000);  // of the guest's nanoseconds, not of the test's
    code.op(Opcode::ei);
    const uint64_t loop = code.pc();
    code.op(Opcode::timer, 5);
    code.op(Opcode::halt);
    code.jmp(loop);
    machine.load(code);
    Assembler handler(kHandler);
    handler.op(Opcode::time, 1);
    handler.op(Opcode::st, 1, 13);
    handler.op(Opcode::iret);
    machine.load(handler);
    machine.add(0x1000, kHandler);
    machine.add(0x1000, kHandler);
    machine.resume();
    const std::vector<Event> events = machine.wait_for(2'000);
    CHECK(events[1'999].value > 1'999'000'000'000);
}

TEST_CASE(
    "with insn-sleep=on time passes as the host's does while all are halted, and comes to deadlines exactly",
    "[insn]") {
    constexpr int64_t kDelay = 30'000'000;
    constexpr int kTimes = 4;
    std::vector<Event> before;
    for (int again = 0; again < 2; ++again) {
        Machine machine(1,
                        {{"thread", "single"}, {"clock", "insn"}, {"insn-shift", "2"}, {"insn-sleep", "on"}});
        REQUIRE(machine.error().empty());
        Assembler code(0x1000);
        code.li(13, static_cast<int64_t>(kDevice));
        code.li(5, kDelay);
        code.op(Opcode::ei);
        const uint64_t loop = code.pc();
        code.op(Opcode::time, 1);
        code.op(Opcode::timer, 5);
        code.op(Opcode::halt);
        code.jmp(loop);
        machine.load(code);
        Assembler handler(kHandler);
        handler.op(Opcode::time, 2);
        handler.op(Opcode::st, 1, 13);
        handler.op(Opcode::st, 2, 13);
        handler.op(Opcode::iret);
        machine.load(handler);
        machine.add(0x1000, kHandler);
        const auto began = std::chrono::steady_clock::now();
        machine.resume();
        std::vector<Event> events = machine.wait_for(2 * kTimes);
        events.resize(2 * kTimes);
        // A busy host may take longer, and nothing may take less.
        CHECK(std::chrono::steady_clock::now() - began >= std::chrono::nanoseconds(kTimes * kDelay));
        for (int i = 0; i < kTimes; ++i) {
            CHECK(events[2 * i + 1].value - events[2 * i].value == static_cast<uint64_t>(kDelay) + 4);
        }
        CHECK((again == 0 || events == before));
        before = events;
    }
}

TEST_CASE("how long an instruction takes is said with clock=insn alone", "[insn]") {
    for (const toy::Properties& properties :
         {toy::Properties{{"insn-shift", "1"}}, toy::Properties{{"insn-sleep", "on"}},
          toy::Properties{{"thread", "single"}, {"insn-shift", "auto"}}}) {
        CHECK(Machine(1, properties).error() == "insn-shift and insn-sleep need clock=insn");
    }
    CHECK(Machine(1, {{"thread", "single"}, {"clock", "insn"}, {"insn-shift", "auto"}}).error() ==
          "insn-shift=auto needs insn-sleep=on");
}

TEST_CASE("insn-shift=auto follows the host's clock", "[insn]") {
    using weft::accel::InsnRate;
    constexpr uint64_t kSecond = 1'000'000'000;
    // A host that does so many instructions a second, whatever the guest's clock makes of them.
    const auto seconds_apart = [](InsnRate& rate, uint64_t insns_a_second, int host_seconds) {
        uint64_t guest = 0;
        uint64_t host = 0;
        while (host < static_cast<uint64_t>(host_seconds) * kSecond) {
            if (rate.check_at_ns() <= guest) {
                rate.adjust(guest, host);
            }
            // A thousandth of a second of the host's.
            guest += (insns_a_second / 1000) << rate.shift();
            host += kSecond / 1000;
        }
        return (static_cast<double>(guest) - static_cast<double>(host)) / static_cast<double>(kSecond);
    };
    for (const uint64_t speed : {3'000'000u, 40'000'000u, 100'000'000u, 700'000'000u}) {
        InsnRate rate = InsnRate::automatic();
        INFO(speed << " instructions a second");
        const double apart = seconds_apart(rate, speed, 60);
        CHECK(apart > -1.5);
        CHECK(apart < 1.5);
    }
    // Faster than one an ns, slower than one a microsecond: as near as it can be.
    InsnRate fast = InsnRate::automatic();
    CHECK(seconds_apart(fast, 4'000'000'000, 10) > 0);
    CHECK(fast.shift() == 0);
    InsnRate slow = InsnRate::automatic();
    CHECK(seconds_apart(slow, 100'000, 10) < 0);
    CHECK(slow.shift() == InsnRate::kMaxShift);

    // One that is said stays.
    InsnRate fixed(6);
    CHECK(fixed.check_at_ns() == weft::accel::kNever);

    // A pause of an hour is not made up for; nor a saved machine's time.
    InsnRate paused = InsnRate::automatic();
    paused.adjust(kSecond, kSecond);
    paused.adjust(2 * kSecond, 3600 * kSecond);
    const unsigned after_pause = paused.shift();
    paused.adjust(4 * kSecond, 3602 * kSecond);
    CHECK(paused.shift() == after_pause);
    paused.time_was_set();
    CHECK(paused.check_at_ns() == 0);
    paused.adjust(1'000'000 * kSecond, 3603 * kSecond);
    CHECK(paused.shift() == after_pause);
}
