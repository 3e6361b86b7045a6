#include "call.h"

#include <sys/syscall.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string_view>

#include "emulator/linux-user/syscall/table.h"

namespace differential {

namespace {

// Only numbers are taken from weft's table.
const std::map<std::string, long>& numbers() {
    static const std::map<std::string, long> all = {
#ifdef __riscv
#define ROW(number, name, ...) {#name, number},
#else
#define ROW(number, name, ...) {#name, SYS_##name},
#endif
        WEFT_USER_SYSCALLS_GENERIC(ROW)
#undef ROW
#define ROW(number, name, ...) {#name, number},
            WEFT_USER_SYSCALLS_COMMON(ROW)
#undef ROW
    };
    return all;
}

}  // namespace

// A child that shares its parent's stack, if only for a moment, may not return.
[[gnu::noinline]] int64_t make_call(long number, const uint64_t (&args)[6], bool child_ends) {
    constexpr long kChildStatus = 7;
#ifdef __riscv
    register uint64_t a0 asm("a0") = args[0];
    register uint64_t a1 asm("a1") = args[1];
    register uint64_t a2 asm("a2") = args[2];
    register uint64_t a3 asm("a3") = args[3];
    register uint64_t a4 asm("a4") = args[4];
    register uint64_t a5 asm("a5") = args[5];
    register long a7 asm("a7") = number;
    asm volatile("ecall\n bnez a0, 1f\n beqz %[ends], 1f\n li a0, %[status]\n li a7, 93\n ecall\n 1:"
                 : "+r"(a0), "+r"(a7)
                 : "r"(a1), "r"(a2), "r"(a3), "r"(a4),
                   "r"(a5), [ends] "r"(long{child_ends}), [status] "i"(kChildStatus)
                 : "memory");
    return static_cast<int64_t>(a0);
#else
    register uint64_t r10 asm("r10") = args[3];
    register uint64_t r8 asm("r8") = args[4];
    register uint64_t r9 asm("r9") = args[5];
    uint64_t rax = static_cast<uint64_t>(number);
    uint64_t rdi = args[0];
    asm volatile(
        "syscall\n test %%rax, %%rax\n jnz 1f\n test %[ends], %[ends]\n jz 1f\n mov %[status], %%edi\n mov "
        "$60, %%eax\n syscall\n 1:"
        : "+a"(rax), "+D"(rdi)
        : "S"(args[1]), "d"(args[2]), "r"(r10), "r"(r8),
          "r"(r9), [ends] "r"(long{child_ends}), [status] "i"(kChildStatus)
        : "rcx", "r11", "memory");
    return static_cast<int64_t>(rax);
#endif
}

Call parse_call(const std::string& line) {
    constexpr std::string_view kThen = " ; ";
    const size_t end = line.find(kThen);
    std::istringstream words(line.substr(0, end));
    Call call;
    words >> call.name;
    if (const size_t slash = call.name.find('/'); slash != std::string::npos) {
        call.variant = call.name.substr(slash);
        call.name.resize(slash);
    }
    constexpr std::string_view kMarks = ">!~";
    for (; kMarks.find(call.name.back()) != std::string_view::npos; call.name.pop_back()) {
        call.gives_descriptor |= call.name.back() == '>';
        call.makes_child |= call.name.back() == '!';
        call.in_sequences &= call.name.back() != '~';
    }
    const auto number = numbers().find(call.name);
    if (number == numbers().end()) {
        std::fprintf(stderr, "no such call: %s\n", call.name.c_str());
        std::exit(2);
    }
    call.number = number->second;
    for (std::string word; words >> word;) {
        call.arguments.push_back(parse_argument(word));
    }
    if (end != std::string::npos) {
        Call next = parse_call(line.substr(end + kThen.size()));
        call.then = std::move(next.then);
        next.then.clear();
        call.then.insert(call.then.begin(), std::move(next));
    }
    return call;
}

}  // namespace differential
