// What guest programs on several harts share. Harts meet by words in memory; guest_main() runs on hart 0.
#pragma once

#include "runtime.h"

extern "C" void guest_secondary(uint64_t hart);

namespace guest {

inline volatile uint32_t& msip(uint64_t hart) {
    return *reinterpret_cast<volatile uint32_t*>(0x02000000 + 4 * hart);
}
inline volatile uint64_t& mtimecmp(uint64_t hart) {
    return *reinterpret_cast<volatile uint64_t*>(0x02004000 + 8 * hart);
}
inline volatile uint64_t& mtime() { return *reinterpret_cast<volatile uint64_t*>(0x0200bff8); }

constexpr uint64_t kMsi = 1 << 3;
constexpr uint64_t kMti = 1 << 7;
constexpr uint64_t kStatusMie = 1 << 3;

inline uint64_t time() { return GUEST_CSR_READ(time); }

// A word that harts wait for.
class Word {
  public:
    constexpr explicit Word(uint64_t value = 0) : value_(value) {}
    uint64_t get() const { return __atomic_load_n(&value_, __ATOMIC_ACQUIRE); }
    void set(uint64_t value) { __atomic_store_n(&value_, value, __ATOMIC_RELEASE); }
    uint64_t add(uint64_t value) { return __atomic_add_fetch(&value_, value, __ATOMIC_ACQ_REL); }
    void wait_for(uint64_t value) const {
        while (get() != value) {
        }
    }

  private:
    uint64_t value_;
};

// "name value", in hexadecimal.
inline void put_named(const char* name, uint64_t value) {
    put_text(name);
    put_char(' ');
    put_word(value);
}

}  // namespace guest
