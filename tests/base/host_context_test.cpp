// What a handler reads of the thread it interrupted, and what it sets, by real signals. The oracle for the numbers of registers
// is the assembler: each register is loaded by name with its number.
#include "base/host_context.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdint>

using namespace weft;

// Loads the registers with 0x1000 + number, but for the stack pointer, meets an undefined instruction, and stores what it then
// finds in them. Returns the stack pointer at that instruction.
extern "C" uint64_t weft_test_registers(uint64_t* found);
asm(R"(
    .pushsection .text
    .type weft_test_registers, @function
weft_test_registers:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdi
    mov $0x1000, %eax
    mov $0x1001, %ecx
    mov $0x1002, %edx
    mov $0x1003, %ebx
    mov $0x1005, %ebp
    mov $0x1006, %esi
    mov $0x1007, %edi
    mov $0x1008, %r8d
    mov $0x1009, %r9d
    mov $0x100a, %r10d
    mov $0x100b, %r11d
    mov $0x100c, %r12d
    mov $0x100d, %r13d
    mov $0x100e, %r14d
    mov $0x100f, %r15d
    ud2
    xchg %rax, (%rsp)
    mov %rcx, 8(%rax)
    mov %rdx, 16(%rax)
    mov %rbx, 24(%rax)
    mov %rbp, 40(%rax)
    mov %rsi, 48(%rax)
    mov %rdi, 56(%rax)
    mov %r8, 64(%rax)
    mov %r9, 72(%rax)
    mov %r10, 80(%rax)
    mov %r11, 88(%rax)
    mov %r12, 96(%rax)
    mov %r13, 104(%rax)
    mov %r14, 112(%rax)
    mov %r15, 120(%rax)
    pop %rcx
    mov %rcx, (%rax)
    lea -8(%rsp), %rax
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
    .size weft_test_registers, . - weft_test_registers
    .popsection
)");

namespace {

// What the handler saw. One thread writes and reads it: handlers run on the thread that faults.
struct Seen {
    std::array<uint64_t, 16> registers;
    uint64_t pc, stack_pointer;
    HostContext::Access access;
    bool page_fault;
    uint64_t address;
    int count;
};
volatile uint64_t resume;
Seen seen;

void note(const HostContext& host, const siginfo_t* info) {
    ++seen.count;
    for (unsigned number = 0; number < 16; ++number) {
        seen.registers[number] = host.reg(number);
    }
    seen.pc = host.pc();
    seen.stack_pointer = host.stack_pointer();
    seen.access = host.access();
    seen.page_fault = host.page_fault();
    seen.address = reinterpret_cast<uint64_t>(info->si_addr);
}

// Skips `ud2`, having changed all registers but the stack pointer.
void on_undefined(int, siginfo_t* info, void* context) {
    HostContext host(context);
    note(host, info);
    for (unsigned number = 0; number < 16; ++number) {
        if (number != 4) {
            host.set_reg(number, 0x2000'0000'0000u + number);
        }
    }
    host.set_pc(host.pc() + 2);
}

void on_fault(int, siginfo_t* info, void* context) {
    HostContext host(context);
    note(host, info);
    host.set_pc(resume);
}

class Handler {
  public:
    Handler(int signal, void (*function)(int, siginfo_t*, void*)) : signal_(signal) {
        struct sigaction action{};
        action.sa_sigaction = function;
        action.sa_flags = SA_SIGINFO;
        sigaction(signal, &action, &before_);
    }
    ~Handler() { sigaction(signal_, &before_, nullptr); }
    Handler(const Handler&) = delete;
    Handler& operator=(const Handler&) = delete;

  private:
    int signal_;
    struct sigaction before_;
};

// One access each, after which the handler goes on.
[[gnu::noinline]] void do_load(uint64_t address) {
    asm volatile("lea 1f(%%rip), %%rax; mov %%rax, %0; movb (%1), %%al; 1:"
                 : "=m"(resume)
                 : "r"(address)
                 : "rax", "memory");
}
[[gnu::noinline]] void do_store(uint64_t address) {
    asm volatile("lea 1f(%%rip), %%rax; mov %%rax, %0; movb $1, (%1); 1:"
                 : "=m"(resume)
                 : "r"(address)
                 : "rax", "memory");
}
[[gnu::noinline]] void do_exchange(uint64_t address) {
    asm volatile("lea 1f(%%rip), %%rax; mov %%rax, %0; lock cmpxchg %%eax, (%1); 1:"
                 : "=m"(resume)
                 : "r"(address)
                 : "rax", "memory", "cc");
}
[[gnu::noinline]] void do_jump(uint64_t address) {
    asm volatile("lea 1f(%%rip), %%rax; mov %%rax, %0; jmp *%1; 1:"
                 : "=m"(resume)
                 : "r"(address)
                 : "rax", "memory");
}
[[gnu::noinline]] void do_stack_load(uint64_t address) {
    asm volatile(
        "lea 1f(%%rip), %%rax; mov %%rax, %0; mov %%rbp, %%r11; mov %1, %%rbp; movb (%%rbp), %%al; 1: mov "
        "%%r11, %%rbp"
        : "=m"(resume)
        : "r"(address)
        : "rax", "r11", "memory");
}

}  // namespace

TEST_CASE(
    "registers have the numbers of instruction encodings, and what a handler sets is what the thread goes on "
    "with") {
    const Handler handler(SIGILL, on_undefined);
    seen = {};
    std::array<uint64_t, 16> found{};
    const uint64_t stack = weft_test_registers(found.data());
    REQUIRE(seen.count == 1);
    for (unsigned number = 0; number < 16; ++number) {
        INFO("register " << number);
        if (number == 4) {
            CHECK(seen.registers[number] == stack);
        } else {
            CHECK(seen.registers[number] == 0x1000 + number);
            CHECK(found[number] == 0x2000'0000'0000u + number);
        }
    }
    CHECK(seen.stack_pointer == stack);
    CHECK(seen.pc == seen.address);  // what the kernel gives for SIGILL
    CHECK_FALSE(seen.page_fault);
    CHECK(seen.access == HostContext::Access::load);
}

TEST_CASE("the access is told by the page fault's error code") {
    const Handler handler(SIGSEGV, on_fault);
    const auto size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const auto page = [size](int protection) {
        void* const at = mmap(nullptr, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(at != MAP_FAILED);
        return reinterpret_cast<uint64_t>(at);
    };
    const uint64_t none = page(PROT_NONE);
    const uint64_t read_only = page(PROT_READ);
    const auto expect = [](uint64_t address, HostContext::Access access) {
        CHECK(seen.count == 1);
        CHECK(seen.page_fault);
        CHECK(seen.address == address);
        CHECK(seen.access == access);
        seen = {};
    };
    seen = {};
    do_load(none);
    expect(none, HostContext::Access::load);
    do_store(none);
    expect(none, HostContext::Access::store);
    do_store(read_only);
    expect(read_only, HostContext::Access::store);
    do_exchange(read_only + 4);
    expect(read_only + 4, HostContext::Access::store);
    do_jump(read_only);
    expect(read_only, HostContext::Access::fetch);
    do_jump(none + 8);
    expect(none + 8, HostContext::Access::fetch);
    munmap(reinterpret_cast<void*>(none), size);
    munmap(reinterpret_cast<void*>(read_only), size);
}

TEST_CASE("an address that is not canonical is no page fault") {
    const Handler segv(SIGSEGV, on_fault);
    const Handler bus(SIGBUS, on_fault);  // by way of the stack pointer's segment
    constexpr uint64_t kAddress = 0x8000'0000'0000'0000;
    // What is left of a page fault must not be taken for this one's.
    seen = {};
    do_store(1);
    REQUIRE(seen.page_fault);
    for (void (*const access)(uint64_t) : {do_load, do_store, do_stack_load}) {
        seen = {};
        access(kAddress);
        CHECK(seen.count == 1);
        CHECK_FALSE(seen.page_fault);
        CHECK(seen.access == HostContext::Access::load);
    }
}
