// Double traps: "Ssdbltrp" and "Smdbltrp".
#include <catch2/catch.hpp>

#include "base/log.h"
#include "emulator/guest/riscv/cpu/interrupts.h"
#include "emulator/guest/riscv/cpu/tb_flags.h"
#include "emulator/guest/riscv/cpu/trap.h"
#include "tests/riscv/fake_hart.h"

namespace weft::riscv {
namespace {

constexpr uint64_t kSdt = uint64_t{1} << 24;
constexpr uint64_t kMdt = uint64_t{1} << 42;
constexpr uint64_t kDte = uint64_t{1} << 59;
constexpr uint64_t kHandlerOfS = 0x8000'2000;
constexpr uint64_t kHandlerOfM = 0x8000'1000;
constexpr uint64_t kPc = 0x8000'3000;

CpuModel with_both() {
    const auto model = parse_cpu_model("max,smdbltrp=on");
    REQUIRE(model.has_value());
    return *model;
}

class DoubleTraps {
  public:
    DoubleTraps() : model(with_both()), fake(0, model), state(fake.state()) {
        state.mstatus = 0;
        state.menvcfg |= kDte;
        state.mtvec = kHandlerOfM;
        state.stvec = kHandlerOfS;
    }

    void trap(Exception cause, uint64_t tval = 0) {
        record_exception(state, cause, tval);
        deliver(&state);
    }
    // From S mode, or from where `priv` says, to S mode.
    void enter(Priv priv) {
        state.priv = priv;
        state.medeleg = 0xb3fe;
        fake.header().pc = kPc;
        trap(Exception::breakpoint, 1);
    }

    const CpuModel model;
    FakeHart fake;
    State& state;
};

TEST_CASE("a trap to S mode sets SDT and clears SIE, where DTE is on", "[double-trap]") {
    for (const bool enabled : {false, true}) {
        for (const Priv from : {Priv::user, Priv::supervisor}) {
            DoubleTraps t;
            t.state.menvcfg = enabled ? kDte : 0;
            t.state.mstatus = 2;
            t.enter(from);
            CHECK(t.state.priv == Priv::supervisor);
            CHECK(t.fake.header().pc == kHandlerOfS);
            CHECK(t.state.mstatus == ((enabled ? kSdt : 0) | 0x20 | (from == Priv::supervisor ? 0x100 : 0)));
            CHECK(t.state.mtval2 == 0);
        }
    }
}

TEST_CASE("a trap too many in S mode is M mode's, with the cause of both", "[double-trap]") {
    for (const Exception second : {Exception::illegal_insn, Exception::load_page, Exception::breakpoint}) {
        DoubleTraps t;
        t.enter(Priv::user);
        t.fake.header().pc = kHandlerOfS + 4;
        t.trap(second, 0xbad);
        CHECK(t.state.priv == Priv::machine);
        CHECK(t.fake.header().pc == kHandlerOfM);
        CHECK(t.state.mcause == 16);
        CHECK(t.state.mtval2 == static_cast<uint64_t>(second));
        CHECK(t.state.mepc == kHandlerOfS + 4);
        CHECK(t.state.mtval == 0xbad);
        // What S mode knows of is the first one, and it is still dealing with it.
        CHECK(t.state.scause == 3);
        CHECK(t.state.sepc == kPc);
        CHECK(t.state.stval == 1);
        CHECK(t.state.mstatus == (kSdt | kMdt | 0x800));
        // The next one to M mode says nothing of it.
        t.state.mstatus = 0;
        t.trap(Exception::ecall_machine);
        CHECK(t.state.mcause == 11);
        CHECK(t.state.mtval2 == 0);
    }
}

TEST_CASE("what is M mode's anyway is no double trap", "[double-trap]") {
    DoubleTraps t;
    t.enter(Priv::user);
    t.state.medeleg = 0;
    t.trap(Exception::ecall_supervisor);
    CHECK(t.state.mcause == 9);
    CHECK(t.state.mtval2 == 0);
}

TEST_CASE("returns say that a trap has been dealt with", "[double-trap]") {
    DoubleTraps t;
    const auto after = [&t](Priv priv, uint64_t status, uint64_t (*return_from)(State&)) {
        t.state.priv = priv;
        t.state.mstatus = status | kSdt | kMdt;
        return_from(t.state);
        return t.state.mstatus & (kSdt | kMdt);
    };
    CHECK(after(Priv::machine, 0x1800, return_from_machine) == kSdt);
    CHECK(after(Priv::machine, 0x0800, return_from_machine) == kSdt);
    CHECK(after(Priv::machine, 0, return_from_machine) == 0);
    CHECK(after(Priv::machine, 0x100, return_from_supervisor) == 0);
    CHECK(after(Priv::machine, 0, return_from_supervisor) == 0);
    CHECK(after(Priv::supervisor, 0x100, return_from_supervisor) == kMdt);
    CHECK(after(Priv::supervisor, 0, return_from_supervisor) == kMdt);
}

TEST_CASE("M mode begins as one that deals with a trap, and has no interrupts until it says otherwise",
          "[double-trap]") {
    DoubleTraps t;
    reset(&t.state, &t.model);
    CHECK(t.fake.csr_read(0x300) >> 42 == 1);
    t.fake.csr(0x300, 8, CsrOp::set);
    CHECK((t.fake.csr_read(0x300) & 8) == 0);
    t.fake.csr(0x300, kMdt, CsrOp::clear);
    CHECK(t.fake.csr_read(0x300) >> 42 == 0);
    t.fake.csr(0x300, 8, CsrOp::set);
    CHECK((t.fake.csr_read(0x300) & 8) == 8);
    t.fake.csr(0x300, kMdt, CsrOp::set);
    CHECK((t.fake.csr_read(0x300) & (kMdt | 8)) == kMdt);
    // Not without the extension.
    FakeHart without;
    without.csr_write(0x300, ~uint64_t{0});
    CHECK((without.csr_read(0x300) & kMdt) == 0);
}

TEST_CASE("one in M mode stops the hart until its reset", "[double-trap]") {
    DoubleTraps t;
    t.fake.log_item = static_cast<unsigned>(LogItem::guest_errors);
    t.state.priv = Priv::supervisor;
    t.fake.header().pc = kPc;
    t.state.medeleg = 0;
    t.trap(Exception::illegal_insn, 0x1234);
    CHECK_FALSE(t.state.critical_error);
    CHECK_FALSE(TbFlags(guest_arch(t.model).tb_flags(&t.state)).stopped());
    t.fake.header().pc = kHandlerOfM + 8;
    t.trap(Exception::load_access, 0x5678);
    CHECK(t.state.critical_error);
    CHECK(t.fake.log_text ==
          "hart 0: load access fault at 0x80001008 while mstatus.MDT is 1: critical error, the hart executes "
          "nothing until it is reset\n");
    // Nothing that the first trap left is lost.
    CHECK(t.state.mcause == 2);
    CHECK(t.state.mepc == kPc);
    CHECK(t.state.mtval == 0x1234);
    CHECK(TbFlags(guest_arch(t.model).tb_flags(&t.state)).stopped());
    // Interrupts are nothing to it.
    t.state.mie = 0xaaa;
    t.state.mip.store(0x888);
    CHECK_FALSE(has_work(&t.state));
    CHECK_FALSE(take_interrupt(&t.state));
    reset(&t.state, &t.model);
    CHECK_FALSE(t.state.critical_error);
    CHECK_FALSE(TbFlags(guest_arch(t.model).tb_flags(&t.state)).stopped());
}

}  // namespace
}  // namespace weft::riscv
