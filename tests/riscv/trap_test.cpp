// Traps and returns, interrupts, timers, and the helpers around them.
#include "emulator/guest/riscv/cpu/trap.h"
#include "emulator/guest/riscv/cpu/dump_registers.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <thread>

#include "base/log.h"
#include "emulator/guest/riscv/cpu/interrupts.h"
#include "tests/riscv/fake_hart.h"

namespace weft::riscv {
namespace {

constexpr uint64_t kInterrupt = uint64_t{1} << 63;
constexpr uint64_t kStce = uint64_t{1} << 63;

TEST_CASE("exceptions go where medeleg sends them", "[trap]") {
    for (const Priv from : {Priv::user, Priv::supervisor, Priv::machine}) {
        for (const bool delegated : {false, true}) {
            for (uint64_t cause = 0; cause < 16; ++cause) {
                FakeHart fake;
                State& state = fake.state();
                state.priv = from;
                state.medeleg = delegated ? uint64_t{1} << cause : ~(uint64_t{1} << cause);
                state.mtvec = 0x8000'1001;  // vectored: exceptions still go to the base
                state.stvec = 0x8000'2001;
                state.mstatus = 0xa;  // SIE, MIE
                fake.header().pc = 0x8765'4322;
                record_exception(state, static_cast<Exception>(cause), 0xbad);
                deliver(&state);
                CAPTURE(static_cast<int>(from), delegated, cause);
                const uint64_t spp = from == Priv::supervisor ? 0x100 : 0;
                if (delegated && from != Priv::machine) {
                    CHECK(state.priv == Priv::supervisor);
                    CHECK(fake.header().pc == 0x8000'2000);
                    CHECK(state.scause == cause);
                    CHECK(state.sepc == 0x8765'4322);
                    CHECK(state.stval == 0xbad);
                    CHECK(state.mstatus == (0x8 | 0x20 | spp));  // SIE moved to SPIE
                    CHECK(state.mepc == 0);
                } else {
                    CHECK(state.priv == Priv::machine);
                    CHECK(fake.header().pc == 0x8000'1000);
                    CHECK(state.mcause == cause);
                    CHECK(state.mepc == 0x8765'4322);
                    CHECK(state.mtval == 0xbad);
                    CHECK(state.mstatus == (0x2 | 0x80 | static_cast<uint64_t>(from) << 11));
                    CHECK(state.sepc == 0);
                }
            }
        }
    }
}

TEST_CASE("a trap stacks disabled interrupts too, and overwrites what was stacked", "[trap]") {
    FakeHart fake;
    State& state = fake.state();
    state.priv = Priv::user;
    state.mstatus = 0x1800 | 0x80 | 0x20 | 0x100;
    state.medeleg = 1u << 8;
    record_exception(state, Exception::ecall_user, 0);
    deliver(&state);
    CHECK(state.mstatus == (0x1800 | 0x80));  // SPIE and SPP now zero
    record_exception(state, Exception::illegal_insn, 0);
    deliver(&state);
    CHECK(state.mstatus == 0x0800);
}

// Takes an interrupt with everything enabled and gives the cause, or ~0.
uint64_t take(FakeHart& fake) {
    State& state = fake.state();
    const uint64_t before = fake.header().pc;
    if (!take_interrupt(&state)) {
        CHECK(fake.header().pc == before);
        return ~uint64_t{0};
    }
    return state.priv == Priv::machine ? state.mcause : state.scause;
}

TEST_CASE("interrupts by mode, delegation and enables", "[trap]") {
    for (const unsigned number : {1u, 3u, 5u, 7u, 9u, 11u}) {
        const uint64_t bit = uint64_t{1} << number;
        for (const Priv priv : {Priv::user, Priv::supervisor, Priv::machine}) {
            for (unsigned bits = 0; bits < 16; ++bits) {
                const bool sie = bits & 1;
                const bool mie = bits & 2;
                const bool enabled = bits & 4;
                const bool delegated = (bits & 8) != 0 && (bit & 0x222) != 0;
                FakeHart fake;
                State& state = fake.state();
                fake.now = 1'000;
                state.priv = priv;
                state.mstatus = (sie ? 2u : 0u) | (mie ? 8u : 0u);
                state.mie = enabled ? bit : 0xaaa & ~bit;
                state.mideleg = delegated ? bit : 0;
                state.mtvec = 0x1000'0001;
                state.stvec = 0x2000'0000;
                if (number == 7) {
                    state.mtimecmp.store(0);
                } else if (number == 9) {
                    fake.hart.set_interrupt(Interrupt::supervisor_external, true);
                } else {
                    state.mip.fetch_or(bit);
                }
                const bool machine_ok = priv != Priv::machine || mie;
                const bool supervisor_ok = priv == Priv::user || (priv == Priv::supervisor && sie);
                const bool expected = enabled && (delegated ? supervisor_ok : machine_ok);
                CAPTURE(number, static_cast<int>(priv), bits);
                CHECK(has_work(&state) == enabled);
                CHECK(take(fake) == (expected ? kInterrupt | number : ~uint64_t{0}));
                if (expected) {
                    CHECK(state.priv == (delegated ? Priv::supervisor : Priv::machine));
                    CHECK(fake.header().pc == (delegated ? 0x2000'0000 : 0x1000'0000 + 4 * number));
                    CHECK((delegated ? state.stval : state.mtval) == 0);
                    CHECK((delegated ? state.sepc : state.mepc) == 0x1000);
                }
            }
        }
    }
}

TEST_CASE("interrupt priorities", "[trap]") {
    const std::array<unsigned, 6> order = {11, 3, 7, 9, 1, 5};
    SECTION("all to M mode") {
        FakeHart fake;
        State& state = fake.state();
        state.mie = 0xaaa;
        state.mip.store(0xaaa & ~0x80u);
        state.mtimecmp.store(0);
        for (const unsigned number : order) {
            state.priv = Priv::user;
            CHECK(take(fake) == (kInterrupt | number));
            state.mie &= ~(uint64_t{1} << number);
        }
        CHECK(take(fake) == ~uint64_t{0});
    }
    SECTION("those to M mode before those to S mode") {
        FakeHart fake;
        State& state = fake.state();
        state.mie = 0xaaa;
        state.mideleg = 0x202;
        state.mip.store(0xaaa & ~0x80u);
        state.mtimecmp.store(0);
        for (const unsigned number : {11u, 3u, 7u, 5u, 9u, 1u}) {
            state.priv = Priv::user;
            CHECK(take(fake) == (kInterrupt | number));
            CHECK(state.priv == (number == 9 || number == 1 ? Priv::supervisor : Priv::machine));
            state.mie &= ~(uint64_t{1} << number);
        }
    }
}

TEST_CASE("MRET", "[trap]") {
    for (const uint64_t mpp : {0u, 1u, 3u}) {
        for (const bool mpie : {false, true}) {
            FakeHart fake;
            State& state = fake.state();
            state.mepc = 0x1234'5678;
            state.mstatus = mpp << 11 | (mpie ? 0x80 : 0) | 0x20000 | 0x8;
            state.res_address = 0x1000;
            CHECK(fake.call<uint64_t, uint32_t>(kHelperMret, 1) == 0x1234'5678);
            CHECK(fake.header().raised == 0);
            CHECK(static_cast<uint64_t>(state.priv) == mpp);
            CHECK(state.mstatus == (0x80u | (mpie ? 0x8u : 0u) | (mpp == 3 ? 0x20000u : 0u)));
            CHECK(state.res_address == kNoReservation);
        }
    }
    FakeHart fake;
    for (const Priv priv : {Priv::user, Priv::supervisor}) {
        fake.state().priv = priv;
        fake.state().mstatus = 0x1800;
        fake.call<uint64_t, uint32_t>(kHelperMret, 0x3020'0073);
        CHECK(fake.raised(Exception::illegal_insn, 0x3020'0073));
        CHECK(fake.state().priv == priv);
        CHECK(fake.state().mstatus == 0x1800);
    }
}

TEST_CASE("SRET", "[trap]") {
    for (const Priv from : {Priv::supervisor, Priv::machine}) {
        for (const bool spp : {false, true}) {
            for (const bool spie : {false, true}) {
                FakeHart fake;
                State& state = fake.state();
                state.priv = from;
                state.sepc = 0x1234'5678;
                state.mstatus = (spp ? 0x100u : 0u) | (spie ? 0x20u : 0u) | 0x20000 | 0x2 | 0x1800;
                state.res_address = 0x1000;
                CHECK(fake.call<uint64_t, uint32_t>(kHelperSret, 1) == 0x1234'5678);
                CHECK(state.priv == (spp ? Priv::supervisor : Priv::user));
                CHECK(state.mstatus == (0x1820u | (spie ? 0x2u : 0u)));
                CHECK(state.res_address == kNoReservation);
            }
        }
    }
    FakeHart fake;
    const auto illegal = [&fake](Priv priv, uint64_t mstatus) {
        fake.state().priv = priv;
        fake.state().mstatus = mstatus;
        fake.call<uint64_t, uint32_t>(kHelperSret, 0x1020'0073);
        return fake.raised(Exception::illegal_insn, 0x1020'0073);
    };
    CHECK(illegal(Priv::user, 0));
    CHECK(illegal(Priv::supervisor, 1u << 22));  // TSR
    CHECK_FALSE(illegal(Priv::supervisor, 3u << 20));
    CHECK_FALSE(illegal(Priv::machine, 1u << 22));
}

// Unprivileged specification, "CMO": menvcfg for S and U mode, senvcfg for U mode as well.
TEST_CASE("operations on cache blocks need the enables of the modes above", "[helpers]") {
    FakeHart fake;
    fake.open_pmp();
    constexpr uint32_t kInsn = 0x0005'200f;
    const auto legal = [&](Priv priv, CacheOp op, uint64_t menvcfg, uint64_t senvcfg) {
        fake.state().priv = priv;
        fake.state().menvcfg = menvcfg;
        fake.state().senvcfg = senvcfg;
        fake.call<void, uint64_t, uint32_t, uint32_t>(kHelperCbo, kRamBase, static_cast<uint32_t>(op), kInsn);
        return !fake.raised(Exception::illegal_insn, kInsn);
    };
    struct Row {
        CacheOp op;
        uint64_t enable;
    };
    for (const Row& row : {Row{CacheOp::invalidate, 0x10}, Row{CacheOp::invalidate, 0x30},
                           Row{CacheOp::clean, 0x40}, Row{CacheOp::flush, 0x40}}) {
        CHECK(legal(Priv::machine, row.op, 0, 0));
        CHECK(legal(Priv::supervisor, row.op, row.enable, 0));
        CHECK_FALSE(legal(Priv::supervisor, row.op,
                          0xf0 & ~(row.op == CacheOp::invalidate ? 0x30 : row.enable), 0xf0));
        CHECK(legal(Priv::user, row.op, row.enable, row.enable));
        CHECK_FALSE(legal(Priv::user, row.op, row.enable, 0));
        CHECK_FALSE(legal(Priv::user, row.op, 0, row.enable));
    }
    // What can be neither loaded from nor stored to is a store's fault.
    fake.state().pmpcfg[15] = 0;
    legal(Priv::supervisor, CacheOp::flush, 0xf0, 0);
    CHECK(fake.raised(Exception::store_access, kRamBase));
    for (const uint8_t right : {uint8_t{1}, uint8_t{3}}) {
        fake.state().pmpcfg[15] = static_cast<uint8_t>(0x18 | right);
        CHECK(legal(Priv::supervisor, CacheOp::clean, 0xf0, 0));
        CHECK(fake.header().raised == 0);
    }
}

TEST_CASE("WFI, SFENCE.VMA and FENCE.I", "[trap]") {
    FakeHart fake;
    State& state = fake.state();
    const auto wfi = [&](Priv priv, uint64_t mstatus) {
        state.priv = priv;
        state.mstatus = mstatus;
        fake.call<void, uint32_t>(kHelperWfi, 0x1050'0073);
        return !fake.raised(Exception::illegal_insn, 0x1050'0073);
    };
    CHECK(wfi(Priv::machine, 1u << 21));
    CHECK(wfi(Priv::supervisor, 5u << 20));
    CHECK_FALSE(wfi(Priv::supervisor, 1u << 21));  // TW
    CHECK_FALSE(wfi(Priv::user, 0));
    // Unprivileged specification, "Zawrs": TW concerns WRS.NTO in all modes but M, and U mode needs no leave.
    const auto wrs_nto = [&](Priv priv, uint64_t mstatus) {
        fake.state().priv = priv;
        fake.state().mstatus = mstatus;
        fake.call<void, uint32_t>(kHelperWrsNto, 0x00d0'0073);
        return !fake.raised(Exception::illegal_insn, 0x00d0'0073);
    };
    CHECK(wrs_nto(Priv::machine, 1u << 21));
    CHECK(wrs_nto(Priv::supervisor, 5u << 20));
    CHECK_FALSE(wrs_nto(Priv::supervisor, 1u << 21));
    CHECK(wrs_nto(Priv::user, 0));
    CHECK_FALSE(wrs_nto(Priv::user, 1u << 21));

    const auto sfence = [&](Priv priv, uint64_t mstatus, uint32_t flags) {
        state.priv = priv;
        state.mstatus = mstatus;
        fake.call<void, uint64_t, uint64_t, uint32_t, uint32_t>(kHelperSfenceVma, 0x1234'5678, 0x1'abcd,
                                                                flags, 0x1200'0073);
        return !fake.raised(Exception::illegal_insn, 0x1200'0073);
    };
    CHECK_FALSE(sfence(Priv::user, 0, 0));
    CHECK_FALSE(sfence(Priv::supervisor, 1u << 20, 0));  // TVM
    CHECK(fake.flushes.empty());
    for (const uint32_t flags : {0u, 1u, 2u, 3u}) {
        fake.flushes.clear();
        CHECK(sfence(Priv::supervisor, 6u << 20, flags));
        REQUIRE(fake.flushes.size() == 1);
        CHECK(fake.flushes[0].all_addresses == ((flags & kSfenceHasAddress) == 0));
        CHECK(fake.flushes[0].all_asids == ((flags & kSfenceHasAsid) == 0));
        CHECK(fake.flushes[0].vaddr == 0x1234'5678);
        CHECK(fake.flushes[0].asid == 0xabcd);
    }
    CHECK(sfence(Priv::machine, 1u << 20, 0));

    fake.call<void>(kHelperFenceI);
    CHECK(fake.fence_is == 1);
    fake.call<void, uint32_t, uint64_t>(kHelperRaise, 3, 0x99);
    CHECK(fake.raised(Exception::breakpoint, 0x99));
}

TEST_CASE("the helper table matches what translators call", "[trap]") {
    const auto table = helper_table();
    REQUIRE(table.size() == kHelperCount);
    const auto signature = [&table](HelperId id) {
        const HelperSignature& s = table[id].signature;
        const auto letter = [](ir::Type type) {
            return type == ir::Type::none  ? 'v'
                   : type == ir::Type::i32 ? 'w'
                   : type == ir::Type::i64 ? 'x'
                                           : '?';
        };
        std::string text(1, letter(s.result));
        text += s.takes_state ? "(s" : "(";
        for (unsigned i = 0; i < s.arg_count; ++i) {
            text += letter(s.args[i]);
        }
        return text;
    };
    CHECK(signature(kHelperRaise) == "v(swx");
    CHECK(signature(kHelperCsr) == "x(swxww");
    CHECK(signature(kHelperMret) == "x(sw");
    CHECK(signature(kHelperSret) == "x(sw");
    CHECK(signature(kHelperWfi) == "v(sw");
    CHECK(signature(kHelperSfenceVma) == "v(sxxww");
    CHECK(signature(kHelperFenceI) == "v(s");
    CHECK(signature(kHelperWrsNto) == "v(sw");
    CHECK(signature(kHelperAmo) == "x(sxxww");
    CHECK(signature(kHelperCas) == "x(sxxxw");
    CHECK(signature(kHelperCasPair) == "v(sxwww");
    CHECK(signature(kHelperCbo) == "v(sxww");
    CHECK(signature(kHelperSoftFp) == "x(sxxxw");
    for (const HelperId pure : {kHelperClmul, kHelperClmulh, kHelperXperm4, kHelperXperm8}) {
        CHECK(signature(pure) == "x(xx");
        CHECK(table[pure].effects == kHelperPure);
    }
    CHECK((table[kHelperRaise].effects & kHelperNoReturn) != 0);
    for (const HelperDesc& helper : table) {
        CHECK((helper.effects == kHelperPure ||
               (helper.effects & (kHelperSideEffects | kHelperMayRaise)) != 0));
        CHECK((helper.effects & kHelperUsesFp) == 0);
    }
}

TEST_CASE("traps drop the reservation", "[trap]") {
    FakeHart fake;
    State& state = fake.state();
    state.res_address = 0x1000;
    record_exception(state, Exception::illegal_insn, 0);
    deliver(&state);
    CHECK(state.res_address == kNoReservation);
    state.res_address = 0x1000;
    state.mstatus = 8;
    state.mie = 8;
    fake.hart.set_interrupt(Interrupt::machine_software, true);
    CHECK(take(fake) == (kInterrupt | 3));
    CHECK(state.res_address == kNoReservation);
}

TEST_CASE("lines kick where they rise", "[trap]") {
    for (const Interrupt interrupt : {Interrupt::machine_software, Interrupt::machine_external,
                                      Interrupt::supervisor_external, Interrupt::supervisor_software}) {
        FakeHart fake;
        fake.hart.set_interrupt(interrupt, true);
        CHECK(fake.kicks == 1);
        fake.hart.set_interrupt(interrupt, true);
        CHECK(fake.kicks == 1);
        fake.hart.set_interrupt(interrupt, false);
        CHECK(fake.kicks == 1);
        CHECK(fake.csr_read(0x344) == 0);
        fake.hart.set_interrupt(interrupt, true);
        CHECK(fake.kicks == 2);
        CHECK(fake.csr_read(0x344) == uint64_t{1} << static_cast<unsigned>(interrupt));
    }
}

TEST_CASE("what lets a pending interrupt through asks for a look", "[trap]") {
    FakeHart fake;
    State& state = fake.state();
    state.mip.store(0x2);
    SECTION("mie, then mstatus.MIE") {
        fake.csr_write(0x304, 0x2);
        CHECK(fake.kicks == 0);
        fake.csr_write(0x300, 0x8);
        CHECK(fake.kicks == 1);
    }
    SECTION("mstatus.MIE, then mie") {
        fake.csr_write(0x300, 0x8);
        CHECK(fake.kicks == 0);
        fake.csr_write(0x304, 0x2);
        CHECK(fake.kicks == 1);
    }
    SECTION("MRET") {
        fake.csr_write(0x304, 0x2);
        fake.call<uint64_t, uint32_t>(kHelperMret, 1);
        CHECK(fake.kicks == 1);
    }
    SECTION("SRET") {
        fake.csr_write(0x304, 0x2);
        fake.csr_write(0x303, 0x2);
        state.priv = Priv::supervisor;
        fake.call<uint64_t, uint32_t>(kHelperSret, 1);
        CHECK(fake.kicks == 1);
    }
    SECTION("mip") {
        fake.csr_write(0x304, 0x20);
        fake.csr_write(0x300, 0x8);
        CHECK(fake.kicks == 0);
        fake.csr(0x344, 0x20, CsrOp::set);
        CHECK(fake.kicks == 1);
    }
}

TEST_CASE("deadlines are those of enabled timers", "[trap]") {
    FakeHart fake;
    const auto deadline = [&fake] { return fake.deadlines.empty() ? UINT64_MAX : fake.deadlines.back(); };
    fake.now = 1'000;
    fake.hart.set_mtimecmp(50);
    CHECK(deadline() == UINT64_MAX);
    CHECK(fake.kicks == 1);
    fake.csr_write(0x304, 0x80);
    CHECK(deadline() == 5'000);
    fake.csr_write(0x14d, 30);
    fake.csr_write(0x304, 0xa0);
    CHECK(deadline() == 5'000);  // no Sstc yet
    fake.csr_write(0x30a, kStce);
    CHECK(deadline() == 3'000);
    fake.hart.set_mtimecmp(20);
    CHECK(deadline() == 2'000);
    CHECK(fake.hart.mtimecmp() == 20);
    // Further than nanoseconds count: never.
    fake.hart.set_mtimecmp(UINT64_MAX / 100 + 1);
    fake.csr_write(0x14d, UINT64_MAX - 1);
    CHECK(deadline() == UINT64_MAX);
    fake.csr_write(0x14d, 40);
    CHECK(deadline() == 4'000);
    fake.csr_write(0x304, 0x80);
    CHECK(deadline() == UINT64_MAX);
}

TEST_CASE("what is added to the clock moves time and deadlines", "[trap]") {
    FakeHart fake;
    fake.now = 1'000;
    fake.csr_write(0x304, 0x80);
    fake.hart.set_mtimecmp(50);
    CHECK(fake.deadlines.back() == 5'000);
    const unsigned kicks = fake.kicks;
    fake.hart.set_time_offset(20);
    CHECK(fake.kicks == kicks + 1);
    CHECK(fake.hart.time() == 30);
    CHECK(fake.csr_read(0xc01) == 30);
    CHECK(fake.deadlines.back() == 3'000);
    CHECK_FALSE(has_work(&fake.state()));
    fake.hart.set_time_offset(40);
    CHECK(has_work(&fake.state()));
    CHECK(fake.deadlines.back() == UINT64_MAX);  // due already
    fake.hart.set_time_offset(uint64_t{0} - 5);
    CHECK(fake.csr_read(0xc01) == 5);
    CHECK_FALSE(has_work(&fake.state()));
    CHECK(fake.deadlines.back() == 5'500);
    // Further than nanoseconds count.
    fake.hart.set_time_offset(0);
    fake.hart.set_mtimecmp(UINT64_MAX - 1);
    CHECK(fake.deadlines.back() == UINT64_MAX);
}

TEST_CASE("a timer that came due makes room for the other's deadline", "[trap]") {
    FakeHart fake;
    State& state = fake.state();
    fake.csr_write(0x30a, kStce);
    fake.csr_write(0x304, 0xa0);
    fake.csr_write(0x14d, 30);
    fake.hart.set_mtimecmp(50);
    CHECK(fake.deadlines.back() == 3'000);
    CHECK_FALSE(has_work(&state));
    fake.now = 2'999;
    CHECK_FALSE(has_work(&state));
    fake.now = 3'000;
    CHECK(has_work(&state));
    CHECK(take(fake) == ~uint64_t{0});  // M mode with interrupts disabled
    CHECK(fake.deadlines.back() == 5'000);
    fake.now = 5'000;
    CHECK(take(fake) == ~uint64_t{0});
    CHECK(fake.deadlines.back() == UINT64_MAX);
    // Both are remembered for the moment that lets them through, without a look at the clock.
    const unsigned kicks = fake.kicks;
    fake.csr_write(0x300, 0x8);
    CHECK(fake.kicks == kicks + 1);
    CHECK(take(fake) == (kInterrupt | 7));
}

TEST_CASE("a compare value that has passed is due at once", "[trap]") {
    FakeHart fake;
    State& state = fake.state();
    fake.now = 10'000;
    fake.csr_write(0x30a, kStce);
    fake.csr_write(0x303, 0x20);
    fake.csr_write(0x304, 0x20);
    state.priv = Priv::supervisor;
    state.mcounteren = 2;
    state.mstatus = 2;
    fake.csr_write(0x14d, 100);
    CHECK(fake.kicks == 1);
    CHECK(take(fake) == (kInterrupt | 5));
    fake.csr_write(0x14d, 101);
    CHECK(fake.deadlines.back() == 10'100);
    CHECK(fake.kicks == 1);
    state.mstatus = 2;
    CHECK(take(fake) == ~uint64_t{0});
}

TEST_CASE("the deadline follows whoever changed a compare value last", "[trap]") {
    // The CLINT's side on a thread of its own, the CSRs' side here; the fake records deadlines under the
    // hart's lock.
    FakeHart fake;
    fake.csr_write(0x30a, kStce);
    fake.csr_write(0x304, 0xa0);
    for (uint64_t round = 1; round <= 200; ++round) {
        const uint64_t machine = 1'000 * round + 7;
        const uint64_t supervisor = 1'000 * round + (round % 2 == 0 ? 3 : 9);
        std::thread clint([&fake, machine] {
            for (uint64_t i = 5; i-- > 0;) {
                fake.hart.set_mtimecmp(machine + i);
                fake.hart.set_interrupt(Interrupt::machine_software, i % 2 == 0);
            }
        });
        for (uint64_t i = 5; i-- > 0;) {
            fake.csr_write(0x14d, supervisor + i);
            fake.csr(0x344, 0x2, i % 2 == 0 ? CsrOp::set : CsrOp::clear);
            take_interrupt(&fake.state());
        }
        clint.join();
        REQUIRE(fake.deadlines.back() == 100 * std::min(machine, supervisor));
        REQUIRE(fake.csr_read(0x344) == 0xa);
    }
}

TEST_CASE("mtimecmp that moves away takes its interrupt back", "[trap]") {
    FakeHart fake;
    State& state = fake.state();
    fake.now = 10'000;
    fake.csr_write(0x304, 0x80);
    fake.hart.set_mtimecmp(100);
    CHECK(has_work(&state));
    CHECK(take(fake) == ~uint64_t{0});
    fake.hart.set_mtimecmp(101);
    CHECK_FALSE(has_work(&state));
    CHECK(take(fake) == ~uint64_t{0});
    const unsigned kicks = fake.kicks;
    fake.csr_write(0x300, 0x8);
    CHECK(fake.kicks == kicks);
    CHECK(fake.deadlines.back() == 10'100);
    CHECK(fake.hart.time() == 100);
}

TEST_CASE("WFI wakes for enabled interrupts whatever the global enables and the delegation", "[trap]") {
    FakeHart fake;
    State& state = fake.state();
    state.mideleg = 0x222;
    CHECK_FALSE(has_work(&state));
    fake.hart.set_interrupt(Interrupt::supervisor_external, true);
    CHECK_FALSE(has_work(&state));
    state.mie = 0x200;
    CHECK(has_work(&state));
    CHECK(take(fake) == ~uint64_t{0});
}

TEST_CASE("reset", "[trap]") {
    FakeHart fake(3);
    State& state = fake.state();
    gpr(state, 5) = 1;
    state.priv = Priv::user;
    state.satp = uint64_t{8} << 60;
    state.mstatus = ~uint64_t{0};
    fake.csr_write(0x304, 0x80);
    fake.hart.set_mtimecmp(50);
    fake.hart.set_interrupt(Interrupt::supervisor_external, true);
    state.mip.fetch_or(0x222);
    reset(&state, &kMax);
    CHECK(fake.header().pc == 0x1000);
    CHECK(state.priv == Priv::machine);
    CHECK(gpr(state, 5) == 0);
    CHECK(fake.csr_read(0x300) == 0xa'0000'0000);
    CHECK(fake.csr_read(0x180) == 0);
    CHECK(fake.csr_read(0xf14) == 3);
    CHECK(fake.csr_read(0x344) == 0x200);  // the line is the device's
    CHECK(fake.hart.mtimecmp() == UINT64_MAX);
    CHECK(state.res_address == kNoReservation);
}

TEST_CASE("-d int tells of traps", "[trap]") {
    FakeHart fake(2);
    State& state = fake.state();
    record_exception(state, Exception::load_page, 0x123);
    deliver(&state);
    CHECK(fake.log_text.empty());
    fake.log_item = static_cast<unsigned>(LogItem::int_);
    fake.header().pc = 0x8000'0000;
    deliver(&state);
    CHECK(fake.log_text == "trap: hart 2 to M-mode, pc 0x80000000, tval 0x123, load page fault\n");
    fake.log_text.clear();
    fake.header().pc = UINT64_MAX - 1;
    state.exception_tval = UINT64_MAX;
    state.exception_cause = 9;
    deliver(&state);
    CHECK(fake.log_text ==
          "trap: hart 2 to M-mode, pc 0xfffffffffffffffe, tval 0xffffffffffffffff, environment call from "
          "S-mode\n");
}

TEST_CASE("register dumps", "[trap]") {
    FakeHart fake;
    State& state = fake.state();
    fake.header().pc = 0x8000'0000;
    gpr(state, 10) = 0xabc;
    state.fpr[8] = 0x4000'0000'0000'0000;
    std::string text;
    const TextSink sink{[](void* opaque, const char* line, size_t size) {
                            CHECK(size > 0);
                            CHECK(line[size - 1] == '\n');
                            static_cast<std::string*>(opaque)->append(line, size);
                        },
                        &text};
    dump_registers(&state, &sink);
    CHECK(text.find(" pc        0000000080000000\n") != std::string::npos);
    CHECK(text.find(" x10/a0    0000000000000abc\n") != std::string::npos);
    CHECK(text.find(" mstatus   0000000a00000000\n") != std::string::npos);
    CHECK(text.find("fs0") == std::string::npos);
    state.mstatus = 0x2000;
    text.clear();
    dump_registers(&state, &sink);
    CHECK(text.find(" f8/fs0    4000000000000000\n") != std::string::npos);
}

}  // namespace
}  // namespace weft::riscv
