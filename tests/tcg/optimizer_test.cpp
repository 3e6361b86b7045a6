// What the optimizer makes of known patterns, and what it leaves alone.
#include <catch2/catch.hpp>

#include <vector>

#include "ir_fixture.h"
#include "tcg/opt/optimizer.h"
#include "tcg/regalloc/liveness.h"

namespace weft::tcg::test {

using ir::Builder;
using ir::Cond;
using ir::F32;
using ir::I32;
using ir::I64;
using ir::MemOp;
using ir::Opcode;
using ir::Type;

namespace {

// The ops that are left: after the optimizer, without what the liveness pass would remove.
struct Case : UnitUnderTest {
    Case() { b.insn_start(0); }

    std::vector<std::string> optimized(const OptimizeOptions& options = {}) {
        leave();
        REQUIRE(error() == std::string());
        Optimizer(options).optimize(unit, helpers());
        REQUIRE(error() == std::string());
        Liveness liveness(helpers());
        liveness.analyse(unit);
        std::vector<std::string> lines;
        for (uint32_t i = 1; i + 1 < unit.op_count; ++i) {
            if (!liveness.of(i).removed && unit.ops[i].code != Opcode::insn_start) {
                lines.push_back(print_op(unit, unit.ops[i], test_names()));
            }
        }
        return lines;
    }
    void set(unsigned n, I64 value) { b.mov(r(n), value); }
    void set(unsigned n, I32 value) { b.mov(w(n), value); }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("constants are folded and propagated") {
    Case t;
    t.set(1, t.b.add(t.b.imm(3), t.b.shl(t.b.imm(1), t.b.imm(4))));
    t.set(2, t.b.add(t.r(1), t.b.imm(1)));
    CHECK(t.optimized() == Lines{"mov_i64 r1,$0x13", "mov_i64 r2,$0x14"});
}

TEST_CASE("division is folded only where it is defined") {
    Case t;
    t.set(1, t.b.op(Opcode::divu, t.b.imm(100), t.b.imm(0)));
    t.set(2, t.b.op(Opcode::divs, t.b.imm(uint64_t{1} << 63), t.b.imm(~uint64_t{0})));
    t.set(3, t.b.op(Opcode::divu, t.b.imm(100), t.b.imm(7)));
    CHECK(t.optimized() == Lines{"divu_i64 r1,$0x64,$0x0",
                                 "divs_i64 r2,$0x8000000000000000,$0xffffffffffffffff", "mov_i64 r3,$0xe"});
}

TEST_CASE("identities") {
    Case t;
    Builder& b = t.b;
    t.set(1, b.add(t.r(2), b.imm(0)));
    CHECK(t.optimized() == Lines{"mov_i64 r1,r2"});
}

TEST_CASE("cheaper forms") {
    struct Row {
        Opcode code;
        uint64_t constant;
        const char* line;
    };
    const Row row = GENERATE(values<Row>({
        {Opcode::and_, 0, "mov_i64 r1,$0x0"},
        {Opcode::and_, 0xff, "extract_i64 r1,r2,0,8"},
        {Opcode::and_, 0xffffffff, "extract_i64 r1,r2,0,32"},
        {Opcode::and_, 0xfff, "and_i64 r1,r2,$0xfff"},
        {Opcode::or_, 0, "mov_i64 r1,r2"},
        {Opcode::or_, ~uint64_t{0}, "mov_i64 r1,$0xffffffffffffffff"},
        {Opcode::xor_, ~uint64_t{0}, "not_i64 r1,r2"},
        {Opcode::mul, 8, "shl_i64 r1,r2,$0x3"},
        {Opcode::mul, ~uint64_t{0}, "neg_i64 r1,r2"},
        {Opcode::sub, 16, "add_i64 r1,r2,$0xfffffffffffffff0"},
        {Opcode::divu, 16, "shr_i64 r1,r2,$0x4"},
        {Opcode::remu, 16, "and_i64 r1,r2,$0xf"},
        {Opcode::divs, 16, "divs_i64 r1,r2,$0x10"},
        {Opcode::shl, 0, "mov_i64 r1,r2"},
        {Opcode::andc, 0xf, "and_i64 r1,r2,$0xfffffffffffffff0"},
    }));
    Case t;
    t.set(1, t.b.op(row.code, t.r(2), t.b.imm(row.constant)));
    CHECK(t.optimized() == Lines{row.line});
}

TEST_CASE("constants come second") {
    Case t;
    t.set(1, t.b.add(t.b.imm(5), t.r(2)));
    t.set(3, t.b.setcond(Cond::lt, t.b.imm(5), t.r(2)));
    CHECK(t.optimized() == Lines{"add_i64 r1,r2,$0x5", "setcond_i64 r3,r2,$0x5,gt"});
}

TEST_CASE("copies") {
    SECTION("of globals end with a write") {
        Case t;
        const I64 old = t.b.temp<I64>();
        t.b.mov(old, t.r(2));
        t.set(3, t.b.add(old, t.r(4)));
        t.set(2, t.b.imm(1));
        t.set(5, t.b.add(old, t.r(4)));
        CHECK(t.optimized() ==
              Lines{"mov_i64 tmp20,r2", "add_i64 r3,r2,r4", "mov_i64 r2,$0x1", "add_i64 r5,tmp20,r4"});
    }
    SECTION("of globals end with a helper that writes them") {
        Case t;
        const I64 old = t.b.temp<I64>();
        t.b.mov(old, t.r(2));
        t.b.call(kHelperTwist, t.r(3));
        t.set(5, old);
        CHECK(t.optimized() == Lines{"mov_i64 tmp20,r2", "call twist,r3", "mov_i64 r5,tmp20"});
    }
    SECTION("end at labels") {
        Case t;
        const ir::Label label = t.b.new_label();
        t.set(2, t.b.imm(1));
        t.b.brcond(Cond::eq, t.r(3), t.r(4), label);
        t.set(2, t.b.imm(2));
        t.b.set_label(label);
        t.set(5, t.b.add(t.r(2), t.b.imm(1)));
        CHECK(t.optimized().back() == "add_i64 r5,r2,$0x1");
    }
    SECTION("a value that is there already is not copied again") {
        Case t;
        t.set(1, t.r(2));
        t.set(1, t.r(2));
        t.set(2, t.r(1));
        CHECK(t.optimized() == Lines{"mov_i64 r1,r2"});
    }
}

TEST_CASE("what is known of bits") {
    Case t;
    Builder* const b = &t.b;
    SECTION("a sign extension of a sign-extending load is none") {
        const I64 loaded = b->guest_ld<I64>(t.r(2), MemOp(2, 0, MemOp::kSign));
        t.set(1, b->sextract(loaded, 0, 32));
        CHECK(t.optimized() == Lines{"guest_ld_i64 r1,r2,s32,mmu0"});
    }
    SECTION("nor a mask after a narrow load") {
        const I64 loaded = b->guest_ld<I64>(t.r(2), MemOp(0, 0));
        t.set(1, b->and_(loaded, b->imm(0xff)));
        CHECK(t.optimized() == Lines{"guest_ld_i64 r1,r2,u8,mmu0"});
    }
    SECTION("a sign extension twice") {
        t.set(1, b->sextract(b->add(t.r(2), t.r(3)), 0, 32));
        t.set(4, b->sextract(t.r(1), 0, 32));
        CHECK(t.optimized() == Lines{"add_i64 tmp20,r2,r3", "sextract_i64 r1,tmp20,0,32", "mov_i64 r4,r1"});
    }
    SECTION("of a logical op of extended values") {
        t.set(1, b->sextract(t.r(2), 0, 32));
        t.set(3, b->sextract(t.r(4), 0, 32));
        t.set(5, b->sextract(b->xor_(t.r(1), t.r(3)), 0, 32));
        CHECK(t.optimized().back() == "xor_i64 r5,r1,r3");
    }
    SECTION("decides comparisons") {
        const I64 byte = b->and_(t.r(2), b->imm(0xff));
        t.set(1, b->setcond(Cond::ltu, byte, b->imm(0x100)));
        CHECK(t.optimized() == Lines{"mov_i64 r1,$0x1"});
    }
    SECTION("but only what is known") {
        const I64 byte = b->and_(t.r(2), b->imm(0xff));
        t.set(1, b->setcond(Cond::ltu, byte, b->imm(0xff)));
        CHECK(t.optimized().back() == "setcond_i64 r1,tmp21,$0xff,ltu");
    }
}

TEST_CASE("pairs of shifts") {
    SECTION("on one register become one op") {
        Case t;
        t.set(1, t.b.shl(t.r(1), t.b.imm(32)));
        t.b.insn_start(4);
        t.set(1, t.b.shr(t.r(1), t.b.imm(32)));
        CHECK(t.optimized() == Lines{"extract_i64 r1,r1,0,32"});
    }
    SECTION("sign-extend") {
        Case t;
        t.set(1, t.b.shl(t.r(2), t.b.imm(48)));
        t.set(1, t.b.sar(t.r(1), t.b.imm(52)));
        CHECK(t.optimized() == Lines{"sextract_i64 r1,r2,4,12"});
    }
    SECTION("stay where the first result is used") {
        Case t;
        t.set(1, t.b.shl(t.r(1), t.b.imm(32)));
        t.set(3, t.r(1));
        t.set(1, t.b.shr(t.r(1), t.b.imm(32)));
        CHECK(t.optimized() == Lines{"shl_i64 r1,r1,$0x20", "mov_i64 r3,r1", "shr_i64 r1,r1,$0x20"});
    }
    SECTION("stay where a fault may show the first result") {
        Case t;
        t.set(1, t.b.shl(t.r(1), t.b.imm(32)));
        t.b.guest_st(t.r(2), t.r(3), MemOp(3, 0));
        t.set(1, t.b.shr(t.r(1), t.b.imm(32)));
        CHECK(t.optimized() ==
              Lines{"shl_i64 r1,r1,$0x20", "guest_st_i64 r2,r3,64,mmu0", "shr_i64 r1,r1,$0x20"});
    }
}

TEST_CASE("conditions are seen through") {
    Case t;
    Builder& b = t.b;
    const ir::Label label = b.new_label();
    SECTION("a branch on a comparison") {
        t.set(1, b.setcond(Cond::ltu, t.r(2), t.r(3)));
        b.brcond(Cond::ne, t.r(1), b.imm(0), label);
        t.leave();
        b.set_label(label);
        CHECK(t.optimized()[1] == "brcond_i64 r2,r3,ltu,$L0");
    }
    SECTION("the opposite of a comparison") {
        t.set(1, b.xor_(b.setcond(Cond::lt, t.r(2), t.r(3)), b.imm(1)));
        CHECK(t.optimized() == Lines{"setcond_i64 r1,r2,r3,ge"});
        b.set_label(label);
    }
    SECTION("a test of bits") {
        b.brcond(Cond::eq, b.and_(t.r(2), b.imm(0x10)), b.imm(0), label);
        t.leave();
        b.set_label(label);
        CHECK(t.optimized()[0] == "brcond_i64 r2,$0x10,tsteq,$L0");
    }
    SECTION("a choice of 1 and 0") {
        t.set(1, b.movcond(Cond::gt, t.r(2), t.r(3), b.imm(0), b.imm(1)));
        CHECK(t.optimized() == Lines{"setcond_i64 r1,r2,r3,le"});
    }
    SECTION("unsigned comparisons with one") {
        t.set(1, b.setcond(Cond::ltu, t.r(2), b.imm(1)));
        CHECK(t.optimized() == Lines{"setcond_i64 r1,r2,$0x0,eq"});
    }
}

TEST_CASE("decided branches") {
    Case t;
    Builder& b = t.b;
    const ir::Label label = b.new_label();
    SECTION("taken: what is skipped goes") {
        b.brcond(Cond::eq, b.imm(1), b.imm(1), label);
        t.set(1, b.imm(1));
        b.set_label(label);
        t.set(2, b.imm(2));
        CHECK(t.optimized() == Lines{"mov_i64 r2,$0x2"});
    }
    SECTION("not taken") {
        t.set(3, b.imm(3));
        b.brcond(Cond::ne, b.imm(1), b.imm(1), label);
        t.set(1, b.imm(1));
        b.set_label(label);
        t.set(2, t.r(3));  // the label is gone, and with it what made r3 forgotten
        CHECK(t.optimized() == Lines{"mov_i64 r3,$0x3", "mov_i64 r1,$0x1", "mov_i64 r2,$0x3"});
    }
    SECTION("unreachable goto_tb slots are closed up") {
        b.brcond(Cond::eq, b.imm(1), b.imm(1), label);
        b.exit_check(1, false);
        b.goto_tb(0x10);
        b.set_label(label);
        const ir::Label other = b.new_label();
        b.brcond(Cond::eq, t.r(1), t.r(2), other);
        b.exit_check(1, false);
        b.goto_tb(0x20);
        b.set_label(other);
        CHECK(t.optimized() ==
              Lines{"brcond_i64 r1,r2,eq,$L1", "exit_check 1", "goto_tb $0,pc+0x20", "set_label $L1"});
        CHECK(t.unit.goto_tb_count == 1);
    }
}

TEST_CASE("results are written where they go") {
    SECTION("a load's too") {
        Case t;
        t.set(1, t.b.guest_ld<I64>(t.r(1), MemOp(3, 0)));
        CHECK(t.optimized() == Lines{"guest_ld_i64 r1,r1,u64,mmu0"});
    }
    SECTION("not across something that may fault") {
        Case t;
        const I64 sum = t.b.add(t.r(2), t.r(3));
        t.b.guest_st(t.r(4), t.r(5), MemOp(3, 0));
        t.set(1, sum);
        CHECK(t.optimized() ==
              Lines{"add_i64 tmp20,r2,r3", "guest_st_i64 r4,r5,64,mmu0", "mov_i64 r1,tmp20"});
    }
    SECTION("not across a read of the old value") {
        Case t;
        const I64 sum = t.b.add(t.r(2), t.r(3));
        t.set(4, t.b.op(Opcode::not_, t.r(1)));
        t.set(1, sum);
        CHECK(t.optimized() == Lines{"add_i64 tmp20,r2,r3", "not_i64 r4,r1", "mov_i64 r1,tmp20"});
    }
    SECTION("not of a call") {
        Case t;
        t.set(1, t.b.call_value<I64>(kHelperMaybeRaise, t.r(2), t.r(3)));
        CHECK(t.optimized() == Lines{"call maybe_raise,tmp20,r2,r3", "mov_i64 r1,tmp20"});
    }
}

TEST_CASE("boxes") {
    Case t;
    const F32 value = t.b.guest_ld<F32>(t.r(1), MemOp(2, 0));
    t.b.mov(t.f(1), t.b.fbox(value));
    t.b.mov(t.f(2), t.b.fbox(t.b.op(Opcode::fsgnjn, t.b.funbox(t.f(1)), t.b.funbox(t.f(1)))));
    CHECK(t.optimized() == Lines{"guest_ld_f32 tmp20,r1,u32,mmu0", "fbox f1,tmp20",
                                 "fsgnjn_f32 tmp24,tmp20,tmp20", "fbox f2,tmp24"});
}

TEST_CASE("addresses from the pc") {
    Case t;
    t.set(1, t.b.pc_add(0x1000));
    t.set(1, t.b.add(t.r(1), t.b.imm(~uint64_t{0} - 15)));
    CHECK(t.optimized() == Lines{"pc_add r1,pc+0xff0"});
}

TEST_CASE("with every switch off nothing changes") {
    const OptimizeOptions none{false, false, false, false, false, false, false, false};
    Case t;
    t.set(1, t.b.add(t.b.imm(1), t.b.imm(2)));
    CHECK(t.optimized(none) == Lines{"add_i64 tmp22,$0x1,$0x2", "mov_i64 r1,tmp22"});
}

}  // namespace weft::tcg::test
