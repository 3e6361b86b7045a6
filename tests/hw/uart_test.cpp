#include <catch2/catch.hpp>

#include "emulator/hw/char/uart16550.h"
#include "tests/hw/support.h"

namespace weft::hw {
namespace {

constexpr unsigned kIrq = 10;

struct Uart : test::Bench {
    test::FakeChar backend;
    Uart16550 device{topology, control, &backend, IrqLine(sink, kIrq)};
    Uart() { plug(device.region()); }
    unsigned get(uint64_t offset) { return static_cast<unsigned>(read(offset, 1)); }
    void put(uint64_t offset, unsigned value) { write(offset, value, 1); }
    bool irq() { return sink.level(kIrq); }
};

TEST_CASE_METHOD(Uart, "what is written is sent") {
    for (char c : std::string("hello")) {
        CHECK((get(5) & 0x60) == 0x60);
        put(0, static_cast<unsigned char>(c));
    }
    CHECK(backend.written == "hello");
    // Word-wide drivers reach the same register.
    write(0, 0x21, 4);
    CHECK(backend.written == "hello!");
}

TEST_CASE_METHOD(Uart, "the divisor latch lies over data and interrupt enable") {
    put(1, 0x0f);
    put(3, 0x83);
    put(0, 0x34);
    put(1, 0x12);
    CHECK(get(0) == 0x34);
    CHECK(get(1) == 0x12);
    put(3, 0x03);
    CHECK(get(1) == 0x0f);
    CHECK(get(0) == 0);
    CHECK(backend.written.empty());
    put(7, 0xa5);
    CHECK(get(7) == 0xa5);
    CHECK(get(3) == 0x03);
}

TEST_CASE_METHOD(Uart, "an empty transmitter interrupts once when enabled and after each character") {
    CHECK(get(2) == 0x01);
    put(1, 0x02);
    CHECK(irq());
    CHECK(get(2) == 0x02);
    CHECK(!irq());
    CHECK(get(2) == 0x01);
    put(0, 'x');
    CHECK(irq());
    CHECK(get(2) == 0x02);
    CHECK(!irq());
    put(0, 'y');
    put(1, 0);
    CHECK(!irq());
    put(1, 2);
    CHECK(irq());
}

TEST_CASE_METHOD(Uart, "without FIFOs one character is received at a time") {
    put(1, 0x01);
    CHECK(backend.receiver->can_receive() == 1);
    backend.type("a");
    CHECK(backend.receiver->can_receive() == 0);
    CHECK(irq());
    CHECK(get(2) == 0x04);
    CHECK((get(5) & 1) == 1);
    CHECK(get(0) == 'a');
    CHECK(!irq());
    CHECK((get(5) & 1) == 0);
    CHECK(backend.accepted == 1);
    CHECK(control.timer_count() == 0);
}

TEST_CASE_METHOD(Uart, "with FIFOs the trigger level interrupts, below it a timeout does") {
    put(2, 0x81);  // FIFOs, trigger at 8
    put(1, 0x01);
    CHECK((get(2) & 0xc0) == 0xc0);
    CHECK(backend.receiver->can_receive() == 16);
    backend.type("1234567");
    CHECK(!irq());
    backend.type("8");
    CHECK(irq());
    CHECK(get(2) == 0xc4);
    CHECK(get(0) == '1');
    CHECK(!irq());
    // Four characters of 7 bits (5 data bits after reset) at the fastest rate.
    const uint64_t timeout = uint64_t{4} * 7 * 16 * 1'000'000'000 / Uart16550::kClockHz;
    control.advance(timeout - 1);
    CHECK(!irq());
    control.advance(1);
    CHECK(irq());
    CHECK(get(2) == 0xcc);
    CHECK(get(0) == '2');
    CHECK(!irq());
    // Each read starts the time again.
    control.advance(timeout - 1);
    CHECK(get(0) == '3');
    control.advance(timeout - 1);
    CHECK(!irq());
    for (char c : std::string("45678")) {
        CHECK(get(0) == static_cast<unsigned char>(c));
    }
    control.advance(10 * timeout);
    CHECK(!irq());
    CHECK(control.timer_count() == 0);
}

TEST_CASE_METHOD(Uart, "a full FIFO stops the backend and says when it has room") {
    put(2, 0x01);
    backend.type("0123456789abcdef");
    CHECK(backend.receiver->can_receive() == 0);
    for (int i = 0; i < 16; ++i) {
        CHECK(backend.accepted == 0);
        get(0);
    }
    CHECK(backend.accepted == 1);
    CHECK(get(0) == 0);
    CHECK(backend.accepted == 1);
    // More than there is room for is an overrun, which reading LSR clears.
    put(1, 0x04);
    backend.type("0123456789abcdefg");
    CHECK(irq());
    CHECK(get(2) == 0xc6);
    CHECK((get(5) & 0x02) == 0x02);
    CHECK(!irq());
    CHECK((get(5) & 0x02) == 0);
    // Clearing the receiver makes room, too.
    CHECK(backend.receiver->can_receive() == 0);
    put(2, 0x03);
    CHECK((get(5) & 1) == 0);
    CHECK(backend.accepted == 2);
    // So does switching FIFOs off.
    backend.type("x");
    put(2, 0x00);
    CHECK((get(5) & 1) == 0);
    CHECK((get(2) & 0xc0) == 0);
}

TEST_CASE_METHOD(Uart, "in loopback the port hears itself") {
    put(1, 0x01);
    put(4, 0x10);
    CHECK(backend.receiver->can_receive() == 0);
    put(0, 'z');
    CHECK(backend.written.empty());
    CHECK(irq());
    CHECK(get(0) == 'z');
    get(6);
    // RTS, DTR, OUT1 and OUT2 come back as CTS, DSR, RI and DCD.
    put(4, 0x12);
    CHECK(get(6) == 0x11);
    put(4, 0x11);
    CHECK(get(6) == 0x23);
    put(4, 0x14);
    CHECK((get(6) & 0xf0) == 0x40);
    put(4, 0x10);
    CHECK(get(6) == 0x04);
    put(4, 0x18);
    CHECK(get(6) == 0x88);
    CHECK(get(6) == 0x80);
    // What was refused meanwhile comes when loopback ends.
    CHECK(backend.accepted == 0);
    put(4, 0x00);
    CHECK(backend.accepted == 1);
    CHECK((get(6) & 0xf0) == 0xb0);
    CHECK(get(4) == 0);
}

TEST_CASE_METHOD(Uart, "changes of the modem's lines interrupt") {
    put(4, 0x10);
    get(6);
    put(1, 0x08);
    CHECK(!irq());
    put(4, 0x12);
    CHECK(irq());
    CHECK(get(2) == 0x00);
    get(6);
    CHECK(!irq());
}

TEST_CASE_METHOD(Uart, "a reset drops everything") {
    put(2, 0x01);
    put(1, 0x03);
    put(3, 0x1b);
    put(7, 1);
    backend.type("abc");
    CHECK(irq());
    device.reset();
    CHECK(!irq());
    CHECK(get(1) == 0);
    CHECK(get(2) == 1);
    CHECK(get(3) == 0);
    CHECK(get(5) == 0x60);
    CHECK(get(7) == 0);
    CHECK(control.timer_count() == 0);
}

TEST_CASE("a port with nothing connected takes what is written") {
    test::Bench bench;
    Uart16550 device(bench.topology, bench.control, nullptr, IrqLine());
    bench.plug(device.region());
    bench.write(0, 'x', 1);
    CHECK(bench.read(5, 1) == 0x60);
    bench.read(0x40, 1);
    bench.write(8, 1, 1);
    CHECK(bench.control.errors.size() == 2);
}

}  // namespace
}  // namespace weft::hw
