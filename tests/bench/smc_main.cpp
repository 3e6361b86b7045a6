// Stores beside and into running code. Each line: a name, how often, and ticks of `time` (100 ns), in hexadecimal.
#include "runtime.h"

namespace {

using namespace guest;

constexpr uint64_t kMillion = 1000000;
constexpr uint64_t kCode = 0x80400000;  // a page of code and data, beyond the image

constexpr uint32_t kRet = 0x00008067;
constexpr uint32_t li_a0(uint64_t value) {
    return static_cast<uint32_t>(value & 0x7ff) << 20 | 10 << 7 | 0x13;
}

void put_insn(uint64_t address, uint32_t insn) { *reinterpret_cast<volatile uint32_t*>(address) = insn; }
void fence_i() { asm volatile("fence.i" ::: "memory"); }
uint64_t call(uint64_t address) { return reinterpret_cast<uint64_t (*)()>(address)(); }
volatile uint64_t& data(uint64_t offset) { return *reinterpret_cast<volatile uint64_t*>(kCode + offset); }

// A routine at `offset` that returns `value`.
void put_routine(uint64_t offset, uint64_t value) {
    put_insn(kCode + offset, li_a0(value));
    put_insn(kCode + offset + 4, kRet);
}

template <class Body>
void measure(const char* name, uint64_t count, Body body) {
    const uint64_t begin = GUEST_CSR_READ(time);
    for (uint64_t i = 0; i < count; ++i) {
        body(i);
    }
    const uint64_t ticks = GUEST_CSR_READ(time) - begin;
    put_text(name);
    put_char(' ');
    put_hex(count);
    put_char(' ');
    put_word(ticks);
}

void check(bool right, const char* name) {
    if (!right) {
        put_text("wrong: ");
        put_text(name);
        put_char('\n');
        guest_end();
    }
}

}  // namespace

void guest_main() {
    constexpr uint64_t kRoutines = 32;  // 64 bytes each: the first half of the page
    for (uint64_t i = 0; i < kRoutines; ++i) {
        put_routine(i * 64, i);
    }
    fence_i();
    for (uint64_t i = 0; i < kRoutines; ++i) {
        check(call(kCode + i * 64) == i, "routine");
    }
    uint64_t sum = 0;
    // What the loops cost without any of it: a store to another page, and a call.
    measure("elsewhere", kMillion, [&](uint64_t i) {
        data(8192) = i;
        sum += call(kCode);
    });
    // A counter in the other half of the page.
    measure("same-page", kMillion, [&](uint64_t i) {
        data(2048 + (i & 127) * 8) = i;
        sum += call(kCode);
    });
    // A counter 16 bytes behind the code, in its cache line.
    measure("same-line", kMillion, [&](uint64_t i) {
        data(16) = i;
        sum += call(kCode);
    });
    check(sum == 0, "sum");
    // All routines of the page run between two stores that change one of them.
    measure("one-of-32", 20000, [&](uint64_t i) {
        put_insn(kCode, li_a0(i));
        fence_i();
        for (uint64_t r = 0; r < kRoutines; ++r) {
            sum += call(kCode + r * 64);
        }
    });
    // The routine that runs is rewritten each time; others of the page stay.
    measure("rewrite", kMillion, [&](uint64_t i) {
        put_insn(kCode, li_a0(i));
        fence_i();
        check(call(kCode) == (i & 0x7ff), "rewritten");
    });
    // The only code of its page is rewritten each time.
    const uint64_t alone = kCode + 4 * 4096;
    put_insn(alone + 4, kRet);
    measure("rewrite-alone", kMillion, [&](uint64_t i) {
        put_insn(alone, li_a0(i));
        fence_i();
        check(call(alone) == (i & 0x7ff), "rewritten alone");
    });
}
