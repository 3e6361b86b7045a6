// What instructions are translated to in the corners of the architecture. What the ops compute is tested by running them; where units
// end, by translate_units_test.cpp.
#include <catch2/catch.hpp>
#include <cstddef>

#include "tests/riscv/translated_unit.h"

namespace weft::riscv {
namespace {

using ir::Opcode;

constexpr uint32_t kFaddDyn = 0x02b57553;   // fadd.d fa0, fa0, fa1, dyn
constexpr uint32_t kFaddRup = 0x02b53553;   // fadd.d fa0, fa0, fa1, rup
constexpr uint32_t kCsrrwFrm = 0x00251073;  // csrrw zero, frm, a0

TbFlags with_fp(FpState fp, unsigned frm = 0) {
    return TbFlags(Priv::machine, MmuMode::machine, MmuMode::machine, fp, frm);
}

// That the unit is one instruction that raises `cause`.
void check_raises(TestUnit& unit, uint32_t cause) {
    const auto calls = unit.ops_of(Opcode::call);
    REQUIRE(calls.size() == 1);
    CHECK(calls[0].aux == kHelperRaise);
    CHECK(unit.constant(calls[0], 0) == cause);
    CHECK(unit.unit().insn_count == 1);
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
