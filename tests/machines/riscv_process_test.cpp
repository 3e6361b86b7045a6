// The RISC-V guest in process mode, run by the accelerator: translated, and interpreted from copies of its code. Exceptions and
// registers as the emulator of a process sees them; expected values are the architecture's.
#include <atomic>
#include <bit>
#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "emulator/guest/riscv/cpu/user_exception.h"
#include "emulator/guest/riscv/cpu/user_registers.h"
#include "emulator/guest/riscv/guest_arch.h"
#include "tests/accel/toy_process.h"

namespace weft::riscv {
namespace {

using toy::page_address;
using toy::ToyProcess;

constexpr uint64_t kCode = page_address(0);
constexpr uint64_t kHole = page_address(30);

constexpr unsigned kA0 = 10, kA1 = 11, kA2 = 12;

constexpr uint32_t kAddi = 0x0015'0513;    // addi a0, a0, 1
constexpr uint32_t kCAddi = 0x0505;        // c.addi a0, 1
constexpr uint32_t kLoad = 0x0005'3583;    // ld a1, 0(a0)
constexpr uint32_t kStore = 0x00c5'3023;   // sd a2, 0(a0)
constexpr uint32_t kAmo = 0x00c5'35af;     // amoadd.d a1, a2, (a0)
constexpr uint32_t kLr = 0x1005'25af;      // lr.w a1, (a0)
constexpr uint32_t kSc = 0x18c5'25af;      // sc.w a1, a2, (a0)
constexpr uint32_t kJump = 0x0005'0067;    // jr a0
constexpr uint32_t kDivide = 0x1ac5'f553;  // fdiv.d fa0, fa1, fa2, dyn
constexpr uint32_t kTime = 0xc010'2573;    // csrr a0, time
constexpr uint32_t kEcall = 0x0000'0073;
constexpr uint32_t kEbreak = 0x0010'0073;
constexpr uint32_t kWfi = 0x1050'0073;
constexpr uint32_t kFenceI = 0x0000'100f;
constexpr uint32_t kPause = 0x0100'000f;

class RiscvProcess {
  public:
    // `translate_after`: how often code is interpreted before it is translated.
    explicit RiscvProcess(const std::string& translate_after, const CpuModel& model = kMax)
        : arch(guest_arch_user(model)),
          process({{"translate-after", translate_after}}, 0, 4, arch),
          thread(process, kCode) {}

    // Instructions from `at` on, the first bits of which say how long they are.
    static void load(uint64_t at, const std::vector<uint32_t>& insns) {
        for (const uint32_t insn : insns) {
            const size_t size = (insn & 3) == 3 ? 4 : 2;
            std::memcpy(reinterpret_cast<void*>(at), &insn, size);
            at += size;
        }
    }
    void* state() const { return thread.state_pointer(); }
    uint64_t x(unsigned n) const { return user_x(state(), n); }
    // Runs from `pc` until an exception.
    UserException run(uint64_t pc) {
        thread.set_pc(pc);
        REQUIRE(thread.run() == VcpuStop::exception);
        return user_exception(state());
    }

    const GuestArch arch;
    ToyProcess process;
    ToyProcess::Thread thread;
};

void check(const UserException& exception, UserExceptionKind kind, uint64_t address) {
    CHECK(exception.kind == kind);
    CHECK(exception.address == address);
}

TEST_CASE("straight code runs over the ends of copies and of pages, whatever its alignment") {
    const std::string translate_after = GENERATE(as<std::string>{}, "0", "4", "200");
    INFO("translate-after=" << translate_after);
    for (const unsigned halfwords : {0u, 1u}) {
        RiscvProcess riscv(translate_after);
        const uint64_t start = page_address(1) - 200 + 2 * halfwords;
        std::vector<uint32_t> insns;
        for (unsigned i = 0; i < 100; ++i) {
            insns.push_back(i % 7 == 3 ? kCAddi : kAddi);
        }
        insns.push_back(kEcall);
        uint64_t end = start;
        for (const uint32_t insn : insns) {
            end += (insn & 3) == 3 ? 4 : 2;
        }
        RiscvProcess::load(start, insns);
        for (unsigned round = 1; round <= 20; ++round) {
            check(riscv.run(start), UserExceptionKind::ecall, end - 4);
            CHECK(riscv.x(kA0) == 100 * round);
        }
    }
}

TEST_CASE("a loop runs as often as it says") {
    const std::string translate_after = GENERATE(as<std::string>{}, "0", "4", "200");
    RiscvProcess riscv(translate_after);
    // addi a1, a1, 1; addi a0, a0, -1; bnez a0, -8
    RiscvProcess::load(kCode, {0x0015'8593, 0xfff5'0513, 0xfe05'1ce3, kPause, kFenceI, kEcall});
    set_user_x(riscv.state(), kA0, 1000);
    check(riscv.run(kCode), UserExceptionKind::ecall, kCode + 20);
    CHECK(riscv.x(kA0) == 0);
    CHECK(riscv.x(kA1) == 1000);
}

TEST_CASE("what a process raises is told with its pc, and the state before it") {
    const std::string translate_after = GENERATE(as<std::string>{}, "0", "4", "200");
    struct Row {
        uint32_t insn;
        UserExceptionKind kind;
    };
    for (const Row& row :
         {Row{kEcall, UserExceptionKind::ecall}, Row{kEbreak, UserExceptionKind::breakpoint},
          Row{0x9002, UserExceptionKind::breakpoint}, Row{0, UserExceptionKind::illegal},
          Row{kWfi, UserExceptionKind::illegal}, Row{0x3000'2573, UserExceptionKind::illegal}}) {
        RiscvProcess fresh(translate_after);
        RiscvProcess::load(kCode, {kAddi, row.insn, kAddi});
        check(fresh.run(kCode), row.kind, kCode + 4);
        CHECK(fresh.thread.pc() == kCode + 4);
        CHECK(fresh.x(kA0) == 1);
    }
}

TEST_CASE("memory that is not there is told apart by access, and what is misaligned") {
    const std::string translate_after = GENERATE(as<std::string>{}, "0", "4", "200");
    RiscvProcess riscv(translate_after);
    riscv.process.unmap(30);
    constexpr auto kFault = UserExceptionKind::memory_fault;
    constexpr auto kMisaligned = UserExceptionKind::misaligned;
    struct Row {
        uint32_t insn;
        uint64_t a0;
        UserExceptionKind kind;
        Access access;
        uint64_t address;
    };
    const std::vector<Row> rows = {
        {kLoad, kHole + 8, kFault, Access::load, kHole + 8},
        {kLoad, kHole - 4, kFault, Access::load, kHole},  // there in part
        {kStore, kHole + 8, kFault, Access::store, kHole + 8},
        {kAmo, kHole + 8, kFault, Access::store, kHole + 8},
        {kLr, kHole + 8, kFault, Access::load, kHole + 8},
        {kJump, kHole + 8, kFault, Access::fetch, kHole + 8},
        {kAmo, page_address(20) + 4, kMisaligned, Access::store, page_address(20) + 4},
        {kLr, page_address(20) + 2, kMisaligned, Access::load, page_address(20) + 2},
        {kSc, page_address(20) + 2, kMisaligned, Access::store, page_address(20) + 2},
    };
    const auto code_of = [](size_t row) { return kCode + 64 * row; };
    for (size_t i = 0; i < rows.size(); ++i) {
        RiscvProcess::load(code_of(i), {kCAddi, rows[i].insn, kEcall});
    }
    for (unsigned round = 0; round < 20; ++round) {
        for (size_t i = 0; i < rows.size(); ++i) {
            const Row& row = rows[i];
            INFO("row " << i);
            set_user_x(riscv.state(), kA0, row.a0 - 1);
            set_user_x(riscv.state(), kA1, 77);
            const UserException exception = riscv.run(code_of(i));
            check(exception, row.kind, row.address);
            CHECK(exception.access == row.access);
            CHECK(exception.fault == MemoryFault::unmapped);
            CHECK(riscv.thread.pc() == (row.access == Access::fetch ? row.address : code_of(i) + 2));
            CHECK(riscv.x(kA1) == 77);
        }
    }
}

TEST_CASE("small and large atomics, and blocks of cache") {
    const std::string translate_after = GENERATE(as<std::string>{}, "0", "4", "200");
    RiscvProcess riscv(translate_after);
    riscv.process.unmap(30);
    const uint64_t page = page_address(20);
    constexpr uint32_t kAmoAddB = 0x00c5'05af;   // amoadd.b a1, a2, (a0)
    constexpr uint32_t kAmoCasH = 0x28c5'15af;   // amocas.h a1, a2, (a0)
    constexpr uint32_t kAmoCasQ = 0x28c5'472f;   // amocas.q a4, a2, (a0)
    constexpr uint32_t kCboInval = 0x0005'200f;  // (a0)
    constexpr uint32_t kCboFlush = 0x0025'200f;
    constexpr uint32_t kCboZero = 0x0045'200f;
    const std::vector<uint32_t> insns = {kAmoAddB, kAmoCasH, kAmoCasQ, kCboInval, kCboFlush, kCboZero};
    const auto code_of = [](size_t insn) { return kCode + 64 * insn; };
    for (size_t i = 0; i < insns.size(); ++i) {
        RiscvProcess::load(code_of(i), {insns[i], kEcall});
    }
    auto* const memory = reinterpret_cast<uint8_t*>(page);
    const auto run_one = [&](size_t insn, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                             uint64_t a5) {
        const uint64_t values[] = {a0, a1, a2, a3, a4, a5};
        for (unsigned i = 0; i < 6; ++i) {
            set_user_x(riscv.state(), kA0 + i, values[i]);
        }
        return riscv.run(code_of(insn));
    };
    constexpr auto kFault = UserExceptionKind::memory_fault;
    for (unsigned round = 0; round < 10; ++round) {
        std::memset(memory, 0xf0, 256);
        check(run_one(0, page + 3, 0, 0x120, 0, 0, 0), UserExceptionKind::ecall, code_of(0) + 4);
        CHECK(riscv.x(kA1) == 0xffff'ffff'ffff'fff0);
        CHECK(memory[3] == 0x10);
        CHECK(memory[4] == 0xf0);
        run_one(1, page + 6, 0x5555'f0f0, 0x1234, 0, 0, 0);
        CHECK(riscv.x(kA1) == 0xffff'ffff'ffff'f0f0);
        CHECK((memory[6] == 0x34 && memory[7] == 0x12 && memory[8] == 0xf0));
        const uint64_t words = 0xf0f0'f0f0'f0f0'f0f0;
        run_one(2, page + 32, 0, 1, 2, words, 5);  // the second word is another
        CHECK((riscv.x(kA0 + 4) == words && riscv.x(kA0 + 5) == words));
        CHECK(memory[32] == 0xf0);
        run_one(2, page + 32, 0, 1, 2, words, words);
        CHECK((riscv.x(kA0 + 4) == words && riscv.x(kA0 + 5) == words));
        CHECK((memory[32] == 1 && memory[33] == 0 && memory[40] == 2 && memory[48] == 0xf0));
        check(run_one(2, page + 8, 0, 1, 2, 3, 4), UserExceptionKind::misaligned, page + 8);
        check(run_one(2, kHole, 0, 1, 2, 3, 4), kFault, kHole);
        CHECK((riscv.x(kA0 + 4) == 3 && riscv.x(kA0 + 5) == 4));
        check(run_one(3, page, 0, 0, 0, 0, 0), UserExceptionKind::illegal, code_of(3));
        check(run_one(4, page + 1, 0, 0, 0, 0, 0), UserExceptionKind::ecall, code_of(4) + 4);
        check(run_one(4, kHole + 1, 0, 0, 0, 0, 0), kFault, kHole + 1);
        check(run_one(5, page + 100, 0, 0, 0, 0, 0), UserExceptionKind::ecall, code_of(5) + 4);
        CHECK((memory[63] == 0xf0 && memory[64] == 0 && memory[127] == 0 && memory[128] == 0xf0));
        check(run_one(5, kHole + 100, 0, 0, 0, 0, 0), kFault, kHole + 64);
    }
}

TEST_CASE("what the model has not is illegal, translated or not") {
    const std::string translate_after = GENERATE(as<std::string>{}, "0", "4", "200");
    const auto model = parse_cpu_model("rv64,zba=off,zawrs=off");
    REQUIRE(model);
    RiscvProcess riscv(translate_after, *model);
    // sh1add a0, a0, a0; czero.eqz a0, a0, a0; wrs.sto; fadd.h
    const std::vector<uint32_t> insns = {0x20a5'2533, 0x0ea5'5533, 0x01d0'0073, 0x04a5'0553};
    const auto code_of = [](size_t insn) { return kCode + 64 * insn; };
    for (size_t i = 0; i < insns.size(); ++i) {
        RiscvProcess::load(code_of(i), {kCAddi, insns[i], kEcall});
    }
    for (size_t i = 0; i < insns.size(); ++i) {
        for (unsigned round = 0; round < 8; ++round) {
            check(riscv.run(code_of(i)), UserExceptionKind::illegal, code_of(i) + 2);
        }
    }
}

TEST_CASE("fcsr is set and read between instructions, and time goes on") {
    const std::string translate_after = GENERATE(as<std::string>{}, "0", "4", "200");
    RiscvProcess riscv(translate_after);
    RiscvProcess::load(kCode, {kDivide, kEcall, kTime, kEcall});
    const double third = 1.0 / 3.0;  // to nearest is below
    const uint64_t below = std::bit_cast<uint64_t>(third);
    for (unsigned round = 0; round < 20; ++round) {
        const bool up = round % 2 != 0;
        UserRegisters registers = user_registers(riscv.state());
        registers.f[11] = std::bit_cast<uint64_t>(1.0);
        registers.f[12] = std::bit_cast<uint64_t>(3.0);
        registers.fcsr = (up ? 3 << 5 : 0) | 8;
        set_user_registers(riscv.state(), registers);
        check(riscv.run(kCode), UserExceptionKind::ecall, kCode + 4);
        registers = user_registers(riscv.state());
        CHECK(registers.f[10] == (up ? below + 1 : below));
        CHECK(registers.fcsr == ((up ? 3u << 5 : 0u) | 8 | 1));  // inexact beside what was there
        // Reserved: rounding by it is illegal, until it is set anew.
        registers.fcsr = 5 << 5;
        set_user_registers(riscv.state(), registers);
        check(riscv.run(kCode), UserExceptionKind::illegal, kCode);
    }
    riscv.run(kCode + 8);
    const uint64_t time = riscv.x(kA0);
    riscv.run(kCode + 8);
    CHECK(riscv.x(kA0) >= time);
}

TEST_CASE(
    "an exception between LR and SC ends the reservation, and a new thread begins with another's registers") {
    const std::string translate_after = GENERATE(as<std::string>{}, "0", "4", "200");
    RiscvProcess riscv(translate_after);
    RiscvProcess::load(kCode, {kLr, kSc, kEcall, kLr, kEcall, kSc, kEcall});
    set_user_x(riscv.state(), kA0, page_address(20));
    set_user_x(riscv.state(), kA2, 5);
    riscv.run(kCode);
    CHECK(riscv.x(kA1) == 0);
    riscv.run(kCode + 12);
    riscv.run(kCode + 20);
    CHECK(riscv.x(kA1) == 1);

    ToyProcess::Thread second(riscv.process, kCode);
    set_user_registers(second.state_pointer(), user_registers(riscv.state()));
    CHECK(second.pc() == kCode + 24);
    set_user_x(second.state_pointer(), kA2, 6);
    second.set_pc(kCode);
    VcpuStop stop{};
    std::thread([&] { stop = second.run(); }).join();
    CHECK(stop == VcpuStop::exception);
    CHECK(user_exception(second.state_pointer()).kind == UserExceptionKind::ecall);
    CHECK(user_x(second.state_pointer(), kA1) == 0);
    CHECK(*reinterpret_cast<uint32_t*>(page_address(20)) == 6);
}

TEST_CASE("fcsr is whole when the thread was asked to leave, and what is set then stays") {
    RiscvProcess riscv("0");
    RiscvProcess::load(kCode, {kDivide, 0x00c5'2023 /* sw a2, 0(a0) */, 0x0000'006f /* j . */});
    UserRegisters registers = user_registers(riscv.state());
    registers.f[11] = std::bit_cast<uint64_t>(1.0);
    registers.f[12] = std::bit_cast<uint64_t>(3.0);
    registers.x[kA0] = page_address(20);
    registers.x[kA2] = 1;
    registers.pc = kCode;
    set_user_registers(riscv.state(), registers);
    const std::atomic_ref<uint32_t> divided(*reinterpret_cast<uint32_t*>(page_address(20)));
    std::thread asker([&] {
        while (divided.load() == 0) {
            std::this_thread::yield();
        }
        riscv.thread.ask();
    });
    CHECK(riscv.thread.run() == VcpuStop::asked);
    asker.join();
    registers = user_registers(riscv.state());
    CHECK(registers.fcsr == 1);
    // As a handler's return does.
    registers.fcsr = 0;
    set_user_registers(riscv.state(), registers);
    riscv.thread.ask();
    CHECK(riscv.thread.run() == VcpuStop::asked);
    CHECK(user_registers(riscv.state()).fcsr == 0);
}

}  // namespace
}  // namespace weft::riscv
