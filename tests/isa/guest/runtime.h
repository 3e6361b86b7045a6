// What all guest test programs share: output, hashing, random numbers. Freestanding; runs in M mode.
#pragma once

#include <stdint.h>

namespace guest {

// The UART at 0x10000000, polled.
void put_char(char c);
void put_text(const char* text);
void put_hex(uint64_t value);   // 16 digits
void put_word(uint64_t value);  // a line with 16 digits

constexpr uint64_t kHashStart = 0x243f6a8885a308d3;

inline uint64_t hash(uint64_t h, uint64_t value) {
    h = (h ^ value) * 0x9e3779b97f4a7c15;
    return h ^ h >> 29;
}

inline uint64_t hash(uint64_t h, const uint64_t* words, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
        h = hash(h, words[i]);
    }
    return h;
}

// The next of a sequence of random numbers (splitmix64).
inline uint64_t random(uint64_t& state) {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

}  // namespace guest

extern "C" {
void guest_main();
[[noreturn]] void guest_end();
[[noreturn]] void guest_unexpected_trap(uint64_t cause, uint64_t epc, uint64_t tval);
}

// Reads, writes, sets and clears a CSR by its name or number.
#define GUEST_CSR_READ(csr)                                      \
    ({                                                           \
        uint64_t value_;                                         \
        asm volatile("csrr %0, " #csr : "=r"(value_)::"memory"); \
        value_;                                                  \
    })
#define GUEST_CSR_WRITE(csr, value) asm volatile("csrw " #csr ", %0" ::"r"(uint64_t(value)) : "memory")
#define GUEST_CSR_SET(csr, bits) asm volatile("csrs " #csr ", %0" ::"r"(uint64_t(bits)) : "memory")
#define GUEST_CSR_CLEAR(csr, bits) asm volatile("csrc " #csr ", %0" ::"r"(uint64_t(bits)) : "memory")
