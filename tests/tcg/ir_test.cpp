// Units' memory, text, and broken units that no text can say.
#include <catch2/catch.hpp>

#include <vector>

#include "ir_fixture.h"

namespace weft::tcg::test {

using ir::Builder;
using ir::Cond;
using ir::I64;
using ir::MemOp;
using ir::Opcode;
using ir::Rounding;
using ir::Type;

namespace {

const std::string kNoError;

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a unit begins with the globals and grows") {
    UnitUnderTest t;
    CHECK(t.unit.temp_count == kGlobals);
    CHECK(t.unit.global_count == kGlobals);
    CHECK(t.unit.temps[3].offset == static_cast<int32_t>(offsetof(GuestState, regs) + 24));
    CHECK(t.unit.temps[kFirstFpGlobal].type == Type::f64);
    CHECK(t.unit.temps[kFirstFpGlobal].global == kFirstFpGlobal);
    for (uint32_t i = 0; i < 1000; ++i) {
        t.b.mov(t.r(1), t.b.imm(i));
    }
    CHECK(t.b.ok());
    CHECK(t.unit.op_count == 1000);
    CHECK(t.unit.temp_count == kGlobals + 1000);
    CHECK(t.unit.temps[t.unit.ops[999].args[1]].value == 999);
}

TEST_CASE("a unit keeps its memory for the next one") {
    UnitUnderTest t;
    for (uint32_t i = 0; i < 1000; ++i) {
        t.b.mov(t.r(1), t.b.imm(i));
    }
    const ir::Op* ops = t.unit.ops;
    const ir::Temp* temps = t.unit.temps;
    const uint32_t capacity = t.unit.op_capacity;
    ir::Unit& next = t.memory.begin_unit();
    CHECK(next.ops == ops);
    CHECK(next.temps == temps);
    CHECK(next.op_capacity == capacity);
    CHECK(next.op_count == 0);
    CHECK(next.temp_count == kGlobals);
}

TEST_CASE("a unit that is too big says so and stays usable") {
    UnitMemory memory({test_guest().globals, test_guest().global_count}, UnitLimits{300, 100});
    Builder many_ops(memory.begin_unit());
    for (unsigned i = 0; i < 400; ++i) {
        many_ops.mb(1);
    }
    CHECK(memory.unit().error == ir::UnitError::too_big);
    CHECK(memory.unit().op_count == 300);
    Builder many_temps(memory.begin_unit());
    CHECK(memory.unit().error == ir::UnitError::none);
    for (unsigned i = 0; i < 200; ++i) {
        many_temps.imm(i);
    }
    CHECK(memory.unit().error == ir::UnitError::too_big);
    CHECK(memory.unit().temp_count == 100);
    Builder again(memory.begin_unit());
    CHECK(again.ok());
}

TEST_CASE("text of ops") {
    UnitUnderTest t;
    Builder& b = t.b;
    b.op_into(Opcode::add, t.r(5), t.r(6), b.imm(0x10));
    CHECK(t.last_op() == "add_i64 r5,r6,$0x10");
    b.op_into(Opcode::and_, t.w(0), t.w(1), b.imm32(0xffffffff));
    CHECK(t.last_op() == "and_i32 w0,w1,$0xffffffff");
    const I64 address = b.add(t.r(1), t.r(2));
    const std::string name = "tmp" + std::to_string(address.index);
    CHECK(t.last_op() == "add_i64 " + name + ",r1,r2");
    b.emit(Opcode::guest_ld, Type::i64, 0,
           MemOp(2, 1, MemOp::kSign | MemOp::kAligned | MemOp::kAcquire).bits(), 3, address.index);
    CHECK(t.last_op() == "guest_ld_i64 r3," + name + ",s32+al+aq,mmu1");
    b.emit(Opcode::guest_ld, Type::i64, 0, MemOp(3, 1, MemOp::kAligned | MemOp::kReserve).bits(), 3,
           address.index);
    CHECK(t.last_op() == "guest_ld_i64 r3," + name + ",u64+al+res,mmu1");
    b.guest_st(t.f(1), address, MemOp(3, 3));
    CHECK(t.last_op() == "guest_st_f64 f1," + name + ",64,mmu3");
    b.guest_st(t.f(1), address, MemOp(3, 3).at(-2048));
    CHECK(t.last_op() == "guest_st_f64 f1," + name + ",64,mmu3,-2048");
    CHECK(b.guest_ld<I64>(address, MemOp(3, 0).at(32767)).index != 0);
    CHECK(contains(t.last_op(), ",u64,mmu0,+32767"));
    const ir::Label label = b.new_label();
    b.brcond(Cond::ltu, t.r(1), b.imm(0), label);
    CHECK(t.last_op() == "brcond_i64 r1,$0x0,ltu,$L0");
    b.set_label(label);
    CHECK(t.last_op() == "set_label $L0");
    b.mov(b.local<I64>(), b.pc_add(-4));
    CHECK(contains(t.text(), ",pc-0x4\n mov_i64 loc"));
    b.insn_start(0x1f8);
    CHECK(t.last_op() == "---- pc+0x1f8");
    b.call(kHelperTrace, t.r(4));
    CHECK(t.last_op() == "call trace,r4");
    b.extract(t.r(1), 8, 16);
    CHECK(contains(t.last_op(), ",r1,8,16"));
    b.emit(Opcode::fadd, Type::f64, static_cast<uint8_t>(Rounding::up), 0, kFirstFpGlobal, kFirstFpGlobal + 1,
           kFirstFpGlobal + 2);
    CHECK(t.last_op() == "fadd_f64 f0,f1,f2,rup");
    b.emit(Opcode::fcvt_to_int, Type::f64, 1, 3, 2, kFirstFpGlobal);
    CHECK(t.last_op() == "fcvt_to_int_f64 r2,f0,u64,rtz");
    b.store_state(Opcode::st32, t.r(1), -24);
    CHECK(t.last_op() == "st32_i64 r1,state-0x18");
    b.mb(ir::kBarrierLoadLoad | ir::kBarrierStoreLoad);
    CHECK(t.last_op() == "mb ld_ld|st_ld");
    b.exit_check(3, true);
    CHECK(t.last_op() == "exit_check 3,cycle");
    b.goto_tb(0xffe);
    CHECK(t.last_op() == "goto_tb $0,pc+0xffe");
    b.return_point(t.r(3), 0x10);
    CHECK(t.last_op() == "return_point r3,$1,pc+0x10");
    b.lookup_and_goto_ptr(t.r(4));
    CHECK(t.last_op() == "lookup_and_goto_ptr r4");
    b.lookup_and_goto_ptr(t.r(4), true);
    CHECK(t.last_op() == "lookup_and_goto_ptr r4,returns");
    b.exit_tb(ir::ExitReason::halt, t.r(1));
    CHECK(t.last_op() == "exit_tb r1,halt");
}

TEST_CASE("text of broken ops does not crash") {
    UnitUnderTest t;
    for (unsigned code = 0; code < 256; ++code) {
        ir::Op op{static_cast<Opcode>(code), static_cast<Type>(200), 250, 250, 0xfffffff7, {}};
        for (uint16_t& arg : op.args) {
            arg = 0xfff0;
        }
        CHECK(!print_op(t.unit, op, test_names()).empty());
        CHECK(!print_op(t.unit, op, {}).empty());
    }
}

// What the text of a unit can say is in files/verify.
TEST_CASE("the verifier refuses what no text can say") {
    UnitUnderTest t;
    Builder& b = t.b;
    b.insn_start(0);
    auto breaks = [&](const std::string& reason) {
        const std::string message = t.error();
        INFO(message);
        CHECK(contains(message, reason));
    };
    // The last op, which is broken, is closed by an exit so that nothing else is wrong.
    auto last_breaks = [&](const std::string& reason) {
        t.leave();
        const std::string message = t.error();
        INFO(message);
        CHECK(contains(message, "op " + std::to_string(t.unit.op_count - 2) + " ("));
        CHECK(contains(message, reason));
    };

    SECTION("another version") {
        t.unit.version = 77;
        breaks("IR version 77");
    }
    SECTION("an error in storage") {
        t.unit.error = ir::UnitError::too_big;
        breaks("could not grow");
    }
    SECTION("a global behind the globals") {
        t.unit.temps[b.temp<I64>().index].kind = ir::TempKind::global;
        breaks("is of kind 0");
    }
    SECTION("an unknown opcode") {
        b.mb(1);
        t.unit.ops[t.unit.op_count - 1].code = static_cast<Opcode>(ir::kOpcodeCount);
        last_breaks("unknown opcode");
    }
    SECTION("a temp that does not exist") {
        b.emit(Opcode::add, Type::i64, 0, 0, 1, 2, 4000);
        last_breaks("names temp 4000");
    }
    SECTION("a label out of range") {
        b.brcond(Cond::eq, t.r(1), t.r(2), ir::Label{5});
        last_breaks("there is no label 5");
    }
    SECTION("a goto_tb slot that is not counted") {
        b.exit_check(1, false);
        b.emit(Opcode::goto_tb, Type::none, 3, 0);
        breaks("slot 3 of 0");
    }
    SECTION("unknown bits of a memory operation") {
        b.emit(Opcode::guest_ld, Type::i64, 0, 1u << 12, 1, 1);
        last_breaks("unknown bits");
    }
    SECTION("an unknown conversion") {
        b.emit(Opcode::fcvt_to_int, Type::f64, 0, 4, 1, kFirstFpGlobal);
        last_breaks("conversion 4");
    }
    SECTION("an unknown barrier") {
        b.mb(16);
        last_breaks("barrier 0x10");
    }
}

}  // namespace weft::tcg::test
