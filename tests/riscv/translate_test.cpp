// The shape of translated units: where they end and how they are left, what they do in the corners of the
// architecture. What the ops compute is tested by running them.
#include <catch2/catch.hpp>
#include <cstddef>
#include <random>

#include "emulator/guest/riscv/isa/decode.h"
#include "emulator/guest/riscv/translate/globals.h"
#include "emulator/guest/riscv/translate/helpers.h"
#include "tests/riscv/test_seed.h"
#include "tests/riscv/test_unit.h"

namespace weft::riscv {
namespace {

using ir::Opcode;

constexpr uint32_t kAddi = 0x00150513;      // addi a0, a0, 1
constexpr uint16_t kCAddi = 0x0505;         // c.addi a0, 1
constexpr uint32_t kRet = 0x00008067;       // jalr zero, 0(ra)
constexpr uint32_t kFaddDyn = 0x02b57553;   // fadd.d fa0, fa0, fa1, dyn
constexpr uint32_t kFaddRup = 0x02b53553;   // fadd.d fa0, fa0, fa1, rup
constexpr uint32_t kCsrrwFrm = 0x00251073;  // csrrw zero, frm, a0

// beq a0, a1, distance
uint32_t beq(int32_t distance) {
    const uint32_t d = static_cast<uint32_t>(distance);
    return 0x00b50063 | (d >> 12 & 1) << 31 | (d >> 5 & 63) << 25 | (d >> 1 & 15) << 8 | (d >> 11 & 1) << 7;
}

// jal ra, distance
uint32_t jal(int32_t distance) {
    const uint32_t d = static_cast<uint32_t>(distance);
    return 0x000000ef | (d >> 20 & 1) << 31 | (d >> 1 & 1023) << 21 | (d >> 11 & 1) << 20 |
           (d >> 12 & 255) << 12;
}

TbFlags with_fp(FpState fp, unsigned frm = 0) {
    return TbFlags(Priv::machine, MmuMode::machine, MmuMode::machine, fp, frm);
}

// auipc ra, pages
uint32_t auipc(int32_t pages) { return 0x00000097 | static_cast<uint32_t>(pages) << 12; }
// jalr ra, distance(ra)
uint32_t jalr(int32_t distance) { return 0x000080e7 | static_cast<uint32_t>(distance) << 20; }

int32_t goto_target(const ir::Op& op) { return ir::goto_tb_offset(op.aux); }

// Translates into `unit`, which must succeed and keep IR's rules; the rest is translate_code's.
#define REQUIRE_GOOD(unit, ...)                                             \
    do {                                                                    \
        REQUIRE(translate_code(&unit, __VA_ARGS__) == TranslateStatus::ok); \
        REQUIRE(unit.faults() == "");                                       \
    } while (false)

// That the unit is one instruction that raises `cause`.
void check_raises(TestUnit& unit, uint32_t cause) {
    const auto calls = unit.ops_of(Opcode::call);
    REQUIRE(calls.size() == 1);
    CHECK(calls[0].aux == kHelperRaise);
    CHECK(unit.constant(calls[0], 0) == cause);
    CHECK(unit.unit().insn_count == 1);
}

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
    CHECK(looks_up(Code().word(auipc(2048)).word(jalr(16)), fixed) == 0x800810);
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

TEST_CASE("a branch on one register is a jump or nothing") {
    TestUnit always;
    REQUIRE_GOOD(always, Code().word(0x00000463).word(kAddi));  // beq zero, zero, 8
    CHECK(always.unit().insn_count == 1);
    CHECK(goto_target(always.ops_of(Opcode::goto_tb).at(0)) == 8);
    CHECK(always.count(Opcode::brcond) == 0);
    TestUnit never;
    REQUIRE_GOOD(never, Code().word(0x00001463).word(kAddi));  // bne zero, zero, 8
    CHECK(never.unit().insn_count == 2);
    CHECK(never.count(Opcode::brcond) == 0);
}

TEST_CASE("jumps") {
    SECTION("within the page") {
        TestUnit unit;
        REQUIRE_GOOD(unit, Code().word(kAddi).word(jal(-4)).word(kAddi), {.page_offset = 0x10});
        CHECK(unit.unit().insn_count == 2);
        CHECK(goto_target(unit.ops_of(Opcode::goto_tb).at(0)) == 0x10);
        CHECK(unit.ops_of(Opcode::exit_check).at(0).cond == 1);
        const ir::Op link = unit.ops_of(Opcode::pc_add).at(0);
        CHECK(link.args[0] == gpr_global(1));
        CHECK(link.aux == 0x18);
    }
    SECTION("out of the page") {
        TestUnit unit;
        REQUIRE_GOOD(unit, Code().word(jal(-0x20)), {.page_offset = 0x10});
        CHECK(unit.count(Opcode::goto_tb) == 0);
        CHECK(unit.exit_offset(unit.ops_of(Opcode::lookup_and_goto_ptr).at(0)) == -0x10);
    }
    SECTION("to a register that the link overwrites") {
        TestUnit unit;
        REQUIRE_GOOD(unit, Code().word(0x008080e7));  // jalr ra, 8(ra)
        const auto ops = unit.ops();
        size_t link = 0;
        size_t read = 0;
        for (size_t i = 0; i < ops.size(); ++i) {
            link = ops[i].code == Opcode::pc_add ? i : link;
            read = ops[i].code == Opcode::add ? i : read;
        }
        CHECK(read < link);
        CHECK(unit.ops_of(Opcode::exit_check).at(0).cond == 1);
    }
    SECTION("compressed ones link behind their two bytes") {
        TestUnit unit;
        REQUIRE_GOOD(unit, Code().half(0x9502), {.page_offset = 8});  // c.jalr a0
        CHECK(unit.ops_of(Opcode::pc_add).at(0).aux == 10);
    }
}

TEST_CASE("x0 is not written, and loads to it load") {
    TestUnit unit;
    REQUIRE_GOOD(unit, Code().word(0x00b50033).word(0x00053003));  // add zero, a0, a1; ld zero, 0(a0)
    CHECK(unit.count(Opcode::add) == 0);
    REQUIRE(unit.count(Opcode::guest_ld) == 1);
    CHECK(unit.temp(unit.ops_of(Opcode::guest_ld)[0].args[0]).kind == ir::TempKind::ebb);
}

TEST_CASE("memory ops name the MMU mode of data") {
    TestUnit unit;
    const TbFlags flags(Priv::machine, MmuMode::machine, MmuMode::supervisor_sum, FpState::off, 0);
    // lh a0, 2(a1); sw a0, 0(a1); amoadd.w.aq a0, a1, (a2)
    REQUIRE_GOOD(unit, Code().word(0x00259503).word(0x00a5a023).word(0x04b6252f), {.flags = flags});
    const ir::MemOp load(unit.ops_of(Opcode::guest_ld).at(0).aux);
    CHECK(load.size() == 2);
    CHECK(load.sign());
    CHECK_FALSE(load.aligned());
    CHECK(load.mmu_mode() == static_cast<unsigned>(MmuMode::supervisor_sum));
    const ir::MemOp store(unit.ops_of(Opcode::guest_st).at(0).aux);
    CHECK(store.size() == 4);
    CHECK_FALSE(store.aligned());
    const ir::MemOp amo(unit.ops_of(Opcode::atomic_add).at(0).aux);
    CHECK(amo.size() == 4);
    CHECK(amo.aligned());
    CHECK(amo.acquire());
    CHECK_FALSE(amo.release());
    CHECK(amo.mmu_mode() == static_cast<unsigned>(MmuMode::supervisor_sum));
}

TEST_CASE("illegal instructions raise with their bits") {
    TestUnit unit;
    REQUIRE_GOOD(unit, Code().word(0xffffffff).word(kAddi));
    check_raises(unit, 2);
    CHECK(unit.constant(unit.ops_of(Opcode::call)[0], 1) == 0xffffffff);
    CHECK(unit.unit().guest_size == 4);
    TestUnit compressed;
    REQUIRE_GOOD(compressed, Code().half(0).word(kAddi));
    check_raises(compressed, 2);
    CHECK(compressed.constant(compressed.ops_of(Opcode::call)[0], 1) == 0);
    CHECK(compressed.unit().guest_size == 2);
}

TEST_CASE("environment calls raise by privilege") {
    const auto [priv, cause] =
        GENERATE(std::pair{Priv::user, 8u}, std::pair{Priv::supervisor, 9u}, std::pair{Priv::machine, 11u});
    TestUnit unit;
    REQUIRE_GOOD(unit, Code().word(0x00000073),
                 {.flags = TbFlags(priv, MmuMode::user, MmuMode::user, FpState::off, 0)});
    check_raises(unit, cause);
    TestUnit breakpoint;
    REQUIRE_GOOD(breakpoint, Code().half(0x9002), {.page_offset = 0x20});
    check_raises(breakpoint, 3);
    CHECK(breakpoint.ops_of(Opcode::pc_add).at(0).aux == 0x20);
}

TEST_CASE("with the FP state off its instructions are illegal") {
    // fld, fsd, fadd.d, fmv.x.d, fclass.d, csrrs fflags, c.fld
    const uint32_t bits = GENERATE(values<uint32_t>(
        {0x00053507u, 0x00a53027u, kFaddRup, 0xe2050553u, 0xe2051553u, 0x00102573u, 0x2108u}));
    INFO(std::hex << bits);
    TestUnit unit;
    Code code;
    code.half(static_cast<uint16_t>(bits)).half(static_cast<uint16_t>(bits >> 16));
    REQUIRE_GOOD(unit, code, {.flags = with_fp(FpState::off)});
    check_raises(unit, 2);
    CHECK(unit.constant(unit.ops_of(Opcode::call)[0], 1) == bits);
}

TEST_CASE("rounding modes") {
    SECTION("dynamic is the frm of the flags") {
        TestUnit unit;
        REQUIRE_GOOD(unit, Code().word(kFaddDyn).word(kFaddRup), {.flags = with_fp(FpState::dirty, 2)});
        const auto adds = unit.ops_of(Opcode::fadd);
        REQUIRE(adds.size() == 2);
        CHECK(adds[0].cond == static_cast<unsigned>(ir::Rounding::down));
        CHECK(adds[1].cond == static_cast<unsigned>(ir::Rounding::up));
        CHECK(unit.unit().fp_rounding == ir::Rounding::down);
        CHECK(unit.unit().uses_fp);
    }
    SECTION("a reserved frm makes dynamic rounding illegal, and nothing else") {
        const unsigned frm = GENERATE(5u, 6u, 7u);
        TestUnit unit;
        REQUIRE_GOOD(unit, Code().word(kFaddDyn), {.flags = with_fp(FpState::dirty, frm)});
        check_raises(unit, 2);
        CHECK(unit.unit().fp_rounding == ir::Rounding::nearest_even);
        TestUnit own_mode;
        REQUIRE_GOOD(own_mode, Code().word(kFaddRup), {.flags = with_fp(FpState::dirty, frm)});
        CHECK(own_mode.count(Opcode::call) == 0);
    }
}

// Whether the unit sets mstatus.FS and leaves by exit_tb after its first instruction.
bool makes_fp_dirty(TestUnit& unit) {
    const auto stores = unit.ops_of(Opcode::st);
    return stores.size() == 1 && stores[0].aux == offsetof(State, mstatus) && unit.unit().insn_count == 1 &&
           unit.count(Opcode::exit_tb) == 1;
}

TEST_CASE("the first write of clean FP state makes it dirty") {
    // fadd.d, feq.d, fld, flw, fcvt.w.d, fmv.d.x, csrrwi fflags, csrrw frm
    const uint32_t bits = GENERATE(values<uint32_t>(
        {kFaddRup, 0xa2b52553u, 0x00053507u, 0x00052507u, 0xc2051553u, 0xf2050553u, 0x0010d073u, kCsrrwFrm}));
    INFO(std::hex << bits);
    TestUnit unit;
    REQUIRE_GOOD(unit, Code().word(bits).word(kAddi), {.flags = with_fp(FpState::clean)});
    CHECK(makes_fp_dirty(unit));
    TestUnit dirty;
    REQUIRE_GOOD(dirty, Code().word(bits).word(kAddi), {.flags = with_fp(FpState::dirty)});
    CHECK_FALSE(makes_fp_dirty(dirty));
    CHECK(dirty.unit().insn_count == (bits == kCsrrwFrm ? 1 : 2));
}

TEST_CASE("what only reads FP state leaves it clean") {
    // fsd, fsw, fmv.x.d, fmv.x.w, fclass.d, csrrs fflags/frm/fcsr with x0
    const uint32_t bits = GENERATE(values<uint32_t>({0x00a53027u, 0x00a52027u, 0xe2050553u, 0xe0050553u,
                                                     0xe2051553u, 0x00102573u, 0x00202573u, 0x00302573u}));
    INFO(std::hex << bits);
    TestUnit unit;
    REQUIRE_GOOD(unit, Code().word(bits).word(kAddi), {.flags = with_fp(FpState::clean)});
    CHECK_FALSE(makes_fp_dirty(unit));
    CHECK(unit.unit().insn_count == 2);
}

TEST_CASE("CSR instructions") {
    const auto op_of = [](uint32_t bits) {
        TestUnit unit;
        REQUIRE_GOOD(unit, Code().word(bits));
        const auto call = unit.ops_of(Opcode::call).at(0);
        REQUIRE(call.aux == kHelperCsr);
        REQUIRE(unit.temp(call.args[1]).value == 0x300);
        REQUIRE(unit.temp(call.args[4]).value == bits);
        return static_cast<CsrOp>(unit.temp(call.args[3]).value);
    };
    CHECK(op_of(0x30059073) == CsrOp::write);       // csrrw zero, mstatus, a1
    CHECK(op_of(0x30059573) == CsrOp::read_write);  // csrrw a0, mstatus, a1
    CHECK(op_of(0x30001573) == CsrOp::read_write);  // csrrw a0, mstatus, zero
    CHECK(op_of(0x30002573) == CsrOp::read);        // csrrs a0, mstatus, zero
    CHECK(op_of(0x3005a073) == CsrOp::set);         // csrrs zero, mstatus, a1
    CHECK(op_of(0x3005b573) == CsrOp::clear);       // csrrc a0, mstatus, a1
    CHECK(op_of(0x30007573) == CsrOp::read);        // csrrci a0, mstatus, 0
    CHECK(op_of(0x3000e073) == CsrOp::set);         // csrrsi zero, mstatus, 1

    // Reads, and writes on which nothing depends, do not end the unit; others leave by exit_tb.
    const auto insns_of = [](uint32_t bits) {
        TestUnit unit;
        REQUIRE_GOOD(unit, Code().word(bits).word(kAddi));
        CHECK(unit.count(Opcode::exit_tb) == (unit.unit().insn_count == 1 ? 1 : 0));
        return unit.unit().insn_count;
    };
    CHECK(insns_of(0x30002573) == 2);  // csrrs a0, mstatus, zero
    CHECK(insns_of(0x14059573) == 2);  // csrrw a0, sscratch, a1
    CHECK(insns_of(0x30059073) == 1);  // csrrw zero, mstatus, a1
    CHECK(insns_of(0x1005b073) == 1);  // csrrc zero, sstatus, a1
    CHECK(insns_of(0x18059073) == 1);  // csrrw zero, satp, a1
}

TEST_CASE("what changes the hart's view leaves by exit_tb") {
    struct Expected {
        uint32_t bits;
        uint32_t helper;  // kHelperCount: none
        ir::ExitReason reason;
        bool next;  // carries on behind the instruction
    };
    const Expected expected = GENERATE(Expected{0x30200073, kHelperMret, ir::ExitReason::lookup, false},
                                       Expected{0x10200073, kHelperSret, ir::ExitReason::lookup, false},
                                       Expected{0x10500073, kHelperWfi, ir::ExitReason::halt, true},
                                       Expected{0x12b50073, kHelperSfenceVma, ir::ExitReason::lookup, true},
                                       Expected{0x16b50073, kHelperSfenceVma, ir::ExitReason::lookup, true},
                                       Expected{0x18000073, kHelperCount, ir::ExitReason::lookup, true},
                                       Expected{0x18100073, kHelperCount, ir::ExitReason::lookup, true},
                                       Expected{0x0000100f, kHelperFenceI, ir::ExitReason::lookup, true},
                                       Expected{0x0100000f, kHelperCount, ir::ExitReason::yield, true},
                                       Expected{0x00d00073, kHelperWrsNto, ir::ExitReason::yield, true},
                                       Expected{0x01d00073, kHelperCount, ir::ExitReason::yield, true});
    INFO(std::hex << expected.bits);
    TestUnit unit;
    REQUIRE_GOOD(unit, Code().word(expected.bits).word(kAddi), {.page_offset = 0x40});
    CHECK(unit.unit().insn_count == 1);
    const auto calls = unit.ops_of(Opcode::call);
    REQUIRE(calls.size() == (expected.helper == kHelperCount ? 0 : 1));
    if (!calls.empty()) {
        CHECK(calls[0].aux == expected.helper);
    }
    const auto exit = unit.ops_of(Opcode::exit_tb).at(0);
    CHECK(exit.aux == static_cast<uint32_t>(expected.reason));
    CHECK(unit.exit_offset(exit) == (expected.next ? 0x44 : -1));
}

// Unprivileged specification, "CMO": menvcfg for S mode, senvcfg as well for U mode.
TEST_CASE("cbo.zero stores a block of zeros, below M mode if it may") {
    for (const Priv priv : {Priv::machine, Priv::supervisor, Priv::user}) {
        const MmuMode mode = priv == Priv::user         ? MmuMode::user
                             : priv == Priv::supervisor ? MmuMode::supervisor
                                                        : MmuMode::machine;
        TestUnit unit;
        REQUIRE_GOOD(unit, Code().word(0x0045200f), {.flags = {priv, mode, mode, FpState::off, 0}});
        CHECK(unit.count(Opcode::guest_st) == 8);
        CHECK(unit.count(Opcode::ld) == (priv == Priv::user ? 2 : priv == Priv::supervisor ? 1 : 0));
        CHECK(unit.count(Opcode::call) == (priv == Priv::machine ? 0 : 1));
        CHECK(unit.faults(tcg::RedoRule::on).empty());
    }
}

TEST_CASE("SFENCE.VMA says which operands it has") {
    const auto flags_of = [](uint32_t bits) {
        TestUnit unit;
        REQUIRE_GOOD(unit, Code().word(bits));
        return unit.constant(unit.ops_of(Opcode::call).at(0), 2);
    };
    CHECK(flags_of(0x12000073) == 0);
    CHECK(flags_of(0x12050073) == kSfenceHasAddress);
    CHECK(flags_of(0x12a00073) == kSfenceHasAsid);
    CHECK(flags_of(0x12b50073) == (kSfenceHasAddress | kSfenceHasAsid));
}

TEST_CASE("Svinval's fences are illegal in U-mode") {
    TestUnit unit;
    const TbFlags user(Priv::user, MmuMode::user, MmuMode::user, FpState::off, 0);
    REQUIRE_GOOD(unit, Code().word(GENERATE(0x18000073u, 0x18100073u)), {.flags = user});
    check_raises(unit, 2);
}

TEST_CASE("fences order what they name") {
    const auto kinds_of = [](uint32_t bits) {
        TestUnit unit;
        REQUIRE_GOOD(unit, Code().word(bits));
        const auto barriers = unit.ops_of(Opcode::mb);
        return barriers.empty() ? 0u : barriers[0].aux;
    };
    CHECK(kinds_of(0x0330000f) == ir::kBarrierAll);                                       // rw, rw
    CHECK(kinds_of(0x0ff0000f) == ir::kBarrierAll);                                       // iorw, iorw
    CHECK(kinds_of(0x0120000f) == ir::kBarrierStoreLoad);                                 // w, r
    CHECK(kinds_of(0x0230000f) == (ir::kBarrierLoadLoad | ir::kBarrierLoadStore));        // r, rw
    CHECK(kinds_of(0x0310000f) == (ir::kBarrierLoadStore | ir::kBarrierStoreStore));      // rw, w
    CHECK(kinds_of(0x0480000f) == ir::kBarrierStoreLoad);                                 // o, i
    CHECK(kinds_of(0x8330000f) == (ir::kBarrierAll & ~uint32_t{ir::kBarrierStoreLoad}));  // tso
    CHECK(kinds_of(0x0000000f) == 0);
}

TEST_CASE("LR keeps the reservation, SC spends it") {
    TestUnit lr;
    REQUIRE_GOOD(lr, Code().word(0x1005252f));  // lr.w a0, (a0)
    const auto load = lr.ops_of(Opcode::guest_ld).at(0);
    CHECK(load.type == ir::Type::i32);
    CHECK(ir::MemOp(load.aux).aligned());
    CHECK(ir::MemOp(load.aux).reserve());
    const auto extended = lr.ops_of(Opcode::ext_i32_i64).at(0);
    CHECK(extended.args[0] == kResValueGlobal);
    CHECK(extended.args[1] == load.args[0]);
    const auto moves = lr.ops_of(Opcode::mov);
    REQUIRE(moves.size() == 2);
    CHECK(moves[0].args[0] == kResAddressGlobal);  // before a0, the address, is overwritten
    CHECK(moves[1].args[0] == gpr_global(10));

    TestUnit wide;
    REQUIRE_GOOD(wide, Code().word(0x1005352f));  // lr.d a0, (a0)
    const auto wide_load = wide.ops_of(Opcode::guest_ld).at(0);
    CHECK(wide_load.args[0] == kResValueGlobal);
    CHECK(ir::MemOp(wide_load.aux).reserve());

    TestUnit sc;
    REQUIRE_GOOD(sc, Code().word(0x18b5352f).word(kAddi));  // sc.d a0, a1, (a0)
    CHECK(sc.unit().insn_count == 2);
    // Whether or not it fails, it is checked like a store.
    CHECK(sc.count(Opcode::brcond) == 0);
    CHECK(ir::MemOp(sc.ops_of(Opcode::atomic_cmpxchg).at(0).aux).aligned());
    const auto cleared = sc.ops_of(Opcode::mov).back();
    CHECK(cleared.args[0] == kResAddressGlobal);
    CHECK(sc.constant(cleared, 1) == kNoReservation);
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

TEST_CASE("the table of globals is the state's") {
    const auto globals = global_table();
    REQUIRE(globals.size() == kGlobalCount);
    CHECK(std::string(globals[gpr_global(15)].name) == "a5");
    CHECK(globals[gpr_global(15)].pin_rank == 1);
    CHECK(globals[gpr_global(2)].offset == gpr_offset(2));
    CHECK(std::string(globals[fpr_global(15)].name) == "fa5");
    CHECK(globals[fpr_global(15)].pin_rank == 1);
    CHECK(globals[fpr_global(31)].type == ir::Type::f64);
    CHECK(globals[kResValueGlobal].offset == static_cast<int32_t>(offsetof(State, res_value)));
}

}  // namespace
}  // namespace weft::riscv
