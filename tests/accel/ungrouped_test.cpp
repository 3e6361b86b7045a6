// Shared TLB probes whose windows reach over page ends.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <string_view>

#include "accel/tcg/blocks/code_set.h"
#include "accel/tcg/blocks/uncarried_code.h"
#include "accel/tcg/vcpu/miss_rate.h"
#include "accel/tcg/vcpu/samples.h"
#include "tcg/exec_state.h"
#include "tests/accel/toy_machine.h"

using namespace toy;
using weft::accel::CodeSet;
using weft::accel::MissRate;
using weft::accel::Samples;
using weft::accel::UncarriedCode;

namespace {

constexpr uint64_t kMillisecond = 1'000'000;

// Straddles `count` times, `step_ns` apart from `now` on: how often that was too often.
unsigned crossings(MissRate& meter, uint64_t host_pc, uint64_t* now, unsigned count, uint64_t step_ns) {
    unsigned times = 0;
    for (unsigned i = 0; i < count; ++i) {
        times += meter.too_often(host_pc, [&] { return *now; }) ? 1u : 0u;
        *now += step_ns;
    }
    return times;
}

}  // namespace

TEST_CASE("crossing pages is too often by its rate, not by its number", "[ungrouped]") {
    MissRate meter(32);
    uint64_t now = 5'000 * kMillisecond;
    CHECK(crossings(meter, 0x7000, &now, 10'000, kMillisecond) == 0);
    CHECK(crossings(meter, 0x7000, &now, 100, 1000) >= 1);
}

TEST_CASE("places are counted apart", "[ungrouped]") {
    MissRate meter(32);
    uint64_t now = 0;
    for (uint64_t pc = 0x10'0000; pc < 0x20'0000; pc += 0x101) {
        CHECK(crossings(meter, pc, &now, 10, 1) == 0);
    }
}

TEST_CASE("code that needs a probe for each access is known by its start", "[ungrouped]") {
    CodeSet lone;
    CHECK_FALSE(lone.contains(0x1000));
    lone.add(0x1000);
    CHECK(lone.contains(0x1000));
    CHECK_FALSE(lone.contains(0x1002));
}

TEST_CASE("accesses of a group reach two pages that are no neighbours, and the code gives up sharing",
          "[ungrouped]") {
    constexpr uint64_t kData = 0x20000;
    constexpr int64_t kRounds = 100'000;
    Machine machine(1);
    // r4 = base, 16 bytes before a page's end: words at -8, 0, 8 in the first page, at 16 and 24 in the next.
    Assembler code(0x1000);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(2, kRounds);
    code.li(3, 0x1000);  // the base is made from parts, for it is too large for a number
    code.op(Opcode::ldd, 4, 3, -8);
    const uint64_t loop = code.pc();
    for (int64_t at = -8; at <= 24; at += 8) {
        code.op(Opcode::ldd, 5, 4, at);
        code.addi(5, at + 9);
        code.op(Opcode::std, 5, 4, at);
    }
    code.addi(2, -1);
    code.bne(2, 14, loop);
    for (int64_t at = -8; at <= 24; at += 8) {
        code.op(Opcode::ldd, 5, 4, at);
        code.op(Opcode::st, 5, 13);
    }
    code.op(Opcode::halt);
    code.jmp(code.pc());
    machine.load(code);
    std::vector<uint8_t> base;
    for (unsigned i = 0; i < 8; ++i) {
        base.push_back(static_cast<uint8_t>((kSwapped + kData + 0xff0) >> 8 * i));
    }
    machine.poke(0x1000 - 8, base);
    machine.add(0x1000);
    machine.resume();
    const std::vector<Event> events = machine.wait_for(5);
    machine.pause();
    for (uint64_t i = 0; i < 5; ++i) {
        CHECK(events.at(i).value == kRounds * (8 * i + 1));
    }
    // The pages are exchanged: the first one's words are in the second, and the other way round.
    CHECK(machine.peek(kData + 0x1000 + 0xff0) == kRounds * 9);
    CHECK(machine.peek(kData) == kRounds * 25);
    // The interpreter has no probes.
    const char* const backend = std::getenv("WEFT_TEST_BACKEND");
    const bool native = backend != nullptr && std::string_view(backend) == "native";
    CHECK((machine.stat("groups_disabled") >= 1) == native);
}

TEST_CASE("accesses that do not carry pages are known by their page and place", "[ungrouped]") {
    UncarriedCode uncarried;
    CHECK(uncarried.of(0x3000) == 0);
    uncarried.add(0x3000, 0x10);
    uncarried.add(0x3000, 0x210);  // 512 bytes on: the same place
    CHECK(uncarried.of(0x3000) == uint64_t{1} << 2);
    uncarried.add(0x3000, 0xffe);
    CHECK(uncarried.of(0x3000) == (uint64_t{1} << 2 | uint64_t{1} << 63));
    CHECK(uncarried.of(0x4000) == 0);
}

TEST_CASE("an access that finds another page each time gives up carrying, and others do not", "[ungrouped]") {
    // A hundred times as many as are needed within 10 ms: a host has to stop for long again and again to have none of them.
    constexpr int64_t kRounds = 1'000'000;
    Machine machine(1);
    // Two pages, in turn, and a third one that is always the same.
    Assembler code(0x1000);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(2, kRounds);
    code.li(3, 0x10000);
    code.li(4, 0x11000);
    code.li(6, 0x12000);
    const uint64_t loop = code.pc();
    code.op(Opcode::ldd, 5, 3, 0);
    code.addi(5, 1);
    code.op(Opcode::std, 5, 3, 0);
    code.op(Opcode::ldd, 5, 6, 0);
    code.addi(5, 1);
    code.op(Opcode::std, 5, 6, 0);
    for (const auto& [to, from] : {std::pair{7, 3}, std::pair{3, 4}, std::pair{4, 7}}) {
        code.li(to, 0);
        code.op(Opcode::add, to, from);
    }
    code.addi(2, -1);
    code.bne(2, 14, loop);
    for (const int base : {3, 4, 6}) {
        code.op(Opcode::ldd, 5, base, 0);
        code.op(Opcode::st, 5, 13);
    }
    code.op(Opcode::halt);
    code.jmp(code.pc());
    machine.load(code);
    machine.add(0x1000);
    machine.resume();
    const std::vector<Event> events = machine.wait_for(3);
    machine.pause();
    CHECK(events.at(0).value == kRounds / 2);
    CHECK(events.at(1).value == kRounds / 2);
    CHECK(events.at(2).value == kRounds);
    const char* const backend = std::getenv("WEFT_TEST_BACKEND");
    const bool native = backend != nullptr && std::string_view(backend) == "native";
    CHECK(machine.stat("places_uncarried") ==
          (native ? 2 : 0));  // a load and a store; the interpreter carries none
}

TEST_CASE("where code that is used once misses its page, nothing is translated anew", "[ungrouped]") {
    Machine machine(1);
    // Misaligned loads never find a page. Each time that it is asked whose miss that was, it is the one of the device's code,
    // which is translated for each execution.
    Assembler once(kDeviceCode);
    once.op(Opcode::ldd, 5, 3, 0);
    once.op(Opcode::jr, 12);
    machine.set_device_code(once);
    Assembler code(0x1000);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(3, 0x10001);
    code.li(8, static_cast<int64_t>(kDeviceCode));
    code.li(2, 200);
    const uint64_t round = code.pc();
    code.li(9, weft::tcg::kCarriedMisses);
    const uint64_t inner = code.pc();
    code.op(Opcode::ldd, 5, 3, 0);
    code.addi(9, -1);
    code.bne(9, 14, inner);
    const auto back = code.li_later(12);
    code.op(Opcode::jr, 8);
    code.land(back);
    code.addi(2, -1);
    code.bne(2, 14, round);
    code.op(Opcode::st, 2, 13);
    code.op(Opcode::halt);
    code.jmp(code.pc());
    machine.load(code);
    machine.add(0x1000);
    machine.resume();
    CHECK(machine.wait_for(1).size() == 1);
}

TEST_CASE("what interrupts meet again and again is hot, whatever else they meet", "[ungrouped]") {
    Samples samples;
    unsigned hot = 0;
    // Each tenth time the same unit, else one that is met once.
    for (uint64_t i = 0; i < 1000; ++i) {
        if (i % 10 == 0) {
            hot += samples.hot(0x8000'1234) ? 1u : 0u;
        } else {
            CHECK_FALSE(samples.hot(0x9000'0000 + i * 0x56));
        }
    }
    CHECK(hot >= 20);
}

TEST_CASE("code that interrupts meet again and again is translated anew, to carry pages", "[ungrouped]") {
    const bool anew = GENERATE(true, false);
    Machine machine(1, anew ? Properties{} : Properties{{"disable", "carry-where-hot"}});
    // Units that lead to each other, none of them to itself.
    Assembler code(0x1000);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(3, 0x10000);
    code.op(Opcode::ei);
    const uint64_t first = code.pc();
    code.op(Opcode::ldd, 5, 3, 0);
    const auto second = code.jmp_later();
    code.addi(7, 1);
    code.land(second);
    code.addi(2, 1);
    code.jmp(first);
    machine.load(code);
    Assembler handler(0x3000);
    handler.addi(1, 1);
    handler.op(Opcode::st, 1, 13);
    handler.op(Opcode::iret);
    machine.load(handler);
    machine.add(0x1000, 0x3000);
    machine.resume();
    // On a busy host interrupts may follow each other so closely that none finds translated code.
    constexpr size_t kInterrupts = 100;
    constexpr size_t kMostInterrupts = 100'000;
    size_t taken = 0;
    while (taken < kInterrupts || (anew && machine.stat("units_carrying") == 0 && taken < kMostInterrupts)) {
        interrupt(machine.state(0));
        machine.await_events(++taken);
    }
    machine.pause();
    CHECK(machine.events().back().value == taken);
    CHECK((machine.stat("units_carrying") != 0) == anew);
    CHECK(machine.stat("units_carrying") <= 4);
}
