// What ends a reservation: all after which an address may mean other memory. (Traps and returns: trap_test.cpp.)
#include <catch2/catch.hpp>

#include "emulator/guest/riscv/cpu/csr.h"
#include "tests/riscv/fake_hart.h"

namespace weft::riscv {
namespace {

constexpr uint64_t kReserved = 0x8000'1001;

class ReservationTest {
  public:
    // Whether the reservation holds after `action`.
    template <class Action>
    bool holds_after(Action&& action) {
        fake.state().res_address = kReserved;
        action();
        REQUIRE((fake.state().res_address == kReserved || fake.state().res_address == kNoReservation));
        return fake.state().res_address == kReserved;
    }
    bool holds_after_csr(unsigned number, uint64_t operand, CsrOp op) {
        return holds_after([&] { fake.csr(number, operand, op); });
    }

    FakeHart fake;
};

TEST_CASE("writing satp ends a reservation", "[reservation]") {
    ReservationTest t;
    for (const uint64_t mode : {0u, 8u, 9u}) {
        CHECK_FALSE(t.holds_after_csr(0x180, mode << 60 | 1, CsrOp::write));
        CHECK_FALSE(t.holds_after_csr(0x180, 2, CsrOp::set));
        CHECK(t.holds_after_csr(0x180, 0, CsrOp::read));
    }
    CHECK(t.holds_after_csr(0x180, uint64_t{11} << 60, CsrOp::write));  // reserved: the write has no effect
    t.fake.state().priv = Priv::user;
    CHECK(t.holds_after_csr(0x180, 0, CsrOp::write));  // illegal
}

TEST_CASE("what mstatus says about the mode of loads and stores ends a reservation", "[reservation]") {
    ReservationTest t;
    constexpr uint64_t kMprv = 1u << 17;
    CHECK_FALSE(t.holds_after_csr(0x300, kMprv, CsrOp::set));
    CHECK(t.holds_after_csr(0x300, kMprv, CsrOp::set));
    CHECK_FALSE(t.holds_after_csr(0x300, 1u << 11, CsrOp::set));
    CHECK_FALSE(t.holds_after_csr(0x300, 3u << 11, CsrOp::set));
    CHECK_FALSE(t.holds_after_csr(0x300, kMprv, CsrOp::clear));
    CHECK(t.holds_after_csr(0x300, 0xa, CsrOp::set));  // interrupts alone
    CHECK(t.holds_after_csr(0x340, 1, CsrOp::write));
}

TEST_CASE("SFENCE.VMA and SINVAL.VMA end a reservation", "[reservation]") {
    ReservationTest t;
    const auto sfence = [&](Priv priv, uint32_t flags) {
        t.fake.state().priv = priv;
        return t.holds_after([&] {
            t.fake.call<void, uint64_t, uint64_t, uint32_t, uint32_t>(kHelperSfenceVma, 0x9000, 7, flags,
                                                                      FakeHart::kInsn);
        });
    };
    for (const uint32_t flags : {0u, 1u, 2u, 3u}) {
        CHECK_FALSE(sfence(Priv::supervisor, flags));
        CHECK_FALSE(sfence(Priv::machine, flags));
    }
    CHECK(sfence(Priv::user, 0));  // illegal: nothing happened
}

}  // namespace
}  // namespace weft::riscv
