// Text of IR, read back.
#include <catch2/catch.hpp>

#include <cstring>

#include "ir_fixture.h"
#include "random_unit.h"
#include "tcg/ir/parse.h"
#include "tcg/opt/optimizer.h"
#include "tests/support/random.h"
#include "weft/ir_info.h"

namespace weft::tcg::test {

namespace {

// Constants may have other numbers; everything else is the same.
bool same_temp(const ir::Unit& a, uint16_t in_a, const ir::Unit& b, uint16_t in_b) {
    const ir::Temp& left = a.temps[in_a];
    const ir::Temp& right = b.temps[in_b];
    return std::memcmp(&left, &right, sizeof(left)) == 0 &&
           (left.kind == ir::TempKind::constant || in_a == in_b);
}

// What of `b` differs from `a`; empty if nothing does.
std::string unit_difference(const ir::Unit& a, const ir::Unit& b) {
    // Of what the optimizer took away, labels and uses_fp may stay.
    if (a.op_count != b.op_count || a.label_count < b.label_count || a.goto_tb_count != b.goto_tb_count ||
        (b.uses_fp && !a.uses_fp)) {
        return "counts";
    }
    for (uint32_t i = 0; i < a.op_count; ++i) {
        const ir::Op& left = a.ops[i];
        const ir::Op& right = b.ops[i];
        bool same = left.code == right.code && left.type == right.type && left.cond == right.cond &&
                    left.aux == right.aux && left.arg_count == right.arg_count;
        for (unsigned arg = 0; same && arg < left.arg_count; ++arg) {
            same = same_temp(a, left.args[arg], b, right.args[arg]);
        }
        if (left.code == ir::Opcode::brcond) {
            same = same && left.args[ir::kBrcondLabelArg] == right.args[ir::kBrcondLabelArg];
        }
        if (!same) {
            return "op " + std::to_string(i) + ": " + print_op(b, right, test_names());
        }
    }
    return {};
}

void check_round_trip(const ir::Unit& unit) {
    const std::string text = print_unit(unit, test_names());
    UnitUnderTest read;
    read.unit.fixed_pages = unit.fixed_pages;
    const auto parsed = parse_unit(text, test_names(), read.unit);
    if (!parsed) {
        FAIL(parsed.error().message() << "\n" << text);
    }
    if (read.text() != text) {
        FAIL("printed otherwise:\n" << read.text() << "instead of\n" << text);
    }
    INFO(text);
    CHECK(unit_difference(unit, read.unit) == std::string());
    CHECK(read.error() == std::string());
}

std::string parse_error(const std::string& text) {
    UnitUnderTest t;
    const auto parsed = parse_unit(text, test_names(), t.unit);
    return parsed ? "read as:\n" + t.text() : parsed.error().message();
}

std::string reprinted(const std::string& text) {
    UnitUnderTest t;
    const auto parsed = parse_unit(text, test_names(), t.unit);
    return parsed ? t.text() : parsed.error().message();
}

}  // namespace

TEST_CASE("random units are read back from their text, plain and optimized") {
    const uint64_t seed = weft::test::test_seed();
    RandomUnitOptions options;
    options.insns = 24;
    Optimizer optimizer;
    for (unsigned i = 0; i < 400; ++i) {
        INFO("WEFT_TEST_SEED=" << seed + i);
        UnitUnderTest t;
        RandomUnit(seed + i, options).write(t.unit);
        check_round_trip(t.unit);
        optimizer.optimize(t.unit, UnitUnderTest::helpers());
        check_round_trip(t.unit);
    }
}

TEST_CASE("each op of the table is read back") {
    for (unsigned code = 0; code < ir::kOpcodeCount; ++code) {
        const auto opcode = static_cast<ir::Opcode>(code);
        const ir::OpInfo& info = ir::info(opcode);
        ir::Op op{opcode, ir::Type::none, 0, 0, 0, {}};
        if (info.types != ir::TypeSet::none) {
            op.type = info.types == ir::TypeSet::fps ? ir::Type::f64 : ir::Type::i64;
        }
        if (opcode == ir::Opcode::call) {
            op.aux = kHelperMaybeRaise;
            op.arg_count = 3;
        } else {
            op.arg_count = static_cast<uint8_t>(info.outputs.size() + info.inputs.size());
        }
        UnitUnderTest t;
        const std::string text = " " + print_op(t.unit, op, test_names()) + "\n";
        CHECK(reprinted(text) == text);
    }
}

TEST_CASE("comments and blanks are passed over") {
    CHECK(reprinted("; a unit\n\n\t add_i64   r1 , r2,\t$16 ; sixteen\r\n mb none") ==
          " add_i64 r1,r2,$0x10\n mb none\n");
    CHECK(reprinted("").empty());
}

TEST_CASE("constants take the numbers that temps leave, and equal ones of one type are one temp") {
    UnitUnderTest t;
    REQUIRE(parse_unit("mov_i64 tmp21,$1\nmov_i64 loc23,$1\nmov_i64 r1,$2\nmov_i32 w0,$1\nmov_i64 r2,$3",
                       test_names(), t.unit));
    CHECK(t.unit.temp_count == kGlobals + 6);
    CHECK(t.unit.ops[0].args[1] == kGlobals);
    CHECK(t.unit.ops[1].args[1] == kGlobals);
    CHECK(t.unit.ops[2].args[1] == kGlobals + 2);
    CHECK(t.unit.ops[3].args[1] == kGlobals + 4);
    CHECK(t.unit.temps[kGlobals + 4].type == ir::Type::i32);
    CHECK(t.unit.temps[kGlobals + 3].kind == ir::TempKind::unit);
}

TEST_CASE("globals without a name are known by their number") {
    UnitUnderTest t;
    REQUIRE(parse_unit("mov_i64 g1,g2\ncall ?1,g3", {}, t.unit));
    CHECK(print_unit(t.unit, {}) == " mov_i64 g1,g2\n call ?1,g3\n");
    CHECK(t.text() == " mov_i64 r1,r2\n call trace,r3\n");
}

TEST_CASE("what cannot be read is told with its place") {
    const std::pair<const char*, const char*> kRows[] = {
        {"mb none\n frob_i64 r1,r2", "line 2, column 2: 'frob_i64' is no op"},
        {"add r1,r2,r3", "line 1, column 1: 'add' is no op"},
        {"add_i65 r1,r2,r3", "line 1, column 1: 'add_i65' is no op"},
        {"insn_start pc+0", "line 1, column 1: 'insn_start' is no op"},
        {"add_i64 r1,r2,x3", "line 1, column 15: 'x3' is no temp"},
        {"add_i64 r1,,r3", "line 1, column 12: temp is missing"},
        {"add_i64 r1,r2,", "line 1, column 15: temp is missing"},
        {"add_i64 r1,r2,g25", "line 1, column 15: 'g25' is no temp"},
        {"add_i64 r1,r2,tmp3", "line 1, column 15: temps are numbered 20 to 4095"},
        {"add_i64 r1,r2,tmp4096", "line 1, column 15: temps are numbered 20 to 4095"},
        {"mov_i64 tmp20,r1\nmov_i64 loc20,r1", "line 2, column 9: temp 20 is both tmp and loc"},
        {"add_i64 r1,r1,r1,r1,r1,r1,r1,r1", "line 1, column 30: more than 7 arguments"},
        {"mov_i64 r1,$18446744073709551616", "line 1, column 12: '$18446744073709551616' is no temp"},
        {"br", "line 1, column 3: label is missing"},
        {"br $L65535", "line 1, column 4: '$L65535' is no label"},
        {"brcond_i64 r1,r2,less,$L0", "line 1, column 18: 'less' is no condition"},
        {"setcond_i64 r1,r2,r3,?256", "line 1, column 22: '?256' is no condition"},
        {"extract_i64 r1,r2,8", "line 1, column 16: 'r2' is no position"},
        {"extract_i64 r1,r2,256,1", "line 1, column 23: the field is too large"},
        {"ld_i64 r1,state", "line 1, column 11: 'state' is no offset from the state"},
        {"ld_i64 r1,state+0x80000000", "line 1, column 11: 'state+0x80000000' is no offset from the state"},
        {"guest_ld_i64 r1,r2,u64", "line 1, column 20: 'u64' is no MMU mode"},
        {"guest_ld_i64 r1,r2,u63,mmu0", "line 1, column 20: 'u63' is no size of an access"},
        {"guest_ld_i64 r1,r2,u64,mmu16", "line 1, column 24: 'mmu16' is no MMU mode"},
        {"guest_ld_i64 r1,r2,u64,mmu0,+32768", "line 1, column 29: '+32768' is no displacement"},
        {"goto_tb $255,pc+0", "line 1, column 14: the slot is too large"},
        {"goto_tb 0,pc+0", "line 1, column 9: '0' is no slot"},
        {"exit_tb r1,never", "line 1, column 12: 'never' is no reason"},
        {"pc_add r1,0x10", "line 1, column 11: '0x10' is no offset from the pc"},
        {"mb ld_ld|st", "line 1, column 4: 'ld_ld|st' is no barrier"},
        {"exit_check 4294967296", "line 1, column 12: too many instructions"},
        {"exit_check cycle", "line 1, column 12: 'cycle' is no number of instructions"},
        {"---- 0x10", "line 1, column 6: '0x10' is no offset from the pc"},
        {"---- pc+0x10 7", "line 1, column 6: 'pc+0x10 7' is no offset from the pc"},
        {"fadd_f64 f1,f2,f3,near", "line 1, column 19: 'near' is no rounding"},
        {"fcvt_to_int_f64 r1,f1,u16,rtz", "line 1, column 23: 'u16' is no conversion"},
        {"call", "line 1, column 5: helper is missing"},
        {"call nobody,r1", "line 1, column 6: 'nobody' is no helper"},
        {"mb none\n mov_i64 r1,r\n2", "line 2, column 13: 'r' is no temp"},
    };
    for (const auto& [text, message] : kRows) {
        INFO(text);
        CHECK(parse_error(text) == message);
    }
}

TEST_CASE("a unit that is too big is an error") {
    std::string temps;
    for (unsigned i = 0; i <= ir::kMaxTemps - kGlobals; ++i) {
        temps += "mov_i64 r1,$" + std::to_string(i) + "\n";
    }
    CHECK(parse_error(temps) == "line 4077, column 17: more than 4096 temps");
    UnitMemory memory({test_guest().globals, test_guest().global_count}, UnitLimits{300, 100});
    std::string ops;
    for (unsigned i = 0; i < 301; ++i) {
        ops += "mb none\n";
    }
    const auto parsed = parse_unit(ops, test_names(), memory.begin_unit());
    REQUIRE(!parsed);
    CHECK(parsed.error().message() == "line 301, column 8: the unit is too big");
}

}  // namespace weft::tcg::test
