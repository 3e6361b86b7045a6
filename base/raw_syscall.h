// The host's system calls without the C library: no errno, no cancellation, no wrapper that refuses or changes what the kernel
// would take. Usable wherever a system call is: in signal handlers, after a raw clone, before thread-local storage is set up.
//
// x86-64 (psABI, "Linux Conventions"; syscall(2)): `syscall` takes the number in rax and arguments in rdi, rsi, rdx, r10, r8
// and r9; the result comes in rax; rcx and r11 are lost. Memory counts as read and written by each call. ThreadSanitizer and
// AddressSanitizer know nothing of what the kernel does to it.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "base/signal_safe.h"

namespace weft {

// What an argument is in a register: pointers as they are, numbers widened by their own sign, as the kernel's own types do.
template <class T>
    requires std::integral<T> || std::is_enum_v<T> || std::is_pointer_v<T> || std::is_null_pointer_v<T>
uint64_t syscall_argument(T value) {
    if constexpr (std::is_pointer_v<T> || std::is_null_pointer_v<T>) {
        return reinterpret_cast<uint64_t>(value);
    } else {
        return static_cast<uint64_t>(value);
    }
}

// The result as the kernel gives it: -4095 to -1 are negated errno values. Up to six arguments; those that are left out are 0.
// Any thread.
WEFT_SIGNAL_SAFE inline int64_t raw_syscall_words(long number, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0,
                                                  uint64_t d = 0, uint64_t e = 0, uint64_t f = 0) {
#if defined(__x86_64__)
    int64_t result = number;
    register uint64_t r10 asm("r10") = d;
    register uint64_t r8 asm("r8") = e;
    register uint64_t r9 asm("r9") = f;
    asm volatile("syscall"
                 : "+a"(result)
                 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
#else
#error "the system call instruction of this host is not known"
#endif
}

template <class... Arguments>
    requires(sizeof...(Arguments) <= 6)
int64_t raw_syscall(long number, Arguments... arguments) {
    return raw_syscall_words(number, syscall_argument(arguments)...);
}

}  // namespace weft
