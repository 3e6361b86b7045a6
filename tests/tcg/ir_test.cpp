// Units' memory, text, and what the verifier accepts and refuses.
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
    b.insn_start(0x1fa, 0x123456);
    CHECK(t.last_op() == "---- pc+0x1fa 0x123456");
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

TEST_CASE("the verifier accepts good units") {
    UnitUnderTest t;
    Builder& b = t.b;
    const I64 sum = b.local<I64>();
    const ir::Label top = b.new_label();
    const ir::Label out = b.new_label();
    b.insn_start(0);
    b.mov(sum, b.imm(0));
    b.set_label(top);
    const I64 value = b.guest_ld<I64>(t.r(1), MemOp(3, 0));
    b.op_into(Opcode::add, sum, sum, value);
    b.brcond(Cond::eq, value, b.imm(0), out);
    b.mov(t.r(2), value);  // across brcond's fall-through
    b.br(top);
    b.set_label(out);
    b.mov(t.r(3), sum);
    b.exit_check(1, true);
    b.lookup_and_goto_ptr(t.r(3));
    CHECK(t.error() == kNoError);
}

TEST_CASE("the verifier refuses") {
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

    SECTION("an empty unit") {
        t.unit.op_count = 0;
        breaks("it has no ops");
    }
    SECTION("another version") {
        t.unit.version = 77;
        breaks("IR version 77");
    }
    SECTION("an error in storage") {
        t.unit.error = ir::UnitError::too_big;
        breaks("could not grow");
    }
    SECTION("a constant that is too wide") {
        t.unit.temps[b.imm32(1).index].value = uint64_t{1} << 32;
        breaks("a constant of 32 bits");
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
    SECTION("a type that the op does not have") {
        b.emit(Opcode::add, Type::f64, 0, 0, kFirstFpGlobal, kFirstFpGlobal, kFirstFpGlobal);
        last_breaks("type f64 is not among the op's");
    }
    SECTION("too few arguments") {
        b.emit(Opcode::add, Type::i64, 0, 0, 1, 2);
        last_breaks("2 arguments instead of 3");
    }
    SECTION("an argument of another type") {
        b.emit(Opcode::add, Type::i64, 0, 0, 1, 2, kFirstWordGlobal);
        last_breaks("argument 2 is i32, not i64");
    }
    SECTION("a temp that does not exist") {
        b.emit(Opcode::add, Type::i64, 0, 0, 1, 2, 4000);
        last_breaks("names temp 4000");
    }
    SECTION("writing a constant") {
        b.mov(b.imm(1), t.r(1));
        last_breaks("writes a constant");
    }
    SECTION("a temp that was never written") {
        b.mov(t.r(1), b.temp<I64>());
        last_breaks("never written");
    }
    SECTION("an ebb temp across a label") {
        const I64 value = b.add(t.r(1), t.r(2));
        b.set_label(b.new_label());
        b.mov(t.r(1), value);
        last_breaks("written before a label");
    }
    SECTION("a unit temp that one path does not write") {
        const I64 value = b.local<I64>();
        const ir::Label skip = b.new_label();
        b.brcond(Cond::eq, t.r(1), t.r(2), skip);
        b.mov(value, t.r(1));
        b.set_label(skip);
        b.mov(t.r(1), value);
        last_breaks("may not have been written");
    }
    SECTION("a unit temp that only the way back writes") {
        const I64 value = b.local<I64>();
        const ir::Label top = b.new_label();
        b.set_label(top);
        b.mov(t.r(1), value);
        b.mov(value, t.r(1));
        b.brcond(Cond::eq, t.r(1), t.r(2), top);
        t.leave();
        breaks("argument 1 may not have been written");
    }
    SECTION("a label out of range") {
        b.brcond(Cond::eq, t.r(1), t.r(2), ir::Label{5});
        last_breaks("there is no label 5");
    }
    SECTION("a label that is not bound") {
        b.brcond(Cond::eq, t.r(1), t.r(2), b.new_label());
        last_breaks("label 0 is not bound");
    }
    SECTION("a label bound twice") {
        const ir::Label label = b.new_label();
        b.set_label(label);
        b.set_label(label);
        t.leave();
        breaks("label 0 is bound by op 1 and by op 2");
    }
    SECTION("an op behind a block's end") {
        t.leave();
        b.mov(t.r(1), t.r(2));
        last_breaks("after the end of a block");
    }
    SECTION("control that falls off the end") {
        b.mov(t.r(1), t.r(2));
        breaks("behind its last op");
    }
    SECTION("goto_tb without exit_check") {
        b.goto_tb(8);
        breaks("no exit_check");
    }
    SECTION("lookup_and_goto_ptr with something between") {
        b.exit_check(1, true);
        b.mov(t.r(1), t.r(2));
        b.lookup_and_goto_ptr(t.r(1));
        breaks("between an exit_check and its transfer");
    }
    SECTION("a goto_tb slot used twice") {
        const ir::Label other = b.new_label();
        b.brcond(Cond::eq, t.r(1), t.r(2), other);
        b.exit_check(1, false);
        b.goto_tb(8);
        b.set_label(other);
        b.exit_check(1, false);
        b.emit(Opcode::goto_tb, Type::none, 0, 0 | 16 << 8);
        breaks("slot 0 is used twice");
    }
    SECTION("a goto_tb slot that is not counted") {
        b.exit_check(1, false);
        b.emit(Opcode::goto_tb, Type::none, 0, 3);
        breaks("slot 3 of 0");
    }
    SECTION("a goto_tb slot that is not used") {
        t.unit.goto_tb_count = 1;
        t.leave();
        breaks("not all of its 1 goto_tb slots");
    }
    SECTION("a goto_tb to another page") {
        b.exit_check(1, false);
        b.goto_tb(4096);
        breaks("page offset 0x1000");
    }
    SECTION("an access that is too wide") {
        b.emit(Opcode::guest_ld, Type::i32, 0, MemOp(3, 0).bits(), kFirstWordGlobal, 1);
        last_breaks("an access of 8 bytes does not go with i32");
    }
    SECTION("a narrow access of floating point") {
        b.guest_st(t.f(0), t.r(1), MemOp(2, 0));
        last_breaks("an access of 4 bytes does not go with f64");
    }
    SECTION("unknown bits of a memory operation") {
        b.emit(Opcode::guest_ld, Type::i64, 0, 1u << 12, 1, 1);
        last_breaks("unknown bits");
    }
    SECTION("a reservation by other than an aligned load without sign extension") {
        SECTION("misaligned") {
            b.emit(Opcode::guest_ld, Type::i64, 0, MemOp(3, 0, MemOp::kReserve).bits(), 1, 1);
            last_breaks("reserves");
        }
        SECTION("sign-extended") {
            b.emit(Opcode::guest_ld, Type::i64, 0,
                   MemOp(2, 0, MemOp::kReserve | MemOp::kAligned | MemOp::kSign).bits(), 1, 1);
            last_breaks("reserves");
        }
        SECTION("store") {
            b.guest_st(t.r(1), t.r(2), MemOp(3, 0, MemOp::kReserve | MemOp::kAligned));
            last_breaks("reserves");
        }
    }
    SECTION("an atomic access at a displacement") {
        b.emit(Opcode::atomic_add, Type::i64, 0, MemOp(3, 0, MemOp::kAligned).at(-8).bits(), 1, 1, 2);
        last_breaks("a displacement of -8");
    }
    SECTION("an MMU mode that does not exist") {
        b.emit(Opcode::guest_ld, Type::i64, 0, MemOp(3, 9).bits(), 1, 1);
        last_breaks("unknown bits");
    }
    SECTION("an empty field") {
        b.extract(t.r(1), 3, 0);
        last_breaks("field of 0 bits at 3");
    }
    SECTION("a field that reaches too far") {
        b.extract(t.w(0), 30, 3);
        last_breaks("field of 3 bits at 30");
    }
    SECTION("an unknown condition, rounding, conversion, reason, barrier") {
        SECTION("condition") {
            b.setcond(static_cast<Cond>(12), t.r(1), t.r(2));
            last_breaks("condition 12");
        }
        SECTION("rounding") {
            b.fp_binary(Opcode::fadd, t.f(0), t.f(1), static_cast<Rounding>(7));
            last_breaks("rounding 7");
        }
        SECTION("conversion") {
            b.emit(Opcode::fcvt_to_int, Type::f64, 0, 4, 1, kFirstFpGlobal);
            last_breaks("conversion 4");
        }
        SECTION("reason") {
            b.exit_tb(static_cast<ir::ExitReason>(9), t.r(1));
            breaks("reason 9");
        }
        SECTION("barrier") {
            b.mb(16);
            last_breaks("barrier 0x10");
        }
    }
    SECTION("a helper that does not exist") {
        b.call(kTestHelperCount, t.r(1));
        last_breaks("there is no helper");
    }
    SECTION("a call with too few arguments") {
        b.call(kHelperTrace);
        last_breaks("0 arguments instead of 1");
    }
    SECTION("a call with arguments of another type") {
        b.call(kHelperTrace, t.w(0));
        last_breaks("argument 0 is i32, not i64");
    }
    SECTION("an access before any insn_start") {
        t.unit.op_count = 0;
        b.guest_st(t.r(1), t.r(2), MemOp(3, 0));
        last_breaks("no insn_start stands before it");
    }
    SECTION("a raising helper before any insn_start") {
        t.unit.op_count = 0;
        b.call_value<I64>(kHelperMaybeRaise, t.r(1), t.r(2));
        last_breaks("no insn_start stands before it");
    }
    SECTION("a state access to a global's home") {
        b.store_state(Opcode::st8, t.r(1), static_cast<int32_t>(offsetof(GuestState, regs) + 15));
        last_breaks("touches the home of global 1");
    }
}

}  // namespace weft::tcg::test
