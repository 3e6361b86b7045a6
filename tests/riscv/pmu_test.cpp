// Counters: in which modes they count, when they overflow, and what the accelerator is asked to wake the hart at.
#include "emulator/guest/riscv/cpu/pmu.h"

#include <catch2/catch.hpp>

#include "emulator/guest/riscv/cpu/interrupts.h"
#include "emulator/guest/riscv/cpu/trap.h"
#include "tests/riscv/fake_hart.h"

namespace weft::riscv {
namespace {

constexpr unsigned kCounter = 0xb05;
constexpr unsigned kEvent = 0x325;
constexpr uint64_t kLcofi = 1 << 13;
constexpr uint64_t kOf = uint64_t{1} << 63;
constexpr uint64_t kMinh = uint64_t{1} << 62;
constexpr uint64_t kUinh = uint64_t{1} << 60;

uint64_t last_deadline(const FakeHart& fake) {
    return fake.deadlines.empty() ? UINT64_MAX : fake.deadlines.back();
}

TEST_CASE("a counter counts its event from the moment that it is chosen", "[pmu]") {
    FakeHart fake;
    fake.now = 500;
    CHECK(fake.csr_read(kCounter) == 0);
    fake.csr_write(kCounter, 10);
    fake.now += 5;
    CHECK(fake.csr_read(kCounter) == 10);
    for (const uint64_t event : {kPmuEventCycles, kPmuEventInstructions}) {
        fake.csr_write(kEvent, event);
        CHECK(fake.csr_read(kEvent) == event);
        fake.csr_write(kCounter, 10);
        fake.now += 7;
        CHECK(fake.csr_read(kCounter) == 17);
        CHECK(fake.csr_read(kCounter + 0x100) == 17);
        fake.csr_write(0x320, 1 << 5);
        fake.now += 100;
        CHECK(fake.csr_read(kCounter) == 17);
        fake.csr_write(0x320, 0);
        fake.now += 1;
        CHECK(fake.csr_read(kCounter) == 18);
        fake.csr_write(kEvent, 0x77);
        fake.now += 1;
        CHECK(fake.csr_read(kCounter) == 18);
    }
}

TEST_CASE("counters that the mask leaves out are zero", "[pmu]") {
    const auto model = parse_cpu_model("max,pmu-mask=0x28");
    REQUIRE(model.has_value());
    FakeHart fake(0, *model);
    fake.csr_write(0x320, ~uint64_t{0});
    CHECK(fake.csr_read(0x320) == 0x2d);
    for (unsigned n = 3; n < 32; ++n) {
        fake.csr_write(0xb00 + n, n);
        CHECK(fake.csr_read(0xb00 + n) == (n == 3 || n == 5 ? n : 0));
        fake.csr_write(0x320 + n, 1);
        CHECK(fake.csr_read(0x320 + n) == (n == 3 || n == 5 ? 1 : 0));
    }
}

TEST_CASE("a counter stands in the modes that its event leaves out", "[pmu]") {
    FakeHart fake;
    State& state = fake.state();
    for (const unsigned number : {kEvent, 0x321u, 0x322u}) {
        const unsigned counter = number == kEvent ? kCounter : number == 0x321 ? 0xb00 : 0xb02;
        state.priv = Priv::machine;
        fake.csr_write(number, (number == kEvent ? 1 : 0) | kMinh | kUinh);
        fake.csr_write(counter, 0);
        fake.now += 10;
        CHECK(fake.csr_read(counter) == 0);
        state.mstatus = uint64_t{1} << 11;  // MPP: S
        return_from_machine(state);
        fake.now += 3;
        record_exception(state, Exception::ecall_supervisor, 0);
        deliver(&state);
        fake.now += 10;
        CHECK(state.priv == Priv::machine);
        // The MRET is M mode's.
        const uint64_t counted = number == 0x322 ? 2 : 3;
        CHECK(fake.csr_read(counter) == counted);
        state.mstatus = 0;
        return_from_machine(state);
        fake.now += 10;
        record_exception(state, Exception::ecall_user, 0);
        deliver(&state);
        CHECK(fake.csr_read(counter) == counted);
        fake.csr_write(number, 0);
    }
}

// Here an instruction is a nanosecond, as with the instruction clock.
TEST_CASE("a return from a trap is counted in the mode that it was executed in", "[pmu]") {
    constexpr uint64_t kSinh = uint64_t{1} << 61;
    for (const uint64_t filter : {kMinh, kSinh, kUinh, kMinh | kSinh, uint64_t{0}}) {
        FakeHart fake;
        State& state = fake.state();
        fake.csr_write(kEvent, kPmuEventInstructions | filter);
        fake.csr_write(kCounter, 100);
        const auto returns = [&](uint64_t (*return_from)(State&)) {
            return_from(state);
            fake.now += 1;
        };
        fake.now += 10;                     // in M mode
        state.mstatus = uint64_t{1} << 11;  // MPP: S
        returns(return_from_machine);
        fake.now += 20;  // in S mode
        state.mstatus = 0;
        returns(return_from_supervisor);
        fake.now += 40;  // in U mode
        record_exception(state, Exception::ecall_user, 0);
        deliver(&state);
        const uint64_t in_m = (filter & kMinh) == 0 ? 11 : 0;
        const uint64_t in_s = (filter & kSinh) == 0 ? 21 : 0;
        const uint64_t in_u = (filter & kUinh) == 0 ? 40 : 0;
        CHECK(fake.csr_read(kCounter) == 100 + in_m + in_s + in_u);
    }
}

TEST_CASE("a clock that stands still takes nothing away from a counter", "[pmu]") {
    FakeHart fake;
    State& state = fake.state();
    fake.csr_write(kEvent, kPmuEventInstructions | kMinh);
    state.mstatus = 0;
    return_from_machine(state);
    record_exception(state, Exception::ecall_user, 0);
    deliver(&state);
    CHECK(fake.csr_read(kCounter) == 0);
    fake.now += 10;
    CHECK(fake.csr_read(kCounter) == 0);
    CHECK(fake.csr_read(kEvent) == (kPmuEventInstructions | kMinh));
}

TEST_CASE("a return from a trap may be what a counter overflows by", "[pmu]") {
    FakeHart fake;
    State& state = fake.state();
    fake.csr_write(kEvent, kPmuEventInstructions | kUinh);
    fake.csr_write(kCounter, ~uint64_t{0});
    state.mstatus = 0;
    return_from_machine(state);
    fake.now += 1;
    state.priv = Priv::machine;
    CHECK(fake.csr_read(kCounter) == 0);
    CHECK((fake.csr_read(kEvent) & kOf) != 0);
    CHECK((fake.csr_read(0x344) & kLcofi) != 0);
}

TEST_CASE("an overflow sets OF and LCOFIP at the event that it comes with", "[pmu]") {
    FakeHart fake;
    fake.csr_write(kEvent, 1);
    fake.csr_write(kCounter, -uint64_t{100});
    fake.now += 99;
    CHECK(fake.csr_read(kEvent) == 1);
    CHECK(fake.csr_read(0xda0) == 0);
    CHECK((fake.csr_read(0x344) & kLcofi) == 0);
    fake.now += 1;
    CHECK(fake.csr_read(kCounter) == 0);
    CHECK(fake.csr_read(kEvent) == (kOf | 1));
    CHECK(fake.csr_read(0xda0) == 1 << 5);
    CHECK((fake.csr_read(0x344) & kLcofi) != 0);
    // Cleared for good: the same overflow does not come twice, nor another one while OF is set.
    fake.csr(0x344, kLcofi, CsrOp::clear);
    CHECK((fake.csr_read(0x344) & kLcofi) == 0);
    fake.csr_write(kCounter, -uint64_t{1});
    fake.now += 5;
    CHECK(fake.csr_read(kCounter) == 4);
    CHECK((fake.csr_read(0x344) & kLcofi) == 0);
    fake.csr_write(kEvent, 1);
    CHECK(fake.csr_read(0xda0) == 0);
    // Not without the extension.
    const auto model = parse_cpu_model("max,sscofpmf=off");
    FakeHart without(0, *model);
    without.csr_write(kEvent, 1 | kOf | kMinh);
    CHECK(without.csr_read(kEvent) == 1);
    without.csr_write(kCounter, -uint64_t{1});
    without.now += 5;
    CHECK(without.csr_read(kEvent) == 1);
    CHECK((without.csr_read(0x344) & kLcofi) == 0);
    without.csr_read(0xda0);
    CHECK(without.csr_illegal());
}

TEST_CASE("the hart is woken for an overflow whose interrupt is enabled", "[pmu]") {
    FakeHart fake;
    State& state = fake.state();
    fake.now = 1000;
    fake.csr_write(kEvent, 1);
    fake.csr_write(kCounter, -uint64_t{100});
    CHECK(last_deadline(fake) == UINT64_MAX);
    fake.csr_write(0x304, kLcofi);
    CHECK(last_deadline(fake) == 1100);
    fake.csr_write(kCounter, -uint64_t{300});
    CHECK(last_deadline(fake) == 1300);
    // A timer before it, and one after it.
    fake.hart.set_mtimecmp(11);
    fake.csr_write(0x304, kLcofi | 0x80);
    CHECK(last_deadline(fake) == 1100);
    fake.hart.set_mtimecmp(20);
    CHECK(last_deadline(fake) == 1300);
    state.priv = Priv::user;
    fake.now = 1299;
    CHECK_FALSE(has_work(&state));
    CHECK_FALSE(take_interrupt(&state));
    fake.now = 1300;
    CHECK(has_work(&state));
    CHECK(take_interrupt(&state));
    CHECK(state.mcause == (uint64_t{1} << 63 | 13));
    CHECK(last_deadline(fake) == 2000);  // the timer's
}

TEST_CASE("the deadline is that of the counters that run", "[pmu]") {
    FakeHart fake;
    State& state = fake.state();
    state.mideleg = 0;
    fake.csr_write(kEvent, 1 | kMinh);
    fake.csr_write(kCounter, -uint64_t{100});
    fake.csr_write(0x304, kLcofi);
    CHECK(last_deadline(fake) == UINT64_MAX);
    fake.now = 60;  // all of it in M mode
    state.mstatus = 0;
    return_from_machine(state);
    CHECK(last_deadline(fake) == 160);
    fake.now = 159;
    CHECK_FALSE(has_work(&state));
    CHECK_FALSE(take_interrupt(&state));
    fake.now = 160;
    CHECK(has_work(&state));
    CHECK(take_interrupt(&state));
    CHECK(state.mcause == (uint64_t{1} << 63 | 13));
}

TEST_CASE("a hart that waits where a counter stands is not kept from its timer", "[pmu]") {
    FakeHart fake;
    State& state = fake.state();
    fake.csr_write(kEvent, 1 | kMinh);
    fake.csr_write(kCounter, -uint64_t{100});
    fake.hart.set_mtimecmp(50);
    fake.csr_write(0x304, kLcofi | 0x80);
    CHECK(last_deadline(fake) == 5000);
    state.mstatus = 0;
    return_from_machine(state);
    CHECK(last_deadline(fake) == 100);
    fake.now = 40;
    record_exception(state, Exception::ecall_user, 0);
    deliver(&state);
    // In M mode, where it halts. The deadline comes: nothing is pending, and the next one is the timer's.
    fake.now = 99;
    CHECK_FALSE(has_work(&state));
    fake.now = 100;
    CHECK(has_work(&state));
    CHECK_FALSE(take_interrupt(&state));
    CHECK(last_deadline(fake) == 5000);
    CHECK_FALSE(has_work(&state));
    fake.now = 5000;
    CHECK(has_work(&state));
    // It goes on counting where it was.
    state.mie = 0;
    fake.csr_write(0x304, kLcofi);
    state.mstatus = 0;
    return_from_machine(state);
    CHECK(last_deadline(fake) == 5060);
}

}  // namespace
}  // namespace weft::riscv
