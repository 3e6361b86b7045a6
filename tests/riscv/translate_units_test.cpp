// Where translated units end, what they link on to, and which branches stay in them.
#include <catch2/catch.hpp>
#include <random>

#include "tests/riscv/test_seed.h"
#include "tests/riscv/translated_unit.h"

namespace weft::riscv {
namespace {

using ir::Opcode;

constexpr uint16_t kCAddi = 0x0505;    // c.addi a0, 1
constexpr uint32_t kRet = 0x00008067;  // jalr zero, 0(ra)

// beq a0, a1, distance
uint32_t beq(int32_t distance) {
    const uint32_t d = static_cast<uint32_t>(distance);
    return 0x00b50063 | (d >> 12 & 1) << 31 | (d >> 5 & 63) << 25 | (d >> 1 & 15) << 8 | (d >> 11 & 1) << 7;
}

// auipc ra, pages
uint32_t auipc(int32_t pages) { return 0x00000097 | static_cast<uint32_t>(pages) << 12; }
// jalr ra, distance(ra)
uint32_t jalr(int32_t distance) { return 0x000080e7 | static_cast<uint32_t>(distance) << 20; }

TEST_CASE("straight code runs to the end of the bytes and links on") {
    TestUnit unit;
    REQUIRE_GOOD(unit, Code().word(kAddi).half(kCAddi).word(kAddi), {.page_offset = 0x100});
    CHECK(unit.unit().insn_count == 3);
    CHECK(unit.unit().guest_size == 10);
    const auto starts = unit.ops_of(Opcode::insn_start);
    REQUIRE(starts.size() == 3);
    CHECK(starts[0].aux == 0x100);
    CHECK(starts[1].aux == 0x104);
    CHECK(starts[2].aux == 0x106);
    const auto exits = unit.ops_of(Opcode::goto_tb);
    REQUIRE(exits.size() == 1);
    CHECK(goto_target(exits[0]) == 0x10a);
    const auto checks = unit.ops_of(Opcode::exit_check);
    REQUIRE(checks.size() == 1);
    CHECK(checks[0].aux == 3);
    CHECK(checks[0].cond == 0);
}

TEST_CASE("a unit takes no more instructions than asked for") {
    TestUnit unit;
    REQUIRE_GOOD(unit, Code().word(kAddi).word(kAddi).word(kAddi), {.max_insns = 2});
    CHECK(unit.unit().insn_count == 2);
    CHECK(goto_target(unit.ops_of(Opcode::goto_tb).at(0)) == 8);

    Code long_code;
    for (unsigned i = 0; i < 1000; ++i) {
        long_code.half(kCAddi);
    }
    TestUnit longest;
    REQUIRE_GOOD(longest, long_code, {.max_insns = 1000});
    CHECK(longest.unit().insn_count == kMaxUnitInsns);
}

TEST_CASE("one instruction a unit is left by lookup") {
    TestUnit unit;
    REQUIRE_GOOD(unit, Code().word(kAddi).word(kAddi), {.one_insn_per_tb = true});
    CHECK(unit.unit().insn_count == 1);
    CHECK(unit.count(Opcode::goto_tb) == 0);
    CHECK(unit.exit_offset(unit.ops_of(Opcode::lookup_and_goto_ptr).at(0)) == 4);

    TestUnit branching;
    REQUIRE_GOOD(branching, Code().word(beq(8)).word(kAddi), {.one_insn_per_tb = true});
    CHECK(branching.unit().insn_count == 1);
    CHECK(branching.count(Opcode::goto_tb) == 0);
    CHECK(branching.count(Opcode::lookup_and_goto_ptr) == 2);
}

TEST_CASE("units end with the page") {
    TestUnit unit;
    REQUIRE_GOOD(unit, Code().word(kAddi).half(kCAddi).word(kAddi), {.page_offset = 4090});
    CHECK(unit.unit().insn_count == 2);
    CHECK(unit.unit().guest_size == 6);
    CHECK(unit.count(Opcode::goto_tb) == 0);
    CHECK(unit.exit_offset(unit.ops_of(Opcode::lookup_and_goto_ptr).at(0)) == 4096);
}

TEST_CASE("an instruction that straddles pages is a unit of its own") {
    SECTION("the unit before it ends, and does not link to it") {
        TestUnit unit;
        const bool both_pages = GENERATE(false, true);
        Code code;
        code.word(kAddi).half(static_cast<uint16_t>(kAddi));
        if (both_pages) {
            code.half(kAddi >> 16).word(kAddi);
        }
        REQUIRE_GOOD(unit, code, {.page_offset = 4090});
        CHECK(unit.unit().insn_count == 1);
        CHECK(unit.unit().guest_size == 4);
        CHECK(unit.count(Opcode::goto_tb) == 0);
        CHECK(unit.exit_offset(unit.ops_of(Opcode::lookup_and_goto_ptr).at(0)) == 4094);
    }
    SECTION("without its second half more is needed") {
        TestUnit unit;
        CHECK(translate_code(&unit, Code().half(static_cast<uint16_t>(kAddi)), {.page_offset = 4094}) ==
              TranslateStatus::need_more);
        TestUnit empty;
        CHECK(translate_code(&empty, Code()) == TranslateStatus::need_more);
    }
    SECTION("with it it is one instruction, left by lookup") {
        TestUnit unit;
        REQUIRE_GOOD(unit, Code().word(kAddi).word(kAddi), {.page_offset = 4094});
        CHECK(unit.unit().insn_count == 1);
        CHECK(unit.unit().guest_size == 4);
        CHECK(unit.exit_offset(unit.ops_of(Opcode::lookup_and_goto_ptr).at(0)) == 4098);
    }
    SECTION("a branch that straddles links nowhere") {
        TestUnit unit;
        REQUIRE_GOOD(unit, Code().word(beq(-64)), {.page_offset = 4094});
        CHECK(unit.count(Opcode::goto_tb) == 0);
        CHECK(unit.count(Opcode::lookup_and_goto_ptr) == 2);
    }
    SECTION("no jump links to where one may be") {
        TestUnit unit;
        REQUIRE_GOOD(unit, Code().word(jal(8)), {.page_offset = 4086});
        CHECK(unit.count(Opcode::goto_tb) == 0);
        CHECK(unit.exit_offset(unit.ops_of(Opcode::lookup_and_goto_ptr).at(0)) == 4094);
    }
    SECTION("a compressed instruction at the page's end is an ordinary one") {
        TestUnit unit;
        REQUIRE_GOOD(unit, Code().half(kCAddi), {.page_offset = 4094});
        CHECK(unit.unit().guest_size == 2);
        CHECK(unit.exit_offset(unit.ops_of(Opcode::lookup_and_goto_ptr).at(0)) == 4096);
    }
}

TEST_CASE("where pages are fixed, jumps link to other pages") {
    const TranslateOptions fixed{.page_offset = 0x800, .fixed_pages = true};
    const auto target = [&](const Code& code, const TranslateOptions& options) {
        TestUnit unit;
        REQUIRE_GOOD(unit, code, options);
        REQUIRE(unit.count(Opcode::goto_tb) == 1);
        return goto_target(unit.ops_of(Opcode::goto_tb).at(0));
    };
    const auto looks_up = [&](const Code& code, const TranslateOptions& options) {
        TestUnit unit;
        REQUIRE_GOOD(unit, code, options);
        REQUIRE(unit.count(Opcode::goto_tb) == 0);
        return unit.exit_offset(unit.ops_of(Opcode::lookup_and_goto_ptr).at(0));
    };
    CHECK(target(Code().word(jal(0x1000)), fixed) == 0x1800);
    CHECK(target(Code().word(jal(-0x1000)), fixed) == -0x800);
    CHECK(looks_up(Code().word(jal(0x1000)), {.page_offset = 0x800}) == 0x1800);
    CHECK(target(Code().word(kAddi), {.page_offset = 4092, .fixed_pages = true}) == 4096);
    // One that straddles leads on as any other; none leads to where one may be.
    CHECK(target(Code().word(kAddi).word(kAddi), {.page_offset = 4094, .fixed_pages = true}) == 4098);
    CHECK(looks_up(Code().word(jal(0x17fe)), fixed) == 0x1ffe);
    CHECK(looks_up(Code().word(jal(-0x802)), fixed) == -2);

    TestUnit branching;
    REQUIRE_GOOD(branching, Code().word(beq(-0x1000)).word(kRet), fixed);
    CHECK(goto_target(branching.ops_of(Opcode::goto_tb).at(0)) == -0x800);

    // auipc and jalr, as linkers write calls.
    CHECK(target(Code().word(auipc(3)).word(jalr(-16)), fixed) == 0x37f0);
    CHECK(target(Code().word(auipc(-2047)).word(jalr(17)), fixed) == -0x7fe7f0);
    CHECK(target(Code().word(auipc(0)).word(jalr(16)), {.page_offset = 0x800}) == 0x810);
    CHECK(target(Code().word(auipc(2048)).word(jalr(16)), fixed) == 0x800810);
    CHECK(target(Code().word(auipc(0x7ffff)).word(jalr(2044)), fixed) == 0x7ffffffc);
    CHECK(target(Code().word(auipc(-0x80000)).word(jalr(-2048)), fixed) == INT32_MIN);
    TestUnit beyond;
    REQUIRE_GOOD(beyond, Code().word(auipc(-0x80000)).word(jalr(-2048)),
                 {.page_offset = 0x400, .fixed_pages = true});
    CHECK(beyond.count(Opcode::goto_tb) == 0);
    CHECK(looks_up(Code().word(auipc(1)).word(jalr(16)), {.page_offset = 0x800}) == 0x1810);
    // c.addi ra, 1 in between: not known any more.
    TestUnit unknown;
    REQUIRE_GOOD(unknown, Code().word(auipc(3)).half(0x0085).word(jalr(-16)), fixed);
    CHECK(unknown.count(Opcode::goto_tb) == 0);
}

// The table of hints in "Unconditional Jumps" of the unprivileged specification.
TEST_CASE("calls and returns are told from other jumps") {
    const auto jalr_of = [](unsigned rd, unsigned rs1) { return 0x00000067 | rd << 7 | rs1 << 15; };
    const TranslateOptions wanted{.page_offset = 0x100, .return_points = true};
    struct Hints {
        bool call;
        bool returns;
        bool operator==(const Hints&) const = default;
    };
    const auto hints = [](const Code& code, const TranslateOptions& options) {
        TestUnit unit;
        REQUIRE_GOOD(unit, code, options);
        const auto jumps = unit.ops_of(Opcode::lookup_and_goto_ptr);
        return Hints{unit.count(Opcode::return_point) != 0, !jumps.empty() && (jumps.at(0).cond & 1) != 0};
    };
    for (unsigned rd = 0; rd < 8; ++rd) {
        for (unsigned rs1 = 0; rs1 < 8; ++rs1) {
            INFO("rd " << rd << ", rs1 " << rs1);
            const bool link = rd == 1 || rd == 5;
            CHECK(hints(Code().word(jalr_of(rd, rs1)), wanted) ==
                  Hints{link, !link && (rs1 == 1 || rs1 == 5)});
        }
        CHECK(hints(Code().word((jal(0x40) & ~0xf80u) | rd << 7), wanted).call == (rd == 1 || rd == 5));
    }
    CHECK(hints(Code().half(0x8082), wanted) == Hints{false, true});  // c.jr ra
    CHECK(hints(Code().half(0x9782), wanted) == Hints{true, false});  // c.jalr a5
    CHECK(hints(Code().word(jalr_of(1, 15)), {.page_offset = 0x100}) == Hints{false, false});
    CHECK(hints(Code().word(kRet), {.page_offset = 0x100}) == Hints{false, false});

    TestUnit called;
    REQUIRE_GOOD(called, Code().word(auipc(0)).word(jalr(64)), wanted);
    const auto points = called.ops_of(Opcode::return_point);
    REQUIRE(points.size() == 1);
    CHECK(goto_target(points[0]) == 0x108);
    CHECK(points[0].args[0] == gpr_global(1));
    CHECK(goto_target(called.ops_of(Opcode::goto_tb).at(0)) == 0x140);

    // Where a goto_tb may not lead, nothing returns by one: to another page, and to what may be straddling.
    CHECK(!hints(Code().word(jal(-0x40)), {.page_offset = 4092, .return_points = true}).call);
    CHECK(!hints(Code().word(jal(-0x40)), {.page_offset = 4090, .return_points = true}).call);
    CHECK(hints(Code().word(jal(-0x40)), {.page_offset = 4092, .fixed_pages = true, .return_points = true})
              .call);
    CHECK(!hints(Code().word(jal(0x40)), {.one_insn_per_tb = true, .return_points = true}).call);

    // Side exits come first.
    for (const unsigned branches : {ir::kMaxGotoTb - 2, ir::kMaxGotoTb - 1}) {
        Code code;
        for (unsigned i = 0; i < branches; ++i) {
            code.word(beq(64));
        }
        code.word(jal(0x40));
        TestUnit unit;
        REQUIRE_GOOD(unit, code, {.return_points = true});
        CHECK(unit.count(Opcode::return_point) == (branches + 2 <= ir::kMaxGotoTb ? 1 : 0));
    }
}

TEST_CASE("a unit goes on behind a branch, whose taken side leaves at its end") {
    TestUnit unit;
    REQUIRE_GOOD(unit, Code().word(kAddi).word(beq(-4)).word(kAddi).word(beq(64)).word(kRet),
                 {.page_offset = 0x200});
    CHECK(unit.unit().insn_count == 5);
    CHECK(unit.count(Opcode::brcond) == 2);
    const auto exits = unit.ops_of(Opcode::goto_tb);
    REQUIRE(exits.size() == 2);
    CHECK(goto_target(exits[0]) == 0x200);
    CHECK(goto_target(exits[1]) == 0x24c);
    const auto checks = unit.ops_of(Opcode::exit_check);
    REQUIRE(checks.size() == 3);  // the return's first
    CHECK(checks[0].aux == 5);
    CHECK(checks[0].cond == 1);
    CHECK(checks[1].aux == 2);
    CHECK(checks[1].cond == 1);
    CHECK(checks[2].aux == 4);
    CHECK(checks[2].cond == 0);
}

TEST_CASE("branches end a unit when its slots are used up") {
    Code code;
    for (unsigned i = 0; i < 20; ++i) {
        code.word(beq(64));
    }
    TestUnit unit;
    REQUIRE_GOOD(unit, code);
    CHECK(unit.unit().insn_count == ir::kMaxGotoTb - 1);
    CHECK(unit.count(Opcode::goto_tb) == ir::kMaxGotoTb);

    Code far;
    for (unsigned i = 0; i < 20; ++i) {
        far.word(beq(-512));  // out of the page: these take no slot
    }
    TestUnit leaving;
    REQUIRE_GOOD(leaving, far);
    CHECK(leaving.unit().insn_count == 20);
    CHECK(leaving.count(Opcode::lookup_and_goto_ptr) == 20);
}

// j distance
uint32_t j(int32_t distance) { return jal(distance) & ~0xf80u; }

TEST_CASE("a forward branch stays in a unit that may have such, if it comes to where that leads") {
    const Code code = Code().word(beq(8)).word(kAddi).word(kAddi).word(kRet);
    TestUnit unit;
    REQUIRE_GOOD(unit, code, {.page_offset = 0x200, .inner_branches = true});
    CHECK(unit.unit().insn_count == 4);
    CHECK(unit.count(Opcode::brcond) == 1);
    CHECK(unit.count(Opcode::goto_tb) == 0);
    const auto ops = unit.ops();
    for (size_t i = 0; i < ops.size(); ++i) {
        if (ops[i].code == Opcode::set_label) {
            CHECK(ops.at(i + 1).code == Opcode::insn_start);
            CHECK(ops.at(i + 1).aux == 0x208);
        }
    }
    CHECK(unit.count(Opcode::set_label) == 1);

    TestUnit leaving;
    REQUIRE_GOOD(leaving, code, {.page_offset = 0x200});
    CHECK(goto_target(leaving.ops_of(Opcode::goto_tb).at(0)) == 0x208);

    TestUnit shorter;
    REQUIRE_GOOD(shorter, code, {.page_offset = 0x200, .max_insns = 2, .inner_branches = true});
    CHECK(shorter.count(Opcode::goto_tb) == 2);

    TestUnit single;
    REQUIRE_GOOD(single, code, {.one_insn_per_tb = true, .inner_branches = true});
    CHECK(single.unit().insn_count == 1);
    CHECK(single.count(Opcode::lookup_and_goto_ptr) == 2);
}

TEST_CASE("inner branches take no slots") {
    Code code;
    for (unsigned i = 0; i < 20; ++i) {
        code.word(beq(8)).word(kAddi);
    }
    TestUnit unit;
    REQUIRE_GOOD(unit, code.word(kRet), {.inner_branches = true});
    CHECK(unit.unit().insn_count == 41);
    CHECK(unit.count(Opcode::goto_tb) == 0);
}

TEST_CASE("branches that lead backwards or behind the page leave the unit") {
    TestUnit unit;
    REQUIRE_GOOD(unit, Code().word(kAddi).word(beq(-4)).word(beq(16)).word(kAddi).word(kAddi),
                 {.page_offset = kPageSize - 20, .inner_branches = true});
    CHECK(unit.count(Opcode::set_label) == 2);
    CHECK(unit.unit().insn_count == 5);
}

TEST_CASE("both sides of a fork are in a unit that may have inner branches") {
    // beq else; addi; j end; else: addi; end: ret
    const Code code = Code().word(beq(12)).word(kAddi).word(j(8)).word(kAddi).word(kRet);
    TestUnit unit;
    REQUIRE_GOOD(unit, code, {.inner_branches = true});
    CHECK(unit.unit().insn_count == 5);
    CHECK(unit.count(Opcode::br) == 1);
    CHECK(unit.count(Opcode::goto_tb) == 0);

    // The end is not reached: the jump has an exit of its own.
    TestUnit shorter;
    REQUIRE_GOOD(shorter, code, {.max_insns = 4, .inner_branches = true});
    CHECK(shorter.count(Opcode::br) == 1);
    const auto exits = shorter.ops_of(Opcode::goto_tb);
    REQUIRE(exits.size() == 2);
    CHECK(goto_target(exits[0]) == 16);
    CHECK(goto_target(exits[1]) == 16);

    TestUnit plain;
    REQUIRE_GOOD(plain, code);
    CHECK(plain.unit().insn_count == 3);

    // No branch has led behind the jump, or it is a call.
    TestUnit jumping;
    REQUIRE_GOOD(jumping, Code().word(beq(16)).word(kAddi).word(j(8)).word(kAddi).word(kRet),
                 {.inner_branches = true});
    CHECK(jumping.unit().insn_count == 3);
    TestUnit calling;
    REQUIRE_GOOD(calling, Code().word(beq(12)).word(kAddi).word(jal(8)).word(kAddi).word(kRet),
                 {.inner_branches = true});
    CHECK(calling.unit().insn_count == 3);
}

TEST_CASE("what is known of an address is forgotten where paths meet") {
    const Code code = Code().word(beq(8)).word(auipc(1)).word(jalr(4));
    TestUnit unit;
    REQUIRE_GOOD(unit, code, {.fixed_pages = true, .inner_branches = true});
    CHECK(unit.count(Opcode::lookup_and_goto_ptr) == 1);
    TestUnit known;
    REQUIRE_GOOD(known, code, {.fixed_pages = true});
    CHECK(known.count(Opcode::lookup_and_goto_ptr) == 0);
}

TEST_CASE("a unit that does not fit says so") {
    Code code;
    for (unsigned i = 0; i < 100; ++i) {
        code.word(kAddi);
    }
    TestUnit unit(tcg::UnitLimits{.max_ops = 64});
    CHECK(translate_code(&unit, code) == TranslateStatus::too_big);
    TestUnit smaller(tcg::UnitLimits{.max_ops = 64});
    CHECK(translate_code(&smaller, code, {.max_insns = 10}) == TranslateStatus::ok);
}

TEST_CASE("units of random instructions keep the rules of IR") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    std::mt19937_64 random(seed);
    for (unsigned round = 0; round < 20000; ++round) {
        Code code;
        for (unsigned i = 0; i < 8; ++i) {
            const InsnDesc& desc = kInsns[random() % kInsnCount];
            const uint32_t bits = (static_cast<uint32_t>(random()) & ~desc.mask) | desc.match;
            code.half(static_cast<uint16_t>(bits));
            if (desc.size == 4) {
                code.half(static_cast<uint16_t>(bits >> 16));
            }
        }
        constexpr MmuMode kModes[] = {MmuMode::user, MmuMode::supervisor, MmuMode::machine, MmuMode::machine};
        constexpr Priv kPrivs[] = {Priv::user, Priv::supervisor, Priv::machine, Priv::machine};
        const unsigned level = random() % 4;
        const FpState fp = static_cast<FpState>(random() % 3);
        const TbFlags flags(kPrivs[level], kModes[level], kModes[level], fp,
                            fp == FpState::off ? 0 : static_cast<unsigned>(random() % 8));
        TestUnit unit;
        const TranslateStatus status =
            translate_code(&unit, code,
                           {.page_offset = static_cast<uint32_t>(random() % 2048 * 2),
                            .flags = flags,
                            .inner_branches = random() % 2 == 0});
        if (status != TranslateStatus::need_more && (status != TranslateStatus::ok || unit.faults() != "")) {
            FAIL("round " << round << ": " << unit.faults());
        }
    }
}

}  // namespace
}  // namespace weft::riscv
