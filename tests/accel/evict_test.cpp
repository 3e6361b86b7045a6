// evict=region with a code buffer that is much too small: the guest sees nothing of it.
#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "tests/accel/toy_machine.h"
#include "tests/support/random.h"
#include "tests/support/wait.h"

using namespace toy;

namespace {

constexpr uint64_t kFunctions = 0x100000;  // called through tables
constexpr uint64_t kFunctionStep = 272;    // so that some lie across a page's end
constexpr unsigned kFunctionCount = 3000;  // twice as much code as there is space
constexpr uint64_t kTables = 0x300000;     // one a vCPU: addresses, ended by 0
constexpr uint64_t kTableStep = 0x20000;

uint64_t function_address(unsigned number) { return kFunctions + number * kFunctionStep; }

// Each adds its number to r1, in three units of which two are linked, loads what r3 points to into r11 a few times (which
// makes much code), and goes back to r12.
void load_functions(Machine& machine) {
    for (unsigned i = 0; i < kFunctionCount; ++i) {
        Assembler code(function_address(i));
        code.addi(1, i);
        const auto never = code.bne_later(14, 15);
        code.addi(1, 1);
        const auto next = code.jmp_later();
        code.land(never);
        code.op(Opcode::illegal);
        code.land(next);
        code.addi(1, -1);
        for (int filler = 0; filler < 36; ++filler) {
            code.op(Opcode::ld, 11, 3);
        }
        code.op(Opcode::jr, 12);
        machine.load(code);
    }
}

// Calls the functions of its table, `rounds` times, and tells r1.
Assembler caller_program(uint64_t pc, uint64_t table, int64_t rounds) {
    Assembler code(pc);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(2, rounds);
    const uint64_t round = code.pc();
    code.li(3, static_cast<int64_t>(table));
    const uint64_t next = code.pc();
    code.op(Opcode::ld, 4, 3);
    code.addi(3, 8);
    const auto back = code.li_later(12);
    const auto call = code.bne_later(4, 14);
    code.addi(2, -1);
    code.bne(2, 14, round);
    code.op(Opcode::st, 1, 13);
    code.op(Opcode::halt);
    code.land(call);
    code.op(Opcode::jr, 4);
    code.land(back);
    code.jmp(next);
    return code;
}

// Fills a table with `count` functions in random order, many of them more than once; the sum of their numbers.
uint64_t load_table(Machine& machine, uint64_t table, unsigned count, weft::test::Random& random) {
    std::vector<uint8_t> bytes;
    uint64_t sum = 0;
    for (unsigned i = 0; i <= count; ++i) {
        // A quarter of the calls goes to a few functions, which are called while their regions go.
        const auto number = static_cast<unsigned>(random.below(i % 4 != 0 ? kFunctionCount : 64));
        sum += i == count ? 0 : number;
        const uint64_t address = i == count ? 0 : function_address(number);
        for (unsigned byte = 0; byte < 8; ++byte) {
            bytes.push_back(static_cast<uint8_t>(address >> 8 * byte));
        }
    }
    machine.poke(table, bytes);
    return sum;
}

bool full() { return std::getenv("WEFT_TEST_FULL") != nullptr; }

// Calls in a table.
unsigned call_count() { return full() ? 8000 : 3000; }

struct Way {
    const char* thread;
    const char* split_wx;
};

}  // namespace

TEST_CASE("the guest does not see that regions were evicted", "[evict]") {
    INFO("WEFT_TEST_SEED=" << weft::test::test_seed());
    weft::test::Random random(weft::test::test_seed());
    std::vector<Way> ways = {{"multi", "on"}, {"single", "off"}};
    if (full()) {
        ways.insert(ways.end(), {{"multi", "off"}, {"single", "on"}});
    }
    for (const Way& way : ways) {
        INFO(way.thread << ", split-wx " << way.split_wx);
        Machine machine(
            4, {{"tb-size", "1"}, {"thread", way.thread}, {"split-wx", way.split_wx}, {"evict", "region"}});
        REQUIRE(machine.error().empty());
        load_functions(machine);
        const int64_t rounds = full() ? 4 : 2;
        std::multiset<uint64_t> expected;
        for (unsigned cpu = 0; cpu < 4; ++cpu) {
            const uint64_t table = kTables + cpu * kTableStep;
            expected.insert(load_table(machine, table, call_count(), random) * static_cast<uint64_t>(rounds));
            machine.load(caller_program(0x1000 * (cpu + 1), table, rounds));
            machine.add(0x1000 * (cpu + 1));
        }
        machine.resume();
        std::multiset<uint64_t> sums;
        for (const Event& event : machine.wait_for(4)) {
            sums.insert(event.value);
        }
        machine.pause();
        CHECK(sums == expected);
        CHECK(machine.stat("evictions") >= 5);
        CHECK(machine.stat("evicted_blocks") >= 10 * machine.stat("evictions"));
        CHECK(machine.stat("code_size") <= machine.stat("code_capacity"));
        if (std::string(way.thread) == "single" && std::getenv("WEFT_TEST_WORKERS") == nullptr) {
            // Nobody else has to be waited for.
            CHECK(machine.stat("flushes") == 0);
            CHECK(machine.stat("eviction_waits") == 0);
        }
    }
}

TEST_CASE("a vCPU that never looks up anything does not hold up evictions, and goes on", "[evict]") {
    Machine machine(2, {{"tb-size", "1"}, {"evict", "region"}});
    weft::test::Random random(weft::test::test_seed());
    load_functions(machine);
    const uint64_t sum = load_table(machine, kTables, call_count(), random);
    machine.load(caller_program(0x1000, kTables, 2));
    // A loop of linked units, which the end of the other one's work stops.
    constexpr uint64_t kStop = 0x9000;
    Assembler spinner(0x4000);
    spinner.li(13, static_cast<int64_t>(kDevice));
    spinner.li(3, kStop);
    const uint64_t loop = spinner.pc();
    spinner.addi(1, 1);
    spinner.op(Opcode::ld, 4, 3);
    const auto stop = spinner.bne_later(4, 14);
    spinner.jmp(loop);
    spinner.land(stop);
    spinner.op(Opcode::st, 4, 13);
    spinner.op(Opcode::halt);
    machine.load(spinner);
    machine.add(0x1000);
    machine.add(0x4000);
    machine.resume();
    CHECK(machine.wait_for(1)[0].value == 2 * sum);
    CHECK(machine.stat("evictions") >= 5);
    CHECK(machine.stat("flushes") == 0);
    machine.pause();
    machine.poke(kStop, {42});
    machine.resume();
    CHECK(machine.wait_for(2)[1].value == 42);
}

TEST_CASE("a vCPU sees after its fence what another has written, whatever is evicted meanwhile", "[evict]") {
    // The function at kWritten loads r6 with a number, which vCPU 0 counts up. vCPU 1 reads the number announced, fences,
    // and calls the function: it must not get less. All but vCPU 1 fill the code buffer.
    constexpr uint64_t kWritten = 0xa000;
    constexpr uint64_t kAnnounced = 0xb000;
    constexpr int64_t kRounds = 400;
    constexpr unsigned kCalls = 8;  // of other functions, in a round
    for (const char* thread : {"multi", "single"}) {
        Machine machine(4, {{"tb-size", "1"}, {"thread", thread}, {"evict", "region"}});
        weft::test::Random random(weft::test::test_seed());
        load_functions(machine);
        load_table(machine, kTables, kRounds * kCalls, random);
        Assembler written(kWritten);
        written.li(6, 0);
        written.op(Opcode::jr, 12);
        machine.load(written);

        Assembler writer(0x1000);
        writer.li(13, static_cast<int64_t>(kDevice));
        writer.li(8, kWritten);
        writer.li(3, kAnnounced);
        writer.li(7, 0x10000);  // makes the number of `li` one more
        writer.li(10, kRounds);
        writer.li(9, static_cast<int64_t>(kTables));
        writer.op(Opcode::ld, 6, 8);
        const uint64_t again = writer.pc();
        writer.op(Opcode::add, 6, 7);
        writer.op(Opcode::st, 6, 8);
        writer.addi(2, 1);
        writer.op(Opcode::st, 2, 3);
        for (unsigned call = 0; call < kCalls; ++call) {
            writer.op(Opcode::ld, 4, 9);
            writer.addi(9, 8);
            const auto back = writer.li_later(12);
            writer.op(Opcode::jr, 4);
            writer.land(back);
        }
        writer.bne(2, 10, again);
        writer.op(Opcode::halt);
        machine.load(writer);

        // Numbers stay as they were or grow, one at a time, so that "not less" is: equal, or one of those that follow; r6
        // is counted up to r5 or the end.
        Assembler reader(0x2000);
        reader.li(13, static_cast<int64_t>(kDevice));
        reader.li(8, kWritten);
        reader.li(3, kAnnounced);
        reader.li(10, kRounds);
        reader.li(11, kRounds + 1);
        const uint64_t look = reader.pc();
        reader.op(Opcode::ld, 5, 3);
        reader.op(Opcode::fence_i);
        const auto back = reader.li_later(12);
        reader.op(Opcode::jr, 8);
        reader.land(back);
        const uint64_t compare = reader.pc();
        const auto next = reader.bne_later(6, 5);
        const auto go_on = reader.bne_later(5, 10);
        reader.li(1, 1);
        reader.op(Opcode::st, 1, 13);
        reader.op(Opcode::halt);
        reader.land(next);
        reader.addi(5, 1);
        reader.bne(5, 11, compare);
        reader.li(1, 2);  // less
        reader.op(Opcode::st, 1, 13);
        reader.op(Opcode::halt);
        reader.land(go_on);
        reader.jmp(look);
        machine.load(reader);

        machine.add(0x1000);
        machine.add(0x2000);
        for (unsigned cpu = 2; cpu < 4; ++cpu) {
            const uint64_t table = kTables + (cpu - 1) * kTableStep;
            load_table(machine, table, call_count(), random);
            machine.load(caller_program(0x1000 * (cpu + 1), table, 1'000'000));
            machine.add(0x1000 * (cpu + 1));
        }
        machine.resume();
        CHECK(machine.wait_for(1)[0].value == 1);
        CHECK(machine.stat("evictions") >= 1);
        machine.pause();
    }
}

TEST_CASE("vCPUs come, are paused and go while regions are evicted", "[evict]") {
    Machine machine(8, {{"tb-size", "1"}, {"evict", "region"}});
    weft::test::Random random(weft::test::test_seed());
    load_functions(machine);
    for (unsigned cpu = 0; cpu < 3; ++cpu) {
        const uint64_t table = kTables + cpu * kTableStep;
        load_table(machine, table, call_count(), random);
        machine.load(caller_program(0x1000 * (cpu + 1), table, 1'000'000));
    }
    machine.add(0x1000);
    machine.add(0x2000);
    machine.resume();
    uint64_t seen = 0;
    for (int round = 0; round < 6; ++round) {
        machine.pause();
        const uint32_t index = machine.add(0x3000);
        machine.resume();
        weft::test::wait_until([&] { return machine.stat("evictions") >= seen + 3; });
        machine.remove(index);
        seen = machine.stat("evictions");
    }
    machine.pause();
}

TEST_CASE("a unit that does not fit into an empty region is made of fewer instructions", "[evict]") {
    // Regions are smallest where many vCPUs share a small buffer; a page full of loads is much larger.
    for (const char* evict : {"region", "flush"}) {
        Machine machine(16, {{"tb-size", "1"}, {"evict", evict}});
        Assembler code(0x2000);
        code.li(13, static_cast<int64_t>(kDevice));
        code.li(3, 0x8000);
        code.li(2, 3);
        const uint64_t again = code.pc();
        code.jmp(0x3000);
        machine.load(code);
        Assembler page(0x3000);
        // Each from the address that the one before has loaded, so that none knows anything of its address.
        while (page.pc() < 0x3fe0) {
            page.op(Opcode::ld, 3, 3);
        }
        page.addi(1, 1);
        page.addi(2, -1);
        page.bne(2, 14, again);
        page.op(Opcode::st, 1, 13);
        page.op(Opcode::st, 3, 13);
        page.op(Opcode::halt);
        machine.load(page);
        machine.poke(0x8000, {0x00, 0x80});
        machine.add(0x2000);
        machine.resume();
        CHECK(machine.wait_for(2) == std::vector<Event>{{0, 3}, {0, 0x8000}});
        machine.pause();
        // The interpreter's code for it is small enough, and a store has the shorter ones already.
        const char* backend = std::getenv("WEFT_TEST_BACKEND");
        if (std::string(evict) == "region" && std::getenv("WEFT_TEST_CACHE") == nullptr &&
            backend != nullptr && std::string(backend) == "native") {
            CHECK(machine.stat("translations_retried") > 3);
        }
    }
}

TEST_CASE("an instruction whose code fits into no region is a fatal error, which names it", "[evict]") {
    const char* backend = std::getenv("WEFT_TEST_BACKEND");
    const bool native = backend != nullptr && std::string(backend) == "native";
    struct Row {
        const char* evict;
        uint32_t vcpus;  // with 16 of them regions are small
        int64_t loads;
        const char* what;
    };
    std::vector<Row> rows = {
        {"region", 16, 2000, "more than an empty region"},
        {"flush", 1, 5000, "more than a unit of IR has temps"},
    };
    if (native) {
        rows.push_back({"flush", 1, 3000, "more than the offsets in a unit reach"});
    }
    for (const Row& row : rows) {
        INFO(row.what);
        Machine machine(row.vcpus, {{"tb-size", "1"}, {"evict", row.evict}});
        machine.expect_fatal();
        Assembler code(0x2000);
        code.li(13, static_cast<int64_t>(kDevice));
        code.li(3, 0x8000);
        code.op(Opcode::st, 3, 13);
        const uint64_t at = code.pc();
        code.op(Opcode::loads, 11, 3, row.loads);
        code.op(Opcode::st, 11, 13);
        code.op(Opcode::halt);
        machine.load(code);
        machine.add(0x2000);
        machine.resume();
        char expected[100];
        std::snprintf(
            expected, sizeof(expected),
            "cannot translate the instruction at %#lx: its translation does not fit into an empty region",
            static_cast<unsigned long>(at));
        CHECK(machine.wait_for_fatal(1)[0] == expected);
        // What stands before it was done, and nothing behind it ever is.
        machine.pause();
        machine.resume();
        machine.pause();
        CHECK(machine.events() == std::vector<Event>{{0, 0x8000}});
        CHECK(machine.wait_for_fatal(1).size() == 1);
    }
}
