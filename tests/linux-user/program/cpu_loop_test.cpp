// What the loop makes of a vCPU's stops: calls, signals, ends.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "emulator/linux-user/cpu_loop.h"
#include "tests/linux-user/program/programs.h"
#include "tests/linux-user/program/toy.h"

using namespace weft;
using namespace weft::test;
using user::CpuException;

namespace {

constexpr unsigned kA0 = 10;

struct Program {
    TempDir folder;
    std::string path = write_program(folder, "p", make_elf(ET_EXEC, "hello").bytes());
    Toy toy;

    int run() {
        const auto ended = toy.run({.program = {.path = path, .arguments = {path}}});
        REQUIRE(ended);
        return *ended;
    }
};

Toy::Step call(uint64_t number, std::vector<uint64_t> arguments) {
    return [=](ToyState& state) { return Toy::call(state, number, arguments); };
}

Toy::Step fault(const CpuException& exception) {
    return [=](ToyState& state) {
        state.exception = exception;
        return VcpuStop::exception;
    };
}

constexpr uint64_t kHandler = 0x5000;

// The guest's rt_sigaction of a handler, with SA_SIGINFO.
Toy::Step handle(Program& program, int signal, uint64_t handler) {
    return [&program, signal, handler](ToyState& state) {
        const user::abi::Sigaction action{.handler = handler, .flags = SA_SIGINFO, .mask = 0};
        const uint64_t place = state.registers.x[2] - 256;
        program.toy.process->memory().write(place, &action, sizeof(action));
        return Toy::call(state, 134, {static_cast<uint64_t>(signal), place, 0, 8});
    };
}

void send_to_self(int signal) { ::syscall(SYS_tgkill, ::getpid(), ::gettid(), signal); }

}  // namespace

TEST_CASE("a call's result goes to a0, and the pc goes on", "[user-loop]") {
    Program program;
    int pipe[2];
    REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
    user::FrameRegisters after;
    program.toy.steps = {call(64, {static_cast<uint64_t>(pipe[1]), kData, 5}),  // write
                         [&](ToyState& state) {
                             after = state.registers;
                             return Toy::call(state, 64, {static_cast<uint64_t>(pipe[1]), 0x1000, 5});
                         },
                         [&](ToyState& state) {
                             CHECK(static_cast<int64_t>(state.registers.x[kA0]) == -EFAULT);
                             return Toy::call(state, 178, {});  // gettid
                         },
                         [&](ToyState& state) {
                             CHECK(state.registers.x[kA0] == static_cast<uint64_t>(::gettid()));
                             CHECK(state.registers.pc == kCode + kEntry + 12);
                             return Toy::call(state, 94, {0x1234});
                         }};
    CHECK(program.run() == 0x34);
    CHECK(after.x[kA0] == 5);
    CHECK(after.x[11] == kData);
    CHECK(after.pc == kCode + kEntry + 4);
    char text[6] = {};
    CHECK(::read(pipe[0], text, 5) == 5);
    CHECK(std::string(text) == "hello");
    ::close(pipe[0]);
    ::close(pipe[1]);
}

TEST_CASE("the status is the program's", "[user-loop]") {
    for (const uint64_t number : {93u, 94u}) {
        for (const uint64_t status :
             {uint64_t{0}, uint64_t{1}, uint64_t{255}, uint64_t{256 + 3}, ~uint64_t{0}}) {
            Program program;
            program.toy.steps = {call(number, {status})};
            CHECK(program.run() == static_cast<int>(status & 0xff));
        }
    }
}

TEST_CASE("a call that a signal came before is made again after the signal", "[user-loop]") {
    Program program;
    int pipe[2];
    REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
    const Toy::Step write_hello = call(64, {static_cast<uint64_t>(pipe[1]), kData, 5});
    const uint64_t pc = kCode + kEntry;
    user::FrameRegisters before;
    program.toy.steps = {handle(program, SIGUSR1, kHandler),
                         [&](ToyState& state) {
                             REQUIRE(state.registers.x[kA0] == 0);
                             // It comes after the vCPU stopped for the ecall.
                             send_to_self(SIGUSR1);
                             before = state.registers;
                             return write_hello(state);
                         },
                         [&](ToyState& state) {
                             CHECK(state.registers.pc == kHandler);
                             CHECK(state.registers.x[kA0] == SIGUSR1);
                             // rt_sigreturn, from the frame
                             return Toy::call(state, 139, {});
                         },
                         [&](ToyState& state) {
                             CHECK(state.registers.pc == before.pc);
                             CHECK(state.registers.x[kA0] == static_cast<uint64_t>(pipe[1]));
                             return write_hello(state);
                         },
                         [&](ToyState& state) {
                             CHECK(state.registers.x[kA0] == 5);
                             return Toy::call(state, 93, {0});
                         }};
    CHECK(program.run() == 0);
    CHECK(before.pc == pc + 4);
    // Written once.
    char text[16];
    CHECK(::read(pipe[0], text, sizeof(text)) == 5);
    ::close(pipe[0]);
    ::close(pipe[1]);
}

TEST_CASE("asked means: look for signals, if there are any", "[user-loop]") {
    Program program;
    const uint64_t pc = kCode + kEntry + 4;
    program.toy.steps = {handle(program, SIGUSR1, kHandler), [](ToyState&) { return VcpuStop::asked; },
                         [&](ToyState& state) {
                             CHECK(state.registers.pc == pc);
                             send_to_self(SIGUSR1);
                             CHECK(program.toy.header->exit_request.exchange(0) == 1);
                             return VcpuStop::asked;
                         },
                         [&](ToyState& state) {
                             CHECK(state.registers.pc == kHandler);
                             return Toy::call(state, 93, {0});
                         }};
    CHECK(program.run() == 0);
}

TEST_CASE("exceptions are the signals that a kernel sends for them", "[user-loop]") {
    struct Row {
        CpuException exception;
        user::FaultSignal signal;
    };
    const uint64_t pc = kCode + kEntry + 4;
    for (const Row& row : {
             Row{{.kind = CpuException::Kind::breakpoint}, {SIGTRAP, TRAP_BRKPT, pc}},
             Row{{.kind = CpuException::Kind::illegal}, {SIGILL, ILL_ILLOPC, pc}},
             Row{{.kind = CpuException::Kind::misaligned, .address = 0x77}, {SIGBUS, BUS_ADRALN, 0x77}},
             Row{{.kind = CpuException::Kind::memory, .address = 0x88, .fault = MemoryFault::unmapped},
                 {SIGSEGV, SEGV_MAPERR, 0x88}},
             Row{{.kind = CpuException::Kind::memory, .address = 0x99, .fault = MemoryFault::protection},
                 {SIGSEGV, SEGV_ACCERR, 0x99}},
             Row{{.kind = CpuException::Kind::memory, .address = 0xaa, .fault = MemoryFault::bus},
                 {SIGBUS, BUS_ADRERR, 0xaa}},
         }) {
        CHECK(user::fault_signal(row.exception, pc) == row.signal);
        Program program;
        program.toy.steps = {
            handle(program, row.signal.number, kHandler), fault(row.exception), [&](ToyState& state) {
                CHECK(state.registers.pc == kHandler);
                CHECK(state.registers.x[kA0] == static_cast<uint64_t>(row.signal.number));
                // The frame is what a1 and a2 point to: siginfo, with si_code and si_addr in it.
                siginfo_t info{};
                CHECK(program.toy.process->memory().read(state.registers.x[kA0 + 1], &info, sizeof(info)));
                CHECK(info.si_code == row.signal.code);
                CHECK(reinterpret_cast<uint64_t>(info.si_addr) == row.signal.address);
                return Toy::call(state, 93, {0});
            }};
        CHECK(program.run() == 0);
    }
}

TEST_CASE("a vCPU that failed ends the process with weft's status", "[user-loop]") {
    Program program;
    program.toy.steps = {[](ToyState&) { return VcpuStop::failed; }};
    CHECK(program.run() == 1);
}

TEST_CASE("the accelerator is told of code that goes, and of code that was written", "[user-loop]") {
    Program program;
    program.toy.steps = {call(226, {kCode, 0x1000, PROT_READ}),  // mprotect
                         call(259, {kData, kData + 16, 0}),      // riscv_flush_icache
                         call(259, {kData, kData + 16, 1}),      // of this thread alone
                         call(94, {0})};
    CHECK(program.run() == 0);
    CHECK(program.toy.events == std::vector<std::string>{"create", "attach", "gone 0x10000 0x11000", "settle",
                                                         "sync 0x20000 0x20010 all",
                                                         "sync 0x20000 0x20010 own", "detach", "destroy"});
}
