#include "runtime.h"

namespace guest {
namespace {

// NS16550A: transmit holding register, line status register with its "empty" bit.
volatile uint8_t* const kUart = reinterpret_cast<volatile uint8_t*>(0x10000000);
constexpr unsigned kLineStatus = 5;
constexpr uint8_t kTransmitEmpty = 0x20;

}  // namespace

void put_char(char c) {
    while ((kUart[kLineStatus] & kTransmitEmpty) == 0) {
    }
    kUart[0] = static_cast<uint8_t>(c);
}

void put_text(const char* text) {
    for (; *text != 0; ++text) {
        put_char(*text);
    }
}

void put_hex(uint64_t value) {
    for (int shift = 60; shift >= 0; shift -= 4) {
        put_char("0123456789abcdef"[value >> shift & 15]);
    }
}

void put_word(uint64_t value) {
    put_hex(value);
    put_char('\n');
}

}  // namespace guest

void guest_unexpected_trap(uint64_t cause, uint64_t epc, uint64_t tval) {
    guest::put_text("unexpected trap: cause, epc, tval\n");
    guest::put_word(cause);
    guest::put_word(epc);
    guest::put_word(tval);
    guest_end();
}

// The compiler may call these whatever the options say.
extern "C" void* memset(void* to, int value, unsigned long size) {
    volatile uint8_t* bytes = static_cast<volatile uint8_t*>(to);
    for (unsigned long i = 0; i < size; ++i) {
        bytes[i] = static_cast<uint8_t>(value);
    }
    return to;
}

extern "C" void* memcpy(void* to, const void* from, unsigned long size) {
    volatile uint8_t* out = static_cast<volatile uint8_t*>(to);
    for (unsigned long i = 0; i < size; ++i) {
        out[i] = static_cast<const uint8_t*>(from)[i];
    }
    return to;
}
