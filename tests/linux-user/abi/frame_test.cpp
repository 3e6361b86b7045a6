// The signal frame. Offsets are written out: they are what debuggers, unwinders and runtimes of programs rely on, and abi_test.cpp
// holds abi.h's against the kernel's headers.
#include "emulator/linux-user/riscv/frame.h"

#include <catch2/catch.hpp>
#include <cstring>

namespace weft::user {
namespace {

constexpr uint64_t kUc = 128, kStack = kUc + 16, kMask = kUc + 40, kPc = kUc + 176, kX = kPc, kF = kPc + 256,
                   kFcsr = kF + 256, kReserved = kF + 516, kSize = 1088;

template <class T = uint64_t>
T at(const abi::RtSigframe& frame, uint64_t offset) {
    T value;
    std::memcpy(&value, reinterpret_cast<const uint8_t*>(&frame) + offset, sizeof(value));
    return value;
}

template <class T>
void put(abi::RtSigframe& frame, uint64_t offset, T value) {
    std::memcpy(reinterpret_cast<uint8_t*>(&frame) + offset, &value, sizeof(value));
}

FrameRegisters some_registers() {
    FrameRegisters registers;
    registers.pc = 0x10000;
    for (uint64_t n = 1; n < 32; ++n) {
        registers.x[n] = 0x1100 + n;
    }
    for (uint64_t n = 0; n < 32; ++n) {
        registers.f[n] = 0xffffffff'00000000 + n;
    }
    registers.x[2] = 0x7fff'1238;
    registers.fcsr = 0x65;
    return registers;
}

struct Delivery {
    std::array<uint8_t, 128> info{};
    SignalDelivery value{.signal = 11,
                         .handler = 0x20000,
                         .use_alt_stack = false,
                         .restorer = 0x30000,
                         .info = info,
                         .mask = 0x8000000000000401,
                         .alt_stack = kNoAltStack};
    Delivery() {
        for (size_t i = 0; i < info.size(); ++i) {
            info[i] = static_cast<uint8_t>(i + 1);
        }
    }
};

TEST_CASE("the frame's bytes") {
    Delivery delivery;
    delivery.value.alt_stack = {.sp = 0x50000, .flags = 0, .pad = 0, .size = 0x4000};
    const FrameRegisters before = some_registers();
    const auto frame = make_frame(before, delivery.value);
    REQUIRE(frame);
    STATIC_REQUIRE(sizeof(frame->bytes) == kSize);
    CHECK(std::memcmp(&frame->bytes, delivery.info.data(), 128) == 0);
    CHECK(at(frame->bytes, kUc) == 0);
    CHECK(at(frame->bytes, kUc + 8) == 0);
    CHECK(at(frame->bytes, kStack) == 0x50000);
    CHECK(at(frame->bytes, kStack + 8) == 0);
    CHECK(at(frame->bytes, kStack + 16) == 0x4000);
    CHECK(at(frame->bytes, kMask) == 0x8000000000000401);
    CHECK(at(frame->bytes, kPc) == 0x10000);
    for (uint64_t n = 1; n < 32; ++n) {
        CHECK(at(frame->bytes, kX + 8 * n) == before.x[n]);
    }
    for (uint64_t n = 0; n < 32; ++n) {
        CHECK(at(frame->bytes, kF + 8 * n) == before.f[n]);
    }
    CHECK(at<uint32_t>(frame->bytes, kFcsr) == 0x65);
    for (uint64_t offset = kMask + 8; offset < kPc; ++offset) {
        CHECK(at<uint8_t>(frame->bytes, offset) == 0);
    }
    for (uint64_t offset = kFcsr + 4; offset < kSize; ++offset) {
        CHECK(at<uint8_t>(frame->bytes, offset) == 0);
    }
}

TEST_CASE("the handler's registers") {
    Delivery delivery;
    const FrameRegisters before = some_registers();
    for (uint64_t low = 0; low < 32; ++low) {
        FrameRegisters registers = before;
        registers.x[2] = 0x7fff'1200 + low;
        const auto frame = make_frame(registers, delivery.value);
        REQUIRE(frame);
        CHECK(frame->address % 16 == 0);
        CHECK(frame->address + kSize <= registers.x[2]);
        CHECK(frame->address + kSize + 16 > registers.x[2]);
        CHECK(frame->registers.pc == 0x20000);
        CHECK(frame->registers.x[1] == 0x30000);
        CHECK(frame->registers.x[2] == frame->address);
        CHECK(frame->registers.x[10] == 11);
        CHECK(frame->registers.x[11] == frame->address);
        CHECK(frame->registers.x[12] == frame->address + 128);
        for (const unsigned n : {0, 3, 4, 5, 8, 9, 13, 17, 18, 31}) {
            CHECK(frame->registers.x[n] == before.x[n]);
        }
        CHECK(frame->registers.f == before.f);
        CHECK(frame->registers.fcsr == before.fcsr);
    }
}

TEST_CASE("alternate stacks") {
    Delivery delivery;
    abi::Stack& alt = delivery.value.alt_stack;
    alt = {.sp = 0x50000, .flags = 0, .pad = 0, .size = 0x1008};
    FrameRegisters registers = some_registers();
    const auto address = [&] {
        const auto frame = make_frame(registers, delivery.value);
        return frame ? frame->address : 0;
    };
    const auto below = [](uint64_t sp) { return (sp - kSize) & ~uint64_t{15}; };
    CHECK(address() == below(registers.x[2]));  // without SA_ONSTACK
    delivery.value.use_alt_stack = true;
    CHECK(address() == below(0x51008));

    // Already there, its ends included as for a stack that grows down: on from where it is.
    registers.x[2] = 0x51008;
    CHECK(address() == below(0x51008));
    registers.x[2] = 0x50a00;
    CHECK(address() == below(0x50a00));
    delivery.value.use_alt_stack = false;
    CHECK(address() == below(0x50a00));
    // Not there: one beyond, and the lowest address, where nothing is left.
    delivery.value.use_alt_stack = true;
    registers.x[2] = 0x51009;
    CHECK(address() == below(0x51008));
    registers.x[2] = 0x50000;
    CHECK(address() == below(0x51008));

    // It overflows.
    registers.x[2] = 0x50000 + kSize + 1;
    CHECK(address() == below(0x50001 + kSize));
    registers.x[2] = 0x50000 + kSize;
    CHECK(!make_frame(registers, delivery.value));
    delivery.value.use_alt_stack = false;
    CHECK(!make_frame(registers, delivery.value));

    // None is set.
    delivery.value.use_alt_stack = true;
    alt = kNoAltStack;
    CHECK(address() == below(0x50000 + kSize));
    CHECK(make_frame(registers, delivery.value)->alt_stack.flags == 2);
}

TEST_CASE("SS_AUTODISARM") {
    Delivery delivery;
    delivery.value.use_alt_stack = true;
    delivery.value.alt_stack = {.sp = 0x50000, .flags = INT32_MIN, .pad = 0, .size = 0x1000};
    FrameRegisters registers = some_registers();
    registers.x[2] = 0x50800;
    const auto frame = make_frame(registers, delivery.value);
    REQUIRE(frame);
    // From its top even with a stack pointer in it, as it is taken to have been left; disabled while the handler runs, and in the frame
    // as it was.
    CHECK(frame->address == ((0x51000 - kSize) & ~uint64_t{15}));
    CHECK(frame->alt_stack.flags == 2);
    CHECK(frame->alt_stack.size == 0);
    CHECK(at(frame->bytes, kStack) == 0x50000);
    CHECK(at<int32_t>(frame->bytes, kStack + 8) == INT32_MIN);
    CHECK(read_frame(frame->bytes)->alt_stack.flags == INT32_MIN);
}

TEST_CASE("there and back") {
    Delivery delivery;
    delivery.value.alt_stack = {.sp = 0x50000, .flags = 0, .pad = 0, .size = 0x4000};
    const FrameRegisters before = some_registers();
    const auto restored = read_frame(make_frame(before, delivery.value)->bytes);
    REQUIRE(restored);
    CHECK(restored->registers.pc == before.pc);
    CHECK(restored->registers.x == before.x);
    CHECK(restored->registers.f == before.f);
    CHECK(restored->registers.fcsr == before.fcsr);
    CHECK(restored->mask == 0x8000000000000401);
    CHECK(restored->alt_stack.sp == 0x50000);
    CHECK(restored->alt_stack.size == 0x4000);
}

TEST_CASE("what a handler changed counts") {
    Delivery delivery;
    abi::RtSigframe bytes = make_frame(some_registers(), delivery.value)->bytes;
    put<uint64_t>(bytes, kPc, 0x40003);
    put<uint64_t>(bytes, kX + 8 * 10, 99);
    put<uint64_t>(bytes, kF + 8 * 31, 1);
    put<uint32_t>(bytes, kFcsr, 0xffffff1f);
    put<uint64_t>(bytes, kMask, ~uint64_t{0});
    const auto restored = read_frame(bytes);
    REQUIRE(restored);
    CHECK(restored->registers.pc == 0x40002);
    CHECK(restored->registers.x[10] == 99);
    CHECK(restored->registers.x[0] == 0);
    CHECK(restored->registers.f[31] == 1);
    CHECK(restored->registers.fcsr == 0x1f);
    CHECK(restored->mask == ~(uint64_t{1} << 8 | uint64_t{1} << 18));  // SIGKILL 9, SIGSTOP 19
}

TEST_CASE("reserved words are zeros") {
    Delivery delivery;
    const abi::RtSigframe good = make_frame(some_registers(), delivery.value)->bytes;
    for (uint64_t offset = kReserved; offset < kSize; ++offset) {
        abi::RtSigframe bytes = good;
        put<uint8_t>(bytes, offset, 0x80);
        INFO("offset " << offset);
        CHECK(!read_frame(bytes));
    }
    // What lies between fcsr and them is nobody's.
    abi::RtSigframe bytes = good;
    std::memset(reinterpret_cast<uint8_t*>(&bytes) + kFcsr + 4, 0xff, kReserved - kFcsr - 4);
    CHECK(read_frame(bytes));
}

}  // namespace
}  // namespace weft::user
