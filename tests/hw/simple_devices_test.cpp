#include <catch2/catch.hpp>

#include "emulator/hw/misc/test_finisher.h"
#include "emulator/hw/rtc/goldfish.h"
#include "tests/hw/support.h"

namespace weft::hw {
namespace {

struct Finisher : test::Bench {
    TestFinisher device{topology, control};
    Finisher() { plug(device.region()); }
};

TEST_CASE_METHOD(Finisher, "the finisher passes, fails with a code, and resets") {
    write(0, 0x5555);
    write(0, 0x00073333);
    write(0, 0x1233333);
    CHECK(control.shutdowns == std::vector<int>{0, 7, 0x23});
    CHECK(control.resets == 0);
    write(0, 0x7777);
    CHECK(control.resets == 1);
    write(0, 0x5555, 2);
    CHECK(control.shutdowns.size() == 4);
    // A failure is one whatever the code: an exit status has its lower 8 bits alone.
    write(0, 0x3333);
    write(0, 0x1003333);
    write(0, 0xff003333);
    CHECK(std::vector(control.shutdowns.begin() + 4, control.shutdowns.end()) == std::vector<int>{1, 1, 1});
    control.shutdowns.resize(4);
    CHECK(read(0) == 0);
    CHECK(control.errors.empty());
    write(0, 0x1234);
    write(4, 0x5555);
    CHECK(control.errors.size() == 2);
    CHECK(control.shutdowns.size() == 4);
    write(0, 0x5555, 8);
    CHECK(status == DeviceStatus::bus_error);
}

constexpr unsigned kIrq = 11;

struct Rtc : test::Bench {
    GoldfishRtc device{topology, control, IrqLine(sink, kIrq)};
    Rtc() { plug(device.region()); }
    uint64_t time() {
        const uint64_t low = read(0);
        return read(4) << 32 | low;
    }
    void set_alarm(uint64_t at) {
        write(0xc, at >> 32);
        write(8, at & 0xffffffff);
    }
};

TEST_CASE_METHOD(Rtc, "the clock shows the wall clock, and reading the lower half latches the upper one") {
    CHECK(time() == control.wall);
    const uint64_t before = control.wall;
    const uint64_t low = read(0);
    control.advance(uint64_t{5} << 32);
    CHECK((read(4) << 32 | low) == before);
    CHECK(time() == control.wall);
}

TEST_CASE_METHOD(Rtc, "a time that is set goes on") {
    write(4, 0x10);
    write(0, 0x1000);
    CHECK(time() == 0x1000001000);
    control.advance(5);
    CHECK(time() == 0x1000001005);
    device.reset();
    CHECK(time() == 0x1000001005);
}

TEST_CASE_METHOD(Rtc, "an alarm interrupts when it is due, if enabled, until it is cleared") {
    write(0x10, 1);
    CHECK(read(0x10) == 1);
    set_alarm(control.wall + 1000);
    CHECK(read(0x18) == 1);
    CHECK((read(0xc) << 32 | read(8)) == control.wall + 1000);
    control.advance(999);
    CHECK(!sink.level(kIrq));
    control.advance(1);
    CHECK(sink.level(kIrq));
    CHECK(read(0x18) == 0);
    write(0x1c, 0);
    CHECK(!sink.level(kIrq));

    // Cleared before it came; in the past; while interrupts are off.
    set_alarm(control.wall + 1000);
    write(0x14, 0);
    CHECK(read(0x18) == 0);
    control.advance(5000);
    CHECK(!sink.level(kIrq));
    CHECK(control.timer_count() == 0);
    set_alarm(control.wall - 1);
    CHECK(sink.level(kIrq));
    write(0x10, 0);
    CHECK(!sink.level(kIrq));
    write(0x10, 1);
    CHECK(sink.level(kIrq));
    device.reset();
    CHECK(!sink.level(kIrq));
    CHECK(read(8) == 0);
}

TEST_CASE_METHOD(Rtc, "setting the time moves the alarm nearer") {
    write(0x10, 1);
    set_alarm(control.wall + 1'000'000'000'000);
    const uint64_t now = control.wall;
    write(4, (now + 999'000'000'000) >> 32);
    write(0, (now + 999'000'000'000) & 0xffffffff);
    control.advance(1'000'000'000);
    CHECK(sink.level(kIrq));
    // An alarm that never comes is no overflow.
    write(0x1c, 0);
    set_alarm(UINT64_MAX);
    CHECK(control.timer_count() <= 1);
    control.advance(1'000'000'000);
    CHECK(!sink.level(kIrq));
}

TEST_CASE_METHOD(Rtc, "what is no register is noted") {
    CHECK(read(0x20) == 0);
    write(0x18, 1);
    CHECK(control.errors.size() == 2);
    read(0, 8);
    CHECK(status == DeviceStatus::bus_error);
}

}  // namespace
}  // namespace weft::hw
